package middleware

import (
	"net/http"

	"example.com/hardy/cookie"
	"example.com/hardy/session"
)

// ResetHandler starts over for pages that Sessions does not serve itself: a page from a file server or
// another host's template that calls an API under Sessions. It answers a POST by clearing the cookie, and only
// where the cookie is genuine and its session has ended. It ends no session: a live one stays as it
// is, and so does one whose token was replaced moments ago.
//
//	mux.Handle("POST /hardy/reset", middleware.ResetHandler(sessions, keys, options))
//
//	<form method="post" action="/hardy/reset"><input type="hidden" name="next" value="/orders"><button>Refresh now</button></form>
//
// A form is sent on with a 303 to its field next, a path of this origin such as "/orders?year=2026"; whatever
// else stands there leads to "/". A script (Accept without text/html) gets a 204. Requests from other
// origins are refused with a 403, those that are not POST with a 405, and where the store can't be asked
// the answer is a 503.
//
// The options must be those of Sessions, so that both mean the same cookie. It stands outside of
// Sessions, or inside on a path in Options.Skip (Options.Aware serves as well, at the price of a second look at
// the store); inside and on neither, Sessions answers with the 401 itself.
func ResetHandler(m *session.Manager, keys *cookie.Keys, o *Options) http.Handler {
	if o == nil {
		o = &Options{}
	}
	checkOptions(m, keys, o)
	h := &reset{manager: m, carrier: o.newCarrier()(m, keys, o)}
	h.olds = newImporting(m, h.carrier, o.Import)
	h.origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, crossOrigin)
	}))
	h.checked = h.origin.Handler(http.HandlerFunc(h.reset))
	return h
}

type reset struct {
	manager *session.Manager
	carrier Carrier
	olds    *importing
	origin  http.CrossOriginProtection
	checked http.Handler
}

var (
	crossOrigin = problem{
		Type: "hardy/1/cross-origin", Status: http.StatusForbidden,
		Title:  "The request was refused",
		Detail: "It was sent by a page of another origin.",
	}
	onlyPost = problem{
		Type: "hardy/1/method", Status: http.StatusMethodNotAllowed,
		Title:  "The method is not allowed",
		Detail: "Only POST is.",
	}
)

func (h *reset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		answer(w, r, onlyPost)
		return
	}
	h.checked.ServeHTTP(w, r)
}

func (h *reset) reset(w http.ResponseWriter, r *http.Request) {
	ended, err := hasEnded(h.manager, h.carrier, h.olds, r)
	if err != nil {
		answer(w, r, unavailable)
		return
	}
	head := w.Header()
	head.Set("Cache-Control", noStore)
	addVary(head, h.carrier.Vary())
	addVary(head, "Accept")
	if ended {
		h.carrier.Drop(r)
		h.carrier.Clear(head, r)
		h.olds.retire(head, r, true)
	}
	if !acceptsHTML(r) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 4*maxLocal)
	next, ok := LocalPath(r.PostFormValue("next"))
	if !ok {
		next = "/"
	}
	head.Set("Location", next)
	w.WriteHeader(http.StatusSeeOther)
}
