package middleware

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// RequireOrigin refuses WebSocket handshakes that a page of another origin has begun. A browser sends cookies
// with them, no CORS check stands before them, and http.CrossOriginProtection lets every GET pass. All
// other requests go through untouched.
//
// A handshake passes if its Origin is in the list ("https://app.example.com"), and otherwise by the
// first of these that applies:
//
//   - Sec-Fetch-Site is there: it must be same-origin.
//   - Origin is there: its host and port must be those of the request's Host. Where the server speaks TLS
//     itself its scheme must be https.
//   - Neither is there: no browser leaves Origin out (RFC 6455 §4.1, item 8), so a program asks. It passes
//     without a Cookie field; one that keeps cookies sends an Origin, too.
//
// It stands outside of Sessions, so that a refused handshake renews no session.
//
// Behind a proxy that changes Host, list the origin by which browsers know the application. The answer is a
// 403 before the handler. It panics where an origin in the list is not one.
func RequireOrigin(origins ...string) func(http.Handler) http.Handler {
	allowed := make(map[string]bool, len(origins))
	for _, o := range origins {
		name, mend := parseOrigin(o)
		if mend != "" {
			panic(fmt.Sprintf("middleware: RequireOrigin: %q is no origin: %s", o, mend))
		}
		allowed[name] = true
	}
	return func(next http.Handler) http.Handler {
		return &requireOrigin{next, allowed}
	}
}

type requireOrigin struct {
	next    http.Handler
	allowed map[string]bool
}

func (h *requireOrigin) inner() http.Handler { return h.next }

func (h *requireOrigin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if handshake(r) && !h.passes(r) {
		answer(w, r, crossOrigin)
		return
	}
	h.next.ServeHTTP(w, r)
}

// handshake: a WebSocket is asked for, over HTTP/1.1 (RFC 6455) or HTTP/2 (RFC 8441). It asks for less than a
// WebSocket library does, so that none accepts what was not looked at here.
func handshake(r *http.Request) bool {
	if r.Method == http.MethodConnect {
		return true
	}
	for _, line := range r.Header["Upgrade"] {
		if strings.Contains(strings.ToLower(line), "websocket") {
			return true
		}
	}
	return false
}

func (h *requireOrigin) passes(r *http.Request) bool {
	sent := r.Header["Origin"]
	if len(sent) > 1 {
		return false
	}
	origin := ""
	if len(sent) == 1 {
		origin, _ = parseOrigin(sent[0])
		if origin == "" {
			return false // "null" (a sandboxed frame, a file) and what is no origin at all
		}
	}
	if h.allowed[origin] {
		return true
	}
	if site := r.Header["Sec-Fetch-Site"]; len(site) > 0 {
		return len(site) == 1 && site[0] == "same-origin"
	}
	if origin == "" {
		return len(r.Header["Cookie"]) == 0
	}
	scheme, host, _ := strings.Cut(origin, "://")
	return sameHost(scheme, host, r.Host) && (r.TLS == nil || scheme == "https")
}

// parseOrigin returns the origin in its one form (RFC 6454 §6.2), or how to mend s.
func parseOrigin(s string) (origin, mend string) {
	u, err := url.Parse(s)
	switch {
	case s == "*" || strings.Contains(s, "*"):
		return "", "there are no wildcards, as each origin listed may act for the signed-in user; list them one by one"
	case err != nil:
		return "", err.Error()
	case u.Scheme == "ws" || u.Scheme == "wss":
		return "", "Origin names the page that connects, not the socket; write " + strings.Replace(u.Scheme, "ws", "http", 1) + "://" + u.Host
	case u.Scheme != "http" && u.Scheme != "https":
		return "", "write it with its scheme, such as https://app.example.com"
	case u.Host == "" || u.Hostname() == "":
		return "", "it names no host; write it such as https://app.example.com"
	case u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(s, "#"):
		return "", "an origin is scheme, host and port only; write " + u.Scheme + "://" + u.Host
	}
	return u.Scheme + "://" + withoutPort(u.Scheme, strings.ToLower(u.Host)), ""
}
