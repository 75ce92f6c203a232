package store_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/hardy/session"
	"example.com/hardy/store"
	"example.com/hardy/store/storetest"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) session.Store { return store.NewMemory(nil) })
}

func TestMemoryIsFullOfLiveRecords(t *testing.T) {
	ctx := t.Context()
	m := store.NewMemory(&store.MemoryOptions{MaxRecords: 3})
	for i := range 3 {
		must(t, m.Create(ctx, record(i, "ann", 10)))
	}
	fourth := record(3, "ann", 10)
	if err := m.Create(ctx, fourth); !errors.Is(err, session.ErrFull) {
		t.Errorf("Create into a full store: %v", err)
	}
	if err := m.Import(ctx, fourth); !errors.Is(err, session.ErrFull) {
		t.Errorf("Import into a full store: %v", err)
	}
	if _, err := m.CreateWithin(ctx, fourth, 1, true); !errors.Is(err, session.ErrFull) {
		t.Errorf("CreateWithin into a full store: %v", err)
	}
	if err := m.Create(ctx, record(1, "bob", 10)); !errors.Is(err, session.ErrExists) {
		t.Errorf("Create of an id that is there, in a full store: %v", err)
	}
	if list, _ := m.List(ctx, "ann"); len(list) != 3 {
		t.Fatalf("%d live records are left of 3", len(list))
	}

	_, err := m.End(ctx, record(1, "", 0).ID, logout(fourth))
	must(t, err)
	must(t, m.Create(ctx, fourth)) // the tombstone goes
	if _, err := m.Load(ctx, record(1, "", 0).ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Load of the tombstone that made room: %v", err)
	}
	if n, _ := m.Count(ctx); n != 3 {
		t.Errorf("Count is %d, want 3", n)
	}

	late := record(4, "ann", 10)
	late.Seen, late.Expires = epoch.Add(time.Hour), epoch.Add(2*time.Hour)
	must(t, m.Create(ctx, late)) // one that expired goes
	if list, _ := m.List(ctx, "ann"); len(list) != 3 {
		t.Errorf("List shows %d, want 3", len(list))
	}
}

func TestMemoryFullKeepsARotatedRecordForItsGrace(t *testing.T) {
	ctx := t.Context()
	m := store.NewMemory(&store.MemoryOptions{MaxRecords: 2})
	r, next := record(1, "ann", 10), record(2, "ann", 10)
	must(t, m.Create(ctx, r))
	must(t, m.Create(ctx, next))
	_, err := m.End(ctx, r.ID, session.End{Reason: session.ReasonRotated, At: epoch, Next: next.ID, KeepData: true})
	must(t, err)
	other := record(3, "", 10)
	if err := m.Create(ctx, other); !errors.Is(err, session.ErrFull) {
		t.Errorf("Create within the grace: %v", err)
	}
	other.Seen = epoch.Add(session.Grace + time.Second)
	must(t, m.Create(ctx, other))
}

// TestMemoryFullUnderConcurrency: the bound holds, and every live record that was created stays.
func TestMemoryFullUnderConcurrency(t *testing.T) {
	const most = 50
	ctx := t.Context()
	m := store.NewMemory(&store.MemoryOptions{MaxRecords: most})
	var wg sync.WaitGroup
	var live atomic.Int64
	for g := range 4 {
		wg.Go(func() {
			for i := range 300 {
				r := record(g*1000+i, []string{"", "ann"}[i%2], 10)
				switch err := m.Create(ctx, r); {
				case errors.Is(err, session.ErrFull):
				case err != nil:
					t.Error(err)
				case i%3 == 0:
					if _, err := m.End(ctx, r.ID, logout(r)); err != nil {
						t.Errorf("End of a live record: %v", err)
					}
				default:
					live.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n, _ := m.Count(ctx); n > most || int64(n) < live.Load() {
		t.Errorf("%d records are held, %d live ones, of at most %d", n, live.Load(), most)
	}
}

func TestMemoryTellsASlowWatcherThatItMissedEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	m := store.NewMemory(nil)
	began, goOn, heard := make(chan bool), make(chan bool), make(chan session.Ended, 100_000)
	done := make(chan error)
	go func() {
		first := true
		done <- m.Watch(ctx, func(e session.Ended) {
			if heard <- e; first {
				first = false
				began <- true
				<-goOn
			}
		})
	}()
	<-began
	var last session.Record
	for i := range 20_000 { // nobody takes them, and no End waits
		last = record(i, "", 0)
		must(t, m.Create(ctx, last))
		_, err := m.End(ctx, last.ID, logout(last))
		must(t, err)
	}
	close(goOn)
	gaps := 0
	for e := range heard {
		if e.ID == "" {
			gaps++
		}
		if e.ID == last.ID {
			break
		}
	}
	if gaps != 2 {
		t.Errorf("the empty news came %d times, want twice: at the begin, and for what was dropped", gaps)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Watch: %v", err)
	}
}

func TestMemoryRefusesOtherIDs(t *testing.T) {
	ctx := t.Context()
	good := record(1, "", 0).ID
	for name, id := range map[string]string{
		"empty": "", "short": good[:42], "long": good + "A", "padding": good[:42] + "=", "standard alphabet": good[:42] + "+",
		"not canonical": good[:42] + "B", "newline": good[:42] + "\n", "not ASCII": good[:41] + "é", "NULs": string(make([]byte, 43)),
	} {
		t.Run(name, func(t *testing.T) {
			m := store.NewMemory(nil)
			r := record(1, "ann", 10)
			r.ID = id
			for what, err := range map[string]error{"Create": m.Create(ctx, r), "Import": m.Import(ctx, r)} {
				if err == nil || !strings.Contains(err.Error(), "43 characters") || id != "" && strings.Contains(err.Error(), id) {
					t.Errorf("%s: %v; want an error that says what an id is, and not this one", what, err)
				}
			}
			_, loaded := m.Load(ctx, id)
			_, ended := m.End(ctx, id, logout(r))
			for what, err := range map[string]error{
				"Load": loaded, "End": ended, "Replace": m.Replace(ctx, r), "Touch": m.Touch(ctx, id, epoch, epoch, epoch),
			} {
				if !errors.Is(err, session.ErrNotFound) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if n, _ := m.Count(ctx); n != 0 {
				t.Errorf("Count is %d", n)
			}
		})
	}
}

func TestMemoryMovesFarMomentsToTheEdge(t *testing.T) {
	m := store.NewMemory(nil)
	r := record(1, "", 0)
	r.Created, r.Deadline = time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	must(t, m.Create(t.Context(), r))
	got, err := m.Load(t.Context(), r.ID)
	must(t, err)
	if got.Created.Year() != 1677 || got.Deadline.Year() != 2262 || !got.AuthTime.IsZero() {
		t.Errorf("Created %v, Deadline %v, AuthTime %v", got.Created, got.Deadline, got.AuthTime)
	}
}

func TestMemoryRefusesAForeignCursor(t *testing.T) {
	m := store.NewMemory(nil)
	for _, cursor := range []string{"x", "1", "-1." + record(1, "", 0).ID, "1.x", "."} {
		if _, _, err := m.Scan(t.Context(), cursor, 10); err == nil {
			t.Errorf("Scan from %q: no error", cursor)
		}
	}
	if page, next, err := m.Scan(t.Context(), "99999."+record(1, "", 0).ID, 10); err != nil || len(page) != 0 || next != "" {
		t.Errorf("Scan beyond the end: %d records, %q, %v", len(page), next, err)
	}
}

func TestMemoryRefusesANegativeBound(t *testing.T) {
	defer func() {
		if msg, _ := recover().(string); !strings.Contains(msg, "use 0") {
			t.Errorf("the panic does not say how to mend it: %q", msg)
		}
	}()
	store.NewMemory(&store.MemoryOptions{MaxRecords: -1})
}

// TestMemoryTables lets tables grow and shrink under random creation and sweeping, and compares them with
// a plain map.
func TestMemoryTables(t *testing.T) {
	ctx := t.Context()
	m, rnd := store.NewMemory(nil), rand.New(rand.NewPCG(1, 2))
	want := make(map[string]time.Time) // id to Purge
	n := 60_000
	for i := range n {
		r := record(i, []string{"", "ann", "bob"}[i%3], 3)
		r.Purge = r.Seen.Add(time.Duration(1+rnd.IntN(1000)) * time.Hour)
		want[r.ID] = r.Purge
		must(t, m.Create(ctx, r))
	}
	for _, hours := range []int{10, 300, 700, 950, 1001} {
		now := epoch.Add(time.Duration(hours) * time.Hour)
		sweep(t, m, now)
		left := 0
		for id, purge := range want {
			_, err := m.Load(ctx, id)
			if alive := purge.After(now); alive != (err == nil) {
				t.Fatalf("after %d hours a record with Purge %v: %v", hours, purge, err)
			} else if alive {
				left++
			}
		}
		if c, _ := m.Count(ctx); c != left {
			t.Errorf("after %d hours Count is %d, want %d", hours, c, left)
		}
		ann, _ := m.List(ctx, "ann")
		bob, _ := m.List(ctx, "bob")
		if len(ann)+len(bob) > left || left > 0 && len(ann) == 0 {
			t.Errorf("the index shows %d of %d", len(ann)+len(bob), left)
		}
	}
}
