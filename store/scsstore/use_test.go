package scsstore_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"example.com/hardy/session"
	"example.com/hardy/store"
	"example.com/hardy/store/scsstore"
	"example.com/hardy/store/storetest"
)

// The exported interfaces are scs's own, both ways.
var (
	_ scs.Store         = scsstore.Store(nil)
	_ scsstore.Store    = scs.Store(nil)
	_ scs.CtxStore      = scsstore.CtxStore(nil)
	_ scsstore.CtxStore = scs.CtxStore(nil)
)

// ctxOnly is memstore as goredisstore and others are: the plain methods panic.
type ctxOnly struct {
	scs.Store
	under *memstore.MemStore
	slow  time.Duration // each question takes so long
}

func (c *ctxOnly) FindCtx(_ context.Context, token string) ([]byte, bool, error) {
	time.Sleep(c.slow)
	return c.under.Find(token)
}

func (c *ctxOnly) CommitCtx(_ context.Context, token string, b []byte, expiry time.Time) error {
	time.Sleep(c.slow)
	return c.under.Commit(token, b, expiry)
}

func (c *ctxOnly) DeleteCtx(_ context.Context, token string) error { return c.under.Delete(token) }

func (c *ctxOnly) AllCtx(context.Context) (map[string][]byte, error) { return c.under.All() }

func newMemstore() *memstore.MemStore { return memstore.NewWithCleanupInterval(0) }

// plain hides what a store has beyond scs.Store.
type plain struct{ scs.Store }

func TestContract(t *testing.T) {
	for name, open := range map[string]func() scs.Store{
		"memstore":          func() scs.Store { return newMemstore() },
		"with context only": func() scs.Store { return &ctxOnly{under: newMemstore()} },
		// Slow enough that what was just seen counts as seen.
		"slow": func() scs.Store { return &ctxOnly{under: newMemstore(), slow: 100 * time.Microsecond} },
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(*testing.T) session.Store { return scsstore.Use(open(), nil) })
		})
	}
}

func newRecord(user string) session.Record {
	id := make([]byte, 32)
	rand.Read(id)
	now := time.Now().Round(0)
	return session.Record{
		ID: base64.RawURLEncoding.EncodeToString(id), Handle: rand.Text(), User: user, Data: []byte("data of " + rand.Text()),
		Version: 1, Created: now, Seen: now, Expires: now.Add(time.Hour), Deadline: now.Add(24 * time.Hour),
		Purge: now.Add(25 * time.Hour), Idle: time.Hour,
	}
}

func next(r session.Record) session.Record {
	r.Version++
	r.Data = []byte("data of " + rand.Text())
	return r
}

func logout(r session.Record) session.End {
	return session.End{Reason: session.ReasonLogout, At: r.Seen, Purge: r.Seen.Add(session.Tombstone)}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Where the scs store can't iterate, what needs a list says so, and everything else works.
func TestNotIterable(t *testing.T) {
	s := scsstore.Use(plain{newMemstore()}, nil)
	if _, ok := s.(session.Scanner); ok {
		t.Error("a store without All is a Scanner")
	}
	r := newRecord("ann")
	must(t, s.Create(t.Context(), r))
	if _, err := s.List(t.Context(), "ann"); !errors.Is(err, scsstore.ErrNotIterable) {
		t.Errorf("List: %v", err)
	}
	m := session.NewManager(s, nil)
	if _, err := m.RevokeUser(t.Context(), "ann"); !errors.Is(err, scsstore.ErrNotIterable) || !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("RevokeUser: %v", err)
	}
	must(t, s.Replace(t.Context(), next(r)))
	if last, err := s.End(t.Context(), r.ID, logout(r)); err != nil || last.Version != 2 {
		t.Errorf("End: version %d, %v", last.Version, err)
	}
	if got, err := s.Load(t.Context(), r.ID); err != nil || got.Ended != session.ReasonLogout {
		t.Errorf("Load after End: ended %q, %v", got.Ended, err)
	}
}

// Two Uses of one store are what two processes are: neither knows of the other's turns. What one did is met by the
// other's next write, after the moment for which that one trusts its own look.
func TestSeveralProcesses(t *testing.T) {
	for _, slow := range []time.Duration{0, time.Millisecond} {
		ctx := t.Context()
		shared := &ctxOnly{under: newMemstore(), slow: slow}
		a, b := scsstore.Use(shared, nil), scsstore.Use(shared, nil)
		work := func() { time.Sleep(20 * time.Millisecond) } // a handler that takes longer than a look lasts

		r := newRecord("ann")
		must(t, a.Create(ctx, r))
		if err := b.Create(ctx, r); !errors.Is(err, session.ErrExists) {
			t.Errorf("Create in another process: %v", err)
		}
		held, err := b.Load(ctx, r.ID) // a request in process b has begun
		must(t, err)
		must(t, a.Replace(ctx, next(r)))
		work()
		if err := b.Replace(ctx, next(held)); !errors.Is(err, session.ErrConflict) {
			t.Errorf("Replace of what another process has replaced: %v", err)
		}
		held, err = b.Load(ctx, r.ID)
		must(t, err)
		_, err = a.End(ctx, r.ID, logout(r))
		must(t, err)
		work()
		if err := b.Replace(ctx, next(held)); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("Replace of what another process has ended: %v", err)
		}
		if err := b.Touch(ctx, r.ID, held.Seen, held.Expires, held.Purge); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("Touch of what another process has ended: %v", err)
		}
		if got, err := b.Load(ctx, r.ID); err != nil || got.Ended != session.ReasonLogout {
			t.Errorf("Load: ended %q, %v", got.Ended, err)
		}
	}
}

// counting counts questions.
type counting struct {
	ctxOnly
	finds, commits atomic.Int32
}

func (c *counting) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	c.finds.Add(1)
	return c.ctxOnly.FindCtx(ctx, token)
}

func (c *counting) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	c.commits.Add(1)
	return c.ctxOnly.CommitCtx(ctx, token, b, expiry)
}

// What was read a moment ago is not read again to be written: as many questions as scs itself asks.
func TestQuestions(t *testing.T) {
	ctx := t.Context()
	c := &counting{ctxOnly: ctxOnly{under: newMemstore(), slow: 3 * time.Millisecond}}
	s := scsstore.Use(c, &scsstore.Options{RandomIDs: true})
	r := newRecord("")
	must(t, s.Create(ctx, r))
	if f, w := c.finds.Load(), c.commits.Load(); f != 0 || w != 1 {
		t.Errorf("Create asked %d times and wrote %d times", f, w)
	}
	least := int32(99)
	for range 20 { // on a busy machine a moment passes quickly
		c.finds.Store(0)
		held, err := s.Load(ctx, r.ID)
		must(t, err)
		r = next(held)
		must(t, s.Replace(ctx, r))
		least = min(least, c.finds.Load())
	}
	if least != 1 {
		t.Errorf("Load and Replace asked %d times at best", least)
	}
	// A token is replaced: the row is ended behind the write of a new one, which takes ten times as long as a question.
	c.slow = 300 * time.Microsecond
	least = 99
	for range 20 {
		c.finds.Store(0)
		held, err := s.Load(ctx, r.ID)
		must(t, err)
		time.Sleep(10 * c.slow)
		_, err = s.End(ctx, r.ID, logout(held))
		must(t, err)
		least = min(least, c.finds.Load())
		r = newRecord("")
		must(t, s.Create(ctx, r))
	}
	if least != 1 {
		t.Errorf("Load and End asked %d times at best", least)
	}
}

// A row that is no record of ours, or is damaged, reads as absent and is not overwritten by who asks for its id.
func TestForeignRows(t *testing.T) {
	ctx := t.Context()
	under := newMemstore()
	s := scsstore.Use(under, nil)
	r := newRecord("ann")
	must(t, s.Create(ctx, r))
	whole, _, _ := under.Find(r.ID)
	gob, err := scs.GobCodec{}.Encode(time.Now(), map[string]any{"n": 1})
	must(t, err)
	for name, row := range map[string][]byte{
		"of scs": gob, "text": []byte("{}"), "one byte": {0}, "cut": whole[:len(whole)/2], "empty": {},
	} {
		must(t, under.Commit(r.ID, row, time.Now().Add(time.Hour)))
		if _, err := s.Load(ctx, r.ID); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("Load of a row %s: %v", name, err)
		}
		if err := s.Replace(ctx, next(r)); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("Replace of a row %s: %v", name, err)
		}
		if list, err := s.List(ctx, "ann"); err != nil || len(list) != 0 {
			t.Errorf("List with a row %s: %d records, %v", name, len(list), err)
		}
	}
	// Under another id it is somebody else's.
	other := newRecord("")
	must(t, under.Commit(other.ID, whole, time.Now().Add(time.Hour)))
	if _, err := s.Load(ctx, other.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Load of a row that lies under another id: %v", err)
	}
}

// goredisstore keeps what has expired on arrival for ever, so no row arrives so late.
func TestNoRowIsStoredExpired(t *testing.T) {
	var expiries []time.Time
	under := newMemstore()
	s := scsstore.Use(commitHook{under, func(expiry time.Time) { expiries = append(expiries, expiry) }}, nil)
	r := newRecord("")
	r.Seen, r.Expires, r.Purge = r.Seen.Add(-72*time.Hour), r.Seen.Add(-71*time.Hour), r.Seen.Add(-47*time.Hour)
	must(t, s.Create(t.Context(), r))
	r.Purge = time.Now().Add(5 * time.Millisecond)
	must(t, s.Create(t.Context(), r))
	if len(expiries) != 0 {
		t.Errorf("rows were stored that live for %v", time.Until(expiries[0]))
	}
}

type commitHook struct {
	scs.Store
	hook func(expiry time.Time)
}

func (c commitHook) Commit(token string, b []byte, expiry time.Time) error {
	c.hook(expiry)
	return c.Store.Commit(token, b, expiry)
}

// A waiter that gives up leaves the turn to the others.
func TestWaitingForATurnEndsWithItsContext(t *testing.T) {
	release := make(chan struct{})
	s := scsstore.Use(commitHook{newMemstore(), func(time.Time) { <-release }}, nil)
	r := newRecord("")
	done := make(chan error, 3)
	go func() { done <- s.Create(t.Context(), r) }()
	ctx, cancel := context.WithCancel(t.Context())
	waiting := make(chan error, 8)
	var started sync.WaitGroup
	for range 8 {
		started.Add(1)
		go func() {
			started.Done()
			_, err := s.End(ctx, r.ID, logout(r))
			waiting <- err
		}()
	}
	started.Wait()
	cancel()
	for range 8 {
		if err := <-waiting; !errors.Is(err, context.Canceled) && !errors.Is(err, session.ErrNotFound) {
			t.Errorf("End of who gave up: %v", err)
		}
	}
	close(release)
	must(t, <-done)
	if _, err := s.End(t.Context(), r.ID, logout(r)); err != nil {
		t.Errorf("End afterwards: %v", err)
	}
}

// Sessions move to a store of Hardy's while they are used.
func TestMovesToAnotherStore(t *testing.T) {
	ctx := t.Context()
	old := scsstore.Use(newMemstore(), nil)
	var ids []string
	for range 25 {
		r := newRecord("ann")
		must(t, old.Create(ctx, r))
		ids = append(ids, r.ID)
	}
	to := store.NewMemory(nil)
	moving := store.Moving(old, to)
	for cursor := ""; ; {
		page, next, err := old.(session.Scanner).Scan(ctx, cursor, 10)
		must(t, err)
		for _, r := range page {
			must(t, moving.Replace(ctx, nextOf(r)))
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	for _, id := range ids {
		if r, err := to.Load(ctx, id); err != nil || r.Version != 2 {
			t.Errorf("in the new store: version %d, %v", r.Version, err)
		}
	}
	list, err := moving.List(ctx, "ann")
	must(t, err)
	if len(list) != 25 || slices.ContainsFunc(list, func(r session.Record) bool { return r.Data != nil }) {
		t.Errorf("List shows %d records", len(list))
	}
}

func nextOf(r session.Record) session.Record { return next(r) }
