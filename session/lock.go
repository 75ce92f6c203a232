package session

import (
	"errors"
	"time"
)

// ErrLocked: nobody has used the session for its idle timeout, and Options.Lock is set. It shows nothing and stores
// nothing until Session.Unlock; Login and Logout work, too.
var ErrLocked = errors.New("session: locked after its idle timeout; verify the user and Unlock")

// Locks says whether idle sessions are locked in place of ended: Options.Lock.
func (m *Manager) Locks() bool { return m.lock }

// Locked returns whose the session is where it is locked, for the page that asks for the password. Everything else of it
// is hidden: User returns "".
func (s *Session) Locked() (user string, locked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	if s.err != ErrLocked {
		return "", false
	}
	if _, err := s.token.vault.Open(*s.rec); err != nil { // the store may say anybody
		s.corrupt(err)
		return "", false
	}
	return s.rec.User, true
}

// Unlock makes a locked session usable again, under a new token: call it once the user that Locked names has given the
// password, or looked into the camera. Values stay; neither lifetime nor time of authentication begins anew (NIST
// SP 800-63B-4 §2.2.3). It takes effect at the commit. On a session that is not locked it does nothing. Errors: ErrSent,
// *ExpiredError, ErrRotated.
func (s *Session) Unlock() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	switch {
	case s.err != ErrLocked:
		return s.err
	case s.sent:
		return ErrSent
	}
	s.unlock()
	s.leave, s.insists = rotate, true
	return nil
}

// unlock shows what a locked session holds, to a request that may replace or end it.
func (s *Session) unlock() {
	if s.err == ErrLocked {
		s.err, s.fail, s.opened = nil, nil, false
		s.part() // its Context has ended
	}
}

// idleEnd is when the record has seen no activity for its idle timeout.
func (r *Record) idleEnd() time.Time { return r.Seen.Add(r.Idle + r.slack()) }

// idled says whether that has passed for a record whose Expires says nothing of it: that of a manager that locks.
func (r *Record) idled(now time.Time) bool {
	return r.Idle > 0 && !r.Expires.Before(r.Deadline) && !now.Before(r.idleEnd())
}

// until is when the record ends or is locked if nothing renews it.
func (r *Record) until() time.Time {
	if r.Idle > 0 {
		return earlier(r.idleEnd(), r.Expires)
	}
	return r.Expires
}

// fate is the record's own; but where this manager does not lock, a record that another one has made to be locked ends
// idle.
func (m *Manager) fate(r *Record, now time.Time) (Reason, time.Time) {
	reason, since := r.fate(now)
	if reason == "" && !m.lock && r.idled(now) {
		return ReasonIdle, r.idleEnd()
	}
	return reason, since
}
