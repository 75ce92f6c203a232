package main

import (
	"fmt"
	"io"
	"net/http"

	"github.com/go-chi/chi/v5"
)

func onChi(a *app) http.Handler {
	r := chi.NewRouter()
	r.Use(a.origin, a.sessions)
	r.Get("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, a.page(r.Context()))
	})
	r.With(a.attempts).Post("/login", func(w http.ResponseWriter, r *http.Request) {
		if err := a.login(r.Context(), r.FormValue("user")); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	r.Post("/logout", func(w http.ResponseWriter, r *http.Request) {
		a.logout(r.Context())
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	r.Post("/count", func(w http.ResponseWriter, r *http.Request) {
		n, err := a.count(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, n)
	})
	r.Get("/alive", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	r.Get("/stream", func(w http.ResponseWriter, r *http.Request) {
		a.see(r.Context())
		http.NewResponseController(w).Flush() // the header leaves at once
		for range 3 {
			io.WriteString(w, "ring\n")
			http.NewResponseController(w).Flush()
		}
	})
	return r
}
