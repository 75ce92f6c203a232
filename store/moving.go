package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/hardy/session"
)

// Moving returns a store that serves while sessions move from one store to another, with nobody signed
// out. What is created goes to the new store. A record that only the old one has is read there, and
// carried over before the first write to it. Ends reach both. When the old store holds nothing live any
// more (after the longest Deadline, or once all was carried over by Scan and Import), take the new one alone.
//
// Keep these in mind:
//
//   - Every process that serves these sessions must use Moving, with the same two stores, from the same
//     moment on. A process that still writes to the old store alone writes what the others don't see.
//   - The new store must be a session.Importer; Moving panics otherwise.
//   - What Moving returns is a session.Importer and a session.Sweeper (of both stores, where they are
//     one), and a session.Capper and session.Watcher where the new store is. It is no Scanner: scan the
//     stores themselves.
//   - CreateWithin first carries all of the user's records over, so that the new store counts them all.
//     It is as exact as the new store's own.
//   - The old store's copy of a record that was carried over is left as it is until it ends or expires.
//     Sweep it until it is empty.
//
// It is safe for concurrent use where the stores are.
func Moving(old, new session.Store) session.Store {
	m := newMoving(old, new)
	capper, caps := new.(session.Capper)
	watcher, watches := new.(session.Watcher)
	switch {
	case caps && watches:
		return movingBoth{movingCapper{m, capper}, watcher}
	case caps:
		return movingCapper{m, capper}
	case watches:
		return movingWatcher{m, watcher}
	}
	return m
}

// moving keeps one rule: the new store is asked first, and what is there is the truth. A record is there
// from its first write on, and its end is stored there before the old store's. So whatever races:
//
//   - Two requests carry the same record over: Import lets one win, and both go on with its record.
//   - One carries a record over while another ends it. Either the end finds the record in the new store,
//     or it carries it over itself; the slower Import then meets ErrExists and its write an ended record.
//   - The same, but the new store has forgotten the tombstone by then (it was full). The old one has the
//     end too, stored before End returned. So carry looks there once more after its Import, and applies an
//     end that it finds, before any write.
type moving struct {
	old, new session.Store
	importer session.Importer
}

type (
	movingCapper struct {
		*moving
		capper session.Capper
	}
	movingWatcher struct {
		*moving
		session.Watcher
	}
	movingBoth struct {
		movingCapper
		session.Watcher
	}
)

func newMoving(old, new session.Store) *moving {
	importer, ok := new.(session.Importer)
	if old == nil || !ok {
		panic(fmt.Sprintf("store: moving from %T to %T: the new store must have Import (session.Importer); "+
			"the stores of Hardy do, yours needs that method", old, new))
	}
	return &moving{old: old, new: new, importer: importer}
}

// Create stores r in the new store, unless the old one has its id.
func (m *moving) Create(ctx context.Context, r session.Record) error {
	if err := m.unknownToOld(ctx, r.ID); err != nil {
		return err
	}
	return m.new.Create(ctx, r)
}

func (m *moving) Import(ctx context.Context, r session.Record) error {
	if err := m.unknownToOld(ctx, r.ID); err != nil {
		return err
	}
	return m.importer.Import(ctx, r)
}

func (m *moving) unknownToOld(ctx context.Context, id string) error {
	switch _, err := m.old.Load(ctx, id); {
	case err == nil:
		return session.ErrExists
	case !errors.Is(err, session.ErrNotFound):
		return fmt.Errorf("store: the old store: %w", err)
	}
	return nil
}

func (m *moving) Load(ctx context.Context, id string) (session.Record, error) {
	r, err := m.new.Load(ctx, id)
	if errors.Is(err, session.ErrNotFound) {
		return m.old.Load(ctx, id)
	}
	return r, err
}

func (m *moving) Replace(ctx context.Context, r session.Record) error {
	return m.write(ctx, r.ID, func() error { return m.new.Replace(ctx, r) })
}

func (m *moving) Touch(ctx context.Context, id string, seen, expires, purge time.Time) error {
	return m.write(ctx, id, func() error { return m.new.Touch(ctx, id, seen, expires, purge) })
}

// write does what the new store answers with ErrNotFound once more, if there was a record to carry over.
// A record that has ended in the old store needs no carrying: nothing is written to it any more.
func (m *moving) write(ctx context.Context, id string, do func() error) error {
	err := do()
	if !errors.Is(err, session.ErrNotFound) {
		return err
	}
	switch r, there := m.new.Load(ctx, id); {
	case there == nil && r.Ended == "":
		return do() // another request may have carried it over just now
	case there == nil:
		return err
	case !errors.Is(there, session.ErrNotFound):
		return there
	}
	switch r, gone := m.old.Load(ctx, id); {
	case errors.Is(gone, session.ErrNotFound) || gone == nil && r.Ended != "":
		return err
	case gone != nil:
		return fmt.Errorf("store: the old store: %w", gone)
	default:
		if _, err := m.carry(ctx, r); err != nil {
			return err
		}
	}
	return do()
}

// carry puts a record of the old store into the new one. When it returns nil, the new store has the
// record, and no end that had been stored in the old one before is missing there. was says that the new store
// had it before.
func (m *moving) carry(ctx context.Context, r session.Record) (was bool, err error) {
	err = m.importer.Import(ctx, r)
	if was = errors.Is(err, session.ErrExists); err != nil && !was {
		return false, fmt.Errorf("store: carrying a record over: %w", err)
	}
	if r.Ended != "" && !was {
		return false, nil // its end went along
	}
	return was, m.endAsOld(ctx, r.ID)
}

// endAsOld ends the new store's record where the old one's has ended.
func (m *moving) endAsOld(ctx context.Context, id string) error {
	now, err := m.old.Load(ctx, id)
	switch {
	case errors.Is(err, session.ErrNotFound):
		return nil // purged meanwhile: its Expires, which went along, has long passed
	case err != nil:
		return fmt.Errorf("store: the old store: %w", err)
	case now.Ended == "":
		return nil
	}
	how := session.End{Reason: now.Ended, At: now.EndedAt, Purge: now.Purge, Next: now.Next, KeepData: now.Data != nil}
	if _, err := m.new.End(ctx, id, how); err != nil && !errors.Is(err, session.ErrNotFound) {
		return err
	}
	return nil
}

// End ends the record in the new store first, having carried it over if need be: that is the one moment
// at which it ends, and the new store's watchers hear of it. Then it ends the old store's copy, before it returns.
func (m *moving) End(ctx context.Context, id string, how session.End) (session.Record, error) {
	last, err := m.new.End(ctx, id, how)
	if err == nil {
		return last, m.endOld(ctx, id, how)
	}
	if !errors.Is(err, session.ErrNotFound) {
		return last, err
	}
	r, err := m.old.Load(ctx, id)
	if err != nil {
		return session.Record{}, err
	}
	if _, err := m.carry(ctx, r); errors.Is(err, session.ErrFull) {
		// No room for it in the new store. It must end all the same, and whoever carries it over finds that out.
		last, err := m.old.End(ctx, id, how)
		if err == nil {
			_, err = m.new.End(ctx, id, how)
		}
		if errors.Is(err, session.ErrNotFound) {
			err = nil
		}
		return last, err
	} else if err != nil {
		return session.Record{}, err
	}
	if last, err = m.new.End(ctx, id, how); err != nil {
		return last, err
	}
	return last, m.endOld(ctx, id, how)
}

func (m *moving) endOld(ctx context.Context, id string, how session.End) error {
	if _, err := m.old.End(ctx, id, how); err != nil && !errors.Is(err, session.ErrNotFound) {
		return fmt.Errorf("store: ended in the new store, but not in the old one: %w", err)
	}
	return nil
}

// List shows the records as of the moment of its last question to the new store, and beside them those that
// only the old one has. Where one of these was carried over, or ended, after the new store had answered, it
// asks again: else a session could be missed, or shown beside its successor.
func (m *moving) List(ctx context.Context, user string) ([]session.Record, error) {
	before, err := m.old.List(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("store: the old store: %w", err)
	}
	settled := make(map[string]bool) // in the new store, live or ended, before its last answer
	for {
		list, err := m.new.List(ctx, user)
		if err != nil {
			return nil, err
		}
		shown := make(map[string]bool, len(list))
		for _, r := range list {
			shown[r.ID] = true
		}
		again := false
		for _, r := range before {
			if shown[r.ID] || settled[r.ID] {
				continue
			}
			switch _, err := m.new.Load(ctx, r.ID); {
			case errors.Is(err, session.ErrNotFound):
				list = append(list, r)
			case err != nil:
				return nil, err
			default:
				settled[r.ID], again = true, true
			}
		}
		if !again {
			return list, nil
		}
	}
}

// Sweep sweeps the new store, then the old one.
func (m *moving) Sweep(ctx context.Context, now time.Time, limit int) (swept session.Swept, more bool, err error) {
	for _, s := range []session.Store{m.new, m.old} {
		sweeper, ok := s.(session.Sweeper)
		if !ok {
			continue
		}
		one, goesOn, err := sweeper.Sweep(ctx, now, limit)
		swept.Blanked += one.Blanked
		swept.Forgotten += one.Forgotten
		if err != nil {
			return swept, true, err
		}
		more = more || goesOn
	}
	return swept, more, ctx.Err()
}

// CreateWithin carries all of the user's records over and lets the new store count.
func (m movingCapper) CreateWithin(ctx context.Context, r session.Record, max int, evict bool) ([]session.Record, error) {
	if err := m.unknownToOld(ctx, r.ID); err != nil {
		return nil, err
	}
	if err := m.carryAll(ctx, r.User); err != nil {
		return nil, err
	}
	evicted, err := m.capper.CreateWithin(ctx, r, max, evict)
	for _, e := range evicted {
		how := session.End{Reason: session.ReasonEvicted, At: r.Seen, Purge: r.Seen.Add(session.Tombstone)}
		if gone := m.endOld(ctx, e.ID, how); gone != nil && err == nil {
			err = gone
		}
	}
	return evicted, err
}

func (m movingCapper) carryAll(ctx context.Context, user string) error {
	list, err := m.old.List(ctx, user)
	if err != nil {
		return fmt.Errorf("store: the old store: %w", err)
	}
	for _, listed := range list {
		if _, err := m.new.Load(ctx, listed.ID); err == nil {
			continue
		} else if !errors.Is(err, session.ErrNotFound) {
			return err
		}
		r, err := m.old.Load(ctx, listed.ID) // the list has no Data
		if errors.Is(err, session.ErrNotFound) {
			continue
		}
		if err == nil {
			_, err = m.carry(ctx, r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
