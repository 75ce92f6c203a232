package session

import (
	"errors"
	"fmt"

	"example.com/hardy/internal/frame"
)

// Errors of the calls that change a session, beside *ExpiredError and ErrRotated.
var (
	// ErrSent: the answer has left, so no token can be handed out any more, which this call would need:
	// the first Set of a blank session, Login, Renew, Remember. Logout and Reset end the session all the
	// same; the browser's dead cookie stays. Make the change before the first byte of the answer.
	ErrSent = errors.New("session: the answer has been sent; call this before the first byte of it")
	// ErrTooLarge: the session's names and values together, or its metadata, would be larger than allowed.
	// At the call the old value stays; after a merge with another request's values, the commit fails.
	ErrTooLarge = errors.New("session: too large; keep rows in a database and their keys in the session")
	// ErrUser: a user name is empty, longer than 1,024 bytes, not UTF-8, or holds a NUL.
	ErrUser = errors.New("session: a user name has 1 to 1,024 bytes of UTF-8 without NUL")
	// ErrName: a key's name is empty, longer than 255 bytes, or begins with NUL.
	ErrName = errors.New("session: a key's name has 1 to 255 bytes and does not begin with NUL")
	// ErrRemember: Remember was given a negative duration, or more than 400 days or than Options.AAL allows: 30 days at
	// AAL1, nothing above.
	ErrRemember = errors.New("session: Remember takes 0 to 400 days, and less under Options.AAL")
	// ErrAnonymous: the call needs a signed-in user.
	ErrAnonymous = errors.New("session: nobody is signed in")
)

const (
	maxName = 255
	maxUser = 1024
	maxMeta = 1024
)

func goodName(name string) bool { return name != "" && len(name) <= maxName && !internal(name) }

// writable says why the session can't be changed, and lets the commit fail for it: a write that can't be
// kept is never passed over in silence.
func (s *Session) writable() error {
	s.used = true
	s.open()
	if s.err != nil {
		s.fail = s.err
		return s.err
	}
	if s.token == nil && s.sent {
		return ErrSent
	}
	return nil
}

// change sets the CBOR of one value, or deletes it where b is nil.
func (s *Session) change(name string, b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !goodName(name) {
		s.used = true
		return ErrName
	}
	if err := s.writable(); err != nil {
		return err
	}
	return s.put(name, b)
}

// put makes the change if the session stays within its size.
func (s *Session) put(name string, b []byte) error {
	for i := range s.changes {
		if s.changes[i].Key == name {
			old := s.changes[i].Value
			s.changes[i].Value = b
			if err := s.fits(); err != nil {
				s.changes[i].Value = old
				return err
			}
			return nil
		}
	}
	if s.changes == nil {
		s.changes = s.room[:0]
	}
	s.changes = append(s.changes, frame.Change{Key: name, Value: b})
	if err := s.fits(); err != nil {
		s.changes = s.changes[:len(s.changes)-1]
		return err
	}
	return nil
}

// fits merges only where a sum that is never too small says that it may not fit.
func (s *Session) fits() error {
	sum := len(s.base)
	for _, list := range [...][]frame.Change{s.inherited, s.changes} {
		for _, c := range list {
			sum += len(c.Key) + len(c.Value) + 8
		}
	}
	if sum <= s.m.maxBytes {
		return nil
	}
	return s.m.checkSize(s.merge(s.base))
}

func (m *Manager) checkSize(f frame.Frame) error {
	if len(f) > m.maxBytes {
		return fmt.Errorf("%w: %d bytes, of %d allowed", ErrTooLarge, len(f), m.maxBytes)
	}
	return nil
}

// remove deletes one value and says whether it was there.
func (s *Session) remove(name string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	if !goodName(name) {
		return false, ErrName
	}
	_, was := s.lookup(name)
	if !was && s.err == nil {
		return false, nil // nothing to write: a reader of flash messages stays a reader
	}
	if err := s.writable(); err != nil {
		return false, err
	}
	return was, s.put(name, nil)
}

// Clear removes all values; the user stays signed in. It clears what other requests stored up to the
// commit, too.
func (s *Session) Clear() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	if s.token == nil && s.err == nil {
		s.inherited, s.changes = keepInternal(s.inherited), keepInternal(s.changes)
		return nil
	}
	if err := s.writable(); err != nil {
		return err
	}
	s.inherited, s.changes, s.cleared = keepInternal(s.inherited), keepInternal(s.changes), true
	return nil
}

func keepInternal(changes []frame.Change) []frame.Change {
	var kept []frame.Change
	for _, c := range changes {
		if internal(c.Key) {
			kept = append(kept, c)
		}
	}
	return kept
}
