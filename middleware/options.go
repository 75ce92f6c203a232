package middleware

import (
	"fmt"
	"html/template"
	"net/http"

	"example.com/hardy/session"
)

// Ended says how requests are met that come with an ended session.
type Ended uint8

const (
	// Restart: a page that is opened starts over with a blank session; everything else, which comes from a
	// page that began under the ended session, gets a 401 until somebody starts over. The default.
	Restart Ended = iota
	// Strict: a page that is opened gets the 401, too, with the dialog that says so. As a reload would meet
	// it again, the dialog's link asks for the page with the parameter hardy-start-over, which Sessions
	// answers itself: it clears the dead cookie and sends the browser on to the page without
	// the parameter. On another site's link it clears nothing, nor does it for a live session.
	Strict
	// Fresh: everything starts over, as if no cookie had come. It hides the loss from form posts
	// and scripts: only for applications that were written for such sessions.
	Fresh
)

// Options of Sessions. The zero value of each field is safe.
type Options struct {
	// Aware routes run with an ended session and look at Session.Err: a sign-in form's target
	// ("POST /login"). Patterns of http.ServeMux, as in Skip and Passive.
	Aware []string
	// Skip routes have no session at all: static files, health checks.
	Skip []string
	// Passive routes read the session without renewing it: what a page polls by itself.
	Passive []string
	// Ended is how ended sessions are met. Default Restart.
	Ended Ended
	// OnEnded answers instead of the 401: a redirect to a sign-in page, say. It is called only where
	// the 401 would be sent. Default: a dialog or application/problem+json, by Accept.
	OnEnded func(w http.ResponseWriter, r *http.Request, e *session.ExpiredError)
	// Unlock is the path of the page on which a locked session is unlocked, such as "/unlock"; it is wanted where
	// session.Options.Lock is set. Its handlers, for every method, run with the locked session, as those of Aware
	// routes do; everything else answers 401 with the state locked, and a link to it that carries the way back in
	// the parameter next.
	Unlock string
	// Describe says where a request comes from, such as device.Of: for lists of sessions. What it returns is kept in the
	// metadata of a session that signs in; where a later request says something else that is kept in its place, and
	// logged, and told to session.Trace.Changed. It is called for each request that has a session, and ends none.
	// Default nil: nothing is kept.
	Describe func(r *http.Request) map[string]string
	// Page takes the place of the page that a browser gets for an ended session and for every other
	// problem; it is executed with a Page. Its link must lead to Page.Href. With it no
	// Content-Security-Policy is sent but the application's own. Default: a page of Hardy's, without
	// scripts, in English.
	Page *template.Template
	// InsecureHTTP serves browsers over plain HTTP, on a laptop or a home network: cookies are named
	// without __Host- and are Secure only where the request came by TLS. Everyone on the way can
	// then read them.
	InsecureHTTP bool
	// TLS says whether a request came by TLS where a trusted proxy ends it; used with InsecureHTTP
	// only. Default: r.TLS is not nil.
	TLS func(r *http.Request) bool
	// SameSite of the cookie: Lax (default) or Strict. None is refused.
	SameSite http.SameSite
	// Name of the cookie, without prefix. Default "<app>-session".
	Name string
	// Carrier is how the token travels. Default: the sealed cookie. Header(name) for API clients.
	Carrier NewCarrier
	// Import carries sessions of another system over, while their users stay signed in. nil: there are none.
	Import *Import
	// AllowDevKeys lets cookie.DevKeys serve on an address that is not loopback.
	AllowDevKeys bool
	// MaxOpened bounds how many opened tokens are kept, at about 2 KiB each, and up to 4 where values are as large, so that they need
	// not be opened again at each request. Default 10,000.
	MaxOpened int
}

func (o *Options) newCarrier() NewCarrier {
	if o.Carrier == nil {
		return sealedCookie
	}
	return o.Carrier
}

// routes matches requests against patterns of http.ServeMux.
type routes struct{ mux *http.ServeMux }

func newRoutes(field string, patterns []string) (rs routes) {
	if len(patterns) == 0 {
		return routes{}
	}
	rs.mux = http.NewServeMux()
	for _, p := range patterns {
		func() {
			defer func() {
				if why := recover(); why != nil {
					panic(fmt.Sprintf("middleware: Options.%s: %q is no pattern of http.ServeMux, such as \"POST /login\": %v", field, p, why))
				}
			}()
			rs.mux.Handle(p, http.NotFoundHandler())
		}()
	}
	return rs
}

func (rs routes) match(r *http.Request) bool {
	if rs.mux == nil {
		return false
	}
	_, pattern := rs.mux.Handler(r)
	return pattern != ""
}
