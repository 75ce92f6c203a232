package gorilla

import (
	"sync"
	"time"

	"example.com/hardy/session"
)

// successors remembers which token took the place of which, for as long as requests may be under way with the old one. It
// serves those that had come before: whoever comes with the old cookie later only reads.
type successors struct {
	mu         sync.Mutex
	turned     time.Time
	young, old map[string]*succession // by the secret of the token that is replaced
}

// succession is the replacement of one token.
type succession struct {
	next  *session.Token // nil: none yet
	under int            // attempts under way: each may be the one that others have met in the store
	over  sync.Cond
}

// begin is called before a token is replaced, and what it returns afterwards, with the new one, or with nil where it was not: so
// nobody who meets the old one replaced finds no successor.
func (s *successors) begin(before *session.Token) (end func(after *session.Token)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	secret := before.Secret()
	e := s.find(secret)
	if e == nil {
		if now := time.Now(); s.young == nil || now.Sub(s.turned) > session.Grace {
			s.young, s.old, s.turned = map[string]*succession{}, s.young, now
		}
		e = &succession{}
		e.over.L = &s.mu
		s.young[secret] = e
	}
	e.under++
	return func(after *session.Token) {
		s.mu.Lock()
		defer s.mu.Unlock()
		e.under--
		if after != nil {
			e.next = after
		}
		e.over.Broadcast()
	}
}

func (s *successors) find(secret string) *succession {
	if e := s.young[secret]; e != nil {
		return e
	}
	return s.old[secret]
}

// after is the token that took the place of t, or nil. It waits for attempts that are under way, which is no longer than
// the manager waits for its store.
func (s *successors) after(t *session.Token) *session.Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.find(t.Secret())
	if e == nil {
		return nil
	}
	for e.next == nil && e.under > 0 {
		e.over.Wait()
	}
	return e.next
}
