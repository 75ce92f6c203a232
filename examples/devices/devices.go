package main

import (
	"bytes"
	"embed"
	"errors"
	"html/template"
	"net/http"
	"strings"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/middleware/device"
	"example.com/hardy/session"
)

// devices is the application.
type devices struct{ sessions *session.Manager }

//go:embed pages static
var files embed.FS

var page = template.Must(template.New("devices.html").Funcs(template.FuncMap{"ago": ago}).ParseFS(files, "pages/devices.html"))

func (d *devices) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", d.home)
	mux.HandleFunc("POST /sign-in", d.signIn)
	mux.HandleFunc("POST /sign-out", d.signOut)
	mux.HandleFunc("POST /end", d.end)
	mux.HandleFunc("POST /end-others", d.endOthers)
	mux.HandleFunc("GET /live", d.live)
	mux.Handle("GET /static/", http.FileServerFS(files))
	return middleware.Chain(mux,
		careful,
		http.NewCrossOriginProtection().Handler,
		middleware.Sessions(d.sessions, cookie.DevKeys("devices"), &middleware.Options{
			InsecureHTTP: true,
			Aware:        []string{"POST /sign-in", "POST /sign-out"},
			Skip:         []string{"GET /static/"},
			Describe:     device.Of, // what the list shows: browser, system and network of each
		}))
}

func careful(next http.Handler) http.Handler {
	return http.MaxBytesHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		next.ServeHTTP(w, r)
	}), 4096)
}

// entry is a session in the list.
type entry struct {
	session.Info
	Here bool
}

func (d *devices) home(w http.ResponseWriter, r *http.Request) {
	s := session.From(r.Context())
	p := struct {
		User  string
		Ended *session.ExpiredError // the page started over
		List  []entry
	}{User: s.User(), Ended: s.Ended()}
	if s.Authenticated() {
		list, err := d.sessions.List(r.Context(), s.User())
		if err != nil {
			http.Error(w, "The list can't be had right now.", http.StatusServiceUnavailable)
			return
		}
		for _, info := range list {
			p.List = append(p.List, entry{info, info.Handle == s.Handle()})
		}
	}
	var body bytes.Buffer
	if err := page.Execute(&body, p); err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	body.WriteTo(w)
}

// signIn believes every name: this example is about what comes after.
func (d *devices) signIn(w http.ResponseWriter, r *http.Request) {
	s := session.From(r.Context())
	if err := s.Login(strings.TrimSpace(r.FormValue("user"))); err != nil {
		http.Error(w, "Say a name.", http.StatusUnprocessableEntity)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (d *devices) signOut(w http.ResponseWriter, r *http.Request) {
	session.From(r.Context()).Logout()
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// end ends one of the user's own: the handle of somebody else's is not found.
func (d *devices) end(w http.ResponseWriter, r *http.Request) {
	s := session.From(r.Context())
	err := d.sessions.Revoke(r.Context(), s.User(), r.FormValue("handle"))
	if err != nil && !errors.Is(err, session.ErrNotFound) {
		http.Error(w, "It may live on; try again.", http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (d *devices) endOthers(w http.ResponseWriter, r *http.Request) {
	switch _, err := d.sessions.RevokeOthers(r.Context(), session.From(r.Context())); {
	case errors.Is(err, session.ErrAnonymous):
	case err != nil:
		http.Error(w, "Some may live on; try again.", http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func ago(t time.Time) string {
	switch d := time.Since(t).Round(time.Second); {
	case d < 5*time.Second:
		return "just now"
	case d < time.Minute:
		return "a moment ago"
	default:
		return d.Round(time.Minute).String() + " ago"
	}
}
