package sqlitestore

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/hardy/session"
)

// hold keeps the leader busy until the returned function is called.
func hold(t *testing.T, s *Store) (release func()) {
	t.Helper()
	began, goOn := make(chan bool), make(chan bool)
	var once sync.Once // what comes meanwhile may fail the transaction, so that this runs in another one
	go s.write(context.Background(), func(*writer) error {
		once.Do(func() {
			began <- true
			<-goOn
		})
		return nil
	})
	<-began
	return func() { close(goOn) }
}

// waitFor returns when so many writes wait.
func waitFor(s *Store, n int) {
	for {
		s.queue.mu.Lock()
		waiting := len(s.queue.waiting)
		s.queue.mu.Unlock()
		if waiting == n {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// TestNeighboursOfAFailedWrite: a group is one transaction; where one of it fails the others are stored,
// and each is told of its own lot.
func TestNeighboursOfAFailedWrite(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s.db"))
	taken := fresh("ann")
	must(t, s.Create(t.Context(), taken))
	release := hold(t, s)
	first, second, third := fresh("ann"), fresh("ann"), fresh("bob")
	broken := errors.New("broken")
	answers := make([]chan error, 6)
	for i, write := range []func() error{
		func() error { return s.Create(context.Background(), first) },
		func() error {
			return s.write(context.Background(), func(w *writer) error {
				w.exec("DELETE FROM hardy_sessions") // must not come to stay
				return broken
			})
		},
		func() error { return s.Create(context.Background(), taken) },
		func() error { return s.Create(context.Background(), second) },
		func() error { return s.Replace(context.Background(), next(next(taken))) },
		func() error { _, err := s.CreateWithin(context.Background(), third, 1, false); return err },
	} {
		answers[i] = make(chan error, 1)
		go func() { answers[i] <- write() }()
		waitFor(s, i+1)
	}
	release()
	for i, want := range []error{nil, broken, session.ErrExists, nil, session.ErrConflict, nil} {
		if err := <-answers[i]; !errors.Is(err, want) {
			t.Errorf("write %d: %v, want %v", i, err, want)
		}
	}
	for _, r := range []session.Record{taken, first, second, third} {
		if _, err := s.Load(t.Context(), r.ID); err != nil {
			t.Errorf("a neighbour: %v", err)
		}
	}
}

// TestAWriteLeavesAtItsDeadline although the disk hangs; one that has not begun never happens.
func TestAWriteLeavesAtItsDeadline(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s.db"))
	release := hold(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	r := fresh("ann")
	done := make(chan error)
	go func() { done <- s.Create(ctx, r) }()
	waitFor(s, 1)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "nothing was stored") {
		t.Errorf("Create: %v", err)
	}
	waitFor(s, 0)
	release()
	must(t, s.Create(t.Context(), r))
}

// TestCloseWaits for what was accepted, and what comes later is told.
func TestCloseWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	s := open(t, path)
	release := hold(t, s)
	accepted := []session.Record{fresh("ann"), fresh("ann"), fresh("ann")}
	done := make(chan error, len(accepted))
	for i, r := range accepted {
		go func() { done <- s.Create(context.Background(), r) }()
		waitFor(s, i+1)
	}
	watching := make(chan error, 1)
	began := make(chan bool, 10)
	go func() { watching <- s.Watch(context.Background(), func(session.Ended) { began <- true }) }()
	<-began
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	<-s.queue.closed
	late := s.Create(t.Context(), fresh("ann"))
	select {
	case err := <-closed:
		t.Errorf("Close did not wait: %v", err)
	default:
	}
	release()
	for range accepted {
		must(t, <-done)
	}
	must(t, <-closed)
	must(t, s.Close())

	ctx, r := t.Context(), fresh("ann")
	_, load := s.Load(ctx, r.ID)
	_, end := s.End(ctx, r.ID, session.End{})
	_, list := s.List(ctx, "ann")
	_, within := s.CreateWithin(ctx, r, 1, true)
	_, _, scan := s.Scan(ctx, "", 1)
	_, count := s.Count(ctx)
	_, _, sweep := s.Sweep(ctx, time.Now(), 1)
	for what, err := range map[string]error{
		"Create meanwhile": late, "Create": s.Create(ctx, r), "Load": load, "Replace": s.Replace(ctx, r),
		"Touch": s.Touch(ctx, r.ID, r.Seen, r.Seen, r.Seen), "End": end, "List": list, "CreateWithin": within,
		"Scan": scan, "Count": count, "Import": s.Import(ctx, r), "Watch": s.Watch(ctx, func(session.Ended) {}),
		"Sweep": sweep, "the Watch that ran": <-watching,
	} {
		if !errors.Is(err, fs.ErrClosed) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s after Close: %v", what, err)
		}
	}
	s = open(t, path)
	for _, r := range accepted {
		_, err := s.Load(ctx, r.ID)
		must(t, err)
	}
}

// TestCloseUnderLoad: whoever is at it meets his answer or the clear error, and nothing else.
func TestCloseUnderLoad(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s.db"))
	known := fresh("ann")
	must(t, s.Create(t.Context(), known))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for {
				var err error
				switch i % 4 {
				case 0:
					err = s.Create(context.Background(), fresh("ann"))
				case 1:
					_, err = s.Load(context.Background(), known.ID)
				case 2:
					_, err = s.List(context.Background(), "ann")
				case 3:
					_, _, err = s.Scan(context.Background(), "", 5)
				}
				if errors.Is(err, fs.ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	must(t, s.Close())
	wg.Wait()
}

// TestIdleStoreHasNoLeader: a store that nobody uses runs nothing.
func TestIdleStoreHasNoLeader(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s.db"))
	must(t, s.Create(t.Context(), fresh("ann")))
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		s.queue.mu.Lock()
		leading := s.queue.leading
		s.queue.mu.Unlock()
		if !leading {
			return
		}
		if time.Since(begin) > 10*time.Second {
			t.Fatal("the leader does not go")
		}
	}
}
