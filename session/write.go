package session

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"example.com/hardy/internal/frame"
)

// write makes attempts to store something in the held record, each on the newest version, until one is not
// beaten by another writer. The first comes out of turn, on what the request has read: mostly nobody else
// writes. After that the writers of this process take turns.
func (s *Session) write(ctx context.Context, now time.Time, attempt func(now time.Time) error) error {
	if s.open(); s.err != nil {
		s.fail = s.err
		return s.err
	}
	id := s.token.id
	if !s.m.writers.busy(id) && !s.rec.idled(now) {
		if err := attempt(now); !s.beaten(err, 1) {
			return err
		}
	}
	if err := s.m.writers.enter(ctx, id); err != nil {
		return unavailable("queue", err)
	}
	defer s.m.writers.leave(id)
	for try := 2; ; try++ {
		if err := s.refetch(ctx); err != nil {
			return err
		}
		if err := attempt(wall()); !s.beaten(err, try) {
			return err
		}
		if err := giveWay(ctx, try); err != nil {
			return unavailable("replace", err)
		}
	}
}

// beaten says that another writer, or an end, came first.
func (s *Session) beaten(err error, try int) bool {
	if errors.Is(err, ErrConflict) && s.m.trace.Conflict != nil {
		s.m.trace.Conflict(s.rec.Handle, try)
	}
	return errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound)
}

// giveWay pauses for a moment where the writers in the way are in other processes, and take no turns.
func giveWay(ctx context.Context, try int) error {
	if try < 4 {
		return ctx.Err()
	}
	pause := time.NewTimer(rand.N(time.Millisecond << min(try, 5)))
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// refetch reads the record again under a pending write. A dead one refuses it.
func (s *Session) refetch(ctx context.Context) error {
	if err := s.fetch(ctx, wall()); err != nil {
		return err
	}
	s.open()
	s.fail = s.err
	return s.err
}

// store is one attempt to write, at now, values and changed metadata as the next version of the held record.
func (s *Session) store(ctx context.Context, now time.Time, values frame.Frame, meta map[string]string) error {
	if err := s.m.checkSize(values); err != nil {
		return err
	}
	next := *s.rec
	s.m.renew(&next, now)
	next.Version++
	var err error
	if next.Meta, err = mergeMeta(s.rec.Meta, meta); err != nil {
		return err
	}
	if next.Data, err = s.token.vault.Seal(next, Values{values}); err != nil {
		return fmt.Errorf("session: seal: %w", err)
	}
	if err := s.m.ask("replace", func() error { return s.m.store.Replace(ctx, next) }); err != nil {
		return err
	}
	*s.rec, s.base, s.stored = next, values, true
	return nil
}
