package middleware

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"example.com/hardy/session"
)

// startOverMark is a parameter without a value, which Sessions answers itself; see startOver. The dialog's link carries
// it where opening the page alone would not start over: under Strict, which would show the dialog again;
// on Aware routes; and to the page that a form or a script stands on, which may be on a path in Skip.
const startOverMark = "hardy-start-over"

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
	local, ok := localPath(path)
	if !ok {
		return "/"
	}
	return local
}

// maxLocal bounds a way back; browsers and proxies give up at such lengths anyway.
const maxLocal = 4096

// localPath says whether s is a path of this origin, with or without a query, that can be sent in Location, and
// returns it percent-encoded. Browsers read "\" as "/", skip tabs and newlines, and take what begins
// with two slashes for another host; two slashes further on could come to the front where something on the way
// resolves dots. All of these are refused rather than repaired.
func localPath(s string) (string, bool) {
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

func hasMark(query string) bool {
	if !strings.Contains(query, startOverMark) {
		return false
	}
	for part := range strings.SplitSeq(query, "&") {
		if part == startOverMark {
			return true
		}
	}
	return false
}

func addMark(query string) string {
	if query == "" {
		return startOverMark
	}
	return query + "&" + startOverMark
}

// dropMark keeps the rest as it is: an application may read its query in a way of its own.
func dropMark(query string) string {
	if !hasMark(query) {
		return query
	}
	var kept []string
	for part := range strings.SplitSeq(query, "&") {
		if part != startOverMark {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "&")
}

// asksToStartOver: somebody has followed the link in the dialog of Strict.
func asksToStartOver(r *http.Request) bool {
	return hasMark(r.URL.RawQuery) && opensPage(r) && !actsOnNothing(r)
}

// startOver answers it: the dead cookie goes, and the browser opens the page without the mark. A live
// session keeps its cookie, as where another tab has started over already. A link on another site
// clears nothing: it could make the dialog vanish before anyone has read it.
func (h *sessions) startOver(w http.ResponseWriter, r *http.Request) {
	ended, err := hasEnded(h.manager, h.carrier, r)
	if err != nil {
		h.answer(w, r, unavailable)
		return
	}
	head := w.Header()
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		if ended {
			h.carrier.Drop(r)
			h.carrier.Clear(head, r)
		}
	}
	head.Set("Cache-Control", noStore)
	addVary(head, h.carrier.Vary())
	head.Set("Location", relative(r, false))
	w.WriteHeader(http.StatusSeeOther)
}

// hasEnded says whether the request's token is genuine and opens a session that has ended.
func hasEnded(m *session.Manager, from Carrier, r *http.Request) (bool, error) {
	switch c := from.Read(r); c.State {
	case Revoked:
		return true, nil
	case Opened:
		_, err := m.Load(r.Context(), c.Token)
		if errors.Is(err, session.ErrExpired) {
			return true, nil
		}
		if err != nil && !errors.Is(err, session.ErrRotated) {
			return false, err
		}
	}
	return false, nil
}
