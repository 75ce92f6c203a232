package session

import (
	"strings"
	"time"
	"unicode/utf8"

	"example.com/hardy/internal/value"
)

func checkUser(user string) error {
	if user == "" || len(user) > maxUser || !utf8.ValidString(user) || strings.Contains(user, "\x00") {
		return ErrUser
	}
	return nil
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
	s.unlock()
	s.open()
	switch {
	case s.err == ErrRotated:
		// The other answer to a double click has replaced the token; this one begins beside it.
		sibling := ""
		if s.next != nil && s.next.User == user {
			sibling = s.next.Handle
		}
		s.forget()
		s.sibling = sibling
	case s.err != nil:
		s.startOver()
	}
	if s.user() != user {
		s.part()
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
	s.unlock()
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
	s.part()
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
	s.part()
	s.forget()
	s.handover = true
}

// Remember gives the session an idle timeout and a lifetime of d of its own, from now, and its cookie a
// Max-Age, so that it survives the end of the browser; 0 takes that back. It comes with a new token. Call
// it after Login, where the visitor asked for it: NIST SP 800-63B-4 §5.1 advises against it elsewhere.
// It takes effect at the commit. Errors: ErrRemember, also above what Options.AAL allows, and those of Renew.
func (s *Session) Remember(d time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d < 0 || d > s.m.remember {
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
