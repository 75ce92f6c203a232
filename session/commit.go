package session

import (
	"context"
	"errors"
	"time"

	"example.com/hardy/internal/frame"
	"example.com/hardy/internal/value"
)

// Commit stores what is pending in s: the middleware calls it before the first byte of the answer and
// again after the handler. It waits no longer than Options.StoreTimeout and does not end with ctx: a
// client that hangs up can't undo a logout. Where nothing is pending it asks nothing.
//
// Only changed keys are written. Where another request wrote meanwhile, its values are read and the same
// changes made on them. Errors: *ExpiredError or ErrRotated where the session ended before (or a refused
// write is remembered), ErrTooLarge, ErrUnavailable: then what was pending still is. *CappedError: then nothing is.
func (m *Manager) Commit(ctx context.Context, s *Session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.save(ctx)
	if err != nil && !s.sent && !errors.Is(err, ErrExpired) && !errors.Is(err, ErrRotated) && !errors.Is(err, ErrCapped) && !errors.Is(err, ErrUnavailable) {
		m.log.Error("session: could not be stored", "session", s.rec.Handle, "error", err)
	}
	if err != nil && s.sent {
		if m.trace.Lost != nil {
			m.trace.Lost(s.rec.Handle, err)
		}
		m.log.Warn("session: changes made after the answer had left are lost", "session", s.rec.Handle, "error", err)
	}
	return err
}

// Save stores what is pending now and says whether it was, as Manager.Commit does: for handlers whose
// answer goes on for long.
func (s *Session) Save(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	return s.save(ctx)
}

func (s *Session) save(ctx context.Context) error {
	if s.fail != nil {
		return s.fail
	}
	if !s.pending() {
		return nil
	}
	now := wall()
	p := s.m.insist(ctx, now)
	defer p.done()
	return s.commit(p, now)
}

// Abandon stores nothing but an end that is pending: the middleware calls it where a panic leaves the
// handler. The error is ErrUnavailable.
func (m *Manager) Abandon(ctx context.Context, s *Session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leave != end {
		return nil
	}
	p := m.insist(ctx, wall())
	defer p.done()
	return s.finishHeld(p)
}

// Delivery is what a carrier needs to know when the answer leaves.
type Delivery struct {
	// Due: this request gave cause to write the token: birth, Login, Renew, Remember, Logout, Reset.
	Due bool
	// Token is what the client comes back with; nil: its own is dead.
	Token *Token
	// Stored: a Touch or a commit of this request has renewed the record, so that the same token may be
	// written anew, sealed under another key, without bringing back a session that has ended.
	Stored bool
	// Used: something of the session was read or changed by the handler, so that the answer depends on
	// who asks and must not be kept by a shared cache.
	Used bool
}

// Sent tells s, after the commit, that the answer leaves, and says what goes with it. From now on what
// needs a new token answers ErrSent.
func (m *Manager) Sent(s *Session) Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = true
	return Delivery{s.handover, s.token, s.stored, s.used}
}

// MaxAge is how long a carrier lets the client keep the token: 0, until the browser ends, unless the
// session is remembered; then what is left of its lifetime.
func (s *Session) MaxAge() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead() || remembered(s.base) == 0 {
		return 0
	}
	return max(time.Second, time.Until(s.rec.Deadline).Truncate(time.Second))
}

func remembered(f frame.Frame) time.Duration {
	var d int64
	if b, ok := f.Get(rememberKey); !ok || value.Decode(b, &d) != nil {
		return 0
	}
	return time.Duration(d)
}

// pending says whether a commit has something to do.
func (s *Session) pending() bool {
	if s.leave != stay || s.begins() {
		return true
	}
	return s.token != nil && s.wrote()
}

// wrote says whether values or metadata were set or removed.
func (s *Session) wrote() bool {
	return len(s.inherited) > 0 || len(s.changes) > 0 || s.cleared || len(s.meta) > 0
}

// commit stores what is pending, at now.
func (s *Session) commit(ctx context.Context, now time.Time) error {
	if s.leave == end {
		if err := s.finishHeld(ctx); err != nil {
			return err
		}
	}
	if (s.token == nil && s.begins() || s.leave == rotate) && s.sent {
		s.drop() // planned while the answer was leaving
		return ErrSent
	}
	if s.token == nil {
		if !s.begins() {
			return nil
		}
		return s.create(ctx)
	}
	if s.leave == rotate {
		return s.rotate(ctx)
	}
	return s.write(ctx, now, func(now time.Time) error {
		err := s.store(ctx, now, s.merge(s.base), s.meta)
		if err == nil {
			s.drop()
		}
		return err
	})
}

// wall is now as it is stored: without the monotonic reading, which means nothing to another process.
func wall() time.Time { return time.Now().Round(0) }
