// Package cookieheader reads one cookie from a request and writes one to a response, for cookies whose
// values are base64url and dots: what net/http does in general, without its allocations.
package cookieheader

import (
	"net/http"
	"strings"
)

// maxCookies is net/http's own limit: a request with more has none (CVE-2025-58186).
const maxCookies = 3000

// Find returns the value of the cookie called name and how many cookies of that name the request carries. With
// n other than 1 the value is "": which of several is meant nobody can tell (RFC 6265bis, 4.2.2).
//
// Names are compared byte for byte. A value is returned as it came, quotes too: whoever opens it judges it.
func Find(h http.Header, name string) (value string, n int) {
	lines := h["Cookie"]
	if tooMany(lines) {
		return "", 0
	}
	for _, line := range lines {
		for line != "" {
			// A name that stands nowhere in the rest of the line needs no parsing of it.
			if !strings.Contains(line, name) {
				break
			}
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			key, v, _ := strings.Cut(trim(pair), "=")
			if trim(key) == name {
				value = v
				n++
			}
		}
	}
	if n != 1 {
		return "", n
	}
	return value, 1
}

// tooMany counts only where there is room for so many.
func tooMany(lines []string) bool {
	size := 0
	for _, line := range lines {
		size += len(line) + 1
	}
	if size <= maxCookies {
		return false
	}
	count := 0
	for _, line := range lines {
		count += strings.Count(line, ";") + 1
	}
	return count > maxCookies
}

// trim is net/textproto's: ASCII space and no other, or U+2000 before a name would be
// stripped and "\u2000__Host-x" taken for "__Host-x".
func trim(s string) string {
	for s != "" && space(s[0]) {
		s = s[1:]
	}
	for s != "" && space(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func space(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
