package middleware

import (
	"net/http"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/session"
)

// Carrier is how a token travels between client and server. The default is the sealed cookie; Header serves
// API clients. A Carrier is safe for concurrent use.
type Carrier interface {
	// Read looks for the token that the request carries.
	Read(r *http.Request) Carried
	// Write puts t into the header of the answer. maxAge 0: the client forgets it when it ends.
	Write(h http.Header, r *http.Request, t *session.Token, maxAge time.Duration) error
	// Clear tells the client to forget its token.
	Clear(h http.Header, r *http.Request)
	// Drop forgets what the carrier has cached for the request's token, which opens nothing any more.
	Drop(r *http.Request)
	// Name is what carries the token, such as "cookie __Host-app-session"; no two nested managers share it, nor a
	// manager and a jar.
	Name() string
	// Vary is the name of the request header that carries it, for the Vary field.
	Vary() string
	// Pages says whether a browser sends the token by itself when it opens a page. If not, nobody looks at
	// pages and dialogs: an ended session never starts over because a page is opened, but under
	// Options.Ended Fresh, and every problem is answered as application/problem+json.
	Pages() bool
}

// NewCarrier makes the carrier for a manager and its keys: Options.Carrier.
type NewCarrier func(m *session.Manager, keys *cookie.Keys, o *Options) Carrier

// Carried is what a Carrier found.
type Carried struct {
	State State
	Token *session.Token // where State is Opened
	// Stale: the token is genuine but was sealed under a retired key. It is written anew once the
	// session has been renewed by this very request.
	Stale bool

	imported bool // an old credential has brought it, and the client has no token yet; see Import
}

// State says what a request carries.
type State uint8

const (
	Nothing State = iota // no token, or none of ours: a new visitor
	Opened               // a genuine token
	Revoked              // a genuine token whose key was revoked: answers as an ended session
	Missing              // no token where the client must send one: 401, but on Aware routes and to OPTIONS
	Invalid              // one that is not ours where the client must send one: the same, and another problem
)
