package session

import (
	"context"
	"time"

	"example.com/hardy/internal/frame"
)

// update stores f's answer under one key, at once and exactly: f runs again on the newer value where
// another request was faster. Other pending values stay pending, unless the record that would hold this
// one is yet to be made: then everything is committed.
func (s *Session) update(ctx context.Context, name string, f func(old []byte, ok bool) ([]byte, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !goodName(name) {
		s.used = true
		return ErrName
	}
	return s.updateLocked(ctx, name, f)
}

func (s *Session) updateLocked(ctx context.Context, name string, f func(old []byte, ok bool) ([]byte, error)) error {
	if err := s.writable(); err != nil {
		return err
	}
	now := wall()
	p := s.m.insist(ctx, now)
	defer p.done()
	if s.leave == rotate || s.cleared {
		if err := s.commit(p, now); err != nil {
			return err
		}
	}
	if s.token != nil && s.leave == stay {
		return s.updateHeld(p, now, name, f)
	}
	b, err := f(s.lookup(name))
	if err != nil {
		return err
	}
	if err := s.put(name, b); err != nil {
		return err
	}
	return s.commit(p, now)
}

// updateHeld writes one key into the held record.
func (s *Session) updateHeld(ctx context.Context, now time.Time, name string, f func([]byte, bool) ([]byte, error)) error {
	return s.write(ctx, now, func(now time.Time) error {
		b, err := f(s.lookup(name))
		if err != nil {
			return err
		}
		err = s.store(ctx, now, frame.Apply(s.base, []frame.Change{{Key: name, Value: b}}), nil)
		if err == nil {
			s.inherited, s.changes = without(s.inherited, name), without(s.changes, name)
		}
		return err
	})
}

func without(changes []frame.Change, name string) []frame.Change {
	kept := changes[:0]
	for _, c := range changes {
		if c.Key != name {
			kept = append(kept, c)
		}
	}
	return kept
}
