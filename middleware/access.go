package middleware

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"example.com/hardy/session"
)

// RequireUser lets only requests pass of visitors who are signed in. It stands inside of Sessions, around all handlers
// or some:
//
//	mux.Handle("GET /orders", middleware.RequireUser("/sign-in")(orders))
//
// login is the path of the sign-in page. Who opens a page is sent there (303), with the page in the parameter next,
// a path of this origin; the sign-in checks it by LocalPath, as anybody can write a link. Everything else, a form or a
// call by a script, gets a 401 with a link to it; where login is "" all do. It panics where login is no path.
func RequireUser(login string) func(http.Handler) http.Handler {
	return require("RequireUser", login, 0)
}

// RequireFresh lets only requests pass of visitors who signed in no longer than d ago: before a change of the password,
// a payment (ASVS 7.5.1, 7.5.3). Others are sent to sign in again, as by RequireUser: a Login of the same user
// keeps the session. Unlocking is no signing in. It panics where d is not positive, and where login is no path.
func RequireFresh(d time.Duration, login string) func(http.Handler) http.Handler {
	if d <= 0 {
		panic(fmt.Sprintf("middleware: RequireFresh(%v): say how long a sign-in counts, such as 10*time.Minute", d))
	}
	return require("RequireFresh", login, d)
}

func require(name, login string, fresh time.Duration) func(http.Handler) http.Handler {
	if login != "" && !isPath(login) {
		panic("middleware: " + name + ": the sign-in page is no path of this site, such as \"/sign-in\"; without such a page it is \"\"")
	}
	return func(next http.Handler) http.Handler { return &required{next, login, fresh} }
}

type required struct {
	next  http.Handler
	login string
	fresh time.Duration // 0: at any time
}

func (h *required) inner() http.Handler { return h.next }

var (
	userRequired = problem{
		Type: "hardy/1/user-required", Status: http.StatusUnauthorized, action: "Sign in",
		Title: "Please sign in", Detail: "This is for people who have signed in.",
	}
	freshRequired = problem{
		Type: "hardy/1/sign-in-again", Status: http.StatusUnauthorized, action: "Sign in again",
		Title: "Please sign in again", Detail: "This wants a recent sign-in. Nothing was changed.",
	}
)

func (h *required) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := session.From(r.Context())
	switch {
	case s.User() == "" && s.Err() == session.ErrRotated: // somebody signed in, moments ago
		answerInside(w, r, replaced)
	case s.User() == "":
		h.refuse(w, r, userRequired, `Session error="anonymous"`)
	case h.fresh > 0 && time.Since(s.AuthTime()) > h.fresh:
		h.refuse(w, r, freshRequired, fmt.Sprintf(`Session error="stale", max-age="%d"`, int(h.fresh/time.Second)))
	default:
		h.next.ServeHTTP(w, r)
	}
}

func (h *required) refuse(w http.ResponseWriter, r *http.Request, p problem, challenge string) {
	head := w.Header()
	if h.login != "" {
		p.href = withNext(h.login, r)
		if opensPage(r) && !inside(w).bare() {
			head.Set("Cache-Control", noStore)
			head.Set("Location", p.href)
			w.WriteHeader(http.StatusSeeOther)
			return
		}
		redirectHTMX(head, r, p.href)
	}
	head.Set("WWW-Authenticate", challenge)
	answerInside(w, r, p)
}

// inside is the innermost session middleware that w is written through, or nil.
func inside(w http.ResponseWriter) *sessions {
	for own := ownWriter(w); own != nil; own = ownWriter(own.ResponseWriter) {
		if x, ok := own.sender.(*exchange); ok {
			return x.h
		}
	}
	return nil
}

// bare says whether nobody looks at pages: see Carrier.Pages.
func (h *sessions) bare() bool { return h != nil && !h.carrier.Pages() }

// answerInside answers as the session middleware around would.
func answerInside(w http.ResponseWriter, r *http.Request, p problem) {
	if h := inside(w); h != nil {
		h.answer(w, r, p)
		return
	}
	answer(w, r, p)
}

// withNext adds the way back to the path of a page: what was asked for, if the browser was opening it, else the page
// that it came from.
func withNext(path string, r *http.Request) string {
	next := referringPath(r)
	if opensPage(r) {
		u, err := url.ParseRequestURI(r.RequestURI) // as the client asked for it, before a prefix was taken off
		if err != nil {
			u = r.URL
		}
		next = u.EscapedPath()
		if query := dropMark(u.RawQuery); query != "" {
			next += "?" + query
		}
	}
	next, ok := LocalPath(next)
	if !ok || next == path || strings.HasPrefix(next, path+"?") {
		return path
	}
	return path + "?next=" + url.QueryEscape(next)
}

// redirectHTMX leads a page of htmx, which shows no answer but a successful one.
func redirectHTMX(head http.Header, r *http.Request, to string) {
	if r.Header.Get("HX-Request") != "" {
		head.Set("HX-Redirect", to)
	}
}
