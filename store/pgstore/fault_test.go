package pgstore

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"example.com/hardy/internal/faultproxy"
	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
)

// patience is how long anything may take on a busy machine that has to come.
const patience = 60 * time.Second

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// calls are all that a manager asks of a store.
func calls(s *Store, r session.Record) map[string]func(context.Context) error {
	next := later(r)
	return map[string]func(context.Context) error{
		"Create":       func(ctx context.Context) error { return s.Create(ctx, newRecord("ann")) },
		"Load":         func(ctx context.Context) error { _, err := s.Load(ctx, r.ID); return err },
		"Replace":      func(ctx context.Context) error { return s.Replace(ctx, next) },
		"Touch":        func(ctx context.Context) error { return s.Touch(ctx, r.ID, r.Seen, r.Expires, r.Purge) },
		"End":          func(ctx context.Context) error { _, err := s.End(ctx, newRecord("").ID, session.End{}); return err },
		"List":         func(ctx context.Context) error { _, err := s.List(ctx, r.User); return err },
		"CreateWithin": func(ctx context.Context) error { _, err := s.CreateWithin(ctx, newRecord("bob"), 5, true); return err },
		"Scan":         func(ctx context.Context) error { _, _, err := s.Scan(ctx, "", 10); return err },
		"Count":        func(ctx context.Context) error { _, err := s.Count(ctx); return err },
		"Sweep":        func(ctx context.Context) error { _, _, err := s.Sweep(ctx, time.Now(), 10); return err },
	}
}

// TestCallsReturnInTime: whatever server and network do, a call returns when its context is done, and the store serves
// again once they are well.
func TestCallsReturnInTime(t *testing.T) {
	t.Parallel()
	p := servers.StartPostgres(t)
	network := faultproxy.Start(t, p.Addr)
	s := open(t, p.URLAt(network.Addr), nil)
	for name, fault := range map[string]struct{ begin, heal func() }{
		"the server is paused":            {p.Pause, p.Resume},
		"the network swallows everything": {func() { network.Hold(true) }, network.Heal},
		"connections are half-open":       {network.Freeze, network.Heal},
		"nothing can be reached":          {func() { network.Refuse(true); network.Cut() }, network.Heal},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecord("ann")
			mustCreate(t, s, r)
			all := calls(s, r)
			fault.begin()
			var wg sync.WaitGroup
			for name, call := range all {
				for kind, ctx := range map[string]func() (context.Context, context.CancelFunc){
					"deadline": func() (context.Context, context.CancelFunc) {
						return context.WithTimeout(t.Context(), 300*time.Millisecond)
					},
					"cancelled": func() (context.Context, context.CancelFunc) {
						ctx, cancel := context.WithCancel(t.Context())
						time.AfterFunc(300*time.Millisecond, cancel)
						return ctx, cancel
					},
				} {
					wg.Go(func() {
						ctx, cancel := ctx()
						defer cancel()
						began := time.Now()
						err := call(ctx)
						if took := time.Since(began); took > 10*time.Second {
							t.Errorf("%s (%s) returned after %v", name, kind, took)
						}
						if err != nil && ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
							t.Errorf("%s (%s): %v", name, kind, err)
						}
						if err == nil && name != "Load" && name != "List" { // half-open connections are replaced by new ones
							t.Logf("%s (%s) was answered", name, kind)
						}
					})
				}
			}
			wg.Wait()
			fault.heal()
			began := time.Now()
			until(t, "the store serves again", func() bool {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				_, err := s.Load(ctx, r.ID)
				return err == nil && s.Create(ctx, newRecord("ann")) == nil
			})
			t.Logf("it served again %v after", time.Since(began).Round(time.Millisecond))
		})
	}
}

// TestEveryWaitForAConnectionIsBounded: a caller who gives no deadline waits no longer than one who gives one, also where
// all connections are taken.
func TestEveryWaitForAConnectionIsBounded(t *testing.T) {
	t.Parallel()
	config, err := pgxpool.ParseConfig(servers.SharedPostgres(t).URL())
	must(t, err)
	var asked, bounded atomic.Int64
	config.PrepareConn = func(ctx context.Context, _ *pgx.Conn) (bool, error) {
		asked.Add(1)
		if at, ok := ctx.Deadline(); ok && time.Until(at) <= callLimit {
			bounded.Add(1)
		}
		return true, nil
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	must(t, err)
	t.Cleanup(pool.Close)
	s, err := New(t.Context(), pool, nil)
	must(t, err)
	asked.Store(0)
	bounded.Store(0)
	r := newRecord("ann")
	for name, call := range calls(s, r) {
		if err := call(context.Background()); err != nil && !answer(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if a, b := asked.Load(), bounded.Load(); a < 9 || a != b {
		t.Errorf("of %d waits for a connection %d were bounded", a, b)
	}
}

// TestHalfOpenConnectionsAreReplaced: all connections of the pool die without a word while they are idle, as behind a
// firewall that forgets. The first calls may fail at their deadline; the pool does not stay blocked until the dead
// ones are torn down, which takes 15 s.
func TestHalfOpenConnectionsAreReplaced(t *testing.T) {
	t.Parallel()
	p := servers.SharedPostgres(t)
	network := faultproxy.Start(t, p.Addr)
	s := open(t, p.URLAt(network.Addr)+"&pool_max_conns=4&connect_timeout=20", nil)
	r := newRecord("ann")
	mustCreate(t, s, r)
	network.Delay(50 * time.Millisecond)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := s.List(t.Context(), "ann"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	network.Heal()
	if n := network.Open(); n < 4 {
		t.Fatalf("%d connections are open, want 4", n)
	}
	network.Freeze()
	time.Sleep(trusted)
	began := time.Now()
	for failed := 0; ; failed++ {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		_, err := s.Load(ctx, r.ID)
		cancel()
		if err == nil {
			t.Logf("%d calls failed in %v", failed, time.Since(began).Round(time.Millisecond))
			break
		}
		if time.Since(began) > 12*time.Second {
			t.Fatalf("after %v: %v", time.Since(began), err)
		}
	}
}

// TestRestartIsMet: connections that have died are passed over by reads, and by writes that know of it.
func TestRestartIsMet(t *testing.T) {
	t.Parallel()
	p := servers.StartPostgres(t)
	s := open(t, p.URL(), nil)
	r := newRecord("ann")
	mustCreate(t, s, r)
	for range 3 {
		p.Restart()
		if _, err := s.Load(t.Context(), r.ID); err != nil {
			t.Errorf("Load after a restart: %v", err)
		}
		p.SQL("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hardy'")
		if _, err := s.List(t.Context(), "ann"); err != nil {
			t.Errorf("List after its connection was ended: %v", err)
		}
		next := later(r)
		until(t, "a Replace is stored", func() bool {
			err := s.Replace(t.Context(), next)
			return err == nil || errors.Is(err, session.ErrConflict) // the answer to the first was lost
		})
		r = next
	}
}

// TestNoWriteIsSentTwice: where the answer to a Replace is lost, it has happened, and is not tried again: its caller
// would be told of a conflict with itself.
func TestNoWriteIsSentTwice(t *testing.T) {
	t.Parallel()
	p := servers.SharedPostgres(t)
	network := faultproxy.Start(t, p.Addr)
	s := open(t, p.URLAt(network.Addr), nil)
	r := newRecord("ann")
	mustCreate(t, s, r)
	next := later(r)
	if err := s.Replace(t.Context(), next); err != nil { // prepares the statement
		t.Fatal(err)
	}
	next = later(next)
	network.LoseAnswers(1)
	if err := s.Replace(t.Context(), next); err == nil || answer(err) {
		t.Fatalf("Replace whose answer is lost: %v", err)
	}
	got, err := s.Load(t.Context(), r.ID)
	if err != nil || got.Version != next.Version {
		t.Errorf("version %d (error %v), want %d", got.Version, err, next.Version)
	}
	network.LoseAnswers(1)
	if _, err := s.Load(t.Context(), r.ID); err != nil {
		t.Errorf("Load whose answer is lost, and which can be asked again: %v", err)
	}
}

// TestCallersLeaveTheirGroup: those who leave a group at their deadline fail nobody else in it.
func TestCallersLeaveTheirGroup(t *testing.T) {
	t.Parallel()
	p := servers.SharedPostgres(t)
	network := faultproxy.Start(t, p.Addr)
	s := open(t, p.URLAt(network.Addr), nil)
	var records []session.Record
	for range 40 {
		r := newRecord("ann")
		mustCreate(t, s, r)
		records = append(records, r)
	}
	for name, call := range map[string]func(context.Context, session.Record) error{
		"Load":    func(ctx context.Context, r session.Record) error { _, err := s.Load(ctx, r.ID); return err },
		"Replace": func(ctx context.Context, r session.Record) error { return s.Replace(ctx, later(r)) },
		"Touch": func(ctx context.Context, r session.Record) error {
			return s.Touch(ctx, r.ID, r.Seen, r.Expires, r.Purge)
		},
	} {
		if err := call(t.Context(), records[0]); err != nil && !errors.Is(err, session.ErrConflict) { // prepares
			t.Fatal(err)
		}
		before := network.Count().RoundTrips
		network.Hold(true)
		var wg sync.WaitGroup
		var mu sync.Mutex
		left := 0
		leavers := make(chan struct{})
		for i, r := range records {
			wg.Go(func() {
				ctx := t.Context()
				if i%2 == 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithCancel(ctx)
					defer cancel()
					go func() { <-leavers; cancel() }()
				}
				err := call(ctx, r)
				switch {
				case i%2 == 0 && errors.Is(err, context.Canceled):
					mu.Lock()
					left++
					mu.Unlock()
				case err != nil && !(i == 0 && errors.Is(err, session.ErrConflict)):
					t.Errorf("%s of one who stayed: %v", name, err)
				}
			})
		}
		until(t, "all wait", func() bool {
			waiting := 0
			for _, n := range []int{waitingIn(&s.loads), waitingIn(&s.replaces), waitingIn(&s.touches)} {
				waiting += n
			}
			return waiting == len(records)-flights
		})
		close(leavers)
		until(t, "those who leave have left", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return left >= len(records)/2-flights
		})
		network.Heal()
		wg.Wait()
		if n := network.Count().RoundTrips - before; n > len(records)/2 {
			t.Errorf("%s: %d round trips for %d calls at one time", name, n, len(records))
		}
	}
}

func waitingIn[T any](l *lane[T]) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.wait)
}

// TestOneOfAGroupFailsAlone: what the server refuses for one is stored for the others.
func TestOneOfAGroupFailsAlone(t *testing.T) {
	t.Parallel()
	p := servers.SharedPostgres(t)
	network := faultproxy.Start(t, p.Addr)
	s := open(t, p.URLAt(network.Addr), nil)
	p.SQL("ALTER TABLE hardy_sessions ADD CHECK (meta <> 'bad')")
	var records []session.Record
	for range 20 {
		r := newRecord("ann")
		mustCreate(t, s, r)
		records = append(records, r)
	}
	network.Hold(true)
	var wg sync.WaitGroup
	for i, r := range records {
		wg.Go(func() {
			next := later(r)
			if i%5 == 0 {
				next.Meta = []byte("bad")
			}
			err := s.Replace(t.Context(), next)
			if bad := i%5 == 0; (err == nil) == bad || bad && answer(err) {
				t.Errorf("record %d: %v", i, err)
			}
		})
	}
	until(t, "all wait", func() bool { return waitingIn(&s.replaces) == len(records)-flights })
	network.Heal()
	wg.Wait()
}

// TestClose waits for what is under way, and refuses what comes after.
func TestClose(t *testing.T) {
	t.Parallel()
	p := servers.SharedPostgres(t)
	network := faultproxy.Start(t, p.Addr)
	s := open(t, p.URLAt(network.Addr), nil)
	r := newRecord("ann")
	mustCreate(t, s, r)
	watching := make(chan error, 1)
	listens := make(chan struct{})
	go func() {
		watching <- s.Watch(t.Context(), func(e session.Ended) { close(listens) })
	}()
	<-listens
	network.Hold(true)
	errs := make(chan error, 20)
	for range cap(errs) {
		go func() { errs <- s.Touch(t.Context(), r.ID, r.Seen, r.Expires, r.Purge) }()
	}
	until(t, "all are under way", func() bool { return waitingIn(&s.touches) == cap(errs)-flights })
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	until(t, "the store is closed to new calls", s.gate.isClosed)
	network.Heal()
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Errorf("a call that was accepted: %v", err)
		}
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := <-watching; !errors.Is(err, errClosed) {
		t.Errorf("Watch: %v", err)
	}
	for name, call := range calls(s, r) {
		if err := call(t.Context()); !errors.Is(err, errClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
	if err := s.Watch(t.Context(), func(session.Ended) {}); !errors.Is(err, errClosed) {
		t.Errorf("Watch after Close: %v", err)
	}
	if n := network.Open(); n != 0 {
		until(t, "all connections are closed", func() bool { return network.Open() == 0 })
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
