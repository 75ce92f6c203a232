package session_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

// capped returns options with a cap, and no log.
func capped(max int, refuse bool) *session.Options {
	o := quiet()
	o.MaxPerUser, o.RefuseLogin = max, refuse
	return o
}

// signIn is a visitor who has just signed in.
func signIn(t *testing.T, m *session.Manager, user string) *visitor {
	t.Helper()
	v := &visitor{t: t, m: m}
	v.do(func(s *session.Session) { must(t, s.Login(user)) })
	return v
}

// wantLive checks which of the visitors are signed in; of the others it says why not.
func wantLive(t *testing.T, all []*visitor, reason session.Reason, live ...*visitor) {
	t.Helper()
	for i, v := range all {
		s, err := v.arrive()
		e, _ := errors.AsType[*session.ExpiredError](err)
		switch {
		case slices.Contains(live, v):
			if err != nil || !s.Authenticated() {
				t.Errorf("session %d: %v", i, err)
			}
		case e == nil || e.Reason != reason:
			t.Errorf("session %d: %v, want an end as %s", i, err, reason)
		}
	}
}

func TestA12OldestIsEvicted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var ended []session.Reason
		m, _ := newManager(t, &session.Options{
			MaxPerUser: 2,
			Logger:     slog.New(slog.NewTextHandler(&log, nil)),
			Trace:      &session.Trace{Ended: func(_ string, r session.Reason) { ended = append(ended, r) }},
		})
		var anns []*visitor
		for range 3 {
			anns = append(anns, signIn(t, m, "ann"))
			time.Sleep(time.Second)
		}
		bob := signIn(t, m, "bob")
		wantLive(t, append(anns, bob), session.ReasonEvicted, anns[1], anns[2], bob)
		if !slices.Equal(ended, []session.Reason{session.ReasonEvicted}) || !strings.Contains(log.String(), "reason=evicted") {
			t.Errorf("traced %v, logged %s", ended, &log)
		}

		// The second is now the oldest by creation, however often it was renewed.
		anns[1].do(func(s *session.Session) { must(t, s.Renew()) })
		time.Sleep(session.Grace)
		anns = append(anns, signIn(t, m, "ann"))
		wantLive(t, anns, session.ReasonEvicted, anns[2], anns[3])

		// Signing in again in a session takes that session's own place.
		anns[2].do(func(s *session.Session) { must(t, s.Login("ann")) })
		wantLive(t, anns, session.ReasonEvicted, anns[2], anns[3])

		// What has timed out takes none.
		time.Sleep(20 * time.Minute)
		anns[3].do(func(*session.Session) {})
		time.Sleep(20 * time.Minute)
		anns = append(anns, signIn(t, m, "ann"))
		wantLive(t, anns[2:], session.ReasonIdle, anns[3], anns[4])
	})
}

// Two answers to one click on the sign-in button stand side by side: whichever the browser keeps is signed in.
func TestCapSparesTheOtherAnswerToADoubleClick(t *testing.T) {
	m, _ := newManager(t, capped(1, false))
	v := &visitor{t: t, m: m}
	v.do(func(s *session.Session) { must(t, theme.Set(s, "dark")) })
	var clicks []*visitor
	var held []*session.Session
	for range 2 {
		click := &visitor{t, m, v.token}
		s, err := click.arrive()
		must(t, err)
		must(t, s.Login("ann"))
		clicks, held = append(clicks, click), append(held, s)
	}
	for i, s := range held {
		must(t, clicks[i].leave(s))
	}
	wantLive(t, clicks, "", clicks...)

	later := signIn(t, m, "ann")
	wantLive(t, append(clicks, later), session.ReasonEvicted, later)
}

// clickAll commits sign-ins that are asked for with one cookie and a cap of 1, as long as there is one. Whatever their
// order, two answers share a place and the third takes its own, so that no more than two are live, and where logins are
// refused all others are.
func clickAll(t *testing.T, m *session.Manager, refuse bool, next func(n int) *session.Session) {
	t.Helper()
	refused := 0
	for n := range 20 {
		s := next(n)
		if s == nil {
			break
		}
		switch err := m.Commit(ctx, s); {
		case errors.Is(err, session.ErrCapped):
			refused++
		case err != nil:
			t.Fatal(err)
		}
	}
	list, err := m.List(ctx, "ann")
	must(t, err)
	if len(list) > 2 || refuse != (refused == 18) {
		t.Errorf("refuse %v: %d live, %d refused", refuse, len(list), refused)
	}
}

// Whoever keeps the cookie from before the sign-in, and signs in with it over and over while the grace lasts, gets past no
// cap.
func TestCapWhereOneCookieSignsInOverAndOver(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		m, _ := newManager(t, capped(1, refuse))
		v := &visitor{t: t, m: m}
		v.do(func(s *session.Session) { must(t, theme.Set(s, "dark")) })
		clickAll(t, m, refuse, func(int) *session.Session {
			s, err := v.arrive()
			if errors.Is(err, session.ErrExpired) {
				return nil // the third sign-in has evicted the first two, and with them what the cookie led to
			}
			if err != nil && !errors.Is(err, session.ErrRotated) {
				t.Fatal(err)
			}
			must(t, s.Login("ann"))
			return s
		})
	}
}

// The same by twenty requests that arrived together.
func TestCapWhereOneCookieSignsInManyTimesAtOnce(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		m, _ := newManager(t, capped(1, refuse))
		v := &visitor{t: t, m: m}
		v.do(func(s *session.Session) { must(t, theme.Set(s, "dark")) })
		var clicks []*session.Session
		for range 20 {
			s, err := v.arrive()
			must(t, err)
			must(t, s.Login("ann"))
			clicks = append(clicks, s)
		}
		clickAll(t, m, refuse, func(n int) *session.Session { return clicks[n] })
	}
}

func TestRefuseLogin(t *testing.T) {
	m, _ := newManager(t, capped(2, true))
	first, second := signIn(t, m, "ann"), signIn(t, m, "ann")

	v := &visitor{t: t, m: m}
	v.do(func(s *session.Session) { must(t, theme.Set(s, "dark")) })
	v.do(func(s *session.Session) {
		must(t, s.Login("ann"))
		must(t, rings.Set(s, 7)) // ann's, so it must not stay with nobody
		err := s.Save(ctx)
		e, ok := errors.AsType[*session.CappedError](err)
		if !ok || e.Max != 2 || !errors.Is(err, session.ErrCapped) {
			t.Fatalf("a third sign-in: %v", err)
		}
		if s.Authenticated() || s.Err() != nil || theme.Get(s) != "dark" || rings.Get(s) != 0 {
			t.Errorf("after the refusal: user %q, %v, theme %q, rings %d", s.User(), s.Err(), theme.Get(s), rings.Get(s))
		}
		must(t, theme.Set(s, "light"))
	})
	v.do(func(s *session.Session) {
		if theme.Get(s) != "light" || s.Authenticated() {
			t.Errorf("later: %q, %q", theme.Get(s), s.User())
		}
	})
	wantLive(t, []*visitor{first, second}, "", first, second)

	// Without Save the commit is what fails.
	s, err := v.arrive()
	must(t, err)
	must(t, s.Login("ann"))
	if err := v.leave(s); !errors.Is(err, session.ErrCapped) {
		t.Errorf("the commit of a refused sign-in: %v", err)
	}
	stranger := m.New()
	must(t, stranger.Login("ann"))
	if err := m.Commit(ctx, stranger); !errors.Is(err, session.ErrCapped) || stranger.Token() != nil {
		t.Errorf("a stranger's: %v", err)
	}

	// End another session first.
	list, err := m.List(ctx, "ann")
	must(t, err)
	must(t, m.Revoke(ctx, "ann", list[1].Handle))
	v.do(func(s *session.Session) { must(t, s.Login("ann")) })
	if list, err = m.List(ctx, "ann"); err != nil || len(list) != 2 {
		t.Errorf("%d sessions, %v", len(list), err)
	}

	// Signing in again where one is signed in is no further session; as somebody else it is, and refused it
	// changes nothing.
	v.do(func(s *session.Session) { must(t, s.Login("ann")) })
	bob := signIn(t, m, "bob")
	bob.do(func(s *session.Session) { must(t, theme.Set(s, "bob's")) })
	bob.do(func(s *session.Session) {
		must(t, s.Login("ann"))
		if err := s.Save(ctx); !errors.Is(err, session.ErrCapped) {
			t.Errorf("bob's browser signs ann in: %v", err)
		}
		if s.User() != "bob" || theme.Get(s) != "bob's" {
			t.Errorf("afterwards it is %q's, theme %q", s.User(), theme.Get(s))
		}
	})
}

func TestMaxForEachUser(t *testing.T) {
	o := quiet()
	o.MaxFor = func(user string) int {
		return map[string]int{"ann": 1, "staff": 0, "broken": -1}[user]
	}
	m, _ := newManager(t, o)
	for user, want := range map[string]int{"ann": 1, "staff": 8} {
		for range 8 {
			signIn(t, m, user)
		}
		if list, err := m.List(ctx, user); err != nil || len(list) != want {
			t.Errorf("%s has %d sessions, %v", user, len(list), err)
		}
	}
	s := m.New()
	must(t, s.Login("broken"))
	if e, ok := errors.AsType[*session.OptionError](m.Commit(ctx, s)); !ok || e.Field != "MaxFor" {
		t.Errorf("a negative answer: %v", e)
	}
	if list, err := m.List(ctx, "broken"); err != nil || len(list) > 0 {
		t.Errorf("signed in all the same: %v %v", list, err)
	}
}

// uncapped is a store of the six methods that are asked of all.
type uncapped struct{ session.Store }

func TestBadCaps(t *testing.T) {
	one := func(string) int { return 1 }
	for _, c := range []struct {
		name    string
		options session.Options
		wants   []string
	}{
		{"negative", session.Options{MaxPerUser: -1}, []string{"Options.MaxPerUser", "-1", "leave it 0"}},
		{"two at once", session.Options{MaxPerUser: 1, MaxFor: one}, []string{"Options.MaxFor", "set one"}},
		{"nothing to refuse", session.Options{RefuseLogin: true}, []string{"Options.RefuseLogin", "set one"}},
	} {
		if c.options.Validate() == nil {
			t.Errorf("%s is valid", c.name)
		}
		stopsWith(t, c.name, func() { session.NewManager(store.NewMemory(nil), &c.options) }, c.wants...)
	}
	for _, o := range []*session.Options{{MaxPerUser: 5}, {MaxFor: one}} {
		stopsWith(t, "a store that is no Capper", func() { session.NewManager(uncapped{store.NewMemory(nil)}, o) }, "Options.MaxPerUser", "uncapped", "session.Capper", "store.NewMemory")
	}
	session.NewManager(uncapped{store.NewMemory(nil)}, quiet())
}

// A store that does not answer is no refusal: the user is told to come again.
func TestCapWithAStoreThatIsDown(t *testing.T) {
	faults := sessiontest.NewFaults(store.NewMemory(nil))
	m := session.NewManager(faults, capped(1, true))
	faults.Add(sessiontest.Fault{Op: "create", Err: errors.New("no route")})
	s := m.New()
	must(t, s.Login("ann"))
	if err := m.Commit(ctx, s); !errors.Is(err, session.ErrUnavailable) || errors.Is(err, session.ErrCapped) {
		t.Errorf("%v", err)
	}
	faults.Clear()
	if err := m.Commit(ctx, s); err != nil || s.User() != "ann" {
		t.Errorf("again: %q, %v", s.User(), err)
	}
}

// 200 sign-ins of one user at once, over three managers on one store: five are live when all have returned, and each was
// answered.
func TestCapUnderSimultaneousLogins(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		t.Run(fmt.Sprint("refuse ", refuse), func(t *testing.T) {
			db := store.NewMemory(nil)
			var managers []*session.Manager
			for range 3 {
				managers = append(managers, session.NewManager(db, capped(5, refuse)))
			}
			var all sync.WaitGroup
			var accepted, refused atomic.Int32
			begin := make(chan struct{})
			for i := range 200 {
				all.Go(func() {
					s := managers[i%3].New()
					err := s.Login("ann")
					<-begin
					switch err := errors.Join(err, managers[i%3].Commit(ctx, s)); {
					case err == nil:
						accepted.Add(1)
					case errors.Is(err, session.ErrCapped):
						refused.Add(1)
					default:
						t.Error(err)
					}
				})
			}
			close(begin)
			all.Wait()
			list, err := managers[0].List(ctx, "ann")
			if err != nil || len(list) != 5 {
				t.Errorf("%d are live, %v", len(list), err)
			}
			want := int32(200)
			if refuse {
				want = 5
			}
			if a, r := accepted.Load(), refused.Load(); a != want || a+r != 200 {
				t.Errorf("%d accepted, %d refused", a, r)
			}
		})
	}
}

// While a session is being renewed its old record and its successor are both live. Together they take one place: a
// sign-in at that moment ends no session more for it, and is not refused for it.
func TestCapDuringRenew(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		t.Run(fmt.Sprint("refuse ", refuse), func(t *testing.T) {
			faults := sessiontest.NewFaults(store.NewMemory(nil))
			m := session.NewManager(faults, capped(3, refuse))
			all := []*visitor{signIn(t, m, "ann"), signIn(t, m, "ann")}
			if !refuse {
				all = append(all, signIn(t, m, "ann"))
			}
			renewed := all[1]
			s, err := renewed.arrive()
			must(t, err)
			must(t, s.Renew())
			faults.Add(sessiontest.Fault{Op: "end", Nth: 1, Before: func(sessiontest.Call) {
				faults.Clear()
				all = append(all, signIn(t, m, "ann"))
			}})
			must(t, renewed.leave(s))
			if refuse {
				wantLive(t, all, "", all...)
			} else {
				wantLive(t, all, session.ReasonEvicted, all[1:]...)
			}
			if list, err := m.List(ctx, "ann"); err != nil || len(list) != 3 {
				t.Errorf("%d sessions are live, %v", len(list), err)
			}
		})
	}
}

// The session that is being renewed may be the oldest one, which goes: with both of its records, and no other.
func TestCapEvictsWhatIsBeingRenewed(t *testing.T) {
	faults := sessiontest.NewFaults(store.NewMemory(nil))
	m := session.NewManager(faults, capped(2, false))
	all := []*visitor{signIn(t, m, "ann"), signIn(t, m, "ann")}
	s, err := all[0].arrive()
	must(t, err)
	must(t, s.Renew())
	faults.Add(sessiontest.Fault{Op: "end", Nth: 1, Before: func(sessiontest.Call) {
		faults.Clear()
		all = append(all, signIn(t, m, "ann"))
	}})
	if e, _ := errors.AsType[*session.ExpiredError](all[0].leave(s)); e == nil || e.Reason != session.ReasonEvicted {
		t.Errorf("the one that was renewed: %v", e)
	}
	wantLive(t, all, session.ReasonEvicted, all[1:]...)
}
