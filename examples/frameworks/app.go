package main

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/ratelimit"
	"example.com/hardy/session"
)

var (
	rings = session.NewKey[int]("n_rings")
	flash = session.NewKey[string]("flash")
)

// app is what no framework changes: the layers, and what the pages do with the session in their request's context.
type app struct {
	// origin, sessions and attempts are Hardy's layers, in the order in which a request meets them. Each is a
	// func(http.Handler) http.Handler.
	origin, sessions, attempts func(http.Handler) http.Handler
}

func newApp(m *session.Manager, keys *cookie.Keys, o *middleware.Options) *app {
	o.Aware = []string{"POST /login"}  // one can sign in with an ended session
	o.Passive = []string{"GET /alive"} // what a page polls keeps no session alive
	perAddress := ratelimit.MustNew(nil, ratelimit.Policy{Name: "sign-in", Limit: ratelimit.Per(5, time.Minute), Burst: 5})
	return &app{
		origin:   http.NewCrossOriginProtection().Handler,
		sessions: middleware.Sessions(m, keys, o),
		attempts: middleware.RateLimit(perAddress, middleware.ByIP, nil),
	}
}

// page is the front page: who is signed in, a message that is shown once, and why the last session ended.
func (*app) page(ctx context.Context) string {
	s := session.From(ctx)
	message, _ := flash.Take(s)
	if s.Ended() != nil {
		message = "Your session has ended."
	}
	who := s.User()
	if who == "" {
		who = "stranger"
	}
	return fmt.Sprintf("<!doctype html><title>Rings</title><p>%s</p><p>Hello, %s. The bell rang %d times.</p>",
		html.EscapeString(message), html.EscapeString(who), rings.Get(s))
}

// login takes everybody at their word. A real one checks a password first.
func (*app) login(ctx context.Context, user string) error {
	s := session.From(ctx)
	if err := s.Login(user); err != nil {
		return err
	}
	return flash.Set(s, "Welcome, "+user+".")
}

func (*app) logout(ctx context.Context) error { return session.From(ctx).Logout() }

// see leaves a message for the next page, before the first byte of a stream.
func (*app) see(ctx context.Context) error {
	return flash.Set(session.From(ctx), "You have seen the stream.")
}

// count is exact, however many requests ring at once.
func (*app) count(ctx context.Context) (int, error) {
	return rings.Update(ctx, session.From(ctx), func(n int) int { return n + 1 })
}
