package middleware

import "net/http"

// Chain wraps h in each of wraps, the first outermost, as a request meets them. The order that works:
//
//	middleware.Chain(mux,
//		middleware.ClientIP(proxies...),                        // where there are proxies
//		middleware.RateLimit(perAddress, middleware.ByIP, nil), // costs no store call
//		http.NewCrossOriginProtection().Handler,                // a refused post renews no session
//		middleware.Cookies(keys, nil),
//		middleware.Sessions(sessions, keys, nil),
//		middleware.RateLimit(perUser, middleware.ByUser, nil))  // knows the user
//
// Sessions panics at start where it wraps itself directly, or another manager's under one cookie name, and at the
// first request where something stands between; so does RateLimit by user or session outside of
// Sessions. RateLimit by address panics at start outside of ClientIP.
func Chain(h http.Handler, wraps ...func(http.Handler) http.Handler) http.Handler {
	for i := len(wraps) - 1; i >= 0; i-- {
		h = wraps[i](h)
	}
	return h
}
