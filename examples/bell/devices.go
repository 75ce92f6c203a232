package main

import (
	"errors"
	"net/http"
	"time"

	"example.com/hardy/session"
)

// fresh is how long after a sign-in the list of sessions is shown (ASVS 7.5.2): who finds an unlocked computer does not
// learn of the others.
const fresh = 15 * time.Minute

type devicesPage struct {
	Here   session.Info
	Others []session.Info
	Stale  bool // sign in again, first
}

// devices lists the sessions of who is signed in, wherever they are.
func (b *bell) devices(w http.ResponseWriter, r *http.Request) {
	s := session.From(r.Context())
	if !s.Authenticated() || time.Since(s.AuthTime()) > fresh {
		render(w, r, http.StatusOK, "sessions", devicesPage{Stale: true})
		return
	}
	all, err := b.sessions.List(r.Context(), s.User())
	if err != nil {
		http.Error(w, "The list can't be had at the moment.", http.StatusServiceUnavailable)
		return
	}
	var p devicesPage
	for _, one := range all {
		if one.Handle == s.Handle() {
			p.Here = one
		} else {
			p.Others = append(p.Others, one)
		}
	}
	render(w, r, http.StatusOK, "sessions", p)
}

// endOne ends one session. That it is this user's own is checked by Revoke; that it has ended already is no problem.
func (b *bell) endOne(w http.ResponseWriter, r *http.Request) {
	err := b.sessions.Revoke(r.Context(), session.From(r.Context()).User(), r.FormValue("handle"))
	if errors.Is(err, session.ErrNotFound) {
		err = nil
	}
	b.ended(w, r, err)
}

// endOthers ends all sessions of this user but this one.
func (b *bell) endOthers(w http.ResponseWriter, r *http.Request) {
	_, err := b.sessions.RevokeOthers(r.Context(), session.From(r.Context()))
	if errors.Is(err, session.ErrAnonymous) {
		err = nil
	}
	b.ended(w, r, err)
}

func (b *bell) ended(w http.ResponseWriter, r *http.Request, err error) {
	if err != nil {
		http.Error(w, "It can't be said whether the session has ended. Please try again.", http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, "/sessions", http.StatusSeeOther)
}
