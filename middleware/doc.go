// Package middleware wraps an http.Handler with what Hardy has: sessions, cookies, and what belongs to them at
// the edge of HTTP. Each layer is a func(http.Handler) http.Handler, so that it fits every router; Chain
// puts several around a handler in the order in which a request meets them.
//
//	keys, err := cookie.KeysFromEnv("HARDY_KEYS", "bell")
//	sessions := session.NewManager(store.NewMemory(nil), nil)
//	go sessions.Run(ctx)
//	perAddress := ratelimit.MustNew(nil, ratelimit.Policy{Name: "address", Limit: ratelimit.Per(50, time.Second), Burst: 200})
//	app := middleware.Chain(mux,
//		middleware.RateLimit(perAddress, middleware.ByIP, nil),
//		http.NewCrossOriginProtection().Handler,
//		middleware.Cookies(keys, nil),
//		middleware.Sessions(sessions, keys, nil))
//
// Handlers then call session.From and cookie.Local with the request's context.
//
// # The answer
//
// Session and jars are stored and written just before the first byte of the answer leaves. If that fails the
// client gets one clean error and nothing of the handler's. What would need a header after that is ErrSent
// at the call. An answer whose handler looked into session or jar is "private, no-store" and varies by Cookie; one that did not
// stays cacheable.
//
// # An ended session
//
// What a client with an ended session meets depends on what it asked; see Ended, Options.Aware and
// Options.OnEnded. Pages that call with fetch include Script, which shows the dialog or lets the page catch the end.
//
// # Moving here
//
// Import carries the sessions of another system over, while their users stay signed in.
//
// # Limits
//
// RateLimit asks a limiter of package ratelimit by typed keys: ByIP, ByUser, BySession, ByRoute, ByHeader. Who is
// refused is told when to come again; what cannot be decided is refused, too. Behind a proxy, ClientIP finds out who
// asks.
//
// # Two limits of HTTP
//
// A jar is one cookie: of two parallel answers that change it, the later one counts as a whole. And an answer
// that clears a dead cookie, if it is late, may drop a newer one in the browser.
package middleware
