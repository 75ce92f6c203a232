package session_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

// locking returns options under which idle sessions are locked.
func locking() *session.Options {
	o := quiet()
	o.Lock = true
	return o
}

// A8: a session that was idle for too long, but not past its lifetime, shows nothing and takes nothing until its user
// is verified; unlocking comes with a new token, and neither lifetime nor time of authentication begins anew.
func TestA8Locked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		o := locking()
		o.Trace = &session.Trace{Locked: func(handle string) { told = append(told, handle) }}
		m, db := newManager(t, o)
		if !m.Locks() {
			t.Error("it does not say so")
		}
		v := signIn(t, m, "ann")
		v.do(func(s *session.Session) { must(t, theme.Set(s, "dark")) })
		began := time.Now()
		time.Sleep(30*time.Minute + 59*time.Second)
		s, err := v.arrive() // in use, at the last moment
		must(t, err)
		if s.Expires() != s.Deadline() || !s.Deadline().Equal(began.Add(24*time.Hour)) {
			t.Errorf("it expires at %v, of %v", s.Expires(), s.Deadline())
		}
		time.Sleep(31 * time.Minute)

		s, err = v.arrive()
		if !errors.Is(err, session.ErrLocked) || errors.Is(err, session.ErrExpired) {
			t.Fatalf("idle for 31 minutes: %v", err)
		}
		if s.Authenticated() || theme.Get(s) != "" || len(s.Keys()) > 0 || s.Err() != session.ErrLocked || s.Handle() != "" || len(s.Meta()) > 0 {
			t.Errorf("it shows user %q, theme %q, %v", s.User(), theme.Get(s), s.Err())
		}
		if user, locked := s.Locked(); user != "ann" || !locked || len(told) == 0 {
			t.Errorf("it is %q's, %v; told %v", user, locked, told)
		}
		for what, err := range map[string]error{
			"Set": theme.Set(s, "light"), "SetMeta": s.SetMeta("a", "b"), "Renew": s.Renew(), "Clear": s.Clear(), "Reload": s.Reload(ctx),
			"Remember": s.Remember(time.Hour), "Seal": second(s.Seal(nil)), "Open": second(s.Open(nil)), "Update": second(rings.Update(ctx, s, func(n int) int { return n })),
			"OnEnd": second(s.OnEnd(func(error) {})), "KeepAlive": s.KeepAlive(ctx), "the commit": m.Commit(ctx, s),
		} {
			if !errors.Is(err, session.ErrLocked) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if cause := context.Cause(s.Context()); !errors.Is(cause, session.ErrLocked) {
			t.Errorf("its context: %v", cause)
		}
		must(t, m.Touch(ctx, s)) // does nothing
		if s, err = v.arrive(); !errors.Is(err, session.ErrLocked) {
			t.Fatalf("afterwards: %v", err)
		}
		list, err := m.List(ctx, "ann")
		if err != nil || len(list) != 1 || !list[0].Locked {
			t.Errorf("listed: %+v %v", list, err)
		}

		old := &visitor{t, m, v.token}
		must(t, s.Unlock())
		if s.User() != "ann" || theme.Get(s) != "dark" || s.Err() != nil {
			t.Errorf("unlocked: %q %q %v", s.User(), theme.Get(s), s.Err())
		}
		must(t, theme.Set(s, "light"))
		must(t, v.leave(s))
		if v.token == old.token {
			t.Error("the token is the old one")
		}
		v.do(func(s *session.Session) {
			if !s.AuthTime().Equal(began) || !s.Deadline().Equal(began.Add(24*time.Hour)) || theme.Get(s) != "light" || !s.Created().Equal(began) {
				t.Errorf("signed in at %v, ends at %v, theme %q", s.AuthTime(), s.Deadline(), theme.Get(s))
			}
			must(t, s.Unlock()) // does nothing
		})
		if _, err := old.arrive(); !errors.Is(err, session.ErrRotated) {
			t.Errorf("the old token: %v", err)
		}
		// The lifetime ends it, locked or not.
		time.Sleep(23 * time.Hour)
		e, ok := errors.AsType[*session.ExpiredError](second(v.arrive()))
		if !ok || e.Reason != session.ReasonLifetime {
			t.Errorf("after its lifetime: %v", e)
		}
		_ = db
	})
}

// What else can be done with a locked session: sign in, as the same or as another user, and sign out.
func TestLockedLoginAndLogout(t *testing.T) {
	for name, c := range map[string]struct {
		do          func(s *session.Session) error
		user, theme string
		old         session.Reason
		fresh       bool
	}{
		"Login of the same user":  {func(s *session.Session) error { return s.Login("ann") }, "ann", "dark", session.ReasonRotated, true},
		"Login of another user":   {func(s *session.Session) error { return s.Login("bob") }, "bob", "", session.ReasonRotated, true},
		"Logout":                  {(*session.Session).Logout, "", "", session.ReasonLogout, false},
		"Reset":                   {(*session.Session).Reset, "", "", session.ReasonLogout, false},
		"Logout, and then Unlock": {func(s *session.Session) error { return errors.Join(s.Logout(), s.Unlock()) }, "", "", session.ReasonLogout, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, _ := newManager(t, locking())
				v := signIn(t, m, "ann")
				v.do(func(s *session.Session) { must(t, theme.Set(s, "dark")) })
				time.Sleep(time.Hour)
				old := &visitor{t, m, v.token}
				s, err := v.arrive()
				if !errors.Is(err, session.ErrLocked) {
					t.Fatal(err)
				}
				must(t, c.do(s))
				must(t, v.leave(s))
				v.do(func(s *session.Session) {
					if s.User() != c.user || theme.Get(s) != c.theme || c.fresh && time.Since(s.AuthTime()) > 0 {
						t.Errorf("%q's, theme %q, signed in %v ago", s.User(), theme.Get(s), time.Since(s.AuthTime()))
					}
				})
				time.Sleep(session.Grace)
				if e, ok := errors.AsType[*session.ExpiredError](second(old.arrive())); !ok || e.Reason != c.old {
					t.Errorf("the old token: %v", e)
				}
			})
		})
	}
}

// The token from before an Unlock was never unlocked: it shows nothing, not even for the grace.
func TestOldTokenAfterUnlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newManager(t, locking())
		v := signIn(t, m, "ann")
		v.do(func(s *session.Session) { must(t, theme.Set(s, "dark")) })
		old := *v
		time.Sleep(32 * time.Minute)
		s, err := v.arrive()
		if err != session.ErrLocked {
			t.Fatal(err)
		}
		must(t, s.Unlock())
		must(t, v.leave(s))
		if o, err := old.arrive(); theme.Get(o) != "" || o.User() != "" || err == nil {
			t.Errorf("%q's, theme %q, %v", o.User(), theme.Get(o), err)
		}
	})
}

// Whoever was told that a session is locked is not contradicted by a request that was under way.
func TestLockedWhileARequestWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := store.NewMemory(nil)
		faults := sessiontest.NewFaults(db)
		m := session.NewManager(faults, locking())
		v := signIn(t, m, "ann")
		time.Sleep(29 * time.Minute)
		late, err := m.Load(ctx, v.token) // and no Touch yet
		must(t, err)
		slow, err := m.Load(ctx, v.token)
		must(t, err)
		must(t, theme.Set(slow, "dark"))
		time.Sleep(3 * time.Minute)
		if _, err := v.arrive(); !errors.Is(err, session.ErrLocked) {
			t.Fatal(err)
		}
		if err := m.Touch(ctx, late); !errors.Is(err, session.ErrLocked) {
			t.Errorf("a late Touch: %v", err)
		}
		if err := m.Commit(ctx, slow); !errors.Is(err, session.ErrLocked) {
			t.Errorf("a late commit: %v", err)
		}
		if _, err := v.arrive(); !errors.Is(err, session.ErrLocked) {
			t.Errorf("afterwards: %v", err)
		}
		// A stream that goes on sees nothing more, either.
		v = signIn(t, m, "bob")
		s := v.stream()
		held := s.Context()
		time.Sleep(31*time.Minute + 2*time.Second)
		if !errors.Is(context.Cause(held), session.ErrLocked) || s.User() != "" {
			t.Errorf("a stream: %v, user %q", context.Cause(held), s.User())
		}
	})
}

// A connection that counts as activity does so up to the moment when the session is locked, and unlocks nothing after
// the store could not be asked for a while.
func TestKeepAliveUnlocksNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults := sessiontest.NewFaults(store.NewMemory(nil))
		m := session.NewManager(faults, locking())
		v := signIn(t, m, "ann")
		s := v.stream()
		held := s.Context()
		must(t, s.KeepAlive(held))
		time.Sleep(2*time.Hour + 30*time.Second) // half a minute after it was renewed
		wantOpen(t, "kept alive", held)

		for _, op := range []string{"touch", "load"} {
			faults.Add(sessiontest.Fault{Op: op, Err: errors.New("no route")})
		}
		time.Sleep(31 * time.Minute)
		wantOpen(t, "for lack of an answer", held)
		faults.Clear()
		time.Sleep(5 * time.Second)
		if _, err := v.arrive(); err != session.ErrLocked {
			t.Errorf("after 31 minutes without activity: %v", err)
		}
		if err := context.Cause(held); err != session.ErrLocked {
			t.Errorf("its context: %v", err)
		}
	})
}

// Who has unlocked, or signed in again, waits for the end of what goes on.
func TestContextAfterUnlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newManager(t, locking())
		for what, verified := range map[string]func(*session.Session) error{
			"Unlock": (*session.Session).Unlock,
			"Login":  func(s *session.Session) error { return s.Login("ann") },
		} {
			v := signIn(t, m, "ann")
			time.Sleep(32 * time.Minute)
			s, err := v.arrive()
			if err != session.ErrLocked {
				t.Fatal(err)
			}
			if locked := s.Context(); context.Cause(locked) != session.ErrLocked {
				t.Errorf("locked: %v", context.Cause(locked))
			}
			must(t, verified(s))
			must(t, v.leave(s))
			held := s.Context()
			synctest.Wait()
			wantOpen(t, "after "+what, held)
			v.do(func(s *session.Session) { must(t, s.Logout()) })
			synctest.Wait()
			wantCause(t, "after "+what, held, session.ReasonLogout)
		}
	})
}

// Two clicks on Unlock at once: both answers carry a token that works.
func TestUnlockTwiceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newManager(t, locking())
		v := signIn(t, m, "ann")
		time.Sleep(time.Hour)
		var clicks []*visitor
		var held []*session.Session
		for range 2 {
			click := &visitor{t, m, v.token}
			s, err := click.arrive()
			if !errors.Is(err, session.ErrLocked) {
				t.Fatal(err)
			}
			must(t, s.Unlock())
			clicks, held = append(clicks, click), append(held, s)
		}
		for i, s := range held {
			must(t, clicks[i].leave(s))
		}
		wantLive(t, clicks, "", clicks...)
		if clicks[0].token == clicks[1].token {
			t.Error("one of them has no token of its own")
		}
	})
}

// A record that says somebody else's name does not let that somebody unlock it.
func TestLockedRecordThatWasEdited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &byHand{Store: store.NewMemory(nil)}
		m := session.NewManager(db, locking())
		v := signIn(t, m, "ann")
		time.Sleep(time.Hour)
		db.edit(t, db.of(t, "ann").ID, func(r *session.Record) { r.User = "eve" })
		s, err := v.arrive()
		if !errors.Is(err, session.ErrLocked) {
			t.Fatal(err)
		}
		if user, locked := s.Locked(); user != "" || locked {
			t.Errorf("it is %q's", user)
		}
		e, ok := errors.AsType[*session.ExpiredError](s.Err())
		if !ok || e.Reason != session.ReasonCorrupt {
			t.Errorf("afterwards: %v", s.Err())
		}
	})
}

// A locked session takes a place, and the oldest is evicted locked or not. One that is locked by another manager's
// options ends idle at this one.
func TestLockedAndCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := store.NewMemory(nil)
		o := locking()
		o.MaxPerUser = 2
		m := session.NewManager(db, o)
		first := signIn(t, m, "ann")
		time.Sleep(time.Hour)
		second := signIn(t, m, "ann")
		time.Sleep(time.Second)
		third := signIn(t, m, "ann")
		wantLive(t, []*visitor{first, second, third}, session.ReasonEvicted, second, third)
		time.Sleep(time.Hour)

		without := session.NewManager(db, quiet())
		wantLive(t, []*visitor{second.on(without), third.on(without)}, session.ReasonIdle)
		if list, err := without.List(ctx, "ann"); err != nil || len(list) != 0 {
			t.Errorf("listed: %v %v", list, err)
		}
	})
}

// A7: presets after NIST SP 800-63B-4 refuse what is above their limits.
func TestA7AssuranceLevels(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		name            string
		o               session.Options
		field           string // "": it is served
		idle, remembers time.Duration
	}{
		{"no level", session.Options{Lifetime: 400 * day, Idle: 400 * day}, "", 400 * day, 400 * day},
		{"AAL1, defaults", session.Options{AAL: session.AAL1}, "", 30 * time.Minute, 30 * day},
		{"AAL1, 30 days", session.Options{AAL: session.AAL1, Idle: 30 * day, Lifetime: 30 * day}, "", 30 * day, 30 * day},
		{"AAL1, more", session.Options{AAL: session.AAL1, Lifetime: 30*day + 1}, "Lifetime", 0, 0},
		{"AAL2, defaults", session.Options{AAL: session.AAL2}, "", 30 * time.Minute, 0},
		{"AAL2, an hour and a day", session.Options{AAL: session.AAL2, Idle: time.Hour, Lifetime: day}, "", time.Hour, 0},
		{"AAL2, idle for longer", session.Options{AAL: session.AAL2, Idle: time.Hour + 1}, "Idle", 0, 0},
		{"AAL2, lasting longer", session.Options{AAL: session.AAL2, Lifetime: day + 1}, "Lifetime", 0, 0},
		{"AAL2, locked", session.Options{AAL: session.AAL2, Lock: true}, "", 30 * time.Minute, 0},
		{"AAL3, defaults", session.Options{AAL: session.AAL3}, "", 15 * time.Minute, 0},
		{"AAL3, at its limits", session.Options{AAL: session.AAL3, Idle: 15 * time.Minute, Lifetime: 12 * time.Hour}, "", 15 * time.Minute, 0},
		{"AAL3, idle for longer", session.Options{AAL: session.AAL3, Idle: 15*time.Minute + 1}, "Idle", 0, 0},
		{"AAL3, lasting longer", session.Options{AAL: session.AAL3, Lifetime: 12*time.Hour + 1}, "Lifetime", 0, 0},
		{"AAL3, locked", session.Options{AAL: session.AAL3, Lock: true}, "Lock", 0, 0},
		{"AAL4", session.Options{AAL: 4}, "AAL", 0, 0},
	} {
		err := c.o.Validate()
		if c.field != "" {
			if bad, ok := errors.AsType[*session.OptionError](err); !ok || bad.Field != c.field {
				t.Errorf("%s: %v, want a refusal of %s", c.name, err, c.field)
			}
			stopsWith(t, c.name, func() { session.NewManager(store.NewMemory(nil), &c.o) }, "Options."+c.field)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		c.o.Logger = quiet().Logger
		m := session.NewManager(store.NewMemory(nil), &c.o)
		v := &visitor{t: t, m: m}
		v.do(func(s *session.Session) {
			must(t, s.Login("ann"))
			if err := s.Remember(c.remembers + 1); !errors.Is(err, session.ErrRemember) {
				t.Errorf("%s: Remember for longer than %v: %v", c.name, c.remembers, err)
			}
			must(t, s.Remember(0))
			must(t, s.Remember(c.remembers))
		})
		if m.Idle() != c.idle {
			t.Errorf("%s: idle after %v", c.name, m.Idle())
		}
	}
	m := session.NewManager(store.NewMemory(nil), &session.Options{AAL: session.AAL3, Logger: quiet().Logger})
	s := signIn(t, m, "ann").do(func(*session.Session) {})
	if left := time.Until(s.Deadline()); left > 12*time.Hour || left < 12*time.Hour-time.Minute {
		t.Errorf("at AAL3 a session lasts %v", left)
	}
}

// Where a request comes from is kept at sign-in, without making the answer private; a change of it is told, and ends
// nothing.
func TestDescribe(t *testing.T) {
	var log bytes.Buffer
	var told []string
	o := &session.Options{Logger: slog.New(slog.NewTextHandler(&log, nil)), Trace: &session.Trace{
		Changed: func(handle, entry, from, to string) { told = append(told, entry+": "+from+" → "+to) },
	}}
	m, db := newManager(t, o)
	v := &visitor{t: t, m: m}
	from := func(device, address string) map[string]string {
		return map[string]string{"device": device, "address": address}
	}
	request := func(d map[string]string, f func(s *session.Session)) session.Delivery {
		s, err := v.arrive()
		must(t, err)
		f(s)
		m.Describe(s, d)
		must(t, m.Commit(ctx, s))
		delivery := m.Sent(s)
		if delivery.Due {
			v.token = delivery.Token
		}
		return delivery
	}
	nothing := func(*session.Session) {}
	request(from("Firefox", "10.0.0.0/24"), nothing)
	if count(t, db) != 0 {
		t.Error("a stranger is described")
	}
	request(from("Firefox", "10.0.0.0/24"), func(s *session.Session) { must(t, rings.Set(s, 1)) })
	request(from("Firefox", "10.0.0.0/24"), func(s *session.Session) {
		must(t, s.Login("ann"))
		must(t, s.SetMeta("device", "Ann's laptop")) // what the handler says goes first
		must(t, s.SetMeta("room", "7"))
	})
	meta := func() map[string]string {
		list, err := m.List(ctx, "ann")
		must(t, err)
		return list[0].Meta
	}
	if got := meta(); got["device"] != "Ann's laptop" || got["address"] != "10.0.0.0/24" || got["room"] != "7" {
		t.Errorf("kept %v", got)
	}
	v.do(func(s *session.Session) { must(t, s.SetMeta("device", "Firefox")) })
	if d := request(from("Firefox", "10.0.0.0/24"), nothing); d.Used || d.Stored || len(told) > 0 {
		t.Errorf("the same again: %+v %v", d, told)
	}
	if d := request(from("Chrome", ""), nothing); d.Used || len(told) != 1 || told[0] != "device: Firefox → Chrome" || !strings.Contains(log.String(), "to=Chrome") {
		t.Errorf("another device: %+v, told %q", d, told)
	}
	request(from("Chrome", "10.0.9.0/24"), func(s *session.Session) { must(t, s.Renew()) })
	if got := meta(); got["device"] != "Chrome" || got["address"] != "10.0.9.0/24" || len(told) != 2 {
		t.Errorf("kept %v, told %q", got, told)
	}
	// Without room it is left out; it fails no sign-in.
	request(from("Chrome", "10.0.9.0/24"), func(s *session.Session) {
		must(t, s.Login("bob"))
		must(t, s.SetMeta("note", strings.Repeat("x", 1010)))
	})
	list, err := m.List(ctx, "bob")
	if err != nil || len(list) != 1 || len(list[0].Meta) != 1 {
		t.Errorf("bob's: %v %v", list, err)
	}
}
