package middleware

import (
	"errors"
	"net/http"
	"strings"

	"example.com/hardy/session"
)

// startOverMark is a parameter without a value, which Sessions answers itself; see startOver. The dialog's link carries
// it where opening the page alone would not start over: under Strict, which would show the dialog again;
// on Aware routes; and to the page that a form or a script stands on, which may be on a path in Skip.
const startOverMark = "hardy-start-over"

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
	ended, err := hasEnded(h.manager, h.carrier, h.olds, r)
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
			h.olds.retire(head, r, true)
		}
	}
	head.Set("Cache-Control", noStore)
	addVary(head, h.carrier.Vary())
	head.Set("Location", relative(r, false))
	w.WriteHeader(http.StatusSeeOther)
}

// hasEnded says whether the request's token is genuine and opens a session that has ended, or an old credential that it
// brings in its place does.
func hasEnded(m *session.Manager, from Carrier, olds *importing, r *http.Request) (bool, error) {
	switch c := from.Read(r); c.State {
	case Revoked:
		return true, nil
	case Opened:
		_, err := m.Load(r.Context(), c.Token)
		if errors.Is(err, session.ErrExpired) {
			return true, nil
		}
		if err != nil && !errors.Is(err, session.ErrRotated) && !errors.Is(err, session.ErrLocked) {
			return false, err
		}
	case Nothing, Missing:
		return olds.ended(r)
	}
	return false, nil
}
