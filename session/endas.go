package session

import (
	"context"
	"time"
)

// EndAs ends the session that s shows, for that reason, behind the back of s and of its visitor: as the clock does,
// or somebody in another place. The visitor keeps the cookie and meets the end at the next request. It is
// for development and tests; to sign out use Logout, to end another's session Revoke.
//
// A session that is blank, or has ended, stays as it is. The error is ErrUnavailable.
func (m *Manager) EndAs(ctx context.Context, s *Session, reason Reason) error {
	s.mu.Lock()
	token := s.token
	s.mu.Unlock()
	if token == nil {
		return nil
	}
	p := m.insist(ctx, time.Now())
	defer p.done()
	_, err := m.finish(p, token.id, reason)
	return err
}
