package scs

import (
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/alexedwards/scs/v2/memstore"

	"example.com/hardy/cookie"
	"example.com/hardy/session"
)

// Session is SessionManager.
//
// Deprecated: use SessionManager.
type Session = SessionManager

// SessionManager holds the settings of your sessions. Set its fields before it serves; one that is changed later counts
// from the next request on.
type SessionManager struct {
	// IdleTimeout ends a session that saw no request for so long. Default 0: no idle timeout.
	IdleTimeout time.Duration

	// Lifetime ends a session however active it is. RenewToken begins it anew. Default 24 hours.
	Lifetime time.Duration

	// Store keeps the sessions. Default: in memory.
	Store Store

	// Cookie says how the token travels.
	Cookie SessionCookie

	// Codec turns values into bytes. Default GobCodec.
	Codec Codec

	// ErrorFunc answers where a session could not be loaded or stored; nothing of the handler's goes out then. The
	// default logs the error by package log and answers 500; 401 where the session has ended meanwhile
	// (session.ErrExpired), 409 with Retry-After where its token was replaced (session.ErrRotated).
	ErrorFunc func(http.ResponseWriter, *http.Request, error)

	// HashTokenInStore keeps SHA-256 hashes of the tokens in the store instead of the tokens.
	HashTokenInStore bool

	// Hardy holds what scs itself has not. Its zero value keeps everything as scs has it.
	Hardy Hardy

	own unsafe.Pointer // *identity, made by New or at first use: a manager may be a literal, and may be copied
}

// Hardy are the settings that scs has not.
type Hardy struct {
	// Keys moves the application on to Hardy's own forms: sessions that begin, or get a new token, from now on have a
	// sealed cookie and sealed rows, as docs/security.md describes them; those that exist go on as they are. Set it when
	// no older binary serves any more: they, and Iterate, see nothing in what is sealed. Default nil: scs's forms.
	Keys *cookie.Keys
	// Trace is told what happens to sessions. A row that could not be decoded is told to Corrupt.
	Trace *session.Trace
	// Logger hears of ends, faults and lost changes. Default slog.Default().
	Logger *slog.Logger
}

// SessionCookie holds the settings of the session cookie.
type SessionCookie struct {
	// Name of the cookie. Default "session". Two managers of one application need different names.
	Name string

	// Domain attribute. Default "": the host that set the cookie.
	Domain string

	// HttpOnly attribute. Default true.
	HttpOnly bool

	// Path attribute. Default "/". With "" the browser takes the path of the request.
	Path string

	// SameSite attribute. Default Lax; 0 sends none.
	SameSite http.SameSite

	// Secure attribute. Default false: set it wherever browsers come by TLS.
	Secure bool

	// Partitioned attribute. Default false.
	Partitioned bool

	// Persist lets the cookie survive the end of the browser, for every session. Default true. With false, RememberMe
	// decides session by session.
	Persist bool
}

// New returns a manager with the defaults. It is safe for concurrent use.
func New() *SessionManager {
	return &SessionManager{
		Lifetime:  24 * time.Hour,
		Store:     memstore.New(),
		Codec:     GobCodec{},
		ErrorFunc: defaultErrorFunc,
		Cookie:    SessionCookie{Name: "session", HttpOnly: true, Path: "/", SameSite: http.SameSiteLaxMode, Persist: true},
		own:       unsafe.Pointer(new(identity)),
	}
}

// NewSession is New.
//
// Deprecated: use New.
func NewSession() *SessionManager { return New() }

// identity is what a manager is recognised by in a context, and holds what works for it.
type identity struct{ engine atomic.Pointer[engine] }

func (s *SessionManager) identity() *identity {
	if own := atomic.LoadPointer(&s.own); own != nil {
		return (*identity)(own)
	}
	atomic.CompareAndSwapPointer(&s.own, nil, unsafe.Pointer(new(identity)))
	return (*identity)(atomic.LoadPointer(&s.own))
}

// engine returns what works with the settings as they are now.
func (s *SessionManager) engine() *engine {
	own := s.identity()
	now := settings{
		store: s.Store, codec: s.Codec, lifetime: s.Lifetime, idle: s.IdleTimeout, hashed: s.HashTokenInStore,
		hardy: s.Hardy, name: s.Cookie.Name,
	}
	if e := own.engine.Load(); e != nil && e.settings.same(&now) {
		return e
	}
	e := newEngine(own, now)
	own.engine.Store(e)
	return e
}
