package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/didip/tollbooth/v7"
	"github.com/go-chi/httprate"
	"github.com/sethvargo/go-limiter/httplimit"
	"github.com/sethvargo/go-limiter/memorystore"
	"github.com/throttled/throttled/v2"
	"github.com/throttled/throttled/v2/store/memstore"
	ulule "github.com/ulule/limiter/v3"
	"github.com/ulule/limiter/v3/drivers/middleware/stdlib"
	"github.com/ulule/limiter/v3/drivers/store/memory"
)

// Limits through HTTP: every answer tells its client how it stands.

const (
	clients      = 10_000
	clientsBurst = 100_000
)

// guard is a contestant as a middleware that counts by the peer's address.
type guard struct {
	name string
	wrap func(burst int, next http.Handler) http.Handler
	// left reads from the fields of an answer how much is left.
	left func(http.Header) (int, error)
}

func guards() []guard {
	remaining := func(name string) func(http.Header) (int, error) {
		return func(h http.Header) (int, error) { return strconv.Atoi(h.Get(name)) }
	}
	return []guard{
		{rateName, func(burst int, next http.Handler) http.Handler {
			return httprate.LimitBy(burst, hour, byPeer)(next)
		}, remaining("X-RateLimit-Remaining")},
		{sethName, func(burst int, next http.Handler) http.Handler {
			store, err := memorystore.New(&memorystore.Config{Tokens: uint64(burst), Interval: hour})
			must(err)
			m, err := httplimit.NewMiddleware(store, httplimit.IPKeyFunc())
			must(err)
			return m.Handle(next)
		}, remaining("X-RateLimit-Remaining")},
		{ululeName, func(burst int, next http.Handler) http.Handler {
			return stdlib.NewMiddleware(ulule.New(memory.NewStore(), ulule.Rate{Period: hour, Limit: int64(burst)})).Handler(next)
		}, remaining("X-RateLimit-Remaining")},
		{throtName, func(burst int, next http.Handler) http.Handler {
			store, err := memstore.NewCtx(2 * clients)
			must(err)
			l, err := throttled.NewGCRARateLimiterCtx(store, throttled.RateQuota{MaxRate: throttled.PerHour(burst), MaxBurst: burst - 1})
			must(err)
			return (&throttled.HTTPRateLimiterCtx{RateLimiter: l, VaryBy: &throttled.VaryBy{RemoteAddr: true}}).RateLimit(next)
		}, remaining("X-RateLimit-Remaining")},
		{tollName, func(burst int, next http.Handler) http.Handler {
			l := tollbooth.NewLimiter(float64(burst)/hour.Seconds(), nil).SetBurst(burst).SetIPLookups([]string{"RemoteAddr"}).SetIgnoreURL(true)
			return tollbooth.LimitHandler(l, next)
		}, remaining("RateLimit-Remaining")},
		hardyGuard(),
	}
}

// byPeer is what httprate's deprecated KeyByIP does.
func byPeer(r *http.Request) (string, error) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	return httprate.CanonicalizeIP(host), err
}

// draftLeft reads r of RateLimit: "p";r=99;t=36.
func draftLeft(h http.Header) (int, error) {
	_, rest, found := strings.Cut(h.Get("RateLimit"), ";r=")
	if !found || h.Get("RateLimit-Policy") == "" {
		return 0, fmt.Errorf("the fields are %q and %q", h.Get("RateLimit-Policy"), h.Get("RateLimit"))
	}
	n, _, _ := strings.Cut(rest, ";")
	return strconv.Atoi(n)
}

func fieldsRow() row {
	r := row{name: "through HTTP with fields, 10,000 clients"}
	var peers []string
	for _, g := range guards() {
		r.entries = append(r.entries, entry{g.name, func(c *config) (job, error) { return answer(c, g) }})
		if g.name != "Hardy" {
			peers = append(peers, g.name)
		}
	}
	r.bars = []bar{noSlower("Hardy", 1, 0, serial, peers...), noSlower("Hardy", 1, 0, parallel, peers...), allocations("Hardy", 2)}
	return r
}

// answers is the job of answering clients within their limits.
type answers struct {
	guard   guard
	handler http.Handler
	workers []*caller
}

// caller is one goroutine's clients. It lies alone in its cache lines.
type caller struct {
	peers             []string // their addresses, with port
	next, calls       int
	template, request *http.Request
	sink              sink
	_                 [128]byte
}

func answer(c *config, g guard) (job, error) {
	a := &answers{guard: g}
	a.handler = g.wrap(clientsBurst, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(bodies[1]) }))
	for w := range c.workers {
		request, err := http.NewRequestWithContext(context.Background(), "GET", "https://api.example/v1/things", nil)
		if err != nil {
			return nil, err
		}
		request.Header = http.Header{"Accept": {"application/json"}, "User-Agent": {"bench"}}
		k := &caller{template: request, request: new(http.Request), sink: sink{header: http.Header{}}}
		for i := w; i < clients; i += c.workers {
			k.peers = append(k.peers, fmt.Sprintf("10.%d.%d.%d:%d", i>>16, i>>8&255, i&255, 1024+i))
		}
		a.workers = append(a.workers, k)
	}
	return a, nil
}

func (a *answers) do(worker, n int) {
	k := a.workers[worker]
	for range n {
		k.ask(a.handler, k.peers[k.next])
		if k.next++; k.next == len(k.peers) {
			k.next = 0
		}
	}
	k.calls += n
}

func (k *caller) ask(h http.Handler, peer string) {
	*k.request = *k.template
	k.request.RemoteAddr = peer
	clear(k.sink.header)
	h.ServeHTTP(&k.sink, k.request)
}

// check: each request was answered, and each client is told of its own bucket, which the next request takes
// one unit from.
func (a *answers) check() error {
	for _, k := range a.workers {
		if k.sink.bad > 0 || k.sink.bytes != k.calls {
			return fmt.Errorf("%d requests: %d answers went wrong, %d bytes were written", k.calls, k.sink.bad, k.sink.bytes)
		}
		for _, peer := range k.peers[:64] {
			k.ask(a.handler, peer)
			before, err := a.guard.left(k.sink.header)
			if err != nil {
				return err
			}
			k.ask(a.handler, peer)
			after, err := a.guard.left(k.sink.header)
			if err != nil || before-after != 1 || before >= clientsBurst {
				return fmt.Errorf("%s was told %d, then %d (%v)", peer, before, after, err)
			}
		}
	}
	return nil
}
