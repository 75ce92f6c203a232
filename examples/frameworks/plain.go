package main

import (
	"fmt"
	"io"
	"net/http"

	"example.com/hardy/middleware"
)

func onServeMux(a *app) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, a.page(r.Context()))
	})
	mux.Handle("POST /login", a.attempts(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := a.login(r.Context(), r.FormValue("user")); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})))
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		a.logout(r.Context())
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	mux.HandleFunc("POST /count", func(w http.ResponseWriter, r *http.Request) {
		n, err := a.count(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, n)
	})
	mux.HandleFunc("GET /alive", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /stream", func(w http.ResponseWriter, r *http.Request) {
		a.see(r.Context())
		http.NewResponseController(w).Flush() // the header leaves at once
		for range 3 {
			io.WriteString(w, "ring\n")
			http.NewResponseController(w).Flush()
		}
	})
	return middleware.Chain(mux, a.origin, a.sessions)
}
