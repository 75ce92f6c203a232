package middleware

import (
	"net/http"

	"example.com/hardy/session"
)

// endedText says in a sentence why a session ended.
func endedText(reason session.Reason) string {
	switch reason {
	case session.ReasonIdle:
		return "There was no activity for a while, so the session has timed out."
	case session.ReasonLifetime:
		return "The session reached the end of its lifetime."
	case session.ReasonLogout:
		return "You have signed out."
	case session.ReasonRevoked:
		return "The session was ended from another place."
	case session.ReasonEvicted:
		return "A newer sign-in took the place of this session."
	}
	return "The session is no longer available."
}

// writePage writes p as an accessible HTML page.
func writePage(w http.ResponseWriter, r *http.Request, p problem) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(p.Status)
}
