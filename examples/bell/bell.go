package main

import (
	"net/http"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/ratelimit"
	"example.com/hardy/session"
)

// bell is the application: where it keeps things, and how it was asked to behave.
type bell struct {
	keyrings
	store    session.Store
	sessions *session.Manager
	board    board
	domain   string // its hosts bell. and two. share a cookie
	strict   bool
	users    bool // several on one desk, for development
	tls      bool
}

// handler is the whole application, the outermost layer first. One address can flood neither of the hosts, and what is
// refused asks the store for nothing.
func (b *bell) handler() http.Handler {
	perAddress := ratelimit.MustNew(nil, ratelimit.Policy{Name: "address", Limit: ratelimit.Per(50, time.Second), Burst: 500})
	h := middleware.Chain(b.hosts(),
		careful,
		middleware.RateLimit(perAddress, middleware.ByIP, nil),
		http.NewCrossOriginProtection().Handler,
	)
	if b.users {
		h = middleware.DevUsers(b.sessions, b.keyrings.bell, b.options(), nil)(h)
	}
	return h
}

// options are how the bell's sessions are carried and met.
func (b *bell) options() *middleware.Options {
	o := &middleware.Options{
		InsecureHTTP: !b.tls,                                      // then it serves this computer only
		Aware:        []string{"POST /sign-in", "POST /sign-out"}, // they work after an end, too
		Skip:         []string{"GET /style.css", "GET /bell.js", "GET /hardy.js", "POST /hardy/reset"},
	}
	if b.strict {
		o.Ended = middleware.Strict
	}
	return o
}

// hosts gives the second app a host name of its own. The bell answers to every other.
func (b *bell) hosts() http.Handler {
	hosts := http.NewServeMux()
	hosts.Handle("two."+b.domain+"/", b.second())
	hosts.Handle("/", b.first())
	return hosts
}

// first is the bell. Each of its pages has a file of its own.
func (b *bell) first() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", visit(b.home))
	mux.HandleFunc("POST /ring", b.ring)
	mux.HandleFunc("GET /script", visit(b.script))
	mux.HandleFunc("POST /script/ring", b.scriptRing)
	mux.HandleFunc("GET /cookies", visit(b.cookies))
	mux.HandleFunc("POST /cookies/name", b.setName)
	mux.HandleFunc("POST /cookies/metal", b.setMetal)
	mux.HandleFunc("POST /cookies/clear", b.clearJar)
	mux.HandleFunc("POST /cookies/greeting", b.setGreeting)
	mux.HandleFunc("GET /note", visit(b.note))
	mux.HandleFunc("POST /note/unlock", b.unlock)
	mux.HandleFunc("POST /note", b.writeNote)
	mux.HandleFunc("GET /sign-in", visit(b.signInPage))
	mux.HandleFunc("POST /sign-in", b.signIn)
	mux.HandleFunc("POST /sign-out", b.signOut)
	mux.HandleFunc("GET /sessions", visit(b.devices))
	mux.HandleFunc("POST /sessions/end", b.endOne)
	mux.HandleFunc("POST /sessions/end-others", b.endOthers)
	mux.HandleFunc("GET /inside", visit(b.inside))
	mux.HandleFunc("GET /style.css", b.style)
	mux.HandleFunc("GET /bell.js", serveStatic)
	mux.Handle("GET /hardy.js", middleware.Script())

	options := b.options()
	mux.Handle("POST /hardy/reset", middleware.ResetHandler(b.sessions, b.keyrings.bell, options))

	// Somebody who has signed in on many devices is one user.
	perUser := ratelimit.MustNew(nil, ratelimit.Policy{Name: "user", Limit: ratelimit.Per(20, time.Second), Burst: 200})
	return middleware.Chain(mux,
		b.jars(b.keyrings.bell),
		middleware.Sessions(b.sessions, b.keyrings.bell, options),
		middleware.RateLimit(perUser, middleware.ByUser, nil),
	)
}

// jars gives requests the app's own jar and the one that it shares with the team's other apps.
func (b *bell) jars(own *cookie.Keys) func(http.Handler) http.Handler {
	return middleware.Cookies(own, &middleware.CookieOptions{
		Shared:    b.team,
		ShareWith: b.domain,
		Cookie:    cookie.Options{InsecureHTTP: !b.tls},
	})
}
