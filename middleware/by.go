package middleware

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"example.com/hardy/ratelimit"
	"example.com/hardy/session"
)

// By says whose requests RateLimit counts together: it makes the key of a request, in typed parts. The
// parts ByIP, ByUser, BySession and ByRoute are joined by "|", ByHeader and ByFunc with others by ByAll. A policy
// whose ratelimit.Policy.By is 0 counts by the whole key, another by the parts that it names.
//
// A request whose Key returns an error or panics, or returns no part at all, is answered with a 500; it
// is never let through.
type By interface {
	Key(r *http.Request) (ratelimit.Key, error)
}

// Parts of a request. A visitor who has none of the user and session that are asked for (who has not signed
// in, or for whom no session has begun) counts by address in their place.
type Parts uint8

const (
	// ByIP is the address that ClientAddr finds: IPv4 alone, IPv6 by its /64 (see RateLimitOptions.IPv6).
	ByIP Parts = 1 << iota
	// ByUser is who has signed in (session.Peek, which does not touch the session). It stands inside of Sessions.
	ByUser
	// BySession is the session's handle, which a visitor keeps through changes of the token. It stands inside of
	// Sessions. It shares the server fairly among visitors; who means harm begins sessions at will, as fast as a
	// limit ByIP further out allows.
	BySession
	// ByRoute is the pattern of http.ServeMux that matches, never the path: whatever matches none is one
	// route. Around a ServeMux, each request is matched twice. See RateLimitOptions.Routes.
	ByRoute
)

// Key makes the key of a request. The route is known to a handler inside of http.ServeMux; outside,
// RateLimit finds it.
func (p Parts) Key(r *http.Request) (k ratelimit.Key, err error) {
	if p&(ByUser|BySession) != 0 {
		user, handle := session.Peek(r.Context())
		if p&ByUser != 0 {
			k.User = user
		}
		if p&BySession != 0 {
			k.Session = handle
		}
		if k.User == "" && k.Session == "" {
			checkSession(r, p)
			p |= ByIP
		}
	}
	if p&ByIP != 0 {
		if k.Addr, err = addrKey(r); err != nil {
			return k, err
		}
	}
	if p&ByRoute != 0 {
		k.Route = r.Pattern
	}
	return k, nil
}

var errNoAddr = errors.New("middleware: the request's peer has no address; behind a proxy on a Unix socket, wrap in ClientIPFrom with TrustSocket")

func addrKey(r *http.Request) (netip.Prefix, error) {
	a := ClientAddr(r)
	if !a.IsValid() {
		return netip.Prefix{}, errNoAddr
	}
	return ratelimit.Addr(a), nil
}

// checkSession panics outside of Sessions, where everybody would count as nobody. On paths in Options.Skip there is
// no session by intent.
func checkSession(r *http.Request, p Parts) {
	if ctx := r.Context(); !session.Inside(ctx) && ctx.Value(skippedKey{}) == nil {
		panic(fmt.Sprintf("middleware: RateLimit %v stands outside of Sessions, where nobody is known; put it inside, or count ByIP", p))
	}
}

// skippedKey is in the context of requests that Sessions has let pass without a session.
type skippedKey struct{}

// shapes are the sets of parts that the keys of by may have; none where that can't be known.
func shapes(by By) (sets []ratelimit.By) {
	switch by := by.(type) {
	case Parts:
		var always ratelimit.By
		if by&ByIP != 0 {
			always |= ratelimit.ByAddr
		}
		if by&ByRoute != 0 {
			always |= ratelimit.ByRoute
		}
		if by&(ByUser|BySession) == 0 {
			return []ratelimit.By{always}
		}
		sets = append(sets, always|ratelimit.ByAddr)
		if by&BySession != 0 {
			sets = append(sets, always|ratelimit.BySession)
		}
		if by&ByUser != 0 && by&BySession != 0 {
			sets = append(sets, always|ratelimit.ByUser|ratelimit.BySession)
		} else if by&ByUser != 0 {
			sets = append(sets, always|ratelimit.ByUser)
		}
	case byHeader:
		return []ratelimit.By{ratelimit.ByAddr, ratelimit.ByName}
	case byAll:
		sets = []ratelimit.By{0}
		for _, b := range by {
			var joined []ratelimit.By
			for _, set := range sets {
				for _, more := range shapes(b) {
					joined = append(joined, set|more)
				}
			}
			sets = joined
		}
	}
	return sets
}

// String names the parts: "ByUser|ByRoute".
func (p Parts) String() string {
	var names []string
	for i, name := range []string{"ByIP", "ByUser", "BySession", "ByRoute"} {
		if p&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "|")
}

// ByHeader is the value of a header, for what has been verified further out: an API key. It becomes the part
// ratelimit.Key.Name. A request without it, or with several, counts by address. A header that nobody has verified
// limits nobody: every value that a client makes up has a bucket of its own.
func ByHeader(name string) By {
	name = http.CanonicalHeaderKey(name)
	switch {
	case name == "" || strings.ContainsAny(name, " \t\r\n:"):
		panic("middleware: ByHeader wants the name of a header, such as X-API-Key")
	case forwards(name):
		panic("middleware: ByHeader(\"" + name + "\"): clients send it, too; wrap in ClientIP and count ByIP")
	case name == "Cookie" || name == "Host":
		panic("middleware: ByHeader(\"" + name + "\"): clients make it up; count BySession, ByUser or ByIP")
	}
	return byHeader(name)
}

type byHeader string

func (name byHeader) Key(r *http.Request) (k ratelimit.Key, err error) {
	if values := r.Header[string(name)]; len(values) == 1 && values[0] != "" {
		k.Name = values[0]
		return k, nil
	}
	k.Addr, err = addrKey(r)
	return k, err
}

// ByFunc makes a function a By:
//
//	byAccount := middleware.ByFunc(func(r *http.Request) (ratelimit.Key, error) {
//		return ratelimit.Key{Name: r.FormValue("user")}, nil
//	})
type ByFunc func(r *http.Request) (ratelimit.Key, error)

// Key calls f.
func (f ByFunc) Key(r *http.Request) (ratelimit.Key, error) { return f(r) }

// ByAll joins the parts of several: ByAll(ByHeader("X-API-Key"), ByRoute). Two
// that name one part differently are an error.
func ByAll(by ...By) By {
	all := byAll(append([]By(nil), by...))
	if len(all) == 0 {
		panic("middleware: ByAll of nothing; name the parts")
	}
	for _, b := range all {
		if b == nil {
			panic("middleware: ByAll: one of them is nil")
		}
	}
	return all
}

type byAll []By

func (all byAll) Key(r *http.Request) (k ratelimit.Key, err error) {
	for _, b := range all {
		more, err := b.Key(r)
		if err != nil {
			return k, err
		}
		if more.Addr.IsValid() {
			if k.Addr.IsValid() && k.Addr != more.Addr {
				return k, errTwice("Addr")
			}
			k.Addr = more.Addr
		}
		for _, err := range [...]error{
			fill(&k.User, more.User, "User"), fill(&k.Session, more.Session, "Session"),
			fill(&k.Route, more.Route, "Route"), fill(&k.Name, more.Name, "Name"),
		} {
			if err != nil {
				return k, err
			}
		}
	}
	return k, nil
}

// fill sets a part of the key where b has it.
func fill(part *string, b, name string) error {
	if b == "" || b == *part {
		return nil
	}
	if *part != "" {
		return errTwice(name)
	}
	*part = b
	return nil
}

func errTwice(part string) error {
	return fmt.Errorf("middleware: ByAll: two of its parts fill Key.%s; let one ByFunc make it", part)
}

// partsOf are those of the Parts that by, or something joined in it, asks for.
func partsOf(by By) (p Parts) {
	switch by := by.(type) {
	case Parts:
		return by
	case byHeader:
		return ByIP // where the header is missing
	case byAll:
		for _, b := range by {
			p |= partsOf(b)
		}
	}
	return p
}

// ours says whether by calls no code of the application, and so does not panic but for wiring.
func ours(by By) bool {
	switch by := by.(type) {
	case Parts, byHeader:
		return true
	case byAll:
		for _, b := range by {
			if !ours(b) {
				return false
			}
		}
		return true
	}
	return false
}
