package main

import (
	"embed"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"example.com/hardy/middleware"
	"example.com/hardy/ratelimit"
	"example.com/hardy/ratelimit/quota"
)

type api struct {
	accounts accounts
	proxies  []netip.Prefix
	log      *slog.Logger

	address *ratelimit.Limiter // everybody, before anything is known of them
	calls   *ratelimit.Limiter // by account, as its plan says
	tokens  *ratelimit.Limiter // by account; what is written for it
	clicks  *ratelimit.Limiter // the page with the bucket
	shadow  shadow             // what the stricter policy would have refused there
	ledger  *quota.Ledger      // by account; what is paid for
}

func newAPI(quotas quota.Store, proxies []netip.Prefix, log *slog.Logger) (*api, error) {
	a := &api{accounts: demoAccounts, proxies: proxies, log: log}
	var err error
	if a.address, err = ratelimit.New(nil, ratelimit.Policy{
		Name: "address", Limit: ratelimit.Per(20, time.Second), Burst: 100,
	}); err != nil {
		return nil, err
	}
	if a.calls, err = ratelimit.New(nil, ratelimit.Policy{
		Name: "calls", By: ratelimit.ByUser, Limit: 2, Burst: 10,
		Tier: func(k ratelimit.Key) ratelimit.Tier { return a.accounts.plan(k.User).calls },
	}); err != nil {
		return nil, err
	}
	if a.tokens, err = ratelimit.New(nil, ratelimit.Policy{
		Name: "tokens", By: ratelimit.ByUser, Limit: ratelimit.Per(600, time.Minute), Burst: 600,
		Tier: func(k ratelimit.Key) ratelimit.Tier { return a.accounts.plan(k.User).tokens },
	}); err != nil {
		return nil, err
	}
	if a.clicks, err = ratelimit.New(&ratelimit.Options{Trace: &ratelimit.Trace{Decision: a.shadow.count}},
		ratelimit.Policy{Name: "click", Limit: 1, Burst: 10},
		// Half as generous: it counts, and refuses nobody. Its figures say whom it would hit.
		ratelimit.Policy{Name: "stricter", Limit: 0.5, Burst: 5, Shadow: true},
	); err != nil {
		return nil, err
	}
	a.ledger, err = quota.New(quotas, &quota.Options{
		Resources: []quota.Resource{{Name: "api_calls"}, {Name: "tokens"}, {Name: "compute_seconds", Decimals: 3}},
		Tier:      func(user, resource string) (quota.Quota, bool) { return a.accounts.plan(user).quota(resource) },
		OnSoft:    func(u quota.Usage) { log.Warn("a quota is nearly used up", "account", u.User, "usage", u.String()) },
	})
	return a, err
}

var (
	//go:embed static
	static embed.FS
	files  = http.FileServerFS(static)
)

// handler is the whole application, the outermost layer first.
func (a *api) handler() http.Handler {
	v1 := http.NewServeMux()
	v1.HandleFunc("GET /v1/quote", a.quote)
	v1.HandleFunc("POST /v1/generate", a.generate)
	v1.HandleFunc("GET /v1/usage", a.usage)
	v1.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		problem{Status: http.StatusNotFound, Title: "There is no such call"}.write(w)
	})

	mux := http.NewServeMux()
	mux.Handle("/v1/", middleware.Chain(v1,
		middleware.RateLimit(a.address, middleware.ByIP, nil), // who guesses keys gets no further
		a.authenticate,
		middleware.RateLimit(a.calls, byAccount, &middleware.RateLimitOptions{Cost: cost}),
		a.countCall,
	))
	mux.HandleFunc("GET /{$}", a.bucket)
	mux.Handle("POST /click", middleware.RateLimit(a.clicks, middleware.ByIP, &middleware.RateLimitOptions{OnLimited: a.tooFast})(http.HandlerFunc(a.click)))
	mux.HandleFunc("GET /usage", a.report)
	mux.Handle("GET /static/", files)

	return middleware.Chain(mux,
		careful,
		middleware.ClientIPFrom(&middleware.ClientIPOptions{Logger: a.log}, a.proxies...),
		http.NewCrossOriginProtection().Handler,
	)
}

// byAccount counts by who has shown a key.
var byAccount = middleware.ByFunc(func(r *http.Request) (ratelimit.Key, error) {
	return ratelimit.Key{User: accountOf(r)}, nil
})

// cost of a call: writing takes more than quoting, and to ask how one stands is free.
func cost(r *http.Request) int {
	switch r.URL.Path {
	case "/v1/usage":
		return 0
	case "/v1/generate":
		return 5
	}
	return 1
}

// careful says what browsers should allow our pages, and bounds what is sent to us.
func careful(next http.Handler) http.Handler {
	return http.MaxBytesHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	}), 64<<10)
}
