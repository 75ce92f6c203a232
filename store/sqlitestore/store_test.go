package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/hardy/internal/column"
	"example.com/hardy/session"
	"example.com/hardy/store/storetest"
)

func open(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, &Options{WatchInterval: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func TestOpenKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) session.Store {
		return open(t, filepath.Join(t.TempDir(), "sessions.db"))
	})
}

func TestNewKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) session.Store {
		db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "app.db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		db.SetMaxOpenConns(2) // the fewest
		s, err := New(t.Context(), db, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
		return s
	})
}

// TestTwoHandlesKeepTheContract: calls alternate between two Stores on one file, as between two processes.
func TestTwoHandlesKeepTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) session.Store {
		path := filepath.Join(t.TempDir(), "sessions.db")
		return &pair{two: [2]*Store{open(t, path), open(t, path)}}
	})
}

type pair struct {
	two [2]*Store
	n   atomic.Uint32
}

func (p *pair) any() *Store { return p.two[p.n.Add(1)%2] }

func (p *pair) Create(ctx context.Context, r session.Record) error { return p.any().Create(ctx, r) }
func (p *pair) Load(ctx context.Context, id string) (session.Record, error) {
	return p.any().Load(ctx, id)
}
func (p *pair) Replace(ctx context.Context, r session.Record) error { return p.any().Replace(ctx, r) }
func (p *pair) Touch(ctx context.Context, id string, seen, expires, purge time.Time) error {
	return p.any().Touch(ctx, id, seen, expires, purge)
}
func (p *pair) End(ctx context.Context, id string, e session.End) (session.Record, error) {
	return p.any().End(ctx, id, e)
}
func (p *pair) List(ctx context.Context, user string) ([]session.Record, error) {
	return p.any().List(ctx, user)
}
func (p *pair) CreateWithin(ctx context.Context, r session.Record, most int, evict bool) ([]session.Record, error) {
	return p.any().CreateWithin(ctx, r, most, evict)
}
func (p *pair) Scan(ctx context.Context, cursor string, limit int) ([]session.Record, string, error) {
	return p.any().Scan(ctx, cursor, limit)
}
func (p *pair) Count(ctx context.Context) (int, error)                 { return p.any().Count(ctx) }
func (p *pair) Import(ctx context.Context, r session.Record) error     { return p.any().Import(ctx, r) }
func (p *pair) Watch(ctx context.Context, f func(session.Ended)) error { return p.any().Watch(ctx, f) }
func (p *pair) Sweep(ctx context.Context, now time.Time, limit int) (session.Swept, bool, error) {
	return p.any().Sweep(ctx, now, limit)
}

func TestRefusesOtherIDs(t *testing.T) {
	ctx := t.Context()
	s := open(t, filepath.Join(t.TempDir(), "s.db"))
	good := fresh("").ID
	for name, id := range map[string]string{
		"empty": "", "short": good[:42], "long": good + "A", "padding": good[:42] + "=", "standard alphabet": good[:42] + "+",
		"not canonical": good[:42] + "B", "newline": good[:42] + "\n", "newline within": good[:20] + "\n" + good[20:42],
	} {
		r := fresh("ann")
		r.ID = id
		for what, err := range map[string]error{"Create": s.Create(ctx, r), "Import": s.Import(ctx, r)} {
			if err == nil || !strings.Contains(err.Error(), "43 characters") || id != "" && strings.Contains(err.Error(), id) {
				t.Errorf("%s of an id that is %s: %v; want an error that says what an id is, and not this one", what, name, err)
			}
		}
		_, loaded := s.Load(ctx, id)
		_, ended := s.End(ctx, id, session.End{})
		for what, err := range map[string]error{
			"Load": loaded, "End": ended, "Replace": s.Replace(ctx, r), "Touch": s.Touch(ctx, id, r.Seen, r.Seen, r.Seen),
		} {
			if !errors.Is(err, session.ErrNotFound) {
				t.Errorf("%s of an id that is %s: %v", what, name, err)
			}
		}
	}
	if n, err := s.Count(ctx); n != 0 || err != nil {
		t.Errorf("Count is %d, %v", n, err)
	}
}

func TestRefusesAForeignCursor(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s.db"))
	if _, _, err := s.Scan(t.Context(), "12.x", 1); err == nil {
		t.Error("no error")
	}
}

func TestMovesFarMomentsToTheEdge(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s.db"))
	r := fresh("")
	r.Created, r.Deadline = time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	must(t, s.Create(t.Context(), r))
	got, err := s.Load(t.Context(), r.ID)
	must(t, err)
	if got.Created.Year() != 1677 || got.Deadline.Year() != 2262 || !got.AuthTime.IsZero() {
		t.Errorf("Created %v, Deadline %v, AuthTime %v", got.Created, got.Deadline, got.AuthTime)
	}
}

// TestCreatesSweepInPassing: a program that never sweeps is bounded by its traffic.
func TestCreatesSweepInPassing(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s.db"))
	for i := range 300 {
		r := fresh("")
		r.Seen = r.Created.Add(time.Duration(i) * time.Hour)
		r.Expires, r.Purge = r.Seen.Add(time.Hour), r.Seen.Add(2*time.Hour)
		must(t, s.Create(t.Context(), r))
	}
	if n, err := s.Count(t.Context()); n > 40 || err != nil {
		t.Errorf("%d records are there (%v), of which two live", n, err)
	}
}

// TestSweepLooksOnce: a record that lives is looked at again only when it may have died.
func TestSweepLooksOnce(t *testing.T) {
	ctx := t.Context()
	s := open(t, filepath.Join(t.TempDir(), "s.db"))
	r := fresh("ann")
	must(t, s.Create(ctx, r))
	later := r.Expires.Add(time.Hour)
	must(t, s.Touch(ctx, r.ID, r.Seen, later, r.Purge))
	for i, c := range []struct {
		now    time.Time
		looked int
		swept  session.Swept
	}{
		{r.Expires.Add(-1), 0, session.Swept{}},
		{r.Expires, 1, session.Swept{}},
		{r.Expires, 0, session.Swept{}},
		{later, 1, session.Swept{Blanked: 1}},
		{r.Purge.Add(-1), 0, session.Swept{}},
		{r.Purge, 1, session.Swept{Forgotten: 1}},
	} {
		var looked int
		var swept session.Swept
		must(t, s.write(ctx, func(w *writer) (err error) {
			swept, looked, err = w.sweep(column.Nanos(c.now), 10)
			return err
		}))
		if looked != c.looked || swept != c.swept {
			t.Errorf("step %d looked at %d records and swept %+v, want %d and %+v", i, looked, swept, c.looked, c.swept)
		}
	}
}

// TestWatchTellsOwnEndsAtOnce, however seldom it asks the file.
func TestWatchTellsOwnEndsAtOnce(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "s.db"), &Options{WatchInterval: 24 * time.Hour})
	must(t, err)
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var first, id string
	err = s.Watch(ctx, func(e session.Ended) {
		if e.ID != "" {
			first = e.ID
			cancel()
			return
		}
		go func() {
			r := fresh("ann")
			id = r.ID
			if err := s.Create(context.Background(), r); err != nil {
				t.Error(err)
			}
			if _, err := s.End(context.Background(), r.ID, session.End{Reason: session.ReasonLogout, At: r.Seen}); err != nil {
				t.Error(err)
			}
		}()
	})
	if !errors.Is(err, context.Canceled) || first != id {
		t.Errorf("Watch told of %q, want %q (%v)", first, id, err)
	}
}

// TestWatchAfterARestore: a file that was put back to an older state knows less than the watcher was told.
func TestWatchAfterARestore(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s.db"))
	ctx, cancel := context.WithCancel(t.Context())
	news, done := make(chan session.Ended, 10), make(chan error)
	end := func() string {
		t.Helper()
		r := fresh("ann")
		must(t, s.Create(ctx, r))
		_, err := s.End(ctx, r.ID, session.End{Reason: session.ReasonLogout, At: r.Seen})
		must(t, err)
		return r.ID
	}
	for range 5 {
		end()
	}
	go func() { done <- s.Watch(ctx, func(e session.Ended) { news <- e }) }()
	if e := <-news; e.ID != "" {
		t.Errorf("the first news is %+v", e)
	}
	must(t, s.write(ctx, func(w *writer) error { return w.exec("UPDATE hardy_store SET ends = 0") }))
	if e := <-news; e.ID != "" {
		t.Errorf("the news after a restore is %+v", e)
	}
	must(t, s.write(ctx, func(w *writer) error { return w.exec("DELETE FROM hardy_sessions") }))
	if id, e := end(), <-news; e.ID != id {
		t.Errorf("the news after that is %+v", e)
	}
	cancel()
	<-done
}
