package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
)

const appName = "desk"

// master is the source of a keyring that all processes share.
type master string

func (m master) Masters(context.Context) (string, error) { return string(m), nil }

// values are what a session of the desk holds.
type values struct {
	A, B, C int
	User    string
	Ended   string // why the session before this one ended, where a page started over
}

var (
	keyA = session.NewKey[int]("a")
	keyB = session.NewKey[int]("b")
	keyC = session.NewKey[int]("c")
)

// desk is the application of these tests. It says what it holds: GET / for all of it, POST /add for the new number.
func desk(m *session.Manager, keys *cookie.Keys) http.Handler {
	byName := map[string]session.Key[int]{"a": keyA, "b": keyB, "c": keyC}
	fail := func(w http.ResponseWriter, err error) {
		switch {
		case errors.Is(err, session.ErrUnavailable):
			w.Header().Set("Retry-After", "1")
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		case err != nil:
			http.Error(w, err.Error(), http.StatusTeapot) // of a session that has ended, the middleware answers 401 in its place
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		v := values{A: keyA.Get(s), B: keyB.Get(s), C: keyC.Get(s), User: s.User()}
		if e := s.Ended(); e != nil {
			v.Ended = string(e.Reason)
		}
		json.NewEncoder(w).Encode(v)
	})
	mux.HandleFunc("POST /add/{key}", func(w http.ResponseWriter, r *http.Request) {
		n, err := byName[r.PathValue("key")].Update(r.Context(), session.From(r.Context()), func(n int) int { return n + 1 })
		fail(w, err)
		if err == nil {
			json.NewEncoder(w).Encode(n)
		}
	})
	mux.HandleFunc("POST /set/{n}", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.PathValue("n"))
		fail(w, err)
		for _, key := range r.URL.Query()["key"] {
			fail(w, byName[key].Set(session.From(r.Context()), n))
		}
	})
	mux.HandleFunc("POST /login/{user}", func(w http.ResponseWriter, r *http.Request) {
		fail(w, session.From(r.Context()).Login(r.PathValue("user")))
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		fail(w, session.From(r.Context()).Logout())
	})
	return middleware.Sessions(m, keys, &middleware.Options{InsecureHTTP: true})(mux)
}
