package middleware

import (
	"net/http"
	"strings"
)

// How an ended session is met depends on what the request is for (Fetch Metadata, W3C; in their absence,
// Accept and the headers that script libraries send).

// prefetch: nobody has looked at the page yet; it must not keep a session alive.
func prefetch(r *http.Request) bool {
	return len(r.Header["Sec-Purpose"]) > 0 && strings.HasPrefix(r.Header["Sec-Purpose"][0], "prefetch")
}

// actsOnNothing: no page can act on the answer, so an error would only break an image.
func actsOnNothing(r *http.Request) bool {
	if r.Method == http.MethodOptions || prefetch(r) {
		return true
	}
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "script", "style", "image", "font", "audio", "video", "track", "manifest", "worker":
		return true
	}
	return false
}

// opensPage: a page is being opened by its address, a link or a reload.
func opensPage(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return acceptsHTML(r) && r.Header.Get("HX-Request") == "" && r.Header.Get("X-Requested-With") == ""
}

// acceptsHTML says whether Accept names text/html; */* does not.
func acceptsHTML(r *http.Request) bool {
	for _, line := range r.Header["Accept"] {
		for part := range strings.SplitSeq(line, ",") {
			kind, params, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(kind), "text/html") && strings.ReplaceAll(params, " ", "") != "q=0" {
				return true
			}
		}
	}
	return false
}
