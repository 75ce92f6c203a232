package cookie

import (
	"errors"
	"fmt"
	"net/http"

	"example.com/hardy/internal/cookieheader"
)

// Options are what can be chosen about the cookies of jars. The zero value is safe.
type Options struct {
	// SameSite is said on every cookie; 0 is Lax. None is for pages that other sites embed, and does away with the
	// protection that it gives against forged requests.
	SameSite http.SameSite

	// InsecureHTTP is for a laptop or a home network where there is no TLS: cookies lose the name prefix by which a
	// browser keeps other hosts from planting them, and are Secure only where the request came by TLS. Changing it
	// makes browsers start with empty jars.
	InsecureHTTP bool

	// TLS says, with InsecureHTTP, whether the client's request came by TLS. nil: r.TLS is set. Behind a proxy that
	// ends TLS and is trusted, look at its header.
	TLS func(*http.Request) bool
}

// Spec says how the cookie of a jar is named, sealed and sent. middleware.Cookies makes one at start; it is safe for
// concurrent use.
type Spec struct {
	sealer  *Sealer
	keys    *Keys
	secure  *cookieheader.Template
	plain   *cookieheader.Template // nil but with InsecureHTTP
	overTLS func(*http.Request) bool
}

// NewLocal returns the spec of an app's own jar: the cookie "__Host-<app>-local", which the browser sends to
// this host alone.
func NewLocal(keys *Keys, o *Options) (*Spec, error) {
	return newSpec(keys, "__Host-", "local", "", o)
}

// NewShared returns the spec of the jar that the apps of a team share: the cookie "__Secure-<team>-shared", which
// the browser sends to domain and all hosts below it. The keys are the team's own ring, made under the team's name,
// and have no key in common with an app's (Keys.Shares). domain is like example.com, lower-case, and fixed: nothing
// is taken from a request.
func NewShared(team *Keys, domain string, o *Options) (*Spec, error) {
	if domain == "" {
		return nil, errors.New("cookie: a shared jar wants the domain of the team's apps, like example.com")
	}
	return newSpec(team, "__Secure-", "shared", domain, o)
}

func newSpec(keys *Keys, prefix, kind, domain string, o *Options) (*Spec, error) {
	if keys == nil {
		return nil, fmt.Errorf("cookie: a %s jar without keys; make them with KeysFromEnv, or DevKeys while developing", kind)
	}
	if o == nil {
		o = &Options{}
	}
	if o.InsecureHTTP {
		prefix = ""
	}
	a := cookieheader.Attributes{Name: prefix + keys.App() + "-" + kind, Domain: domain, Secure: true, SameSite: o.SameSite}
	s := &Spec{keys: keys, overTLS: o.TLS}
	var err error
	if s.secure, err = cookieheader.New(a); err != nil {
		return nil, err
	}
	if o.InsecureHTTP {
		a.Secure = false
		if s.plain, err = cookieheader.New(a); err != nil {
			return nil, err
		}
	}
	s.sealer = keys.Sealer(kind, a.Name)
	return s, nil
}

// Name returns the name of the cookie.
func (s *Spec) Name() string { return s.sealer.name }

// Keys returns the ring under which the cookie is sealed.
func (s *Spec) Keys() *Keys { return s.keys }

// Jar returns the jar of one request. The cookie is looked for and opened when a key is first used.
func (s *Spec) Jar(r *http.Request) *Jar {
	return &Jar{spec: s, request: r}
}

func (s *Spec) template(r *http.Request) *cookieheader.Template {
	if s.plain == nil || s.overTLS == nil && r.TLS != nil || s.overTLS != nil && s.overTLS(r) {
		return s.secure
	}
	return s.plain
}
