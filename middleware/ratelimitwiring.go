package middleware

import (
	"fmt"
	"net/http"

	"example.com/hardy/ratelimit"
)

// check panics for what can't work whatever is wrapped.
func (h *rateLimit) check() {
	if l, ok := h.limits.(*ratelimit.Limiter); h.limits == nil || ok && l == nil {
		panic("middleware: RateLimit without limits; make them with ratelimit.New, and look at its error")
	}
	f, isFunc := h.by.(ByFunc)
	p, isParts := h.by.(Parts)
	switch {
	case h.by == nil || isFunc && f == nil:
		panic("middleware: RateLimit without a By; ByIP serves everywhere")
	case isParts && (p == 0 || p >= ByRoute<<1):
		panic("middleware: RateLimit by no part; name one, such as ByIP")
	case h.IPv6 != 0 && h.IPv6 != 64 && h.IPv6 != 56 && h.IPv6 != 48:
		panic(fmt.Sprintf("middleware: RateLimitOptions.IPv6 is %d; it is 64 (the default), 56 or 48", h.IPv6))
	case h.Fields != 0 && h.Fields != ratelimit.Draft11:
		panic(fmt.Sprintf("middleware: RateLimitOptions.Fields is %d; ratelimit.Draft11 is known, and NoFields turns the fields off", h.Fields))
	}
	checkPage(h.Page)
	h.checkPolicies()
}

// checkPolicies asks the limiter whether it can decide by the keys that will come.
func (h *rateLimit) checkPolicies() {
	l, ok := h.limits.(interface {
		Check(have ratelimit.By, n int) error
	})
	if !ok {
		return
	}
	cost := 0 // a function's is seen when it is called
	if h.Cost == nil {
		cost = 1
	}
	for _, have := range shapes(h.by) {
		if err := l.Check(have, cost); err != nil {
			panic(fmt.Sprintf("middleware: RateLimit %v meets keys by %v: %v; with Policy.By 0 it counts by what there is", h.by, have, err))
		}
	}
}

// checkInner looks at what stands further in, as far as it can be seen.
func (h *rateLimit) checkInner(next http.Handler) {
	for layer := range layers(next) {
		switch layer := layer.(type) {
		case *sessions:
			if h.parts&(ByUser|BySession) != 0 {
				panic(fmt.Sprintf("middleware: RateLimit %v stands outside of Sessions, where nobody is known; put it inside, or count ByIP", h.by))
			}
		case *clientIP:
			if h.parts&ByIP != 0 {
				panic("middleware: RateLimit stands outside of ClientIP, so that it would count proxies; put ClientIP further out")
			}
		case *rateLimit:
			h.checkNames(layer)
		case *http.ServeMux:
			if h.parts&ByRoute != 0 && h.routes.mux == nil {
				h.routes.mux = layer
			}
		}
	}
}

// checkNames: clients tell policies apart by name, across all limiters that an answer passes.
func (h *rateLimit) checkNames(other *rateLimit) {
	type named interface{ Names() []string }
	a, ok := h.limits.(named)
	b, ok2 := other.limits.(named)
	if !ok || !ok2 {
		return
	}
	for _, name := range a.Names() {
		for _, same := range b.Names() {
			if name == same {
				panic(fmt.Sprintf("middleware: two limiters in the chain have a policy named %q; clients tell them apart by name, so give one another", name))
			}
		}
	}
}

// checkAlive panics where the handler has returned already, as in a goroutine that it left behind: the header
// is not to be touched any more, and net/http says so only of the connection.
func checkAlive(w http.ResponseWriter) {
	for {
		wrapped, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		w = wrapped.Unwrap()
	}
	closing, ok := w.(interface{ CloseNotify() <-chan bool })
	if !ok {
		return
	}
	defer func() {
		if recover() != nil {
			panic("middleware: RateLimit is called after the handler has returned, when nobody can be told; in a goroutine that outlives it ask the limiter: limits.Take or limits.Wait")
		}
	}()
	closing.CloseNotify()
}
