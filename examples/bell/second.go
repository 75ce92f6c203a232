package main

import (
	"net/http"

	"example.com/hardy/cookie"
)

// second is another app of the team. It has keys of its own, and no sessions.
func (b *bell) second() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /cookies", b.secondPage)
	mux.Handle("GET /{$}", http.RedirectHandler("/cookies", http.StatusSeeOther))
	mux.HandleFunc("POST /cookies/greeting", b.setGreeting)
	mux.HandleFunc("GET /style.css", b.style)
	return b.jars(b.two)(mux)
}

type secondPage struct {
	Name    string
	Cookies []string // what the browser sends to this app
	greetingForm
}

func (b *bell) secondPage(w http.ResponseWriter, r *http.Request) {
	p := secondPage{
		Name:         name.Get(cookie.Local(r.Context())), // of this app's own jar, which is empty
		greetingForm: b.greetingForm(r),
	}
	for _, c := range r.Cookies() {
		p.Cookies = append(p.Cookies, c.Name)
	}
	renderPage(w, http.StatusOK, "second", frame{Page: p})
}
