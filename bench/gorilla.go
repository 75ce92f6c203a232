package main

import (
	"crypto/rand"
	"net/http"
	"strconv"

	"github.com/gorilla/sessions"
)

const gorillaName = "gorilla cookie"

// newGorilla is gorilla/sessions with its cookie store, which keeps the session in the client. Its
// values are encrypted, as Hardy's are.
func newGorilla() *site {
	store := sessions.NewCookieStore(random(32), random(32))
	store.Options.Secure, store.Options.HttpOnly = true, true
	get := func(r *http.Request) *sessions.Session {
		s, err := store.Get(r, "session")
		if err != nil {
			panic(err)
		}
		return s
	}
	save := func(s *sessions.Session, w http.ResponseWriter, r *http.Request) {
		if err := s.Save(r, w); err != nil {
			panic(err)
		}
	}
	return &site{
		begin: func(n, others int) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s := get(r)
				s.Values["n_rings"] = n
				for i := range others {
					if name, number, text := other(i); text == "" {
						s.Values[name] = number
					} else {
						s.Values[name] = text
					}
				}
				save(s, w, r)
				w.Write(bodies[0])
			})
		},
		// It has no middleware: looking is what a handler does that wants to know who asks.
		ping: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			get(r)
			w.Write(bodies[0])
		}),
		read: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Write(bodies[byte(get(r).Values["n_rings"].(int))])
		}),
		count: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := get(r)
			n := s.Values["n_rings"].(int) + 1
			s.Values["n_rings"] = n
			save(s, w, r)
			w.Write(bodies[byte(n)])
		}),
		show: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Write(strconv.AppendInt(nil, int64(get(r).Values["n_rings"].(int)), 10))
		}),
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}
