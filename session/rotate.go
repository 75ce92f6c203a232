package session

import (
	"context"
	"errors"
	"time"

	"example.com/hardy/internal/frame"
)

// rotate puts a successor in the place of the held record: create it from what this request holds, end the
// old one, and where that had moved on meanwhile, bring the successor up to it. In this order no moment is
// without a live record, and whoever ends the user's sessions meets one of the two:
//
//   - before the end of the old record, it is still listed, and our own End finds it ended;
//   - after it, the old record names its successor, which Revoke and Logout follow.
func (s *Session) rotate(ctx context.Context) error {
	s.open()
	if s.err != nil {
		s.fail = s.err
		return s.err
	}
	t, rec, values, err := s.successor()
	if err != nil {
		return err
	}
	if err := s.add(ctx, rec); err != nil {
		return err
	}
	now := wall()
	last, err := s.m.endOne(ctx, s.token.id, End{
		Reason: ReasonRotated, At: now, Next: rec.ID,
		KeepData: !s.login && !s.insists, // after a login the old token never reads a value (ASVS 7.2.4)
	})
	reason, since := s.m.fate(&last, now)
	switch {
	case errors.Is(err, ErrNotFound):
		reason, since = ReasonUnknown, time.Time{}
	case err != nil:
		s.withdraw(ctx, rec.ID)
		return err
	}
	switch {
	case reason == "":
		err := s.succeed(ctx, t, rec, values, last)
		if !errors.Is(err, ErrNotFound) {
			return err
		}
		if _, reason, since, err = s.m.tail(ctx, rec.ID, now); err != nil { // ended by who followed us
			return err
		}
	case reason == ReasonRotated && (s.login || s.insists):
		// A double click: each answer signs in, or unlocks. What the other one began may have been signed out since.
		if _, reason, since, err = s.m.tail(ctx, last.Next, now); err != nil {
			s.withdraw(ctx, rec.ID)
			return err
		}
		n := 0
		if s.login {
			if n, err = s.clicks(ctx, rec.User, rec.Handle); err != nil {
				s.withdraw(ctx, rec.ID)
				return err
			}
		}
		switch {
		case reason != "":
		case n <= 2:
			s.settle(t, rec, values, "renew")
			return nil
		default: // a session of its own
			reason, since = ReasonRotated, now
		}
	}
	s.withdraw(ctx, rec.ID)
	if s.login {
		s.met(reason, since)
		user, changes, meta := s.signsIn, s.changes, s.meta
		s.startOver()
		s.login, s.signsIn, s.changes, s.meta = true, user, changes, meta
		return s.create(ctx)
	}
	wrote := s.wrote()
	err = s.met(reason, since)
	s.drop()
	if reason == ReasonRotated && !wrote {
		return nil // another request renewed the token; its answer carries the new one
	}
	s.fail = err
	return err
}

// succeed settles on the successor, after bringing it up to what other requests stored in the old record
// between our reading and our End. It answers ErrNotFound where the successor has been ended already.
func (s *Session) succeed(ctx context.Context, t *Token, rec Record, values frame.Frame, last Record) error {
	if last.Version == s.rec.Version || s.apart {
		s.settle(t, rec, values, "renew")
		return nil
	}
	theirs, err := s.token.vault.Open(last)
	if err != nil {
		s.withdraw(ctx, rec.ID)
		s.corrupt(err)
		s.fail = s.err
		return s.err
	}
	merged := s.merge(theirs.frame)
	tooLarge := s.m.checkSize(merged)
	if tooLarge != nil {
		merged = theirs.frame // theirs was acknowledged; ours is refused, and the caller told
	}
	rec.Version++
	if meta, err := mergeMeta(last.Meta, s.meta); err == nil {
		rec.Meta = meta
	}
	if rec.Data, err = t.vault.Seal(rec, Values{merged}); err != nil {
		return err
	}
	err = s.m.ask("replace", func() error { return s.m.store.Replace(ctx, rec) })
	if err != nil {
		return err
	}
	s.settle(t, rec, merged, "renew")
	return tooLarge
}

// tail returns the last record of the chain of rotations that begins at id, and how it ended; "" where it is live.
func (m *Manager) tail(ctx context.Context, id string, now time.Time) (rec Record, reason Reason, since time.Time, err error) {
	for range maxChain {
		err := m.ask("load", func() (err error) {
			rec, err = m.store.Load(ctx, id)
			return err
		})
		if errors.Is(err, ErrNotFound) {
			break
		}
		if err != nil {
			return rec, "", since, err
		}
		if reason, since := m.fate(&rec, now); reason != ReasonRotated {
			return rec, reason, since, nil
		}
		id = rec.Next
	}
	return rec, ReasonUnknown, since, nil
}

// withdraw ends a successor that nobody was told of. Where even that fails it runs out by itself.
func (s *Session) withdraw(ctx context.Context, id string) {
	if _, err := s.m.endOne(ctx, id, End{Reason: ReasonRotated, At: wall()}); err != nil {
		s.m.log.Warn("session: an unused successor could not be ended", "session", s.rec.Handle, "error", err)
	}
}

// clicks is how many live sessions the answers to clicks on one sign-in button have begun under a handle. Two may share
// one place of a cap; who clicks more often begins a session that takes its own.
func (s *Session) clicks(ctx context.Context, user, handle string) (n int, err error) {
	live, err := s.m.live(ctx, user)
	for _, r := range live {
		if r.Handle == handle {
			n++
		}
	}
	return n, err
}
