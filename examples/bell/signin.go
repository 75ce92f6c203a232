package main

import (
	"net/http"
	"strings"

	"example.com/hardy/session"
)

type signInPage struct {
	Tried, Error, Password string
	Again                  bool // somebody is signed in
}

func (b *bell) signInPage(w http.ResponseWriter, r *http.Request) {
	b.renderSignIn(w, r, http.StatusOK, "", "")
}

func (b *bell) renderSignIn(w http.ResponseWriter, r *http.Request, status int, tried, problem string) {
	s := session.From(r.Context())
	if tried == "" {
		tried = s.User()
	}
	render(w, r, status, "sign-in", signInPage{Tried: tried, Error: problem, Password: demoPassword, Again: s.Authenticated()})
}

// signIn comes with a new token, so that nobody who knew the old one is signed in with it. What the visitor
// rang before stays theirs.
func (b *bell) signIn(w http.ResponseWriter, r *http.Request) {
	s, user := session.From(r.Context()), strings.TrimSpace(r.FormValue("user"))
	if !signsIn(user, r.FormValue("password")) {
		b.renderSignIn(w, r, http.StatusUnprocessableEntity, user, "That name and password do not go together.")
		return
	}
	if err := s.Login(user); err != nil {
		http.Error(w, "Signing in did not work.", http.StatusInternalServerError)
		return
	}
	s.SetMeta("device", device(r.UserAgent())) // what the list of sessions shows
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// signOut ends the session on the server: a copy of its cookie opens nothing any more.
func (b *bell) signOut(w http.ResponseWriter, r *http.Request) {
	session.From(r.Context()).Logout()
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
