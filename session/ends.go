package session

import (
	"context"
	"errors"
)

// ErrUnsaved: the call needs a session that is stored, and this one is blank, or a Login, Renew, Remember, Logout
// or Reset of it is pending. Save first.
var ErrUnsaved = errors.New("session: blank, or to be replaced; Save first")

// Context returns a context that is done when the session ends, wherever and however: by Logout in another tab,
// Revoke in another process, a newer sign-in, idle timeout, lifetime. context.Cause then is an *ExpiredError
// that says why. It is done, too, when the request is, as the request's own context is: what goes on
// longer uses OnEnd, or a session of its own from Manager.Load. A long answer or an open socket selects on it.
//
// It follows a change of the token, in this request or another. A Login ends it unless the same user was signed in,
// as ReasonRotated, and so does a Reset or Logout; Context then gives another one. Of a blank session it becomes
// that of the session which the commit begins.
//
// Being open keeps no session alive: see KeepAlive. An end in this process is noticed at once, one in another
// process as soon as the store's Watcher tells (of a store that is none, or whose Watcher fails, within 11 seconds),
// idle timeout and lifetime within a second. Where the store can't be asked for a minute after the session should
// have ended, the cause is ErrUnavailable; after Manager.Run has returned it is that of Run's context.
func (s *Session) Context() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	s.open()
	if s.live == nil {
		s.live = newLive(s.background())
	}
	if !s.live.bound {
		s.live.bind(s)
	}
	return s.live.ctx
}

// live is the context that a Session has handed out.
type live struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	bound  bool // to a session that is stored, or to its end
}

func newLive(parent context.Context) *live {
	ctx, cancel := context.WithCancelCause(parent)
	return &live{ctx: ctx, cancel: cancel}
}

// bind lets it end with the session of s, if that is stored.
func (l *live) bind(s *Session) {
	rec, err := s.followed()
	if err == ErrUnsaved {
		return
	}
	l.bound = true
	if err != nil {
		l.cancel(err)
		return
	}
	w := &s.m.watch
	f := &follower{}
	f.ended = l.cancel
	w.follow(*rec, f)
	context.AfterFunc(l.ctx, func() { w.leave(f) })
}

// part makes the next Context one of what the session becomes.
func (s *Session) part() {
	if s.live != nil && s.live.bound {
		s.live = nil
	}
}

// followed returns the record whose end is the session's.
func (s *Session) followed() (*Record, error) {
	switch {
	case s.err == ErrRotated && s.next != nil && !s.hidden && s.next.User == s.rec.User:
		return s.next, nil
	case s.err == ErrRotated:
		return nil, &ExpiredError{ReasonRotated, s.rec.EndedAt}
	case s.err != nil:
		return nil, s.err
	case s.token == nil || s.leave != stay:
		return nil, ErrUnsaved
	}
	return s.rec, nil
}

// OnEnd calls f in a goroutine of its own once the session has ended, with what Context gives as cause, however
// long after this request. It is for what lives as long as the session; package lease is built on it. stop takes it
// back, and says whether f will not be called; without it the process remembers f as long as the session lives.
// Run, before it returns, calls every f with the cause of its context, and waits for them. Errors: *ExpiredError,
// ErrUnsaved.
func (s *Session) OnEnd(f func(err error)) (stop func() bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	s.open()
	rec, err := s.followed()
	if err != nil {
		return nil, err
	}
	w := &s.m.watch
	own := &follower{ended: func(err error) {
		w.calls++ // under the lock
		go func() {
			defer w.called()
			f(err)
		}()
	}}
	w.follow(*rec, own)
	return func() bool { return w.leave(own) }, nil
}

// called counts one of OnEnd's funcs off.
func (w *watch) called() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calls--; w.calls == 0 {
		w.quiet.Broadcast()
	}
}

// KeepAlive counts as activity that a connection is open, until ctx is done: the session is renewed as if requests
// came all the time, up to its lifetime. Without it a page that is left open ends by its idle timeout, as
// it should where only the page and not a person is active; where messages tell that somebody is there, Reload
// and Manager.Touch say so. Errors: *ExpiredError, ErrUnsaved.
func (s *Session) KeepAlive(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	s.open()
	rec, err := s.followed()
	if err != nil {
		return err
	}
	w := &s.m.watch
	f := &follower{ended: func(error) {}, renews: true}
	w.follow(*rec, f)
	context.AfterFunc(ctx, func() { w.leave(f) })
	return nil
}

// tell passes the end of a record on to who holds on to it in this process: other processes hear of it from
// the store.
func (w *watch) tell(id string, e End) {
	if w.some.Load() > 0 {
		w.hear(Ended{id, e.Reason, e.At, e.Next})
	}
}
