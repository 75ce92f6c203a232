package session

import (
	"context"
	"errors"
	"time"
)

// Load returns the session that t opens, as the store holds it now. It does not renew it: Touch does. With
// an *ExpiredError (errors.Is ErrExpired), ErrRotated or ErrLocked comes a session too, whose Err says the same: one
// can Reset it, or Login. With any other error comes none: the store could not be asked
// (ErrUnavailable); answer 503, never with a blank session. It waits no longer than Options.StoreTimeout.
func (m *Manager) Load(ctx context.Context, t *Token) (*Session, error) {
	now := time.Now()
	l := &loaded{
		Session:  Session{m: m, token: t},
		patience: patience{Context: ctx, at: now.Add(m.timeout)},
	}
	l.Session.rec = &l.Record
	defer l.patience.done()
	if err := l.Session.fetch(&l.patience, now); err != nil {
		return nil, err
	}
	return &l.Session, l.Session.err
}

// loaded is what a Load needs, in one allocation.
type loaded struct {
	Session
	Record
	patience
}

// fetch reads the record and judges it. What is pending stays.
func (s *Session) fetch(ctx context.Context, now time.Time) error {
	var rec Record
	err := s.m.load(ctx, s.token.id, &rec)
	if errors.Is(err, ErrNotFound) {
		s.met(ReasonUnknown, time.Time{})
		return nil
	}
	if err != nil {
		return err
	}
	return s.judge(ctx, &rec, now)
}

// load reads a record into rec: a record is large, and this is in the way of every request.
func (m *Manager) load(ctx context.Context, id string, rec *Record) error {
	return m.ask("load", func() (err error) {
		*rec, err = m.store.Load(ctx, id)
		return err
	})
}

// judge makes rec, just read, the held record, and says what has become of it.
func (s *Session) judge(ctx context.Context, rec *Record, now time.Time) error {
	reason, since := s.m.fate(rec, now)
	var next *Record
	if reason == ReasonRotated && now.Before(since.Add(Grace)) {
		// The old token reads on only while its successor lives: no logout and no revocation is undone by it.
		last, dead, at, err := s.m.tail(ctx, rec.Next, now)
		if err != nil {
			return err
		}
		if dead != "" {
			reason, since = dead, at
		}
		next = &last
	}
	*s.rec, s.err, s.opened, s.hidden, s.base, s.next = *rec, nil, false, false, nil, next
	s.due = now.Sub(rec.Seen) >= rec.slack()
	switch {
	case reason != "":
		s.met(reason, since)
		s.hidden = rec.Data == nil // after a Login the old token shows nothing
	case rec.idled(now):
		s.err = ErrLocked
		if s.m.trace.Locked != nil {
			s.m.trace.Locked(rec.Handle)
		}
	}
	return nil
}

// Touch renews the session: it lives for the idle timeout from now. It asks the store only where 1/30 of
// that has passed since the last time, so that most requests write nothing. It does nothing for a session
// that is blank, locked or has ended. Call it soon after Load, by whose time it judges. Errors: an *ExpiredError, or
// ErrLocked, where it turns out to have ended meanwhile, ErrUnavailable.
func (m *Manager) Touch(ctx context.Context, s *Session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token == nil || s.err != nil || s.leave != stay {
		return nil
	}
	if !s.due {
		return nil
	}
	now := wall()
	next := *s.rec
	s.m.renew(&next, now)
	own, err := s.token.renewing().once(now, s.rec.slack(), func() error {
		p := m.insist(ctx, now)
		defer p.done()
		if s.rec.idled(now) { // since it was loaded: the store would not know
			return ErrNotFound
		}
		return m.ask("touch", func() error {
			return m.store.Touch(p, next.ID, next.Seen, next.Expires, next.Purge)
		})
	})
	if errors.Is(err, ErrNotFound) {
		p := m.insist(ctx, wall())
		defer p.done()
		err = s.fetch(p, time.Now())
		if err == nil {
			err = s.err
		}
	}
	if err != nil || !own {
		return err
	}
	s.rec.Seen, s.rec.Expires, s.rec.Purge = next.Seen, next.Expires, next.Purge
	s.stored = true
	return nil
}

// slack is how much longer than its idle timeout a session may live, so that not every request has to
// renew it.
func (r *Record) slack() time.Duration {
	if r.Idle == 0 {
		return time.Minute
	}
	return r.Idle / 30
}

// renew moves the record's times to an activity at now. With Options.Lock idleness is judged by Seen.
func (m *Manager) renew(r *Record, now time.Time) {
	r.Seen, r.Expires = now, r.Deadline
	if !m.lock {
		r.Expires = earlier(r.Deadline, r.until())
	}
	r.Purge = r.Expires.Add(Tombstone)
}

// Reload reads the session's record again, for a loop that lives long: it shows what other requests stored
// since, and Err whether the session has ended. Changes not stored yet stay pending; with a Login, Renew,
// Remember, Logout or Reset among them it does nothing, as the commit will read what it needs. The error is that
// of Err, or ErrUnavailable.
func (s *Session) Reload(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	if s.token == nil || s.leave != stay || s.err != nil && s.err != ErrRotated {
		return s.err
	}
	now := time.Now()
	p := patiently(ctx, now, s.m.timeout)
	defer p.done()
	if err := s.fetch(p, now); err != nil {
		return err
	}
	return s.err
}
