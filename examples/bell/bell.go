package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/store"
)

var (
	rings = session.NewKey[int]("n_rings") // on the server
	nick  = cookie.NewKey[string]("name")  // in the browser, encrypted
)

const nickLives = 3 * 24 * time.Hour

type bell struct {
	keys     *cookie.Keys
	sessions *session.Manager
	strict   bool
	accounts accounts
}

func newBell(keys *cookie.Keys, a accounts, o *session.Options, strict bool) *bell {
	return &bell{
		keys:     keys,
		sessions: session.NewManager(store.NewMemory(nil), o),
		strict:   strict,
		accounts: a,
	}
}

// handler is the whole application, the outermost layer first.
func (b *bell) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", b.page)
	mux.HandleFunc("POST /ring", b.ring)
	mux.HandleFunc("POST /name", b.name)
	mux.HandleFunc("POST /sign-in", b.signIn)
	mux.HandleFunc("POST /sign-out", b.signOut)
	mux.HandleFunc("GET /style.css", b.style)

	options := &middleware.Options{
		InsecureHTTP: true,                                        // it serves this computer only
		Aware:        []string{"POST /sign-in", "POST /sign-out"}, // they work after an end, too
		Skip:         []string{"GET /style.css"},
	}
	if b.strict {
		options.Ended = middleware.Strict
	}
	return middleware.Chain(mux,
		careful,
		http.NewCrossOriginProtection().Handler,
		middleware.Cookies(b.keys, &middleware.CookieOptions{Cookie: cookie.Options{InsecureHTTP: true}}),
		middleware.Sessions(b.sessions, b.keys, options),
	)
}

// careful sets what browsers should allow our pages, and bounds what a form may send.
func careful(next http.Handler) http.Handler {
	return http.MaxBytesHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	}), 4096)
}

// ring counts exactly, however fast one clicks: Update stores at once.
func (b *bell) ring(w http.ResponseWriter, r *http.Request) {
	s := session.From(r.Context())
	if _, err := rings.Update(r.Context(), s, func(n int) int { return n + 1 }); err != nil {
		http.Error(w, "The bell could not be rung. Please try again.", http.StatusServiceUnavailable)
		return
	}
	home(w, r)
}

// name keeps a name in the browser for three days, or forgets it.
func (b *bell) name(w http.ResponseWriter, r *http.Request) {
	jar := cookie.Local(r.Context())
	name := strings.TrimSpace(r.FormValue("name"))
	var err error
	switch {
	case utf8.RuneCountInString(name) > 40:
		b.render(w, r, http.StatusUnprocessableEntity, view{NameError: "That name is longer than 40 characters."})
		return
	case name == "" || r.FormValue("forget") != "":
		_, err = nick.Delete(jar)
	default:
		err = nick.SetFor(jar, nickLives, name)
	}
	if err != nil {
		http.Error(w, "The name could not be kept.", http.StatusInternalServerError)
		return
	}
	home(w, r)
}

// signIn comes with a new token, so that nobody who knew the old one is signed in with it. What the visitor
// rang before stays theirs.
func (b *bell) signIn(w http.ResponseWriter, r *http.Request) {
	user, password := strings.TrimSpace(r.FormValue("user")), r.FormValue("password")
	if !b.accounts.check(user, password) {
		b.render(w, r, http.StatusUnprocessableEntity, view{SignInError: "That name and password do not go together.", Tried: user})
		return
	}
	if err := session.From(r.Context()).Login(user); err != nil {
		http.Error(w, "Signing in did not work.", http.StatusInternalServerError)
		return
	}
	home(w, r)
}

// signOut ends the session on the server. A copy of its cookie opens nothing any more.
func (b *bell) signOut(w http.ResponseWriter, r *http.Request) {
	session.From(r.Context()).Logout()
	home(w, r)
}

func home(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusSeeOther) }

func (b *bell) page(w http.ResponseWriter, r *http.Request) { b.render(w, r, http.StatusOK, view{}) }

var (
	//go:embed page.html
	pageHTML string
	//go:embed style.css
	styleCSS string

	page = template.Must(template.New("page").Parse(pageHTML))
)

// view is what the page shows.
type view struct {
	Rings    int
	Name     string
	User     string
	Ended    string // why the session before this one ended
	Begun    bool   // the server holds something
	Idle     string
	Ends     string // how long from now, at most
	Keys     []string
	Users    string
	Password string

	NameError, SignInError, Tried string
}

func (b *bell) render(w http.ResponseWriter, r *http.Request, status int, v view) {
	s, jar := session.From(r.Context()), cookie.Local(r.Context())
	v.Rings, v.User, v.Name = rings.Get(s), s.User(), nick.Get(jar)
	v.Begun, v.Keys = s.Handle() != "", s.Keys()
	v.Idle, v.Users, v.Password = spell(b.sessions.Idle()), strings.Join(demoUsers, " or "), demoPassword
	if v.Begun {
		v.Ends = spell(time.Until(s.Deadline()))
	}
	if e := s.Ended(); e != nil {
		v.Ended = ending(e.Reason)
	}
	var out bytes.Buffer
	if err := page.Execute(&out, v); err != nil {
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(out.Bytes())
}

// style ends with how long the fuse on the page burns: as long as the session may live without a request,
// which is 1/30 more than its idle timeout.
func (b *bell) style(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	fmt.Fprintf(w, "%s:root { --idle: %.3fs; }\n", styleCSS, (b.sessions.Idle() + b.sessions.Idle()/30).Seconds())
}

// ending completes "The session before this one ended: …".
func ending(reason session.Reason) string {
	switch reason {
	case session.ReasonIdle:
		return "nobody rang for a while"
	case session.ReasonLifetime:
		return "it reached its full age"
	case session.ReasonLogout:
		return "it was signed out"
	case session.ReasonRevoked, session.ReasonEvicted:
		return "it was ended from another place"
	}
	return "the server no longer has it"
}

// spell says how long d is, in its largest unit.
func spell(d time.Duration) string {
	for _, unit := range []struct {
		name string
		span time.Duration
	}{{"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}} {
		if n := int(d.Round(unit.span) / unit.span); n > 1 || n == 1 && d >= unit.span {
			if n == 1 {
				return "1 " + unit.name
			}
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	return "a moment"
}
