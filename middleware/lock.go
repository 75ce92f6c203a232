package middleware

import (
	"net/http"
	"strings"

	"example.com/hardy/session"
)

// isPath says whether s is a path of this origin without query and wildcards.
func isPath(s string) bool {
	path, ok := LocalPath(s)
	return ok && path == s && !strings.ContainsAny(s, "?#{}")
}

// unlockRoutes is the page to unlock on as a pattern, which matches nothing below it.
func (o *Options) unlockRoutes() []string {
	switch {
	case o.Unlock == "":
		return nil
	case strings.HasSuffix(o.Unlock, "/"):
		return []string{o.Unlock + "{$}"}
	}
	return []string{o.Unlock}
}

// refuseLocked answers every request of a locked session but those that may unlock it.
func (h *sessions) refuseLocked(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("WWW-Authenticate", `Session error="locked", unlock="`+h.locked+`"`) // isPath: no quotes
	addVary(head, h.carrier.Vary())
	to := withNext(h.locked, r)
	redirectHTMX(head, r, to)
	h.answer(w, r, problem{
		Type: "hardy/1/session-locked", Status: http.StatusUnauthorized, href: to, action: "Unlock",
		Title: "Your session is locked", Detail: "There was no activity for a while. Nothing is lost.",
	})
}

// describe keeps where the request comes from, before the commit.
func (x *exchange) describe(s *session.Session) {
	if x.h.tells != nil {
		x.h.manager.Describe(s, x.h.tells(x.r))
	}
}
