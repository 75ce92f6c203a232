package middleware

import (
	"net/http"
	"net/url"
	"strings"
)

// wayBack is where the link of a page must lead: to what was asked for, if the browser was opening it
// (again is true), else to the page that it came from, as far as Referer tells, else to "/". It never
// leaves the origin. Where the session has ended it starts over; marked says that opening the requested page
// does not do so by itself.
func wayBack(r *http.Request, ended, marked bool) (href string, again bool) {
	if opensPage(r) {
		return relative(r, ended && marked), true
	}
	href = referringPath(r)
	if ended {
		path, query, _ := strings.Cut(href, "?")
		href = path + "?" + addMark(query)
	}
	return href, false
}

// relative refers to the requested page relative to itself, such as "./orders?year=2026". It begins with "./", so
// that no path and no query can make it leave the origin, and so that it holds behind a proxy that takes
// a prefix off the path. A mark that the request carries is left out.
func relative(r *http.Request, marked bool) string {
	path := r.URL.EscapedPath()
	path = path[strings.LastIndexByte(path, '/')+1:]
	query := dropMark(r.URL.RawQuery)
	if marked {
		query = addMark(query)
	}
	if query != "" {
		query = "?" + query
	}
	// No browser sends "#"; as one it would begin a fragment and hide the mark.
	return encode("./" + path + strings.ReplaceAll(query, "#", "%23"))
}

// referringPath is path and query of the page that sent the request, where it is one of ours.
func referringPath(r *http.Request) string {
	from, err := url.Parse(r.Header.Get("Referer"))
	if err != nil || from.Scheme != "http" && from.Scheme != "https" || !sameHost(from.Scheme, from.Host, r.Host) {
		return "/"
	}
	path := from.EscapedPath()
	if query := dropMark(from.RawQuery); query != "" {
		path += "?" + query
	}
	local, ok := LocalPath(path)
	if !ok {
		return "/"
	}
	return local
}

// maxLocal bounds a way back; browsers and proxies give up at such lengths anyway.
const maxLocal = 4096

// LocalPath says whether s is a path of this origin, with or without a query, that can be sent in Location, and
// returns it percent-encoded: for the parameter next, which RequireUser sends to the sign-in page and which anybody
// can write into a link. Browsers read "\" as "/", skip tabs and newlines, and take what begins
// with two slashes for another host; two slashes further on could come to the front where something on the way
// resolves dots. All of these are refused rather than repaired.
func LocalPath(s string) (string, bool) {
	if len(s) > maxLocal || !strings.HasPrefix(s, "/") {
		return "", false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f || s[i] == '\\' {
			return "", false
		}
	}
	path, _, _ := strings.Cut(s, "#")
	path, _, _ = strings.Cut(path, "?")
	if strings.Contains(path, "//") {
		return "", false
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return "", false
	}
	return encode(s), true
}

// encode escapes what must not stand in a URL, and leaves what is escaped as it is.
func encode(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"'<>\\^`{|}", c) >= 0 {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// sameHost says whether host, of a URL with this scheme, is what the client called this server.
func sameHost(scheme, host, called string) bool {
	return host != "" && strings.EqualFold(withoutPort(scheme, host), withoutPort(scheme, called))
}

// withoutPort takes the scheme's own port off.
func withoutPort(scheme, host string) string {
	if scheme == "https" {
		return strings.TrimSuffix(host, ":443")
	}
	return strings.TrimSuffix(host, ":80")
}
