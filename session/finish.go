package session

import (
	"context"
	"errors"
)

// endOne ends one record, and returns it as it stood before.
func (m *Manager) endOne(ctx context.Context, id string, e End) (Record, error) {
	e.Purge = e.At.Add(Tombstone)
	var last Record
	err := m.ask("end", func() (err error) {
		last, err = m.store.End(ctx, id, e)
		return err
	})
	if err == nil && last.Ended == "" {
		m.ended(&last, e)
	}
	return last, err
}

// ended tells that this manager has ended a session.
func (m *Manager) ended(last *Record, e End) {
	m.watch.tell(last.ID, e)
	if m.trace.Ended != nil {
		m.trace.Ended(last.Handle, e.Reason)
	}
	if e.Reason != ReasonRotated {
		m.log.Info("session: ended", "session", last.Handle, "reason", string(e.Reason))
	}
}

// finish ends a session for good: where its record was rotated, the successors too, so that no logout and
// no revocation is lost to a rotation. It returns the last of them as it stood before.
func (m *Manager) finish(ctx context.Context, id string, reason Reason) (last Record, err error) {
	for range maxChain {
		last, err = m.endOne(ctx, id, End{Reason: reason, At: wall()})
		if errors.Is(err, ErrNotFound) {
			return Record{}, nil
		}
		if err != nil || last.Ended != ReasonRotated || last.Next == "" {
			break
		}
		id = last.Next
	}
	return last, err
}

// maxChain bounds how many rotations finish follows: more than one session can see within the Tombstone of
// a record, at one rotation a second.
const maxChain = 100_000

// finishHeld carries out a pending Logout or Reset.
func (s *Session) finishHeld(ctx context.Context) error {
	last, err := s.m.finish(ctx, s.token.id, ReasonLogout)
	if err == nil && last.ID != s.token.id && last.User != "" {
		// A rotation went before. If it was the sign-in of a double click, the other answer's session
		// stands beside, under the same handle.
		_, err = s.m.revoke(ctx, last.User, ReasonLogout, func(r *Record) bool { return r.Handle == last.Handle })
	}
	if err != nil {
		return err
	}
	if s.rec.User != "" {
		s.m.log.Info("session: signed out", "session", s.rec.Handle, "user", s.rec.User)
	}
	s.token, s.rec, s.base, s.opened, s.hidden = nil, noRecord, nil, true, false
	s.leave, s.handover = stay, true
	return nil
}
