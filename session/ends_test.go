package session_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

// wantCause checks that held is done, for an end with this reason.
func wantCause(t *testing.T, what string, held context.Context, want session.Reason) {
	t.Helper()
	select {
	case <-held.Done():
	default:
		t.Errorf("%s: the context is not done", what)
		return
	}
	if e, ok := errors.AsType[*session.ExpiredError](context.Cause(held)); !ok || e.Reason != want {
		t.Errorf("%s: ended because of %v, want %s", what, context.Cause(held), want)
	}
}

func wantOpen(t *testing.T, what string, held context.Context) {
	t.Helper()
	if held.Err() != nil {
		t.Errorf("%s: the context ended because of %v", what, context.Cause(held))
	}
}

// nodes are managers of one store in three processes.
func nodes(t *testing.T, o *session.Options) (all [3]*session.Manager, db *store.Memory) {
	db = store.NewMemory(nil)
	for i := range all {
		all[i] = session.NewManager(db, o)
	}
	return all, db
}

// on is the same visitor at another process.
func (v *visitor) on(m *session.Manager) *visitor {
	token, err := m.Token(v.token.Secret())
	must(v.t, err)
	return &visitor{v.t, m, token}
}

// stream is a request that goes on: its session after the answer has begun.
func (v *visitor) stream() *session.Session {
	v.t.Helper()
	s, err := v.arrive()
	must(v.t, err)
	must(v.t, v.m.Commit(ctx, s))
	v.m.Sent(s)
	return s
}

// A context ends with its session, whatever ends it and wherever, with the reason as its cause.
func TestContextEndsWithTheSession(t *testing.T) {
	for _, c := range []struct {
		name   string
		end    func(t *testing.T, v *visitor)
		reason session.Reason
	}{
		{"logout in another tab", func(t *testing.T, v *visitor) { v.do(func(s *session.Session) { must(t, s.Logout()) }) }, session.ReasonLogout},
		{"reset in another tab", func(t *testing.T, v *visitor) { v.do(func(s *session.Session) { must(t, s.Reset()) }) }, session.ReasonLogout},
		{"revoked", func(t *testing.T, v *visitor) {
			n, err := v.m.RevokeUser(ctx, "ann")
			if n != 1 || err != nil {
				t.Error(n, err)
			}
		}, session.ReasonRevoked},
		{"evicted", func(t *testing.T, v *visitor) { signIn(t, v.m, "ann") }, session.ReasonEvicted},
		{"another user signs in", func(t *testing.T, v *visitor) { v.do(func(s *session.Session) { must(t, s.Login("bob")) }) }, session.ReasonRotated},
		{"idle", func(t *testing.T, v *visitor) { time.Sleep(31*time.Minute + time.Second) }, session.ReasonIdle},
		{"lifetime", func(t *testing.T, v *visitor) {
			for range 24 * 60 {
				time.Sleep(time.Minute)
				if s, err := v.arrive(); err == nil {
					must(t, v.leave(s))
				}
			}
			time.Sleep(time.Second)
		}, session.ReasonLifetime},
		{"revoked after its token was changed three times", func(t *testing.T, v *visitor) {
			for range 3 {
				v.do(func(s *session.Session) { must(t, s.Renew()) })
				time.Sleep(time.Minute)
			}
			_, err := v.m.RevokeUser(ctx, "ann")
			must(t, err)
		}, session.ReasonRevoked},
		{"signed in again by the same user, then out", func(t *testing.T, v *visitor) {
			v.do(func(s *session.Session) { must(t, s.Login("ann")) })
			v.do(func(s *session.Session) { must(t, s.Logout()) })
		}, session.ReasonLogout},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all, _ := nodes(t, capped(1, false))
				v := signIn(t, all[0], "ann")
				var held []context.Context
				for i, m := range all {
					s := v.on(m).stream()
					held = append(held, s.Context())
					if s.Context() != held[i] {
						t.Error("a second call gives another context")
					}
				}
				time.Sleep(29 * time.Minute) // nobody hears of the session for long
				synctest.Wait()
				for i, h := range held {
					wantOpen(t, fmt.Sprint("before, on node ", i), h)
				}
				v.do(func(*session.Session) {})
				c.end(t, v)
				synctest.Wait()
				for i, h := range held {
					wantCause(t, fmt.Sprint("on node ", i), h, c.reason)
				}
			})
		})
	}
}

// What a request has taken before it ends its own session, or signs somebody else in, ends; what it takes afterwards is
// the new session's.
func TestContextTakenBefore(t *testing.T) {
	for _, c := range []struct {
		name    string
		user    string // who was signed in; "": nobody, with a value
		change  func(s *session.Session) error
		reason  session.Reason // "": it goes on
		another bool           // a session goes on
	}{
		{"Reset", "ann", (*session.Session).Reset, session.ReasonLogout, false},
		{"Reset and a value", "ann", func(s *session.Session) error { return errors.Join(s.Reset(), rings.Set(s, 1)) }, session.ReasonLogout, true},
		{"Logout", "ann", (*session.Session).Logout, session.ReasonLogout, false},
		{"Login of another user", "ann", func(s *session.Session) error { return s.Login("bob") }, session.ReasonRotated, true},
		{"Login", "", func(s *session.Session) error { return s.Login("ann") }, session.ReasonRotated, true},
		{"Login of the same user", "ann", func(s *session.Session) error { return s.Login("ann") }, "", true},
		{"Renew", "ann", (*session.Session).Renew, "", true},
		{"Remember", "ann", func(s *session.Session) error { return s.Remember(72 * time.Hour) }, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, _ := newManager(t, quiet())
				v := &visitor{t: t, m: m}
				v.do(func(s *session.Session) {
					if must(t, rings.Set(s, 1)); c.user != "" {
						must(t, s.Login(c.user))
					}
				})
				s, err := v.arrive()
				must(t, err)
				before := s.Context()
				must(t, c.change(s))
				after := s.Context()
				wantOpen(t, "before the commit", before)
				must(t, v.leave(s))
				synctest.Wait()
				if c.reason == "" {
					wantOpen(t, "taken before", before)
				} else if wantCause(t, "taken before", before, c.reason); after == before {
					t.Error("the context taken afterwards is the same")
				}
				wantOpen(t, "taken afterwards", after)
				if !c.another {
					return
				}
				v.do(func(s *session.Session) { must(t, s.Logout()) })
				synctest.Wait()
				wantCause(t, "taken afterwards, when that session ends", after, session.ReasonLogout)
			})
		})
	}
}

func TestContextOfABlankSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newManager(t, quiet())
		request, done := context.WithCancel(ctx)
		defer done()
		s := m.New()
		session.With(request, s)
		held := s.Context()
		must(t, s.Login("ann"))
		if s.Context() != held {
			t.Error("it is another one before anything has ended")
		}
		must(t, m.Commit(ctx, s))
		synctest.Wait()
		wantOpen(t, "after its session began", held)
		_, err := m.RevokeUser(ctx, "ann")
		must(t, err)
		synctest.Wait()
		wantCause(t, "revoked", held, session.ReasonRevoked)

		// Of an ended session it has ended.
		_, err = m.Load(ctx, s.Token())
		if !errors.Is(err, session.ErrExpired) {
			t.Fatal(err)
		}
		ended, _ := m.Load(ctx, s.Token())
		wantCause(t, "of an ended session", ended.Context(), session.ReasonRevoked)
		must(t, ended.Reset())
		wantOpen(t, "of the blank one after it", ended.Context())
	})
}

// Asked for when the request is over, as by a goroutine that it has left behind, the context is done, as the
// request's own is.
func TestContextAskedForAfterTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newManager(t, quiet())
		v := signIn(t, m, "ann")
		request, done := context.WithCancel(ctx)
		s := v.stream()
		session.With(request, s)
		held := s.Context()
		done()
		synctest.Wait()
		late := v.stream()
		session.With(request, late)
		for what, h := range map[string]context.Context{"taken before": held, "asked for afterwards": late.Context()} {
			if h.Err() == nil || context.Cause(h) != context.Canceled {
				t.Errorf("%s: %v", what, context.Cause(h))
			}
		}
		// OnEnd is for what goes on.
		told := make(chan error, 1)
		_, err := late.OnEnd(func(err error) { told <- err })
		must(t, err)
		_, err = m.RevokeUser(ctx, "ann")
		must(t, err)
		if err := <-told; !errors.Is(err, session.ErrExpired) {
			t.Error(err)
		}
	})
}

// In the Grace of a rotation the old token's context is the successor's, unless another user signed in.
func TestContextInTheGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newManager(t, quiet())
		v := signIn(t, m, "ann")
		old := &visitor{t, m, v.token}
		v.do(func(s *session.Session) { must(t, s.Renew()) })
		s, err := old.arrive()
		if !errors.Is(err, session.ErrRotated) {
			t.Fatal(err)
		}
		held := s.Context()
		time.Sleep(time.Minute)
		wantOpen(t, "after the grace", held)

		old.token = v.token
		v.do(func(s *session.Session) { must(t, s.Login("bob")) })
		synctest.Wait()
		wantCause(t, "when bob signed in", held, session.ReasonRotated)
		s, err = old.arrive()
		if !errors.Is(err, session.ErrRotated) {
			t.Fatal(err)
		}
		wantCause(t, "ann's, of the old token", s.Context(), session.ReasonRotated)
		if _, err := s.OnEnd(func(error) {}); !errors.Is(err, session.ErrExpired) {
			t.Errorf("OnEnd: %v", err)
		}
	})
}

func TestOnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newManager(t, quiet())
		v := signIn(t, m, "ann")
		var calls []error
		var mu sync.Mutex
		note := func(err error) {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, err)
		}
		s := v.stream()
		stop, err := s.OnEnd(note)
		must(t, err)
		if !stop() || stop() {
			t.Error("stop says the wrong thing")
		}
		stop, err = s.OnEnd(note)
		must(t, err)
		must(t, m.Revoke(ctx, "ann", s.Handle()))
		synctest.Wait()
		if stop() || len(calls) != 1 || !errors.Is(calls[0], session.ErrExpired) {
			t.Errorf("called with %v", calls)
		}

		// What is not stored, or about to be replaced, has no end yet.
		blank := m.New()
		if _, err := blank.OnEnd(note); !errors.Is(err, session.ErrUnsaved) {
			t.Errorf("blank: %v", err)
		}
		v = signIn(t, m, "ann")
		for name, change := range map[string]func(*session.Session) error{
			"Login": func(s *session.Session) error { return s.Login("ann") }, "Renew": (*session.Session).Renew, "Logout": (*session.Session).Logout,
		} {
			s, err := v.arrive()
			must(t, err)
			must(t, change(s))
			if _, err := s.OnEnd(note); !errors.Is(err, session.ErrUnsaved) {
				t.Errorf("with a pending %s: %v", name, err)
			}
			if err := s.KeepAlive(ctx); !errors.Is(err, session.ErrUnsaved) {
				t.Errorf("KeepAlive with a pending %s: %v", name, err)
			}
		}
		s = v.stream()
		must(t, m.Revoke(ctx, "ann", s.Handle()))
		s, err = v.arrive()
		for what, got := range map[string]error{"Load": err, "KeepAlive": s.KeepAlive(ctx)} {
			if !errors.Is(got, session.ErrExpired) {
				t.Errorf("ended: %s: %v", what, got)
			}
		}
		if _, err := s.OnEnd(note); !errors.Is(err, session.ErrExpired) {
			t.Errorf("ended: %v", err)
		}
	})
}

// patchy is a store whose Watch can be cut, as a connection is.
type patchy struct {
	*store.Memory
	mu  sync.Mutex
	cut chan struct{} // closed: Watch breaks off, and none begins
}

var errCut = errors.New("the connection is cut")

func (p *patchy) Watch(ctx context.Context, f func(session.Ended)) error {
	p.mu.Lock()
	cut := p.cut
	p.mu.Unlock()
	select {
	case <-cut:
		return errCut
	default:
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() {
		select {
		case <-cut:
			stop(errCut)
		case <-ctx.Done():
		}
	}()
	if err := p.Memory.Watch(ctx, f); err != nil {
		return context.Cause(ctx)
	}
	return nil
}

// While the watcher's connection was cut sessions have ended, been rotated, or lived on: when it is back, all is known.
func TestContextAfterAGapOfTheWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &patchy{Memory: store.NewMemory(nil), cut: make(chan struct{})}
		here, there := session.NewManager(db, quiet()), session.NewManager(db, quiet())
		held := map[string]context.Context{}
		visitors := map[string]*visitor{}
		for _, user := range []string{"ends", "is rotated", "is rotated and ends", "lives", "changes hands"} {
			visitors[user] = signIn(t, there, user)
			held[user] = visitors[user].on(here).stream().Context()
		}
		synctest.Wait()
		close(db.cut)
		synctest.Wait()
		renew := func(s *session.Session) { must(t, s.Renew()) }
		visitors["is rotated"].do(renew)
		visitors["is rotated"].do(renew)
		visitors["is rotated and ends"].do(renew)
		visitors["changes hands"].do(func(s *session.Session) { must(t, s.Login("bob")) })
		for _, user := range []string{"ends", "is rotated and ends"} {
			_, err := there.RevokeUser(ctx, user)
			must(t, err)
		}
		time.Sleep(9 * time.Second) // at the tenth the store is asked without being heard
		for user, h := range held {
			wantOpen(t, user+", while nothing is heard", h)
		}
		db.mu.Lock()
		db.cut = make(chan struct{})
		db.mu.Unlock()
		time.Sleep(2 * time.Second)
		wantCause(t, "ends", held["ends"], session.ReasonRevoked)
		wantCause(t, "is rotated and ends", held["is rotated and ends"], session.ReasonRevoked)
		wantCause(t, "changes hands", held["changes hands"], session.ReasonRotated)
		wantOpen(t, "is rotated", held["is rotated"])
		wantOpen(t, "lives", held["lives"])
		for _, user := range []string{"is rotated", "lives"} {
			_, err := there.RevokeUser(ctx, user)
			must(t, err)
			synctest.Wait()
			wantCause(t, user, held[user], session.ReasonRevoked)
		}
	})
}

// Between the load of a session and its Context an end may have come and gone.
func TestContextOfASessionThatEndedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, _ := nodes(t, quiet())
		running, stop := context.WithCancel(ctx)
		defer stop()
		for _, m := range all {
			go m.Run(running)
		}
		synctest.Wait()
		v := signIn(t, all[0], "ann")
		s := v.on(all[1]).stream()
		_, err := all[0].RevokeUser(ctx, "ann")
		must(t, err)
		synctest.Wait() // nobody held on to it when this was told
		held := s.Context()
		synctest.Wait()
		wantCause(t, "ended before it was asked for", held, session.ReasonRevoked)
	})
}

// Where nobody held on to anything a moment ago, the one who begins is asked about all the same: the goroutines that
// have stopped, and those that start, meet.
func TestContextRightAfterTheLastOne(t *testing.T) {
	rounds := 20_000
	if raceDetector {
		rounds = 4000
	}
	all, _ := nodes(t, quiet())
	last := signIn(t, all[0], "bob").on(all[1]).stream()
	for i := range rounds {
		s := signIn(t, all[0], "ann").on(all[1]).stream()
		_, err := all[0].RevokeUser(ctx, "ann")
		must(t, err)
		leave, err := last.OnEnd(func(error) {})
		must(t, err)
		// Not always at the same moment; a sleep would be too long.
		for begin := time.Now(); time.Since(begin) < time.Duration(i%50)*40*time.Nanosecond; {
		}
		leave()
		held := s.Context()
		select {
		case <-held.Done():
		case <-time.After(20 * time.Second):
			t.Fatal("it had ended before it was asked for, and its context is not done")
		}
	}
}

// A store that can't tell of ends is asked.
func TestContextWithoutAWatcher(t *testing.T) {
	for name, wrap := range map[string]func(*store.Memory) session.Store{
		"none":              func(db *store.Memory) session.Store { return uncapped{db} },
		"a wrapper of none": func(db *store.Memory) session.Store { return sessiontest.NewFaults(uncapped{db}) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := store.NewMemory(nil)
				here, there := session.NewManager(wrap(db), quiet()), session.NewManager(db, quiet())
				v := signIn(t, there, "ann")
				held := v.on(here).stream().Context()
				time.Sleep(time.Minute)
				wantOpen(t, "alive", held)
				_, err := there.RevokeUser(ctx, "ann")
				must(t, err)
				time.Sleep(12 * time.Second)
				wantCause(t, "ended elsewhere", held, session.ReasonRevoked)

				v = signIn(t, here, "ann")
				held = v.stream().Context()
				v.do(func(s *session.Session) { must(t, s.Logout()) })
				synctest.Wait()
				wantCause(t, "ended here", held, session.ReasonLogout)
			})
		})
	}
}

// deaf is a Watcher that can't listen, such as a Redis whose user may not subscribe.
type deaf struct{ *store.Memory }

func (deaf) Watch(context.Context, func(session.Ended)) error {
	return errors.New("no right to listen")
}

// Nor is one that could, and fails at it for good, taken at its silence.
func TestContextWhereNothingIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := store.NewMemory(nil)
		here, there := session.NewManager(deaf{db}, quiet()), session.NewManager(db, quiet())
		held := signIn(t, there, "ann").on(here).stream().Context()
		time.Sleep(time.Minute)
		wantOpen(t, "alive", held)
		_, err := there.RevokeUser(ctx, "ann")
		must(t, err)
		time.Sleep(13 * time.Second)
		wantCause(t, "ended elsewhere", held, session.ReasonRevoked)
	})
}

// An open stream alone keeps no session alive; one that counts as activity does, up to the lifetime, on whichever node it
// is open.
func TestKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, _ := nodes(t, quiet())
		began := time.Now()
		ended := func(v *visitor, s *session.Session) *time.Duration {
			lasted := new(time.Duration)
			context.AfterFunc(s.Context(), func() { *lasted = time.Since(began) })
			return lasted
		}
		still, kept, till := signIn(t, all[0], "still"), signIn(t, all[0], "kept"), signIn(t, all[0], "kept for an hour")
		stillLasted := ended(still, still.on(all[1]).stream())
		s := kept.on(all[1]).stream()
		must(t, s.KeepAlive(s.Context()))
		keptLasted := ended(kept, s)
		s = till.on(all[2]).stream()
		hour, cancel := context.WithTimeout(ctx, time.Hour)
		defer cancel()
		must(t, s.KeepAlive(hour))
		tillLasted := ended(till, s)

		for range 47 {
			time.Sleep(30 * time.Minute)
			s, err := kept.arrive()
			must(t, err)
			if lag := time.Since(s.Seen()); lag > time.Minute+2*time.Second {
				t.Errorf("after %v it was last seen %v ago", time.Since(began), lag)
			}
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		for what, c := range map[string]struct {
			lasted time.Duration
			v      *visitor
			want   time.Duration
			reason session.Reason
		}{
			"an open stream":                  {*stillLasted, still, 31 * time.Minute, session.ReasonIdle},
			"a stream that is kept alive":     {*keptLasted, kept, 24 * time.Hour, session.ReasonLifetime},
			"a stream kept alive for an hour": {*tillLasted, till, time.Hour + 31*time.Minute, session.ReasonIdle},
		} {
			// A Touch of KeepAlive may come a second late, and the end then is as much later.
			if off := c.lasted - c.want; off < -time.Minute-2*time.Second || off > 2*time.Second {
				t.Errorf("%s ended after %v, want %v", what, c.lasted, c.want)
			}
			if _, err := c.v.arrive(); err.(*session.ExpiredError).Reason != c.reason {
				t.Errorf("%s: %v", what, err)
			}
		}
		if off := *stillLasted - 31*time.Minute; off < 0 || off > time.Second {
			t.Errorf("an open stream ended after %v", *stillLasted)
		}
	})
}

// A store that can't be asked ends nothing at first: what it knows may be that the session lives.
func TestContextWhileTheStoreIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := store.NewMemory(nil)
		faults := sessiontest.NewFaults(db)
		here, there := session.NewManager(faults, quiet()), session.NewManager(db, quiet())
		lives, idles := signIn(t, there, "lives"), signIn(t, there, "idles")
		heldLives, heldIdles := lives.on(here).stream().Context(), idles.on(here).stream().Context()
		synctest.Wait()
		time.Sleep(20 * time.Minute)
		lives.do(func(*session.Session) {})

		faults.Add(sessiontest.Fault{Op: "load", Err: errors.New("no route")})
		time.Sleep(11*time.Minute + 30*time.Second)
		wantOpen(t, "half a minute past what was known", heldLives)
		wantOpen(t, "half a minute past what was known", heldIdles)
		faults.Clear()
		time.Sleep(3 * time.Second)
		wantOpen(t, "it was renewed elsewhere", heldLives)
		wantCause(t, "it was not", heldIdles, session.ReasonIdle)

		faults.Add(sessiontest.Fault{Op: "load", Err: errors.New("no route")})
		time.Sleep(22 * time.Minute)
		if err := context.Cause(heldLives); !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("a minute past what was known: %v", err)
		}
	})
}

// When Run ends, so does everything that sessions hold, and it waits for the funcs.
func TestRunEndsWhatIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newManager(t, quiet())
		running, stop := context.WithCancel(ctx)
		ended := make(chan error)
		go func() { ended <- m.Run(running) }()
		s := signIn(t, m, "ann").stream()
		held := s.Context()
		var closed atomic.Bool
		_, err := s.OnEnd(func(err error) {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("told %v", err)
			}
			time.Sleep(time.Second)
			closed.Store(true)
		})
		must(t, err)
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) || !closed.Load() {
			t.Errorf("Run returned %v; closed: %v", err, closed.Load())
		}
		if err := context.Cause(held); err != context.Canceled {
			t.Errorf("the context: %v", err)
		}
		s = signIn(t, m, "ann").stream() // works all the same
		held = s.Context()
		must(t, m.Revoke(ctx, "ann", s.Handle()))
		synctest.Wait()
		wantCause(t, "revoked", held, session.ReasonRevoked)
	})
}

// Streams open and close while their sessions are rotated, change hands and end, on three nodes: at the end each
// context is done or not as its session is, and nothing is left.
func TestContextsUnderEverything(t *testing.T) {
	type stream struct {
		v    *visitor
		held context.Context
		user string
	}
	open, done := 0, 0
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			all, _ := nodes(t, quiet())
			var mu sync.Mutex
			var streams []stream
			var group sync.WaitGroup
			for i := range uint64(6) {
				v := signIn(t, all[0], fmt.Sprint("user", i))
				rng := rand.New(rand.NewPCG(seed, i))
				group.Go(func() {
					for range 20 {
						here := v.on(all[rng.IntN(3)])
						s, err := here.arrive()
						if err != nil {
							t.Error(err)
							return
						}
						switch n := rng.IntN(20); {
						case n < 12:
							request, cancel := context.WithCancel(ctx)
							session.With(request, s)
							held := s.Context()
							if n < 4 {
								cancel()
								continue
							}
							t.Cleanup(cancel)
							mu.Lock()
							streams = append(streams, stream{v, held, s.User()})
							mu.Unlock()
						case n < 16:
							err = s.Renew()
						case n < 18:
							err = s.Login(fmt.Sprint("user", rng.IntN(9)))
						case n < 19 && seed%2 == 0:
							err = s.Logout()
						default:
							time.Sleep(time.Duration(rng.IntN(int(time.Minute))))
						}
						if err := errors.Join(err, here.leave(s)); err != nil {
							t.Error(err)
						}
						if v.token = here.token; v.token == nil {
							return
						}
					}
				})
			}
			group.Wait()
			synctest.Wait()
			for _, o := range streams {
				if o.v.token == nil {
					if done++; reasonOf(o.held) == "" {
						t.Errorf("seed %d: signed out, and the stream: %v", seed, context.Cause(o.held))
					}
					continue
				}
				s, err := o.v.arrive()
				must(t, err)
				if s.User() == o.user && o.held.Err() == nil {
					open++
				} else if done++; reasonOf(o.held) != session.ReasonRotated { // another user signed in, perhaps this one again
					t.Errorf("seed %d: the session is %s's; the stream of %s: %v", seed, s.User(), o.user, context.Cause(o.held))
				}
			}
			for i := range 9 {
				_, err := all[i%3].RevokeUser(ctx, fmt.Sprint("user", i))
				must(t, err)
			}
			synctest.Wait()
			for _, o := range streams {
				if o.held.Err() == nil {
					t.Errorf("seed %d: a stream of %s is open after all sessions have ended", seed, o.user)
				}
			}
		})
	}
	if open < 20 || done < 20 {
		t.Errorf("%d streams stayed open, %d ended: that shows little", open, done)
	}
}

func reasonOf(held context.Context) session.Reason {
	if e, ok := errors.AsType[*session.ExpiredError](context.Cause(held)); ok {
		return e.Reason
	}
	return ""
}
