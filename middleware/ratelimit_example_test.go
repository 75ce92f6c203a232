package middleware_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"time"

	"example.com/hardy/middleware"
	"example.com/hardy/ratelimit"
)

func ExampleRateLimit() {
	perAddress := ratelimit.MustNew(nil,
		ratelimit.Policy{Name: "burst", Limit: ratelimit.Every(time.Minute), Burst: 2},
		ratelimit.Policy{Name: "daily", Limit: ratelimit.Per(1000, 24*time.Hour), Burst: 1000})
	app := middleware.Chain(http.NotFoundHandler(),
		middleware.ClientIP(netip.MustParsePrefix("10.0.0.0/8")), // the load balancer
		middleware.RateLimit(perAddress, middleware.ByIP, nil))

	for range 3 {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = "10.0.0.7:4711"
		r.Header.Set("X-Forwarded-For", "127.0.0.1, 203.0.113.9") // the first is made up
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Header().Get("Retry-After"), w.Header().Get("RateLimit"))
	}
	// Output:
	// 404  "burst";r=1;t=60,"daily";r=999;t=86314
	// 404  "burst";r=0;t=60,"daily";r=998;t=86228
	// 429 60 "burst";r=0;t=60,"daily";r=998;t=60
}

func ExampleByFunc() {
	// An API's clients, by the key that a middleware further out has verified, each with its own limit.
	perClient := ratelimit.MustNew(nil, ratelimit.Policy{Name: "client", Burst: 10, Limit: 1, Tier: func(k ratelimit.Key) ratelimit.Tier {
		if k.Name == "acme" {
			return ratelimit.Tier{Limit: 100, Burst: 500}
		}
		return ratelimit.Tier{Limit: 1, Burst: 10}
	}})
	byClient := middleware.ByFunc(func(r *http.Request) (ratelimit.Key, error) {
		name, _, _ := r.BasicAuth()
		return ratelimit.Key{Name: name}, nil
	})
	h := middleware.RateLimit(perClient, byClient, nil)(http.NotFoundHandler())
	for _, name := range []string{"acme", "other"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.SetBasicAuth(name, "")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		fmt.Println(w.Header().Get("RateLimit-Policy"))
	}
	// Output:
	// "client";q=500;w=5
	// "client";q=10;w=10
}
