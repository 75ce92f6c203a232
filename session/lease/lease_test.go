package lease_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/session"
	"example.com/hardy/session/lease"
	"example.com/hardy/store"
)

var (
	ctx   = context.Background()
	quiet = slog.New(slog.DiscardHandler)
	rings = session.NewKey[int]("n_rings")
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// nodes are managers of one store in several processes, that run as long as the test.
func nodes(t testing.TB, n int) (all []*session.Manager) {
	db := store.NewMemory(nil)
	running, stop := context.WithCancel(ctx)
	var runs sync.WaitGroup
	for range n {
		m := session.NewManager(db, &session.Options{Logger: quiet})
		runs.Go(func() { m.Run(running) })
		all = append(all, m)
	}
	t.Cleanup(func() { stop(); runs.Wait() })
	return all
}

// signIn returns a session of user that is stored, and its token.
func signIn(t testing.TB, m *session.Manager, user string) (*session.Session, *session.Token) {
	t.Helper()
	s := m.New()
	if user != "" {
		must(t, s.Login(user))
	}
	must(t, rings.Set(s, 1))
	must(t, m.Commit(ctx, s))
	return s, s.Token()
}

// visit is one more request with the token, at m.
func visit(t testing.TB, m *session.Manager, token *session.Token) *session.Session {
	t.Helper()
	token, err := m.Token(token.Secret())
	must(t, err)
	s, err := m.Load(ctx, token)
	must(t, err)
	return s
}

// client is what sessions lease in these tests.
type client struct {
	user   string
	closed atomic.Int32
}

// bench makes clients and knows them all.
type bench struct {
	mu  sync.Mutex
	all []*client
}

func (b *bench) dial(user string) *client {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := &client{user: user}
	b.all = append(b.all, c)
	return c
}

func (b *bench) open(_ context.Context, s *session.Session) (*client, error) {
	return b.dial(s.User()), nil
}

func shut(c *client) { c.closed.Add(1) }

// closed says how many were made, and how many of them are closed; none is closed twice.
func (b *bench) closed(t testing.TB) (made, closed int) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.all {
		switch n := c.closed.Load(); n {
		case 0:
		case 1:
			closed++
		default:
			t.Errorf("a client of %q was closed %d times", c.user, n)
		}
	}
	return len(b.all), closed
}

func (b *bench) want(t testing.TB, when string, made, closed int) {
	t.Helper()
	if m, c := b.closed(t); m != made || c != closed {
		t.Errorf("%s: %d made and %d closed, want %d and %d", when, m, c, made, closed)
	}
}

func TestEachIsTheSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := nodes(t, 1)[0]
		var b bench
		each := lease.NewEach(b.open, shut, nil)
		get := func(s *session.Session) *client {
			c, err := each.Get(ctx, s)
			must(t, err)
			return c
		}
		s, token := signIn(t, m, "ann")
		anns := get(s)
		if get(s) != anns || get(visit(t, m, token)) != anns || anns.user != "ann" {
			t.Error("another request of the session has another value")
		}
		bob, _ := signIn(t, m, "bob")
		second, _ := signIn(t, m, "ann")
		if get(bob) == anns || get(second) == anns {
			t.Error("two sessions share a value")
		}
		b.want(t, "three sessions", 3, 0)
		if each.Len() != 3 {
			t.Errorf("Len is %d", each.Len())
		}

		// A change of the token keeps it.
		must(t, s.Renew())
		must(t, m.Commit(ctx, s))
		must(t, s.Login("ann"))
		must(t, m.Commit(ctx, s))
		time.Sleep(time.Minute)
		if get(s) != anns {
			t.Error("a new token has a new value")
		}
		b.want(t, "after Renew and Login of the same user", 3, 0)

		// Another user does not.
		must(t, s.Login("carl"))
		if _, err := each.Get(ctx, s); !errors.Is(err, session.ErrUnsaved) {
			t.Errorf("with a pending Login: %v", err)
		}
		must(t, m.Commit(ctx, s))
		synctest.Wait()
		b.want(t, "after Login of another user", 3, 1)
		if anns.closed.Load() != 1 || get(s).user != "carl" {
			t.Error("carl has ann's")
		}

		// Nor does an end.
		must(t, s.Reset())
		must(t, m.Commit(ctx, s))
		must(t, second.Logout())
		must(t, m.Commit(ctx, second))
		synctest.Wait()
		b.want(t, "after Reset and Logout", 4, 3)
		time.Sleep(32 * time.Minute)
		b.want(t, "after the idle timeout", 4, 4)
		if each.Len() != 0 {
			t.Errorf("Len is %d", each.Len())
		}
	})
}

// A visitor who was nobody and signs in gets a value of their own user.
func TestEachAfterSigningIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := nodes(t, 1)[0]
		var b bench
		each := lease.NewEach(b.open, shut, nil)
		s, token := signIn(t, m, "")
		_, err := each.Get(ctx, s)
		must(t, err)
		must(t, s.Login("ann"))
		if _, err := each.Get(ctx, s); !errors.Is(err, session.ErrUnsaved) {
			t.Errorf("before the commit: %v", err)
		}
		must(t, m.Commit(ctx, s))
		synctest.Wait()
		b.want(t, "after Login", 1, 1)
		if c, err := each.Get(ctx, s); err != nil || c.user != "ann" {
			t.Errorf("%+v %v", c, err)
		}
		// The old token reads for a moment more, and leases nothing.
		old, err := m.Load(ctx, token)
		if !errors.Is(err, session.ErrRotated) {
			t.Fatal(err)
		}
		if _, err := each.Get(ctx, old); !errors.Is(err, session.ErrRotated) {
			t.Errorf("with the old token: %v", err)
		}
		b.want(t, "in the end", 2, 1)
	})
}

// With no further request what an ended session has leased is closed on every node that made it, well within 65 seconds.
func TestLeasesEndEverywhere(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(t *testing.T, m *session.Manager)
	}{
		{"idle", func(t *testing.T, m *session.Manager) { time.Sleep(31*time.Minute + 65*time.Second) }},
		{"revoked", func(t *testing.T, m *session.Manager) {
			_, err := m.RevokeUser(ctx, "ann")
			must(t, err)
			synctest.Wait()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all := nodes(t, 3)
				_, token := signIn(t, all[0], "ann")
				var b, workers bench
				for _, m := range all[1:] {
					s := visit(t, m, token)
					_, err := lease.NewEach(b.open, shut, nil).Get(ctx, s)
					must(t, err)
					pool := lease.NewPool(lease.PoolOptions[*client]{Make: workers.make, Close: shut, Min: -1})
					_, err = pool.Acquire(ctx, s)
					must(t, err)
				}
				synctest.Wait()
				b.want(t, "before", 2, 0)
				workers.want(t, "before", 2, 0)
				c.end(t, all[0])
				b.want(t, "afterwards", 2, 2)
				workers.want(t, "workers, afterwards", 2, 2)
			})
		})
	}
}

func (b *bench) make(context.Context) (*client, error) { return b.dial(""), nil }

func TestEachAtOnce(t *testing.T) {
	m := nodes(t, 1)[0]
	var b bench
	each := lease.NewEach(func(ctx context.Context, s *session.Session) (*client, error) {
		time.Sleep(10 * time.Millisecond)
		return b.open(ctx, s)
	}, shut, nil)
	_, token := signIn(t, m, "ann")
	var got sync.Map
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			c, err := each.Get(ctx, visit(t, m, token))
			if err != nil {
				t.Error(err)
			}
			got.Store(c, true)
		})
	}
	group.Wait()
	b.want(t, "fifty at once", 1, 0)
}

func TestEachThatCannotBeMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := nodes(t, 1)[0]
		s, token := signIn(t, m, "ann")
		down := errors.New("no route")
		var b bench
		var next func(ctx context.Context) error
		each := lease.NewEach(func(ctx context.Context, s *session.Session) (*client, error) {
			if err := next(ctx); err != nil {
				return nil, err
			}
			return b.open(ctx, s)
		}, shut, &lease.EachOptions{Timeout: 10 * time.Second, Logger: quiet})

		next = func(context.Context) error { return down }
		if _, err := each.Get(ctx, s); err != down {
			t.Errorf("it fails: %v", err)
		}
		next = func(context.Context) error { panic("a bug") }
		func() {
			defer func() {
				if v := recover(); v != "a bug" {
					t.Errorf("it panics: %v", v)
				}
			}()
			each.Get(ctx, s)
		}()
		// It hangs, and heeds its context: who makes it is told, and so is who waits, each in their own time.
		next = func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }
		start := time.Now()
		var group sync.WaitGroup
		for i := range 3 {
			s := visit(t, m, token)
			group.Go(func() {
				ctx, cancel := ctx, func() {}
				if i == 2 {
					ctx, cancel = context.WithTimeoutCause(ctx, time.Second, context.Canceled)
				}
				defer cancel()
				_, err := each.Get(ctx, s)
				if want := []error{lease.ErrTimeout, lease.ErrTimeout, context.Canceled}[i]; !errors.Is(err, want) {
					t.Errorf("it hangs: %v after %v, want %v", err, time.Since(start), want)
				}
			})
		}
		group.Wait()
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("after %v", took)
		}
		// It hangs for good: who waits for it is told all the same.
		stuck := make(chan struct{})
		next = func(context.Context) error { <-stuck; return nil }
		go each.Get(ctx, s)
		synctest.Wait()
		if _, err := each.Get(ctx, visit(t, m, token)); !errors.Is(err, lease.ErrTimeout) {
			t.Errorf("behind one that hangs for good: %v", err)
		}
		// The session ends while it hangs: what comes of it is closed, and nobody gets it.
		must(t, m.Revoke(ctx, "ann", s.Handle()))
		synctest.Wait()
		close(stuck)
		synctest.Wait()
		b.want(t, "made for a session that has ended", 1, 1)
		if each.Len() != 0 {
			t.Errorf("%d are kept", each.Len())
		}
		next = func(context.Context) error { return nil }
		s, _ = signIn(t, m, "ann")
		if _, err := each.Get(ctx, s); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestEachPerUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := nodes(t, 1)[0]
		var b bench
		each := lease.NewEach(b.open, shut, &lease.EachOptions{PerUser: true})
		one, _ := signIn(t, m, "ann")
		other, _ := signIn(t, m, "ann")
		bob, _ := signIn(t, m, "bob")
		nobody, _ := signIn(t, m, "")
		for _, s := range []*session.Session{one, other, bob, one} {
			if c, err := each.Get(ctx, s); err != nil || c.user != s.User() {
				t.Errorf("%s has %+v, %v", s.User(), c, err)
			}
		}
		b.want(t, "three sessions of two users", 2, 0)
		if _, err := each.Get(ctx, nobody); !errors.Is(err, session.ErrAnonymous) {
			t.Errorf("nobody's: %v", err)
		}
		must(t, m.Revoke(ctx, "ann", one.Handle()))
		synctest.Wait()
		b.want(t, "one of ann's has ended", 2, 0)
		must(t, m.Revoke(ctx, "ann", other.Handle()))
		synctest.Wait()
		b.want(t, "both have", 2, 1)

		// A value whose sessions ended while another session of the user waited for it is made again for that.
		slow := make(chan struct{})
		var opened atomic.Int32
		late := lease.NewEach(func(ctx context.Context, s *session.Session) (*client, error) {
			if opened.Add(1) == 1 {
				<-slow
			}
			return b.open(ctx, s)
		}, shut, &lease.EachOptions{PerUser: true})
		one, _ = signIn(t, m, "ann")
		other, _ = signIn(t, m, "ann")
		var group sync.WaitGroup
		group.Go(func() {
			if _, err := late.Get(ctx, one); !errors.Is(err, session.ErrExpired) {
				t.Errorf("the first: %v", err)
			}
		})
		synctest.Wait()
		group.Go(func() {
			if _, err := late.Get(ctx, other); err != nil {
				t.Errorf("the second: %v", err)
			}
		})
		synctest.Wait()
		must(t, m.Revoke(ctx, "ann", one.Handle()))
		synctest.Wait()
		close(slow)
		group.Wait()
		synctest.Wait()
		b.want(t, "made twice", 4, 2)
	})
}

// What has no session to live with is not made.
func TestLeaseOfNoSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := nodes(t, 1)[0]
		var b bench
		each := lease.NewEach(b.open, shut, nil)
		pool := lease.NewPool(lease.PoolOptions[*client]{Make: b.make, Close: shut})
		s, token := signIn(t, m, "ann")
		must(t, m.Revoke(ctx, "ann", s.Handle()))
		ended, _ := m.Load(ctx, token)
		for what, c := range map[string]struct {
			s    *session.Session
			want error
		}{"blank": {m.New(), session.ErrUnsaved}, "ended": {ended, session.ErrExpired}} {
			if _, err := each.Get(ctx, c.s); !errors.Is(err, c.want) {
				t.Errorf("Each, %s: %v", what, err)
			}
			if _, err := pool.Acquire(ctx, c.s); !errors.Is(err, c.want) {
				t.Errorf("Pool, %s: %v", what, err)
			}
		}
		b.want(t, "for no session", 0, 0)
		// Revoked after it was loaded: what was made is closed as soon as that is known.
		if _, err := each.Get(ctx, s); err != nil && !errors.Is(err, session.ErrExpired) {
			t.Errorf("%v", err)
		}
		synctest.Wait()
		if made, closed := b.closed(t); made != closed {
			t.Errorf("%d made, %d closed", made, closed)
		}
	})
}

// When Manager.Run returns, as the process ends, everything is closed before it does.
func TestLeasesEndWithTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := session.NewManager(store.NewMemory(nil), &session.Options{Logger: quiet})
		running, stop := context.WithCancel(ctx)
		ended := make(chan error)
		go func() { ended <- m.Run(running) }()
		synctest.Wait()
		var b bench
		each := lease.NewEach(b.open, func(c *client) {
			time.Sleep(time.Second)
			if shut(c); c.user == "bob" {
				panic("it does not want to")
			}
		}, &lease.EachOptions{Logger: quiet})
		for _, user := range []string{"ann", "bob"} {
			s, _ := signIn(t, m, user)
			_, err := each.Get(ctx, s)
			must(t, err)
		}
		stop()
		<-ended
		b.want(t, "when Run has returned", 2, 2)
	})
}

func TestBadEach(t *testing.T) {
	for name, f := range map[string]func(){
		"without open": func() { lease.NewEach[int](nil, nil, nil) },
		"negative": func() {
			lease.NewEach(func(context.Context, *session.Session) (int, error) { return 0, nil }, nil, &lease.EachOptions{Timeout: -1})
		},
	} {
		func() {
			defer func() {
				if v := recover(); v == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}
