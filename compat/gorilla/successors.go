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
	young, old map[string]*session.Token // by the secret of the token that was replaced
}

func (s *successors) put(before, after *session.Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); s.young == nil || now.Sub(s.turned) > session.Grace {
		if now.Sub(s.turned) > 2*session.Grace {
			s.young = nil
		}
		s.young, s.old, s.turned = map[string]*session.Token{}, s.young, now
	}
	s.young[before.Secret()] = after
}

func (s *successors) after(t *session.Token) *session.Token {
	if t == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if next := s.young[t.Secret()]; next != nil {
		return next
	}
	return s.old[t.Secret()]
}
