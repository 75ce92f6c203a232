package main

import (
	"encoding/json"
	"net/http"

	"example.com/hardy/session"
)

type scriptPage struct {
	Rings int
	Idle  string
}

// script is the page that rings without being opened anew. What it does when its session has ended is in
// static/bell.js.
func (b *bell) script(w http.ResponseWriter, r *http.Request) {
	render(w, r, http.StatusOK, "script", scriptPage{
		Rings: rings.Get(session.From(r.Context())),
		Idle:  spell(b.sessions.Idle()),
	})
}

// scriptRing needs no look at the end of a session: a call from a page of an ended one never arrives here. Its answer
// is a 401.
func (b *bell) scriptRing(w http.ResponseWriter, r *http.Request) {
	n, err := rings.Update(r.Context(), session.From(r.Context()), func(n int) int { return n + 1 })
	if err != nil {
		http.Error(w, "The bell could not be rung.", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]int{"rings": n})
}
