package main

import (
	"net/http"
	"net/netip"

	"example.com/hardy/middleware"
	"example.com/hardy/ratelimit"
)

func perClient(burst int) *ratelimit.Limiter {
	return ratelimit.MustNew(nil, ratelimit.Policy{Name: "address", Limit: ratelimit.Per(burst, hour), Burst: burst})
}

// hardyGuard counts by the peer's address, with the fields of the draft.
func hardyGuard() guard {
	return guard{"Hardy", func(burst int, next http.Handler) http.Handler {
		return middleware.RateLimit(perClient(burst), middleware.ByIP, nil)(next)
	}, draftLeft}
}

// hardyBouncer trusts the proxy, and reads the field that it writes.
func hardyBouncer() bouncer {
	return bouncer{"Hardy", "`ClientIP(10.0.0.1/32)`", func(field string, next http.Handler) http.Handler {
		return middleware.Chain(next,
			middleware.ClientIPFrom(&middleware.ClientIPOptions{Field: field, Logger: quiet}, netip.MustParsePrefix("10.0.0.1/32")),
			middleware.RateLimit(perClient(spoofBurst), middleware.ByIP, &middleware.RateLimitOptions{Logger: quiet}))
	}}
}
