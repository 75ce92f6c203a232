package main

import (
	"net/http"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/session"
)

// rings is on the server, in the visitor's session.
var rings = session.NewKey[int]("n_rings")

type homePage struct {
	Greeting, Name, Metal string
	Rings                 int
	Begun                 bool   // the server holds something
	Idle                  string // how long it does without a request
	Ends                  string // how long from now, at most
	Visited               []string
}

func (b *bell) home(w http.ResponseWriter, r *http.Request) {
	s, local := session.From(r.Context()), cookie.Local(r.Context())
	p := homePage{
		Greeting: greeting.GetOr(cookie.Shared(r.Context()), greetings[0]),
		Name:     name.Get(local),
		Metal:    metal.GetOr(local, metals[0]),
		Rings:    rings.Get(s),
		Begun:    s.Handle() != "",
		Idle:     spell(b.sessions.Idle()),
		Visited:  visited.Get(s),
	}
	if p.Begun {
		p.Ends = spell(time.Until(s.Deadline()))
	}
	render(w, r, http.StatusOK, "home", p)
}

// ring counts exactly, however fast one clicks: Update stores at once.
func (b *bell) ring(w http.ResponseWriter, r *http.Request) {
	s := session.From(r.Context())
	if _, err := rings.Update(r.Context(), s, func(n int) int { return n + 1 }); err != nil {
		http.Error(w, "The bell could not be rung. Please try again.", http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
