package middleware

import (
	"net/http"
	"strings"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/internal/cookieheader"
	"example.com/hardy/session"
)

// sealing opens and seals tokens, for both carriers.
type sealing struct {
	manager *session.Manager
	keys    *cookie.Keys
	sealer  *cookie.Sealer
	opened  *opened
	label   string // what Name returns: it is compared at each request that Cookies stands around
}

func newSealing(m *session.Manager, keys *cookie.Keys, o *Options, kind, name string) sealing {
	most := o.MaxOpened
	if most == 0 {
		most = 10_000
	}
	return sealing{m, keys, keys.Sealer("session", name), newOpened(most, m.Idle()), kind + " " + name}
}

// Name serves both carriers.
func (c *sealing) Name() string { return c.label }

// open turns the text that a request carries into its token.
func (c *sealing) open(text string) Carried {
	if known, ok := c.opened.get(text); ok {
		switch c.keys.State(known.key) {
		case cookie.Primary:
			return Carried{State: Opened, Token: known.token}
		case cookie.Retired:
			c.traceRetired(known.key)
			return Carried{State: Opened, Token: known.token, Stale: true}
		}
		c.opened.drop(text)
	}
	o, outcome := c.sealer.Open(text)
	switch outcome {
	case cookie.OK:
	case cookie.RevokedKey:
		return Carried{State: Revoked}
	default:
		return Carried{State: Invalid}
	}
	t, err := c.manager.Token(string(o.Plain))
	if err != nil {
		return Carried{State: Invalid}
	}
	c.opened.put(text, openedToken{t, o.KeyID})
	return Carried{State: Opened, Token: t, Stale: o.Retired}
}

// traceRetired reports the use of a retired key where the cache has spared the opening.
func (c *sealing) traceRetired(key string) {
	if t := c.keys.Trace; t != nil && t.Opened != nil {
		t.Opened(cookie.OpenedInfo{Cookie: c.sealer.Name(), Outcome: cookie.OK, KeyID: key, Retired: true})
	}
}

// seal returns the text for t, and remembers what it opens: the next request comes with it. Where the ring changes at
// this moment nobody knows which key has sealed it, and nothing is remembered: under a wrong one its revocation
// would be passed by.
func (c *sealing) seal(t *session.Token) (string, error) {
	generation, key := c.keys.Generation(), c.keys.PrimaryID()
	text, err := c.sealer.Seal([]byte(t.Secret()))
	if err == nil && c.keys.Generation() == generation {
		c.opened.put(text, openedToken{t, key})
	}
	return text, err
}

// cookieCarrier is the default Carrier: the token, sealed, in a cookie for this host alone.
type cookieCarrier struct {
	sealing
	name        string
	secure, lax *cookieheader.Template // lax: over plain HTTP, with InsecureHTTP
	tls         func(*http.Request) bool
}

func sealedCookie(m *session.Manager, keys *cookie.Keys, o *Options) Carrier {
	name := o.Name
	if name == "" {
		name = keys.App() + "-session"
	}
	if !o.InsecureHTTP {
		name = "__Host-" + name
	}
	template := func(secure bool) *cookieheader.Template {
		t, err := cookieheader.New(cookieheader.Attributes{Name: name, Secure: secure, SameSite: o.SameSite})
		if err != nil {
			panic("middleware: Options.Name: " + err.Error())
		}
		return t
	}
	c := &cookieCarrier{sealing: newSealing(m, keys, o, "cookie", name), name: name, secure: template(true)}
	if o.InsecureHTTP {
		c.lax = template(false)
		if c.tls = o.TLS; c.tls == nil {
			c.tls = func(r *http.Request) bool { return r.TLS != nil }
		}
	}
	return c
}

func (c *cookieCarrier) Read(r *http.Request) Carried {
	text, n := cookieheader.Find(r.Header, c.name)
	if n > 1 {
		if t := c.keys.Trace; t != nil && t.Duplicate != nil {
			t.Duplicate(c.name, n)
		}
	}
	if n != 1 {
		return Carried{}
	}
	carried := c.open(text)
	if carried.State == Invalid {
		return Carried{} // not ours: a new visitor
	}
	return carried
}

func (c *cookieCarrier) template(r *http.Request) *cookieheader.Template {
	if c.tls != nil && !c.tls(r) {
		return c.lax
	}
	return c.secure
}

func (c *cookieCarrier) Write(h http.Header, r *http.Request, t *session.Token, maxAge time.Duration) error {
	text, err := c.seal(t)
	if err != nil {
		return err
	}
	h.Add("Set-Cookie", c.template(r).Set(text, int(maxAge/time.Second)))
	return nil
}

func (c *cookieCarrier) Clear(h http.Header, r *http.Request) {
	h.Add("Set-Cookie", c.template(r).Delete())
}

func (c *cookieCarrier) Drop(r *http.Request) {
	if text, n := cookieheader.Find(r.Header, c.name); n == 1 {
		c.opened.drop(text)
	}
}

func (c *cookieCarrier) Vary() string { return "Cookie" }
func (c *cookieCarrier) Pages() bool  { return true }

// Header carries the sealed token in a header of the given name, both ways, for clients that are no
// browsers: Options.Carrier: middleware.Header("X-Session"). A request without it, or with one that is not ours, gets
// a 401 whose problem says which, but on Aware routes, where a session can begin; one whose session has ended gets
// the 401 whatever it accepts, as no page starts over here. OPTIONS reaches the handler with a blank
// session: a CORS preflight can't carry the header. The answer carries a token where one begins, is replaced
// (Login, Renew) or sealed under a new key, and an empty header where it ends. It never looks at a cookie.
func Header(name string) NewCarrier {
	name = http.CanonicalHeaderKey(name)
	if name == "" || name == "Cookie" || strings.ContainsAny(name, " \t\r\n:") {
		panic("middleware: Header wants the name of a header of its own, such as X-Session")
	}
	return func(m *session.Manager, keys *cookie.Keys, o *Options) Carrier {
		return &headerCarrier{newSealing(m, keys, o, "header", name), name}
	}
}

type headerCarrier struct {
	sealing
	name string
}

func (c *headerCarrier) Read(r *http.Request) Carried {
	switch values := r.Header[c.name]; {
	case len(values) == 0 || len(values) == 1 && values[0] == "":
		return Carried{State: Missing}
	case len(values) > 1:
		return Carried{State: Invalid}
	default:
		return c.open(values[0])
	}
}

func (c *headerCarrier) Write(h http.Header, _ *http.Request, t *session.Token, _ time.Duration) error {
	text, err := c.seal(t)
	if err == nil {
		h.Set(c.name, text)
	}
	return err
}

func (c *headerCarrier) Clear(h http.Header, _ *http.Request) { h.Set(c.name, "") }
func (c *headerCarrier) Drop(r *http.Request)                 { c.opened.drop(r.Header.Get(c.name)) }
func (c *headerCarrier) Vary() string                         { return c.name }
func (c *headerCarrier) Pages() bool                          { return false }
