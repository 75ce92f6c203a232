package main

import (
	"bytes"
	"context"
	"embed"
	"html/template"
	"math/rand/v2"
	"net/http"
	"strings"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/session/lease"
)

// What the app keeps of a user lies in the user's session: a key is a global, its value is not.
var (
	number = session.NewKey[int]("number")
	rights = session.NewKey[string]("platform_token")
)

// app is the application. clients has one client of the platform for each session, with the rights of its user; it is
// closed when the session ends, or somebody else signs in.
type app struct {
	sessions *session.Manager
	platform string
	clients  *lease.Each[*client]
}

func newApp(store session.Store, platform string) *app {
	return &app{
		sessions: session.NewManager(store, nil),
		platform: platform,
		clients: lease.NewEach(func(_ context.Context, s *session.Session) (*client, error) {
			return newClient(platform, rights.Get(s)), nil
		}, (*client).Close, nil),
	}
}

//go:embed pages static
var files embed.FS

var page = template.Must(template.ParseFS(files, "pages/random.html"))

func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("POST /roll", a.roll)
	mux.HandleFunc("POST /sign-in", a.signIn)
	mux.HandleFunc("POST /sign-out", a.signOut)
	mux.Handle("GET /static/", http.FileServerFS(files))
	return middleware.Chain(mux,
		careful,
		http.NewCrossOriginProtection().Handler,
		middleware.Sessions(a.sessions, cookie.DevKeys("random"), &middleware.Options{
			InsecureHTTP: true,
			Aware:        []string{"POST /sign-in", "POST /sign-out"},
			Skip:         []string{"GET /static/"},
		}))
}

func careful(next http.Handler) http.Handler {
	return http.MaxBytesHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		next.ServeHTTP(w, r)
	}), 4096)
}

func (a *app) home(w http.ResponseWriter, r *http.Request) {
	s := session.From(r.Context())
	p := struct {
		User   string
		Number int
		Calls  []string // as the platform has them
	}{User: s.User(), Number: number.Get(s)}
	if s.Authenticated() {
		c, err := a.clients.Get(r.Context(), s)
		if err == nil {
			p.Calls, err = c.Calls(r.Context())
		}
		if err != nil {
			http.Error(w, "The platform does not answer.", http.StatusBadGateway)
			return
		}
	}
	var body bytes.Buffer
	if err := page.Execute(&body, p); err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	body.WriteTo(w)
}

// roll is what the button does: a number for this user, and a call with this user's rights.
func (a *app) roll(w http.ResponseWriter, r *http.Request) {
	s := session.From(r.Context())
	n := 1 + rand.IntN(100)
	if s.Authenticated() {
		c, err := a.clients.Get(r.Context(), s)
		if err == nil {
			err = c.Rolled(r.Context(), n)
		}
		if err != nil {
			http.Error(w, "The platform does not answer.", http.StatusBadGateway)
			return
		}
	}
	number.Set(s, n)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// signIn believes every name, and asks the platform for a token that has this user's rights.
func (a *app) signIn(w http.ResponseWriter, r *http.Request) {
	s, user := session.From(r.Context()), strings.TrimSpace(r.FormValue("user"))
	if user == "" {
		http.Error(w, "Say a name.", http.StatusUnprocessableEntity)
		return
	}
	token, err := tokenFor(r.Context(), a.platform, user)
	if err != nil {
		http.Error(w, "The platform does not answer.", http.StatusBadGateway)
		return
	}
	if err := s.Login(user); err != nil {
		http.Error(w, "Signing in did not work.", http.StatusInternalServerError)
		return
	}
	rights.Set(s, token)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *app) signOut(w http.ResponseWriter, r *http.Request) {
	session.From(r.Context()).Logout()
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
