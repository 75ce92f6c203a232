package middleware

import (
	"net/http"
	"strings"
)

const noStore = "private, no-store"

// fields is room for two header lines beside the request that they answer: most answers need no more.
type fields [2]string

// private keeps an answer that depends on who asks out of shared caches (ASVS 14.3.2). The handler's own
// Cache-Control stands unless a cookie goes out with the answer, or it would let a shared cache keep it.
func (f *fields) private(h http.Header, vary string, cookie bool) {
	cc := h["Cache-Control"]
	if cookie || shared(cc) {
		f[0] = noStore
		h["Cache-Control"] = f[0:1:1]
	}
	if len(h["Vary"]) == 0 {
		f[1] = vary
		h["Vary"] = f[1:2:2]
		return
	}
	addVary(h, vary)
}

// shared says whether a shared cache may keep the answer: the field says so, or says nothing.
func shared(cacheControl []string) bool {
	says := false
	for _, line := range cacheControl {
		for directive := range strings.SplitSeq(line, ",") {
			name, _, _ := strings.Cut(directive, "=")
			name = strings.TrimSpace(name) // "s-maxage = 1" is no directive (RFC 9111 §5.2), and read as one by some
			if strings.EqualFold(name, "public") || strings.EqualFold(name, "s-maxage") {
				return true
			}
			says = says || name != ""
		}
	}
	return !says
}

// addVary adds a name to the Vary field where it is not there.
func addVary(h http.Header, name string) {
	lines := h["Vary"]
	for _, line := range lines {
		for field := range strings.SplitSeq(line, ",") {
			if f := strings.TrimSpace(field); f == "*" || strings.EqualFold(f, name) {
				return
			}
		}
	}
	h["Vary"] = append(lines[:len(lines):len(lines)], name)
}
