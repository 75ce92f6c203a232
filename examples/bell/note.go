package main

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"example.com/hardy/session"
)

// authenticated is what a session needs to change the note. That it lies on the server, where no visitor can write
// to it, is the whole point.
var authenticated = session.NewKey[bool]("authenticated")

const longestNote = 1000

type notePage struct {
	Note, Password, Error string
	Authenticated         bool
}

func (b *bell) note(w http.ResponseWriter, r *http.Request) {
	b.renderNote(w, r, http.StatusOK, "")
}

func (b *bell) renderNote(w http.ResponseWriter, r *http.Request, status int, problem string) {
	text, err := b.board.read()
	if err != nil {
		http.Error(w, "The note can't be read.", http.StatusInternalServerError)
		return
	}
	render(w, r, status, "note", notePage{
		Note:          text,
		Password:      demoNotePassword,
		Error:         problem,
		Authenticated: authenticated.Get(session.From(r.Context())),
	})
}

// unlock checks the password. The session gets a new token with its new right, so that whoever knew the old one does
// not have it.
func (b *bell) unlock(w http.ResponseWriter, r *http.Request) {
	if !noteHash.matches(r.FormValue("password")) {
		b.renderNote(w, r, http.StatusUnprocessableEntity, "That is not the password.")
		return
	}
	s := session.From(r.Context())
	if err := authenticated.Set(s, true); err != nil {
		http.Error(w, "The note could not be unlocked.", http.StatusInternalServerError)
		return
	}
	if err := s.Renew(); err != nil {
		http.Error(w, "The note could not be unlocked.", http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, "/note", http.StatusSeeOther)
}

// writeNote stores a note only when authenticated, whatever page the form came from.
func (b *bell) writeNote(w http.ResponseWriter, r *http.Request) {
	text := strings.TrimSpace(r.FormValue("note"))
	switch {
	case !authenticated.Get(session.From(r.Context())):
		b.renderNote(w, r, http.StatusForbidden, "Only who knows the password may change the note.")
		return
	case utf8.RuneCountInString(text) > longestNote:
		b.renderNote(w, r, http.StatusUnprocessableEntity, "The note is longer than 1,000 characters.")
		return
	}
	if err := b.board.write(text); err != nil {
		http.Error(w, "The note could not be stored.", http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, "/note", http.StatusSeeOther)
}
