package middleware

import (
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"strconv"

	"example.com/hardy/session"
)

// problem is the body of an answer in the handler's place, application/problem+json (RFC 9457):
//
//	{"type":"hardy/1/session-ended","title":"…","status":401,"detail":"…","reason":"idle"}
//
// Its texts are for the client and say nothing of the cause: that is in the log.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Reason string `json:"reason,omitempty"` // of the end, where the session has ended
	// Violated policies, as a JSON array, where a limit is exceeded.
	Violated json.RawMessage `json:"violated-policies,omitempty"`

	retryAfter int                // seconds; 0: no field
	href       string             // where the page's link leads; "": back
	action     string             // the text of that link
	page       *template.Template // Options.Page
	marked     bool               // the page's way back to itself needs startOverMark
	bare       bool               // never a page: see Carrier.Pages
}

var (
	unavailable = problem{
		Type: "hardy/1/store-unavailable", Status: http.StatusServiceUnavailable, retryAfter: 2,
		Title:  "Sessions are unavailable for the moment",
		Detail: "Nothing was changed or lost. Please try again in a few seconds.",
	}
	replaced = problem{
		Type: "hardy/1/session-replaced", Status: http.StatusConflict, retryAfter: 1,
		Title:  "The session was renewed by another request",
		Detail: "Nothing was changed. Please repeat the request.",
	}
	unstorable = problem{
		Type: "hardy/1/session-not-stored", Status: http.StatusInternalServerError,
		Title:  "The session could not be stored",
		Detail: "Nothing was changed.",
	}
	capped = problem{
		Type: "hardy/1/session-capped", Status: http.StatusConflict,
		Title:  "You are signed in in too many places",
		Detail: "Please sign out in one of them first.",
	}
	missing = problem{
		Type: "hardy/1/session-missing", Status: http.StatusUnauthorized,
		Title:  "A session is required",
		Detail: "The request carries no session token.",
	}
	invalid = problem{
		Type: "hardy/1/session-invalid", Status: http.StatusUnauthorized,
		Title:  "The session token is not valid",
		Detail: "It was not issued here, or was changed on the way.",
	}
)

// failure is what the client is told of a commit that failed.
func failure(err error) problem {
	switch {
	case errors.Is(err, session.ErrRotated):
		return replaced
	case errors.Is(err, session.ErrUnavailable):
		return unavailable
	case errors.Is(err, session.ErrCapped):
		return capped
	}
	return unstorable
}

// answer writes p as a page or as problem+json, by Accept. It is never cached.
func answer(w http.ResponseWriter, r *http.Request, p problem) {
	h := w.Header()
	h.Set("Cache-Control", noStore)
	addVary(h, "Accept")
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	if !p.bare && acceptsHTML(r) {
		writePage(w, r, p)
		return
	}
	h.Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		json.NewEncoder(w).Encode(p)
	}
}

// answer writes p as this middleware's options want it.
func (h *sessions) answer(w http.ResponseWriter, r *http.Request, p problem) {
	p.page, p.marked, p.bare = h.page, h.ended == Strict || h.aware.match(r), !h.carrier.Pages()
	answer(w, r, p)
}

// unauthorized answers an API client that must send a token and sent none, or none of ours.
func (h *sessions) unauthorized(w http.ResponseWriter, r *http.Request, s State) {
	p, code := missing, "missing"
	if s == Invalid {
		p, code = invalid, "invalid"
	}
	addVary(w.Header(), h.carrier.Vary())
	w.Header().Set("WWW-Authenticate", `Session error="`+code+`"`)
	h.answer(w, r, p)
}

// refuseEnded answers a request that came from a page of an ended session.
func (h *sessions) refuseEnded(w http.ResponseWriter, r *http.Request, e *session.ExpiredError) {
	head := w.Header()
	head.Set("Cache-Control", noStore)
	addVary(head, h.carrier.Vary())
	head.Set("WWW-Authenticate", `Session error="expired", reason="`+string(e.Reason)+`"`)
	if r.Header.Get("HX-Request") != "" {
		head.Set("HX-Trigger", `{"hardy:expired":{"reason":"`+string(e.Reason)+`"}}`)
	}
	if h.onEnded != nil {
		h.onEnded(w, r, e)
		return
	}
	h.answer(w, r, problem{
		Type: "hardy/1/session-ended", Status: http.StatusUnauthorized, Reason: string(e.Reason),
		Title: "Your session has ended", Detail: endedText(e.Reason),
	})
}
