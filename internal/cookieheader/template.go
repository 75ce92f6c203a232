package cookieheader

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Attributes are what a Set-Cookie says beside value and age. HttpOnly and Path=/ are always said.
type Attributes struct {
	Name     string
	Domain   string // "": the host that answers, and no other
	Secure   bool
	SameSite http.SameSite // 0: Lax; said on every Set-Cookie, as a browser's own default may allow more
}

// MaxBytes is how much a browser keeps of a cookie, name and value together; it drops a larger one
// whole (RFC 6265bis, 5.6).
const MaxBytes = 4096

// Template writes Set-Cookie lines of the same attributes.
type Template struct {
	name, tail string
}

// New refuses attributes that a browser would drop the cookie for: http.Cookie.Valid lets some of them
// pass.
func New(a Attributes) (*Template, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	tail := "; HttpOnly"
	if a.Secure {
		tail += "; Secure"
	}
	switch a.SameSite {
	case http.SameSiteStrictMode:
		tail += "; SameSite=Strict"
	case http.SameSiteNoneMode:
		tail += "; SameSite=None"
	default:
		tail += "; SameSite=Lax"
	}
	if a.Domain != "" {
		tail = "; Domain=" + a.Domain + tail
	}
	return &Template{name: a.Name, tail: tail}, nil
}

// Set returns the line that stores value, for maxAge seconds, or with 0 until the browser closes. The value is in
// the alphabet of this package: nothing is escaped.
func (t *Template) Set(value string, maxAge int) string { return t.SetParts("", value, maxAge) }

// SetParts is Set for a value in two parts: it spares the caller a copy.
func (t *Template) SetParts(value, rest string, maxAge int) string {
	if maxAge <= 0 {
		return t.name + "=" + value + rest + "; Path=/" + t.tail
	}
	var digits [20]byte
	return t.name + "=" + value + rest + "; Path=/; Max-Age=" + string(strconv.AppendInt(digits[:0], int64(maxAge), 10)) + t.tail
}

// Delete returns the line that removes the cookie: a browser asks for the same attributes.
func (t *Template) Delete() string { return t.name + "=; Path=/; Max-Age=0" + t.tail }

func (a Attributes) check() error {
	if !isToken(a.Name) {
		return fmt.Errorf("cookie: the name %q is not made of letters, digits and !#$%%&'*+-.^_`|~", a.Name)
	}
	if len(a.Name) > 256 {
		return fmt.Errorf("cookie: a name of %d bytes leaves no room for a value; at most 256", len(a.Name))
	}
	// A browser compares the prefixes without regard to case.
	lower := strings.ToLower(a.Name)
	if strings.HasPrefix(lower, "__host-") && (a.Domain != "" || !a.Secure) {
		return fmt.Errorf("cookie: %s: a browser takes a __Host- cookie only with Secure and without a Domain", a.Name)
	}
	if strings.HasPrefix(lower, "__secure-") && !a.Secure {
		return fmt.Errorf("cookie: %s: a browser takes a __Secure- cookie only with Secure", a.Name)
	}
	switch a.SameSite {
	case 0, http.SameSiteDefaultMode, http.SameSiteLaxMode, http.SameSiteStrictMode:
	case http.SameSiteNoneMode:
		if !a.Secure {
			return fmt.Errorf("cookie: %s: a browser takes SameSite=None only with Secure", a.Name)
		}
	default:
		return fmt.Errorf("cookie: %s: %d is no http.SameSite", a.Name, a.SameSite)
	}
	if a.Domain != "" {
		if err := checkDomain(a.Domain); err != nil {
			return fmt.Errorf("cookie: %s: Domain %q: %w", a.Name, a.Domain, err)
		}
	}
	return nil
}

// checkDomain takes the registrable domain or one below it, as a browser compares it.
func checkDomain(d string) error {
	if len(d) > 253 {
		return errors.New("longer than 253 bytes")
	}
	labels := strings.Split(d, ".")
	if len(labels) < 2 {
		return errors.New("a browser takes no domain of one label; use one like example.com")
	}
	digits := true // an address is no domain
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return errors.New("labels are 1 to 63 letters, digits and inner hyphens, with single dots between them")
		}
		for _, c := range []byte(label) {
			switch {
			case c >= 'a' && c <= 'z' || c == '-':
				digits = false
			case c >= '0' && c <= '9':
			default:
				return errors.New("write it in lower-case ASCII (xn-- for other letters), without port")
			}
		}
	}
	if digits {
		return errors.New("an address is no domain")
	}
	return nil
}

func isToken(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte("()<>@,;:\\\"/[]?={}", c) >= 0 {
			return false
		}
	}
	return s != ""
}
