package store_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/hardy/session"
	"example.com/hardy/store"
	"example.com/hardy/store/storetest"
)

func TestMovingKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) session.Store { return store.Moving(store.NewMemory(nil), store.NewMemory(nil)) })
}

// begun is a Moving whose anonymous records, and the first one of each user, were in the old store when
// it began.
type begun struct {
	full
	old  session.Store
	mu   sync.Mutex
	seen map[string]bool
}

type full interface {
	session.Store
	session.Capper
	session.Importer
	session.Watcher
	session.Sweeper
}

func (b *begun) Create(ctx context.Context, r session.Record) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.Load(ctx, r.ID); b.seen[r.User] && r.User != "" || !errors.Is(err, session.ErrNotFound) {
		return b.full.Create(ctx, r)
	}
	b.seen[r.User] = true
	return b.old.Create(ctx, r)
}

func TestMovingKeepsTheContractForOldRecords(t *testing.T) {
	storetest.Run(t, func(*testing.T) session.Store {
		old := store.NewMemory(nil)
		return &begun{full: store.Moving(old, store.NewMemory(nil)).(full), old: old, seen: map[string]bool{}}
	})
}

func TestMovingCarriesOverBeforeAWrite(t *testing.T) {
	ctx := t.Context()
	old, new := store.NewMemory(nil), store.NewMemory(nil)
	m := store.Moving(old, new)
	r := record(1, "ann", 100)
	must(t, old.Create(ctx, r))

	if got, err := m.Load(ctx, r.ID); err != nil || got.User != "ann" {
		t.Errorf("Load of a record in the old store: %v, %v", got, err)
	}
	if _, err := new.Load(ctx, r.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("a Load carried the record over: %v", err)
	}
	next := r
	next.Version, next.Data = 2, []byte("second")
	must(t, m.Replace(ctx, next))
	if got, err := new.Load(ctx, r.ID); err != nil || string(got.Data) != "second" {
		t.Errorf("after a Replace the new store has %q, %v", got.Data, err)
	}
	if list, err := m.List(ctx, "ann"); err != nil || len(list) != 1 || list[0].Version != 2 {
		t.Errorf("List shows %d records, %v; want the new store's one", len(list), err)
	}
	_, err := m.End(ctx, r.ID, logout(r))
	must(t, err)
	for name, s := range map[string]session.Store{"old": old, "new": new} {
		if got, err := s.Load(ctx, r.ID); err != nil || got.Ended != session.ReasonLogout {
			t.Errorf("after End the %s store has %q, %v", name, got.Ended, err)
		}
	}
}

func TestMovingLeavesWhatEndedInTheOldStore(t *testing.T) {
	ctx := t.Context()
	old, new := store.NewMemory(nil), store.NewMemory(nil)
	m := store.Moving(old, new)
	r := record(1, "ann", 100)
	must(t, old.Create(ctx, r))
	_, err := old.End(ctx, r.ID, logout(r))
	must(t, err)
	next := r
	next.Version = 2
	if err := m.Replace(ctx, next); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Replace: %v", err)
	}
	if err := m.Touch(ctx, r.ID, r.Seen, r.Expires, r.Purge); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Touch: %v", err)
	}
	if last, err := m.End(ctx, r.ID, session.End{Reason: session.ReasonRevoked}); err != nil || last.Ended != session.ReasonLogout {
		t.Errorf("a second End: %q, %v", last.Ended, err)
	}
	if list, _ := m.List(ctx, "ann"); len(list) != 0 {
		t.Errorf("List shows %d ended records", len(list))
	}
}

func TestMovingCountsOldRecords(t *testing.T) {
	ctx := t.Context()
	old, new := store.NewMemory(nil), store.NewMemory(nil)
	m := store.Moving(old, new).(full)
	for i := range 3 {
		r := record(i, "ann", 10)
		r.Created = r.Created.Add(time.Duration(i) * time.Minute)
		must(t, old.Create(ctx, r))
	}
	evicted, err := m.CreateWithin(ctx, record(9, "ann", 10), 2, true)
	if err != nil || len(evicted) != 2 || evicted[0].ID != record(0, "", 0).ID || len(evicted[0].Data) != 10 {
		t.Errorf("evicted %d, %v; want the two oldest, with Data", len(evicted), err)
	}
	if list, _ := old.List(ctx, "ann"); len(list) != 1 {
		t.Errorf("the old store still lists %d, want 1: evictions reach both", len(list))
	}
	if _, err := m.CreateWithin(ctx, record(10, "ann", 10), 2, false); !errors.Is(err, session.ErrCapped) {
		t.Errorf("CreateWithin without evict: %v", err)
	}
}

// stale lets a test act between two steps of Moving.
type stale struct {
	*store.Memory
	imported, loaded func()
}

func (s *stale) Import(ctx context.Context, r session.Record) error {
	if s.imported != nil {
		s.imported()
	}
	return s.Memory.Import(ctx, r)
}

func (s *stale) Load(ctx context.Context, id string) (session.Record, error) {
	r, err := s.Memory.Load(ctx, id)
	if s.loaded != nil {
		s.loaded()
	}
	return r, err
}

func TestMovingEndBeatsACarryOver(t *testing.T) {
	ctx := t.Context()
	tests := map[string]func(old *store.Memory, m session.Store, r session.Record) error{
		"ended through Moving": func(_ *store.Memory, m session.Store, r session.Record) error {
			_, err := m.End(ctx, r.ID, logout(r))
			return err
		},
		"ended in the old store alone": func(old *store.Memory, _ session.Store, r session.Record) error {
			_, err := old.End(ctx, r.ID, logout(r))
			return err
		},
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			old, new := store.NewMemory(nil), &stale{Memory: store.NewMemory(nil)}
			m := store.Moving(old, new)
			r := record(1, "ann", 100)
			must(t, old.Create(ctx, r))
			new.imported = func() { // the carrier holds a live copy and has not put it down yet
				new.imported = nil
				must(t, end(old, m, r))
			}
			next := r
			next.Version = 2
			if err := m.Replace(ctx, next); !errors.Is(err, session.ErrNotFound) {
				t.Errorf("Replace of what ended while it was carried over: %v", err)
			}
			if got, err := m.Load(ctx, r.ID); err != nil || got.Ended != session.ReasonLogout {
				t.Errorf("Load: %q, %v", got.Ended, err)
			}
		})
	}
}

// TestMovingRefusesNoWriteForACarryOver: of two first writes one carries the record over; the other must not
// take its absence a moment ago for an end.
func TestMovingRefusesNoWriteForACarryOver(t *testing.T) {
	ctx := t.Context()
	for range 500 {
		old := store.NewMemory(nil)
		m := store.Moving(old, store.NewMemory(nil))
		r := record(1, "ann", 10)
		must(t, old.Create(ctx, r))
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := m.Touch(ctx, r.ID, r.Seen, r.Expires, r.Purge); err != nil {
					t.Errorf("Touch: %v", err)
				}
			})
		}
		wg.Wait()
	}
}

func TestMovingEndsWhereTheNewStoreIsFull(t *testing.T) {
	ctx := t.Context()
	old, new := store.NewMemory(nil), store.NewMemory(&store.MemoryOptions{MaxRecords: 1})
	m := store.Moving(old, new)
	r := record(1, "ann", 100)
	must(t, old.Create(ctx, r))
	must(t, m.Create(ctx, record(2, "bob", 100)))
	if last, err := m.End(ctx, r.ID, logout(r)); err != nil || last.Ended != "" || len(last.Data) != 100 {
		t.Errorf("End: %q, %v", last.Ended, err)
	}
	if got, err := m.Load(ctx, r.ID); err != nil || got.Ended != session.ReasonLogout {
		t.Errorf("Load: %q, %v", got.Ended, err)
	}
}

func TestMovingListNeverMissesUnderCarryOver(t *testing.T) {
	ctx := t.Context()
	old, new := store.NewMemory(nil), &stale{Memory: store.NewMemory(nil)}
	m := store.Moving(old, new)
	r, next := record(1, "ann", 100), record(2, "ann", 100)
	must(t, old.Create(ctx, r))
	new.loaded = func() { // List asks the new store for r after its lists: rotate r in between
		new.loaded = nil
		must(t, new.Memory.Create(ctx, next))
		_, err := m.End(ctx, r.ID, session.End{Reason: session.ReasonRotated, At: r.Seen, Next: next.ID})
		must(t, err)
	}
	for range 2 {
		list, err := m.List(ctx, "ann")
		if err != nil || len(list) == 0 {
			t.Errorf("List shows %d records, %v", len(list), err)
		}
	}
}

// TestMovingRace begins with records in the old store, and lets writers, an end and carry-overs race.
func TestMovingRace(t *testing.T) {
	ctx := t.Context()
	for range 200 {
		old, new := store.NewMemory(&store.MemoryOptions{}), store.NewMemory(nil)
		m := store.Moving(old, new)
		r := record(1, "ann", 10)
		must(t, old.Create(ctx, r))
		var over atomic.Bool
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for {
					late := over.Load()
					cur, err := m.Load(ctx, r.ID)
					if err != nil || late && cur.Ended == "" {
						t.Errorf("after End: Load shows %q, %v", cur.Ended, err)
						return
					}
					cur.Version++
					switch err := m.Replace(ctx, cur); {
					case err == nil && late:
						t.Error("Replace succeeded after End")
						return
					case errors.Is(err, session.ErrNotFound):
						return
					case err != nil && !errors.Is(err, session.ErrConflict):
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Go(func() {
			last, err := m.End(ctx, r.ID, logout(r))
			over.Store(true)
			if err != nil || last.Ended != "" {
				t.Errorf("End: %q, %v", last.Ended, err)
			}
			if now, _ := m.Load(ctx, r.ID); now.Version != last.Version {
				t.Errorf("End returned version %d, the record stands at %d", last.Version, now.Version)
			}
		})
		wg.Wait()
	}
}

func TestMovingRefusesAStoreThatCannotImport(t *testing.T) {
	type plain struct{ session.Store }
	defer func() {
		if msg, _ := recover().(string); !strings.Contains(msg, "Import") {
			t.Errorf("the panic does not say how to mend it: %q", msg)
		}
	}()
	store.Moving(store.NewMemory(nil), plain{store.NewMemory(nil)})
}

func TestMovingHasWhatTheNewStoreHas(t *testing.T) {
	type importer struct {
		session.Store
		session.Importer
	}
	mem := store.NewMemory(nil)
	m := store.Moving(mem, importer{mem, mem})
	if _, ok := m.(session.Capper); ok {
		t.Error("Moving into a store that is no Capper is one")
	}
	if _, ok := m.(session.Watcher); ok {
		t.Error("Moving into a store that is no Watcher is one")
	}
}
