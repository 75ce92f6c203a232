package scs

import (
	"context"
	"errors"
	"log"
	"net/http"
	"time"

	"example.com/hardy/middleware"
	"example.com/hardy/session"
)

// LoadAndSave gives each request its session, by the token in its cookie, and stores it before the first byte of the
// answer. Where that fails ErrorFunc answers, and nothing of the handler's goes out. What is changed after the first byte
// is stored when the handler has returned, unless it would need a cookie: that is logged.
func (s *SessionManager) LoadAndSave(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var token string
		if cookie, err := r.Cookie(s.Cookie.Name); err == nil {
			token = cookie.Value
		}
		ctx, sd, err := s.load(r.Context(), token)
		switch {
		case err != nil:
			w.Header().Add("Vary", "Cookie")
			s.fail(w, r, err)
			return
		case sd.wrapped.Swap(true): // the same manager stands further out
			next.ServeHTTP(w, r)
			return
		}
		x := &sd.exchange
		x.s, x.sd, x.r, x.came = s, sd, r.WithContext(ctx), sd.token
		own := middleware.NewWriter(w, x)
		w.Header().Add("Vary", "Cookie")
		next.ServeHTTP(own, x.r)
		if own.Finish() {
			x.late()
		}
	})
}

// exchange is one request and its answer: a middleware.Sender.
type exchange struct {
	s    *SessionManager
	sd   *sessionData // which holds it
	r    *http.Request
	came string // the token
}

// Deliver does what scs does: a session that was modified is stored and its cookie written; one that was destroyed has its
// cookie removed.
func (x *exchange) Deliver(h http.Header) error {
	sd, ctx := x.sd, x.r.Context()
	sd.mu.Lock()
	defer sd.mu.Unlock()
	switch sd.status {
	case Modified:
		wrote := sd.changes()
		err := sd.store(ctx)
		if errors.Is(err, session.ErrExpired) && !wrote {
			break // it ended meanwhile; nothing is lost, and nothing brought back
		}
		if err != nil {
			return err
		}
		x.s.writeCookie(h, sd, sd.token, sd.expiry())
	case Destroyed:
		x.s.writeCookie(h, sd, "", time.Time{})
	}
	sd.sent = true
	return nil
}

// Refuse answers with the header as it was before Vary was added.
func (x *exchange) Refuse(w http.ResponseWriter, err error) {
	w.Header().Add("Vary", "Cookie")
	x.s.fail(w, x.r, err)
}

// Detach stores a session that has its token. A new one would need a cookie.
func (x *exchange) Detach() error {
	sd := x.sd
	sd.mu.Lock()
	defer sd.mu.Unlock()
	switch {
	case sd.status != Modified:
		return nil
	case sd.held == nil || sd.renews || sd.token != x.came:
		return errHijack
	}
	return sd.store(x.r.Context())
}

var errHijack = errors.New("scs: the session's cookie was not sent yet; send it with WriteHeader before Hijack (101 for a WebSocket), or change the session before")

// late stores what was changed after the answer had left.
func (x *exchange) late() {
	sd := x.sd
	sd.mu.Lock()
	defer sd.mu.Unlock()
	if !sd.changes() {
		return
	}
	var err error = session.ErrSent
	if sd.held != nil && !sd.renews {
		err = sd.store(x.r.Context())
	}
	if err != nil {
		sd.engine.lost(sd, err)
	}
}

func (e *engine) lost(sd *sessionData, err error) {
	handle := ""
	if sd.held != nil {
		handle = sd.held.Handle()
	}
	e.log.Error("scs: what was put into the session after the answer had left is lost", "session", handle, "error", err)
	if t := e.hardy.Trace; t != nil && t.Lost != nil {
		t.Lost(handle, err)
	}
}

// WriteSessionCookie adds the cookie with token to the header of the answer. It survives the end of the browser, until
// expiry, where Cookie.Persist is set or RememberMe was called. Where expiry is zero the cookie is removed. LoadAndSave
// does this for you.
func (s *SessionManager) WriteSessionCookie(ctx context.Context, w http.ResponseWriter, token string, expiry time.Time) {
	sd := s.from(ctx)
	sd.mu.Lock()
	defer sd.mu.Unlock()
	s.writeCookie(w.Header(), sd, token, expiry)
}

func (s *SessionManager) writeCookie(h http.Header, sd *sessionData, token string, expiry time.Time) {
	cookie := &http.Cookie{
		Value:       token,
		Name:        s.Cookie.Name,
		Domain:      s.Cookie.Domain,
		HttpOnly:    s.Cookie.HttpOnly,
		Path:        s.Cookie.Path,
		SameSite:    s.Cookie.SameSite,
		Secure:      s.Cookie.Secure,
		Partitioned: s.Cookie.Partitioned,
	}
	if expiry.IsZero() {
		cookie.Expires = time.Unix(1, 0)
		cookie.MaxAge = -1
	} else if s.Cookie.Persist || as[bool](sd.values[rememberKey]) {
		cookie.Expires = time.Unix(expiry.Unix()+1, 0)        // rounded up to the second
		cookie.MaxAge = int(time.Until(expiry).Seconds() + 1) // the same
	}
	h.Add("Set-Cookie", cookie.String())
	h.Add("Cache-Control", `no-cache="Set-Cookie"`)
}

func (s *SessionManager) fail(w http.ResponseWriter, r *http.Request, err error) {
	if s.ErrorFunc == nil {
		defaultErrorFunc(w, r, err)
		return
	}
	s.ErrorFunc(w, r, err)
}

func defaultErrorFunc(w http.ResponseWriter, _ *http.Request, err error) {
	log.Output(2, err.Error())
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, session.ErrExpired):
		status = http.StatusUnauthorized
	case errors.Is(err, session.ErrRotated):
		status = http.StatusConflict
		w.Header().Set("Retry-After", "1")
	}
	http.Error(w, http.StatusText(status), status)
}
