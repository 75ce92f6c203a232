package session

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"example.com/hardy/internal/frame"
	"example.com/hardy/internal/value"
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
	// ErrRemember: Remember was given a negative duration or more than 400 days.
	ErrRemember = errors.New("session: Remember takes 0 to 400 days")
	// ErrAnonymous: the call needs a signed-in user.
	ErrAnonymous = errors.New("session: nobody is signed in")
)

const (
	maxName = 255
	maxUser = 1024
	maxMeta = 1024
)

func goodName(name string) bool { return name != "" && len(name) <= maxName && !internal(name) }

func checkUser(user string) error {
	if user == "" || len(user) > maxUser || !utf8.ValidString(user) || strings.Contains(user, "\x00") {
		return ErrUser
	}
	return nil
}

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

// SetMeta sets one entry of the session's metadata, or removes it where v is "": what lists of sessions show,
// such as the name of a device. It is merged entry by entry like values, and kept over a rotation. Unlike
// values it is readable to who can read the store, and can be changed by who can write to it: nothing
// private, and no rights. All of it has room in 1,024 bytes (ErrTooLarge).
func (s *Session) SetMeta(k, v string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k == "" || !utf8.ValidString(k) || !utf8.ValidString(v) {
		s.used = true
		return ErrName
	}
	if err := s.writable(); err != nil {
		return err
	}
	next := map[string]string{k: v}
	for old, v := range s.meta {
		if old != k {
			next[old] = v
		}
	}
	var held []byte
	if s.leave != end && !s.apart {
		held = s.rec.Meta
	}
	if _, err := mergeMeta(held, next); err != nil {
		return err
	}
	s.meta = next
	return nil
}

func mergeMeta(held []byte, changes map[string]string) ([]byte, error) {
	if len(changes) == 0 {
		return held, nil
	}
	m := decodeMeta(held)
	applyMeta(m, changes)
	if len(m) == 0 {
		return nil, nil
	}
	b, err := value.Encode(m)
	if err != nil {
		return nil, err
	}
	if len(b) > maxMeta {
		return nil, fmt.Errorf("%w: metadata of %d bytes, of %d allowed", ErrTooLarge, len(b), maxMeta)
	}
	return b, nil
}

// Login signs user in under a new token, so that whoever knew the old one knows nothing (ASVS 7.2.4). The
// values of an anonymous session, and of the same user, stay; when the user changes, the session starts
// from nothing. Lifetime and time of authentication begin anew. On an ended session it starts over. It
// takes effect at the commit. Errors: ErrUser, ErrSent.
func (s *Session) Login(user string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	if err := checkUser(user); err != nil {
		return err
	}
	if s.sent {
		return ErrSent
	}
	s.open()
	switch {
	case s.err == ErrRotated:
		// The other answer to a double click has replaced the token; this one begins beside it.
		sibling := s.rec.Handle
		if was := s.rec.User; was != "" && was != user {
			sibling = "" // that handle names another user's session
		}
		s.forget()
		s.sibling = sibling
	case s.err != nil:
		s.startOver()
	}
	if was := s.user(); was != "" && was != user {
		s.base, s.inherited, s.changes, s.cleared, s.meta = nil, nil, nil, false, nil
		s.apart = s.token != nil
		s.sibling = ""
	}
	if s.token != nil && s.leave == stay {
		s.leave = rotate
	}
	s.inherited, s.changes = append(s.inherited, s.changes...), nil
	s.login, s.signsIn, s.renews = true, user, true
	return nil
}

// Renew replaces the token and changes nothing else: neither user, values nor lifetime. Call it where rights
// change. The old token can read for 10 more seconds. It takes effect at the commit. Errors: ErrSent,
// *ExpiredError, ErrRotated.
func (s *Session) Renew() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.writable(); err != nil {
		return err
	}
	return s.rotated()
}

// rotated plans a new token; a blank session gets one anyhow.
func (s *Session) rotated() error {
	if s.sent {
		return ErrSent
	}
	if s.token != nil && s.leave == stay {
		s.leave = rotate
	}
	return nil
}

// Logout ends the session and clears the cookie; a value set afterwards begins a new session. Within the
// Grace of a rotation it ends the successor. It is harmless on a session that is blank or has ended. It
// takes effect at the commit. Once the answer has left it takes effect at once and returns ErrSent,
// because the browser keeps the dead cookie; or the store's error, where even that failed.
func (s *Session) Logout() error { return s.quit() }

// Reset starts over: what the session is ends, as by Logout, and what is set afterwards begins a new one.
// After an end it makes the session usable again, blank, with nobody signed in.
func (s *Session) Reset() error { return s.quit() }

func (s *Session) quit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	s.open()
	switch {
	case s.token == nil && s.err == nil:
		s.forget()
		return nil
	case s.err != nil && s.err != ErrRotated:
		s.startOver()
		if s.sent {
			return ErrSent
		}
		return nil
	}
	s.drop()
	s.fail, s.base = nil, nil
	s.leave = end
	if s.err == ErrRotated {
		s.err = nil
	}
	if !s.sent {
		return nil
	}
	now := wall()
	p := s.m.insist(s.background(), now)
	defer p.done()
	if err := s.finishHeld(p); err != nil {
		return err
	}
	s.err = &ExpiredError{ReasonLogout, now}
	return ErrSent
}

// startOver leaves an ended session behind.
func (s *Session) startOver() {
	s.over, _ = s.err.(*ExpiredError)
	s.forget()
	s.handover = true
}

// Remember gives the session an idle timeout and a lifetime of d of its own, from now, and its cookie a
// Max-Age, so that it survives the end of the browser; 0 takes that back. It comes with a new token. Call
// it after Login, where the visitor asked for it: NIST SP 800-63B-4 §5.1 advises against it elsewhere.
// It takes effect at the commit. Errors: ErrRemember, and those of Renew.
func (s *Session) Remember(d time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d < 0 || d > MaxLifetime {
		s.used = true
		return ErrRemember
	}
	if err := s.writable(); err != nil {
		return err
	}
	if err := s.rotated(); err != nil {
		return err
	}
	var b []byte
	if d > 0 {
		b, _ = value.Encode(int64(d))
	}
	s.renews = true
	return s.put(rememberKey, b)
}
