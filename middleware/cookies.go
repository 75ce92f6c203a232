package middleware

import (
	"net/http"

	"example.com/hardy/cookie"
	"example.com/hardy/internal/devkeys"
)

// CookieOptions are the options of Cookies. The zero value of each field is safe.
type CookieOptions struct {
	// Shared is the team's own keyring, made under the team's name, and ShareWith the domain whose hosts
	// its apps are, such as "example.com": both or neither. Then cookie.Shared serves the jar that all
	// of them read and write.
	Shared    *cookie.Keys
	ShareWith string
	// Cookie is how the browser gets them: SameSite, InsecureHTTP, TLS.
	Cookie cookie.Options
	// AllowDevKeys lets cookie.DevKeys serve on an address that is not loopback.
	AllowDevKeys bool
}

// Cookies gives each request its jars, cookie.Local and cookie.Shared, and writes those that the handler
// changed before the first byte of the answer. A jar that nobody looks into costs nothing and leaves the
// answer cacheable. It panics where the options can't be served.
func Cookies(keys *cookie.Keys, o *CookieOptions) func(http.Handler) http.Handler {
	if o == nil {
		o = &CookieOptions{}
	}
	local, err := cookie.NewLocal(keys, &o.Cookie)
	if err != nil {
		panic("middleware: Cookies: " + err.Error())
	}
	h := cookies{local: local, names: []string{"cookie " + local.Name()}, dev: keys.Dev() && !o.AllowDevKeys}
	switch {
	case o.Shared == nil && o.ShareWith == "":
	case o.Shared == nil || o.ShareWith == "":
		panic("middleware: CookieOptions: Shared and ShareWith go together: the team's keys and the domain of its apps")
	case o.Shared.Shares(keys):
		panic("middleware: CookieOptions.Shared has a key of the app's own ring; a team mate could then derive the app's keys: make keys for the team")
	default:
		if h.shared, err = cookie.NewShared(o.Shared, o.ShareWith, &o.Cookie); err != nil {
			panic("middleware: CookieOptions: " + err.Error())
		}
		h.names = append(h.names, "cookie "+h.shared.Name())
		h.dev = h.dev || o.Shared.Dev() && !o.AllowDevKeys
	}
	return func(next http.Handler) http.Handler {
		wrapped := h
		wrapped.next = next
		wrapped.checkInner(next)
		return &wrapped
	}
}

type cookies struct {
	local, shared *cookie.Spec
	names         []string // of both, as Carrier.Name puts them
	dev           bool
	next          http.Handler
}

func (h *cookies) inner() http.Handler { return h.next }

func (h *cookies) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.dev {
		devkeys.Refuse("middleware", r)
	}
	h.checkOuter(w)
	x := &jarExchange{h: h, r: r, local: h.local.Jar(r)}
	if h.shared != nil {
		x.shared = h.shared.Jar(r)
	}
	x.writer.begin(w, x)
	defer x.writer.abandon() // a panic
	h.next.ServeHTTP(&x.writer, r.WithContext(cookie.NewContext(r.Context(), x.local, x.shared)))
	x.writer.send()
}

// jarExchange is one request and its jars.
type jarExchange struct {
	writer        writer
	h             *cookies
	r             *http.Request
	local, shared *cookie.Jar // shared may be nil
	fields        fields
	withdrawn     bool
}

func (x *jarExchange) deliver(h http.Header) error {
	if x.withdrawn {
		return nil
	}
	touched, changed := false, false
	for _, jar := range [...]*cookie.Jar{x.local, x.shared} {
		if jar == nil {
			continue
		}
		touched = touched || jar.Touched()
		changed = changed || jar.Changed()
		if err := jar.Commit(h); err != nil {
			return err
		}
	}
	if touched {
		x.fields.private(h, "Cookie", changed)
	}
	return nil
}

func (x *jarExchange) refuse(w http.ResponseWriter, err error) { answer(w, x.r, unstorable) }

func (x *jarExchange) withdraw() { x.withdrawn = true }

// detach: a changed jar is a cookie.
func (x *jarExchange) detach() error {
	if !x.withdrawn && (x.local.Changed() || x.shared != nil && x.shared.Changed()) {
		return errHijack
	}
	return nil
}
