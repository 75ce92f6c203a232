package lease_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"example.com/hardy/session"
	"example.com/hardy/session/lease"
	"example.com/hardy/store"
)

// run lets the pool run as long as the test.
func run[T any](t testing.TB, p *lease.Pool[T]) {
	running, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.Run(running)
	}()
	t.Cleanup(func() { stop(); <-ended })
}

// Agent guide, 4: a pool with a minimum of 1, a maximum of 10, an idle timeout of 300 s: acquire with a timeout, release
// resets, the minimum is kept, idle ones go down to it, each knows who holds it and when it was last used.
func TestAgentGuidePool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := nodes(t, 1)[0]
		var b bench
		var resets []string
		pool := lease.NewPool(lease.PoolOptions[*client]{
			Make: b.make, Close: shut,
			Reset:      func(_ context.Context, c *client) error { resets = append(resets, c.user); c.user = ""; return nil },
			PerSession: 10, PerUser: 10,
		})
		run(t, pool)
		synctest.Wait()
		b.want(t, "at first", 1, 0)

		s, _ := signIn(t, m, "ann")
		var held []*lease.Lease[*client]
		for i := range 10 {
			l, err := pool.Acquire(ctx, s)
			must(t, err)
			l.Value().user = fmt.Sprint("ann's ", i)
			held = append(held, l)
			time.Sleep(time.Second)
		}
		b.want(t, "ten are held", 10, 0)
		stats := pool.Stats()
		for i, w := range stats.Workers {
			if w.Handle != s.Handle() || w.User != "ann" || !w.LastUsed.Equal(w.Since) || i > 0 && !w.Since.After(stats.Workers[i-1].Since) {
				t.Errorf("worker %d: %+v", i, w)
			}
		}
		if stats.Held() != 10 || stats.Acquired != 10 {
			t.Errorf("%+v", stats)
		}

		// The eleventh waits for 30 seconds, or for as long as it wants to.
		start := time.Now()
		if _, err := pool.Acquire(ctx, s); !errors.Is(err, lease.ErrTimeout) || time.Since(start) != 30*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		start = time.Now()
		if _, err := pool.Acquire(short, s); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		go func() {
			time.Sleep(5 * time.Second)
			held[3].Release()
		}()
		start = time.Now()
		l, err := pool.Acquire(ctx, s)
		if err != nil || time.Since(start) != 5*time.Second || l.Value() != held[3].Value() || l.Value().user != "" {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		held[3] = l

		released := time.Now()
		for _, l := range held {
			l.Release()
		}
		if len(resets) != 11 || !slices.Contains(resets, "ann's 9") {
			t.Errorf("reset: %q", resets)
		}
		for _, w := range pool.Stats().Workers {
			if w.Handle != "" || w.User != "" || !w.Since.IsZero() || !w.LastUsed.Equal(released) {
				t.Errorf("a free worker: %+v", w)
			}
		}
		time.Sleep(5*time.Minute - time.Second)
		synctest.Wait()
		b.want(t, "almost idle", 10, 0)
		time.Sleep(12 * time.Second)
		synctest.Wait()
		b.want(t, "idle", 10, 9)
		if n := len(pool.Stats().Workers); n != 1 {
			t.Errorf("%d are left", n)
		}

		// A broken one is dropped, and the minimum made again.
		l, err = pool.Acquire(ctx, s)
		must(t, err)
		l.Discard()
		synctest.Wait()
		b.want(t, "after a broken one", 11, 10)
		if n := len(pool.Stats().Workers); n != 1 {
			t.Errorf("%d are there", n)
		}
	})
}

func TestPoolWhileTheSessionHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := nodes(t, 1)[0]
		var b bench
		pool := lease.NewPool(lease.PoolOptions[*client]{Make: b.make, Close: shut, Max: 1, Min: -1})
		s, _ := signIn(t, m, "ann")
		l, err := pool.Acquire(ctx, s)
		must(t, err)
		waiting, _ := signIn(t, m, "bob")
		got := make(chan error)
		go func() {
			l, err := pool.Acquire(ctx, waiting)
			if err == nil {
				l.Release()
			}
			got <- err
		}()
		synctest.Wait()
		must(t, s.Logout())
		must(t, m.Commit(ctx, s))
		if err := <-got; err != nil {
			t.Errorf("who waited for it: %v", err)
		}
		b.want(t, "the session that held it has ended", 2, 1)
		if l.Value().closed.Load() != 1 {
			t.Error("the worker that it held is open")
		}
		l.Release() // too late: nothing happens
		l.Discard()
		l, err = pool.Acquire(ctx, waiting)
		must(t, err)
		b.want(t, "afterwards", 2, 1)

		// Signing out and in as another user is an end, too; a new token is none.
		must(t, waiting.Renew())
		must(t, m.Commit(ctx, waiting))
		time.Sleep(time.Minute)
		b.want(t, "after Renew", 2, 1)
		must(t, waiting.Login("carl"))
		must(t, m.Commit(ctx, waiting))
		synctest.Wait()
		b.want(t, "carl signed in", 2, 2)
		l.Release()
	})
}

// Who waits may leave, or be signed out: it takes no worker and no place along, and who waits behind is next.
func TestPoolWhoWaitsLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := nodes(t, 1)[0]
		var b bench
		pool := lease.NewPool(lease.PoolOptions[*client]{Make: b.make, Close: shut, Max: 2, Min: -1, PerSession: 1, PerUser: 1})
		people := map[string]*session.Session{}
		for _, name := range []string{"ann", "bob", "carl", "dora", "erin"} {
			people[name], _ = signIn(t, m, name)
		}
		left := errors.New("the tab was closed")
		wait := func(name string) (leave func(), got chan *lease.Lease[*client]) {
			ctx, cancel := context.WithCancelCause(ctx)
			got = make(chan *lease.Lease[*client], 1)
			go func() {
				l, err := pool.Acquire(ctx, people[name])
				if err != nil && err != left {
					t.Errorf("%s: %v", name, err)
				}
				got <- l
			}()
			synctest.Wait()
			return func() { cancel(left); synctest.Wait() }, got
		}
		acquire := func(name string) *lease.Lease[*client] {
			start := time.Now()
			l, err := pool.Acquire(ctx, people[name])
			must(t, err)
			if took := time.Since(start); took > 0 {
				t.Errorf("%s waited %v", name, took)
			}
			return l
		}
		anns, bobs := acquire("ann"), acquire("bob")
		annLeaves, annsSecond := wait("ann") // for a place of her own
		carlLeaves, carls := wait("carl")    // for a worker
		_, doras := wait("dora")
		_, erins := wait("erin")
		if n := pool.Stats().Waiting; n != 4 {
			t.Errorf("%d wait", n)
		}
		annLeaves()
		carlLeaves()
		if <-annsSecond != nil || <-carls != nil {
			t.Error("who has left was served")
		}
		must(t, m.Revoke(ctx, "erin", people["erin"].Handle())) // while she waits
		bobs.Release()
		served := <-doras
		if served == nil || served.Value() != bobs.Value() {
			t.Error("who waited behind one that has left is not next")
		}
		anns.Release() // to erin, who has been signed out
		<-erins
		synctest.Wait()
		b.want(t, "the worker of who was signed out while waiting", 2, 1)
		if stats := pool.Stats(); stats.Waiting != 0 || stats.Held() != 1 || stats.TimedOut != 0 {
			t.Errorf("afterwards: %+v", stats)
		}
		served.Release()
		for _, name := range []string{"ann", "carl"} { // each place is there again, and the two workers
			defer acquire(name).Release()
		}
		b.want(t, "in the end", 3, 1)

		// With a context that is done already nothing happens.
		gone, cancel := context.WithCancelCause(ctx)
		cancel(left)
		if _, err := pool.Acquire(gone, people["bob"]); err != left {
			t.Errorf("a request that is over: %v", err)
		}
	})
}

// A worker that nobody gives back is the session's until it ends.
func TestPoolOfWhoNeverReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := nodes(t, 1)[0]
		var b bench
		pool := lease.NewPool(lease.PoolOptions[*client]{Make: b.make, Close: shut, Max: 1})
		run(t, pool)
		s, _ := signIn(t, m, "ann")
		_, err := pool.Acquire(ctx, s)
		must(t, err)
		time.Sleep(30 * time.Minute)
		if held := pool.Stats().Held(); held != 1 {
			t.Errorf("%d are held", held)
		}
		time.Sleep(2*time.Minute + 5*time.Second) // 31 minutes of idling, 65 seconds
		synctest.Wait()
		b.want(t, "the session has timed out", 2, 1) // and the minimum was made again
		bob, _ := signIn(t, m, "bob")
		if _, err := pool.Acquire(ctx, bob); err != nil {
			t.Error(err)
		}
	})
}

// Constructors that fail, hang and panic, resets that fail, hang and panic, closers that panic.
func TestPoolUnderFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := nodes(t, 1)[0]
		s, _ := signIn(t, m, "ann")
		down := errors.New("no route")
		var b bench
		var faulty atomic.Pointer[func(ctx context.Context) error]
		fault := func(f func(ctx context.Context) error) { faulty.Store(&f) }
		well := func(context.Context) error { return nil }
		fault(well)
		var resetFault atomic.Pointer[func(ctx context.Context) error]
		resetFault.Store(&well)
		pool := lease.NewPool(lease.PoolOptions[*client]{
			Make: func(ctx context.Context) (*client, error) {
				if err := (*faulty.Load())(ctx); err != nil {
					return nil, err
				}
				return b.make(ctx)
			},
			Reset: func(ctx context.Context, _ *client) error { return (*resetFault.Load())(ctx) },
			Close: func(c *client) { shut(c); panic("close") },
			Max:   2, Min: -1, PerSession: 2, PerUser: 2, Timeout: 10 * time.Second, Logger: quiet,
		})
		acquire := func() (*lease.Lease[*client], time.Duration, error) {
			start := time.Now()
			l, err := pool.Acquire(ctx, s)
			return l, time.Since(start), err
		}

		fault(func(context.Context) error { return down })
		if _, took, err := acquire(); !errors.Is(err, down) || took > 0 {
			t.Errorf("fails: %v after %v", err, took)
		}
		fault(func(context.Context) error { panic("a bug") })
		if _, took, err := acquire(); !errors.Is(err, lease.ErrPanicked) || !strings.Contains(err.Error(), "a bug") || took > 0 {
			t.Errorf("panics: %v after %v", err, took)
		}
		fault(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		if _, took, err := acquire(); !errors.Is(err, lease.ErrTimeout) || took != 10*time.Second {
			t.Errorf("hangs: %v after %v", err, took)
		}
		canceled, cancel := context.WithCancelCause(ctx)
		time.AfterFunc(time.Second, func() { cancel(errors.New("the user left")) })
		if _, err := pool.Acquire(canceled, s); err == nil || err.Error() != "the user left" {
			t.Errorf("the user cancels: %v", err)
		}
		time.Sleep(time.Minute)
		if stats := pool.Stats(); len(stats.Workers) != 0 || stats.Making != 0 || stats.Waiting != 0 || stats.TimedOut != 1 {
			t.Errorf("afterwards: %+v", stats)
		}
		// One that hangs for good keeps its place until it returns, and what it makes then is used.
		stuck := make(chan struct{})
		fault(func(context.Context) error { <-stuck; return nil })
		for range 2 {
			if _, _, err := acquire(); !errors.Is(err, lease.ErrTimeout) {
				t.Errorf("hangs for good: %v", err)
			}
		}
		if stats := pool.Stats(); stats.Making != 2 {
			t.Errorf("%+v", stats)
		}
		close(stuck)
		synctest.Wait()
		b.want(t, "made at last", 2, 0)
		fault(well)

		for name, f := range map[string]func(context.Context) error{
			"fails":  func(context.Context) error { return down },
			"hangs":  func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
			"panics": func(context.Context) error { panic("reset") },
		} {
			_, closed := b.closed(t)
			l, _, err := acquire()
			must(t, err)
			resetFault.Store(&f)
			l.Release()
			resetFault.Store(&well)
			synctest.Wait()
			if _, now := b.closed(t); now != closed+1 || l.Value().closed.Load() != 1 {
				t.Errorf("reset %s: the worker is not closed", name)
			}
		}
		one, _, err := acquire()
		must(t, err)
		other, _, err := acquire()
		must(t, err)
		one.Release()
		one.Release()
		again, _, err := acquire()
		must(t, err)
		one.Release() // again's now
		one.Discard()
		if again.Value() == other.Value() || pool.Stats().Held() != 2 {
			t.Error("released twice, a worker is lent twice")
		}
		if _, _, err := acquire(); !errors.Is(err, lease.ErrTimeout) {
			t.Errorf("released twice, a place is there twice: %v", err)
		}
	})
}

// When Run returns everything is closed, what sessions hold too, and the pool lends no more.
func TestPoolEndsWithItsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := nodes(t, 1)[0]
		s, _ := signIn(t, m, "ann")
		var b bench
		pool := lease.NewPool(lease.PoolOptions[*client]{Make: b.make, Close: func(c *client) { time.Sleep(time.Second); shut(c) }, Min: 3})
		running, stop := context.WithCancel(ctx)
		ended := make(chan error)
		go func() { ended <- pool.Run(running) }()
		synctest.Wait()
		l, err := pool.Acquire(ctx, s)
		must(t, err)
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		b.want(t, "when Run has returned", 3, 3)
		if _, err := pool.Acquire(ctx, s); !errors.Is(err, lease.ErrClosed) {
			t.Errorf("afterwards: %v", err)
		}
		l.Release()

		// One that does not want to close holds it up for no longer than Timeout.
		stuck := make(chan struct{})
		pool = lease.NewPool(lease.PoolOptions[*client]{Make: b.make, Close: func(*client) { <-stuck }, Logger: quiet})
		running, stop = context.WithCancel(ctx)
		go func() { ended <- pool.Run(running) }()
		synctest.Wait()
		start := time.Now()
		stop()
		<-ended
		if took := time.Since(start); took != lease.DefaultTimeout {
			t.Errorf("it took %v", took)
		}
		close(stuck)
	})
}

// A worker made while one user waited serves another, so nothing of the request is in its context.
func TestPoolMakesForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := nodes(t, 1)[0]
		s, _ := signIn(t, m, "ann")
		pool := lease.NewPool(lease.PoolOptions[int]{Make: func(ctx context.Context) (int, error) {
			if session.Inside(ctx) {
				t.Error("the constructor sees a session")
			}
			if _, ok := ctx.Deadline(); !ok {
				t.Error("it has no deadline")
			}
			return 0, nil
		}})
		_, err := pool.Acquire(session.With(ctx, visit(t, m, s.Token())), s)
		must(t, err)
	})
}

// 1,000 sessions want one of 10 workers: everybody gets one, nobody waits much longer than a fair share, and nothing is
// left behind.
func TestPoolNobodyStarves(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	sessions, each := 1000, 3
	if raceDetector {
		sessions = 300
	}
	m := session.NewManager(store.NewMemory(nil), &session.Options{Logger: quiet})
	running, stop := context.WithCancel(ctx)
	var runs sync.WaitGroup
	runs.Go(func() { m.Run(running) })
	var b bench
	var busy atomic.Int32
	pool := lease.NewPool(lease.PoolOptions[*client]{Make: b.make, Close: shut, Timeout: time.Minute, Min: 10})
	runs.Go(func() { pool.Run(running) })

	var group sync.WaitGroup
	var mu sync.Mutex
	var waits []time.Duration
	served := map[string]int{}
	start := time.Now()
	for i := range sessions {
		user := fmt.Sprint("user", i)
		s, _ := signIn(t, m, user)
		group.Go(func() {
			for range each {
				asked := time.Now()
				l, err := pool.Acquire(ctx, s)
				if err != nil {
					t.Error(err)
					return
				}
				took := time.Since(asked)
				if n := busy.Add(1); n > 10 {
					t.Errorf("%d workers are busy", n)
				}
				time.Sleep(time.Millisecond)
				busy.Add(-1)
				l.Release()
				mu.Lock()
				waits = append(waits, took)
				served[user]++
				mu.Unlock()
			}
		})
	}
	group.Wait()
	all := time.Since(start)
	slices.Sort(waits)
	for user, n := range served {
		if n != each {
			t.Errorf("%s was served %d times", user, n)
		}
	}
	longest := waits[len(waits)-1]
	t.Logf("%d sessions, 10 workers, 1 ms of work: waited %v in the median, %v at most, of %v in all", sessions, waits[len(waits)/2], longest, all)
	// In turn, everybody is served once in a third of the time.
	if len(served) != sessions || longest > all*2/3 {
		t.Errorf("%d were served, and one waited %v of %v", len(served), longest, all)
	}
	stop()
	runs.Wait()
	made, closed := b.closed(t)
	if made > 10 || closed != made {
		t.Errorf("%d were made, %d closed", made, closed)
	}
}

// A session, and a user with many sessions, can hold so many and no more; what they want beyond keeps nobody else
// waiting.
func TestPoolCaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := nodes(t, 1)[0]
		var b bench
		pool := lease.NewPool(lease.PoolOptions[*client]{Make: b.make, Close: shut, PerSession: 2, PerUser: 6})
		var held, refused atomic.Int32
		var group sync.WaitGroup
		var leases sync.Map
		for range 5 {
			s, _ := signIn(t, m, "ann")
			for range 8 {
				group.Go(func() {
					l, err := pool.Acquire(ctx, s)
					switch {
					case err == nil:
						held.Add(1)
						n, _ := leases.LoadOrStore(s.Handle(), new(atomic.Int32))
						if n.(*atomic.Int32).Add(1) > 2 {
							t.Error("a session holds more than 2")
						}
						_ = l
					case errors.Is(err, lease.ErrTimeout):
						refused.Add(1)
					default:
						t.Error(err)
					}
				})
			}
		}
		time.Sleep(time.Second)
		bob, _ := signIn(t, m, "bob")
		nobody, _ := signIn(t, m, "")
		start := time.Now()
		for _, s := range []*session.Session{bob, bob, nobody, nobody} {
			_, err := pool.Acquire(ctx, s)
			must(t, err)
		}
		if took := time.Since(start); took > 0 {
			t.Errorf("others waited %v", took)
		}
		group.Wait()
		if held.Load() != 6 || refused.Load() != 34 {
			t.Errorf("ann holds %d, and was refused %d times", held.Load(), refused.Load())
		}
		if _, err := pool.Acquire(ctx, nobody); !errors.Is(err, lease.ErrTimeout) {
			t.Errorf("a third for one session: %v", err)
		}
		// The places of a session that has ended are free again.
		_, err := m.RevokeUser(ctx, "ann")
		must(t, err)
		synctest.Wait()
		if n := pool.Stats().Held(); n != 4 {
			t.Errorf("%d are held", n)
		}
		s, _ := signIn(t, m, "ann")
		for range 2 {
			_, err := pool.Acquire(ctx, s)
			must(t, err)
		}
	})
}

func TestBadPool(t *testing.T) {
	make := func(context.Context) (int, error) { return 0, nil }
	for field, o := range map[string]lease.PoolOptions[int]{
		"Make":       {},
		"Max":        {Make: make, Max: -1},
		"Min":        {Make: make, Min: 11},
		"Min is":     {Make: make, Min: -2},
		"PerSession": {Make: make, PerSession: -1},
		"PerUser":    {Make: make, PerUser: -1},
		"Idle":       {Make: make, Idle: -1},
		"Timeout":    {Make: make, Timeout: -1},
	} {
		func() {
			defer func() {
				if v := fmt.Sprint(recover()); !strings.Contains(v, "PoolOptions."+field) {
					t.Errorf("%s: %s", field, v)
				}
			}()
			lease.NewPool(o)
		}()
	}
	lease.NewPool(lease.PoolOptions[int]{Make: make, Max: 1, Min: -1})
}
