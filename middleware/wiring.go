package middleware

import (
	"iter"
	"net/http"

	"example.com/hardy/cookie"
	"example.com/hardy/session"
)

// checkOptions panics for what can't be served, before a request comes.
func checkOptions(m *session.Manager, keys *cookie.Keys, o *Options) {
	switch {
	case m == nil:
		panic("middleware: Sessions without a manager; make one with session.NewManager")
	case keys == nil:
		panic("middleware: Sessions without keys; make them with cookie.KeysFromEnv, KeysFromFile, or DevKeys on a laptop")
	case m.Locks() && o.Unlock == "":
		panic("middleware: the manager locks idle sessions (session.Options.Lock), and Options.Unlock names no page to unlock them; set it, such as \"/unlock\"")
	case !m.Locks() && o.Unlock != "":
		panic("middleware: Options.Unlock is set, but the manager locks no sessions; set session.Options.Lock, or take it away")
	case o.Unlock != "" && !isPath(o.Unlock):
		panic("middleware: Options.Unlock is no path of this site, such as \"/unlock\"")
	case o.Ended > Fresh:
		panic("middleware: Options.Ended is none of Restart, Strict, Fresh")
	case o.MaxOpened < 0:
		panic("middleware: Options.MaxOpened is negative; leave it 0 for the default of 10,000")
	case o.TLS != nil && !o.InsecureHTTP:
		panic("middleware: Options.TLS is asked only with InsecureHTTP; without it every cookie is Secure")
	}
	switch o.SameSite {
	case 0, http.SameSiteLaxMode, http.SameSiteStrictMode:
	default:
		panic("middleware: Options.SameSite must be Lax (the default) or Strict: a session that other sites' requests carry can be abused by them")
	}
}

// layers yields h and what it wraps, as far in as our own middleware stands without another's between.
func layers(h http.Handler) iter.Seq[http.Handler] {
	return func(yield func(http.Handler) bool) {
		for yield(h) {
			wrapping, ok := h.(interface{ inner() http.Handler })
			if !ok {
				return
			}
			h = wrapping.inner()
		}
	}
}

func (h *sessions) inner() http.Handler { return h.next }

// checkInner panics where a middleware further in, as far as it can be seen, is this one again or
// would read the same cookie. What can't be seen is found at the first request, by outer and session.With.
func (h *sessions) checkInner(next http.Handler) {
	for layer := range layers(next) {
		switch inner := layer.(type) {
		case *sessions:
			h.checkNested(inner)
		case *cookies:
			h.checkJars(inner)
		}
	}
}

// checkInner is the same for jars.
func (h *cookies) checkInner(next http.Handler) {
	for layer := range layers(next) {
		switch inner := layer.(type) {
		case *sessions:
			inner.checkJars(h)
		case *cookies:
			if inner.local.Name() == h.local.Name() {
				panic("middleware: Cookies wraps itself with the same cookie; wrap once")
			}
		}
	}
}

// outer is the exchange of a session middleware further out, or nil. It panics where that is this one again or reads the
// same cookie. It sees through every middleware whose ResponseWriter has Unwrap.
func (h *sessions) outer(w http.ResponseWriter) (nearest *exchange) {
	for under := ownWriter(w); under != nil; under = ownWriter(under.ResponseWriter) {
		switch x := under.sender.(type) {
		case *exchange:
			x.h.checkNested(h)
			if nearest == nil {
				nearest = x
			}
		case *jarExchange:
			h.checkJars(x.h)
		}
	}
	return nearest
}

// checkOuter panics where a session middleware further out has a jar's cookie.
func (h *cookies) checkOuter(w http.ResponseWriter) {
	for under := ownWriter(w); under != nil; under = ownWriter(under.ResponseWriter) {
		if x, ok := under.sender.(*exchange); ok {
			x.h.checkJars(h)
		}
	}
}

// ownWriter is w, or the next one below it that is ours; nil where there is none.
func ownWriter(w http.ResponseWriter) *writer {
	for {
		switch own := w.(type) {
		case *writer:
			return own
		case *Writer:
			return &own.writer
		}
		wrapping, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return nil
		}
		w = wrapping.Unwrap()
	}
}

func (h *sessions) checkNested(inner *sessions) {
	switch {
	case inner.manager == h.manager:
		panic("middleware: Sessions wraps itself with the same manager; wrap once")
	case inner.carrier.Name() == h.carrier.Name():
		panic("middleware: two managers share the " + h.carrier.Name() + "; give one of them another Options.Name")
	}
}

// checkJars panics where session and jar would write one cookie: the browser keeps only the later of two.
func (h *sessions) checkJars(c *cookies) {
	for _, name := range c.names {
		if h.carrier.Name() == name {
			panic("middleware: a session and a jar of Cookies share the " + name + "; give the session another Options.Name")
		}
	}
}
