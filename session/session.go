package session

import (
	"context"
	"errors"
	"sync"
	"time"

	"example.com/hardy/internal/frame"
)

// Session is one visitor's session as one request sees it: what the store held when the request came, and
// what the request has changed since. It may be used by several goroutines of that request.
//
// What others do with the session, an end included, it learns when it asks the store: at the commit, Save, Update,
// Reload, and, where the answer has left and the handler goes on, when its own time is up. It does not
// outlive its end: from then on it answers *ExpiredError, and it never touches its successor.
//
// Before anything is set it is blank: nothing is stored for it and no cookie is sent.
type Session struct {
	m     *Manager
	visit *Visit // the context that it was put into, or nil

	mu   sync.Mutex
	used bool // something of it was read or changed: the answer depends on who asks
	sent bool // the answer has left: no token can be handed out any more

	token *Token  // opens rec; nil while the session is blank
	rec   *Record // the session's own copy; noRecord while there is no token
	next  *Record // what took the place of rec within the Grace; else nil
	err   error   // *ExpiredError or ErrRotated: what the request met; until Reset or Login
	fail  error   // a write that was refused for err: it fails the commit

	due    bool // a Touch was, when rec was read
	opened bool // base holds the values of rec
	hidden bool // rec shows nothing: the user changed since
	base   frame.Frame

	inherited []frame.Change  // set before a Login in this request
	changes   []frame.Change  // set since
	room      [1]frame.Change // for the first of them
	cleared   bool            // Clear came before both
	meta      map[string]string

	leave   leave  // what becomes of rec at the commit
	login   bool   // a Login is pending
	renews  bool   // lifetime and idle begin again with the successor (Login, Remember)
	insists bool   // it replaces the token even where another request has, moments ago (Unlock)
	apart   bool   // the successor takes neither handle, creation nor metadata of rec: another user's
	signsIn string // whom the Login signs in
	sibling string // handle for the session that a Login begins beside a rotation under way
	live    *live  // what Context has given; nil: nothing yet

	over     *ExpiredError // what it started over from
	handover bool          // this request gave cause to write the cookie
	stored   bool          // a Touch or Replace of this request has succeeded
}

// leave is what becomes of the record that a request came with.
type leave uint8

const (
	stay   leave = iota // it is replaced, if anything changed
	rotate              // a successor takes its place
	end                 // it ends as a logout
)

// New returns a blank session: what a visitor without a cookie gets.
func (m *Manager) New() *Session { return &Session{m: m, rec: noRecord, opened: true} }

// noRecord spares a blank session the room of a record. It is never written to.
var noRecord = new(Record)

// Refuse returns the session, and the *ExpiredError, of a visitor whose genuine token is known to be dead
// without asking the store, because the key that sealed it was revoked. It answers as any ended session does.
func (m *Manager) Refuse(reason Reason) (*Session, error) {
	s := m.New()
	return s, s.met(reason, time.Time{})
}

// open makes the values of rec available, once. A record that does not open under its own token serves
// nothing, and is ended.
func (s *Session) open() {
	if s.sent && s.token != nil && s.err == nil && s.leave == stay {
		// A handler that goes on, such as a stream, may outlast what it holds; others may have renewed it.
		if now := time.Now(); !now.Before(s.rec.until()) {
			p := s.m.insist(s.background(), now)
			defer p.done()
			s.fetch(p, now) // where the store can't be asked, the next look asks again
		}
	}
	if s.opened || s.err != nil && s.err != ErrRotated {
		return
	}
	s.opened = true
	if s.hidden {
		return
	}
	v, err := s.token.vault.Open(*s.rec)
	if err != nil {
		s.corrupt(err)
		return
	}
	s.base = v.frame
}

// dead says whether reads give zero values.
func (s *Session) dead() bool {
	s.open()
	return s.err != nil && s.err != ErrRotated
}

// Err says what the request met: nil, an *ExpiredError (errors.Is ErrExpired) where its session had ended,
// ErrRotated where its token was replaced within the Grace and the session can only be read, or ErrLocked. It becomes
// nil with Reset and Login.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	s.open()
	return s.err
}

// Ended returns why the session ended that this one started over from, or nil: a page that was opened with
// a dead cookie can say so.
func (s *Session) Ended() *ExpiredError {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	return s.over
}

// User returns who is signed in, or "".
func (s *Session) User() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	return s.user()
}

// Authenticated says whether somebody is signed in.
func (s *Session) Authenticated() bool { return s.User() != "" }

func (s *Session) user() string {
	switch {
	case s.login:
		return s.signsIn
	case s.dead() || s.hidden || s.leave == end:
		return ""
	}
	return s.rec.User
}

// AuthTime returns when the user signed in, or the zero time. With a pending Login it is zero until the commit.
func (s *Session) AuthTime() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	if s.user() == "" || s.login {
		return time.Time{}
	}
	return s.rec.AuthTime
}

// Handle returns the session's public name for lists and logs, or "" while it is blank. A rotation keeps it.
func (s *Session) Handle() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	return s.currentHandle()
}

func (s *Session) currentHandle() string {
	if s.dead() || s.leave == end || s.apart {
		return ""
	}
	return s.rec.Handle
}

// Created returns when the session was first created; a rotation keeps it. Zero while blank, as the three below.
func (s *Session) Created() time.Time {
	return s.moment(func(r *Record) time.Time { return r.Created })
}

// Seen returns the last activity that was stored; it lags by up to 1/30 of the idle timeout.
func (s *Session) Seen() time.Time { return s.moment(func(r *Record) time.Time { return r.Seen }) }

// Expires returns when the session ends if no further request comes.
func (s *Session) Expires() time.Time {
	return s.moment(func(r *Record) time.Time { return r.Expires })
}

// Deadline returns when the session ends however active it is.
func (s *Session) Deadline() time.Time {
	return s.moment(func(r *Record) time.Time { return r.Deadline })
}

func (s *Session) moment(of func(*Record) time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	if s.dead() || s.leave == end {
		return time.Time{}
	}
	return of(s.rec)
}

// Token returns what opens the session, for a job that must come back to it, or nil while it is blank or
// ended. After a Login, Renew or Remember it is the old one until the commit.
func (s *Session) Token() *Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	if s.dead() {
		return nil
	}
	return s.token
}

// forget makes the session blank.
func (s *Session) forget() {
	s.token, s.rec, s.err, s.fail = nil, noRecord, nil, nil
	s.opened, s.hidden, s.base = true, false, nil
	s.drop()
}

// drop forgets everything that is pending.
func (s *Session) drop() {
	s.inherited, s.changes, s.cleared, s.meta = nil, nil, false, nil
	s.leave, s.login, s.signsIn, s.renews, s.insists, s.apart, s.sibling = stay, false, "", false, false, false, ""
}

// background is where a store call goes that has no context of its own.
func (s *Session) background() context.Context {
	if s.visit == nil {
		return context.Background()
	}
	return s.visit.Context
}

// met makes the session one that has ended, and returns the error.
func (s *Session) met(reason Reason, since time.Time) error {
	if reason == ReasonRotated && time.Now().Before(since.Add(Grace)) {
		s.err = ErrRotated
		if s.m.trace.Rotated != nil {
			s.m.trace.Rotated(s.rec.Handle)
		}
		return s.err
	}
	e := &ExpiredError{reason, since}
	s.err = e
	if s.m.trace.Met != nil {
		s.m.trace.Met(s.rec.Handle, e)
	}
	return e
}

// corrupt ends the record, which someone or something has changed behind our back.
func (s *Session) corrupt(cause error) {
	now := time.Now()
	if s.m.trace.Corrupt != nil {
		s.m.trace.Corrupt(s.rec.Handle, cause)
	}
	s.m.log.Error("session: record does not open under its token; ending it", "session", s.rec.Handle)
	p := s.m.insist(s.background(), now)
	defer p.done()
	if _, err := s.m.endOne(p, s.token.id, End{Reason: ReasonCorrupt, At: now}); err != nil && !errors.Is(err, ErrNotFound) {
		s.m.log.Error("session: corrupt record could not be ended", "session", s.rec.Handle, "error", err)
	}
	s.drop()
	s.met(ReasonCorrupt, now)
}
