package middleware

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"example.com/hardy/ratelimit"
)

// Limits is what RateLimit asks: a *ratelimit.Limiter, or one that asks another machine. It is safe for
// concurrent use.
type Limits interface {
	// Take takes n units from every policy or none from any, and says how each stands. An error says that
	// nothing could be decided.
	Take(ctx context.Context, key ratelimit.Key, n int) (ratelimit.Result, error)
}

// RateLimitOptions are the options of RateLimit. The zero value of each field is safe.
type RateLimitOptions struct {
	// Cost of a request, in units of the policies; 0 asks only. A cost that is negative, or above a policy's burst
	// so that it could never pass, is a mistake of the program's: the client gets a 500, and Failed and the log are
	// told ratelimit.ErrCost. Where the client decides on it, bound it, or answer further out. nil: 1.
	Cost func(r *http.Request) int
	// Routes are the patterns of http.ServeMux by which ByRoute tells requests apart. nil: those of the
	// ServeMux that RateLimit wraps, or that it stands in.
	Routes []string
	// IPv6 is by how many bits of an IPv6 address clients are told apart: 64, 56 or 48. A home or a server has
	// 64 at least, often 56; a company 48. 0: 64.
	IPv6 int
	// Fields is the version of the header fields RateLimit and RateLimit-Policy. 0: ratelimit.Draft11.
	Fields ratelimit.Fields
	// NoFields leaves them out. Retry-After is sent all the same.
	NoFields bool
	// Legacy adds X-RateLimit-Limit, X-RateLimit-Remaining and X-RateLimit-Reset for older clients, of the
	// policy that is nearest to its limit. Reset is when its bucket is full, in seconds since 1970.
	Legacy bool
	// OnLimited answers instead of the 429, whose header fields (the limits, Retry-After, Cache-Control) are
	// set already. nil: a page or application/problem+json, by Accept.
	OnLimited func(w http.ResponseWriter, r *http.Request, res ratelimit.Result)
	// Page takes the place of Hardy's page; see Options.Page. nil: Hardy's.
	Page *template.Template
	// Failed is told of each request that could not be decided and was refused with a 5xx: By or Cost failed
	// or panicked, a policy lacks its part of the key, the cost makes no sense. nil: nobody.
	Failed func(r *http.Request, err error)
	// Logger is told of such requests, once a minute at most. nil: slog.Default.
	Logger *slog.Logger
}

// RateLimit asks l for each request whether it may go on, by the key that by makes of it:
//
//	perAddress := ratelimit.MustNew(nil, ratelimit.Policy{Name: "address", Limit: ratelimit.Per(20, time.Second), Burst: 60})
//	middleware.RateLimit(perAddress, middleware.ByIP, nil)
//
// By address it stands outside, behind ClientIP where there are proxies, and costs no call of the session store;
// by user or session it stands inside of Sessions, and touches no session. Chain shows both. It puts nothing
// around the ResponseWriter.
//
// Every answer tells how the client stands in the fields RateLimit and RateLimit-Policy. Who is over a limit
// gets a 429 with Retry-After, never early: a page, or application/problem+json with violated-policies, by
// Accept; htmx gets the event hardy:limited. It is never cached. What cannot be decided is refused with a 500,
// or a 503 where the limiter is out of reach, and logged; nothing is let through undecided.
//
// It panics at start where l, by and options can't work together, and at the first request where only that
// shows it; each message says how to mend it.
func RateLimit(l Limits, by By, o *RateLimitOptions) func(http.Handler) http.Handler {
	if o == nil {
		o = &RateLimitOptions{}
	}
	h := rateLimit{RateLimitOptions: *o, limits: l, by: by, parts: partsOf(by)}
	h.check()
	h.setDefaults()
	h.routes = newRoutes("Routes", o.Routes)
	h.guarded = o.Cost != nil || !ours(by)
	return func(next http.Handler) http.Handler {
		wrapped := h
		wrapped.next, wrapped.told = next, &told{failures: rate.Sometimes{First: 1, Interval: time.Minute}}
		wrapped.checkInner(next)
		return &wrapped
	}
}

func (o *RateLimitOptions) setDefaults() {
	if o.Fields == 0 {
		o.Fields = ratelimit.Draft11
	}
}

type rateLimit struct {
	RateLimitOptions
	limits  Limits
	by      By
	parts   Parts // that by asks for
	routes  routes
	guarded bool // by or Cost is the application's code
	told    *told
	next    http.Handler
}

// told is what the log has been told.
type told struct {
	failures rate.Sometimes
	proxy    sync.Once
}

func (h *rateLimit) inner() http.Handler { return h.next }

func (h *rateLimit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Context().Err() != nil {
		checkAlive(w)
	}
	res, err := h.ask(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.tell(w.Header(), &res)
	if !res.Allowed {
		h.refuse(w, r, &res)
		return
	}
	h.next.ServeHTTP(w, r)
}

// ask makes key and cost, and takes it.
func (h *rateLimit) ask(r *http.Request) (ratelimit.Result, error) {
	var key ratelimit.Key
	var cost int
	var err error
	if h.guarded {
		key, cost, err = h.guard(r)
	} else {
		key, err = h.by.Key(r)
		cost = 1
	}
	if err != nil {
		return ratelimit.Result{}, &undecided{err}
	}
	if h.parts&ByRoute != 0 && (h.routes.mux != nil || key.Route == "") {
		key.Route = h.route(r)
	}
	if a := key.Addr; h.IPv6 != 0 && a.Bits() > h.IPv6 && a.Addr().Is6() {
		key.Addr = netip.PrefixFrom(a.Addr(), h.IPv6).Masked()
	}
	if h.parts&ByIP != 0 && throughProxy(r) {
		h.told.proxy.Do(func() {
			log(h.Logger).Warn("middleware: RateLimit counts as one client a peer on a private address that forwards for others; if it is a proxy of yours, wrap in ClientIP with its network", "peer", r.RemoteAddr)
		})
	}
	return h.limits.Take(r.Context(), key, cost)
}

// guard calls what the application has written. Its panic is an error, as it must not let the request pass
// in a middleware further out that recovers, and goes on.
func (h *rateLimit) guard(r *http.Request) (key ratelimit.Key, cost int, err error) {
	defer func() {
		if why := recover(); why == http.ErrAbortHandler {
			panic(why)
		} else if why != nil {
			err = &panicked{why, debug.Stack()}
		}
	}()
	if key, err = h.by.Key(r); err != nil {
		return key, 0, err
	}
	if h.Cost == nil {
		return key, 1, nil
	}
	return key, h.Cost(r), nil
}

// undecided: by has failed.
type undecided struct{ error }

func (e *undecided) Unwrap() error { return e.error }

type panicked struct {
	why   any
	stack []byte
}

func (e *panicked) Error() string { return fmt.Sprintf("middleware: panic in By or Cost: %v", e.why) }

// noRoute is no pattern, so that no route is confused with it.
const noRoute = "none"

// route is the pattern by which ServeMux will serve r.
func (h *rateLimit) route(r *http.Request) string {
	if h.routes.mux == nil {
		panic("middleware: RateLimit ByRoute finds no http.ServeMux; put it right around one, or inside around a handler, or list patterns in RateLimitOptions.Routes")
	}
	if _, pattern := h.routes.mux.Handler(r); pattern != "" {
		return pattern
	}
	return noRoute
}

var (
	undecidable = problem{
		Type: "hardy/1/limit-undecided", Status: http.StatusInternalServerError,
		Title:  "The request could not be served",
		Detail: "Something is wrong on our side.",
	}
	limiterDown = problem{
		Type: "hardy/1/limiter-unavailable", Status: http.StatusServiceUnavailable, retryAfter: 2,
		Title:  "The request could not be served for the moment",
		Detail: "Nothing was changed. Please try again in a few seconds.",
	}
)

// fail answers where nothing could be decided.
func (h *rateLimit) fail(w http.ResponseWriter, r *http.Request, err error) {
	if h.Failed != nil {
		h.Failed(r, err)
	}
	h.told.failures.Do(func() {
		args := []any{"error", err, "method", r.Method, "path", r.URL.Path}
		var p *panicked
		if errors.As(err, &p) {
			args = append(args, "stack", string(p.stack))
		}
		log(h.Logger).Error("middleware: RateLimit refused a request, as its limit could not be decided", args...)
	})
	p := undecidable
	var ours *undecided
	if !errors.As(err, &ours) && !errors.Is(err, ratelimit.ErrNoKey) && !errors.Is(err, ratelimit.ErrCost) && !errors.Is(err, ratelimit.ErrPolicy) {
		p = limiterDown
	}
	p.page = h.Page
	answer(w, r, p)
}
