package session_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/session"
	"example.com/hardy/store"
)

var (
	rings = session.NewKey[int]("n_rings")
	theme = session.NewKey[string]("theme")
	ctx   = context.Background()
)

// visitor is a client by its token: each call is one request.
type visitor struct {
	t     *testing.T
	m     *session.Manager
	token *session.Token
}

func newManager(t *testing.T, o *session.Options) (*session.Manager, *store.Memory) {
	t.Helper()
	db := store.NewMemory(nil)
	return session.NewManager(db, o), db
}

// arrive begins a request.
func (v *visitor) arrive() (*session.Session, error) {
	if v.token == nil {
		return v.m.New(), nil
	}
	s, err := v.m.Load(ctx, v.token)
	if err == nil {
		err = v.m.Touch(ctx, s)
	}
	return s, err
}

// leave commits and takes the token that the answer would carry.
func (v *visitor) leave(s *session.Session) error {
	err := v.m.Commit(ctx, s)
	if d := v.m.Sent(s); d.Due {
		v.token = d.Token
	}
	return err
}

// do is one whole request that must succeed.
func (v *visitor) do(f func(s *session.Session)) *session.Session {
	v.t.Helper()
	s, err := v.arrive()
	if err != nil {
		v.t.Fatalf("arrive: %v", err)
	}
	f(s)
	if err := v.leave(s); err != nil {
		v.t.Fatalf("commit: %v", err)
	}
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, db *store.Memory) int {
	t.Helper()
	n, err := db.Count(ctx)
	must(t, err)
	return n
}

func TestLazyBirth(t *testing.T) {
	m, db := newManager(t, nil)
	v := &visitor{t, m, nil}
	v.do(func(s *session.Session) {
		if rings.Get(s) != 0 || s.User() != "" || s.Handle() != "" {
			t.Error("a blank session shows something")
		}
		if was, err := rings.Delete(s); was || err != nil {
			t.Error("deleted what is not there", err)
		}
		must(t, s.Clear())
		must(t, s.Renew())
		must(t, s.Logout())
		must(t, s.Reset())
	})
	if v.token != nil || count(t, db) != 0 {
		t.Fatal("something was stored for a session in which nothing was set")
	}
	v.do(func(s *session.Session) { must(t, rings.Set(s, 1)) })
	if v.token == nil || count(t, db) != 1 {
		t.Fatal("a set value was not stored")
	}
	v.do(func(s *session.Session) {
		if rings.Get(s) != 1 {
			t.Error("the value is not there")
		}
	})
}

// Seeds, Anvil 2 and 3.
func TestAnvilBell(t *testing.T) {
	m, _ := newManager(t, nil)
	v := &visitor{t, m, nil}
	for n := 1; n <= 3; n++ {
		v.do(func(s *session.Session) {
			if got := rings.GetOr(s, 0) + 1; got != n {
				t.Errorf("rang %d times, want %d", got, n)
			}
			must(t, rings.Set(s, rings.GetOr(s, 0)+1))
		})
	}
}

// Seeds, Panel 1 to 5: every method of its SessionManager.
func TestPanelSessionManager(t *testing.T) {
	m, _ := newManager(t, nil)
	v := &visitor{t, m, nil}
	prefs := session.NewKey[any]("preferences")
	v.do(func(s *session.Session) {
		if s.Authenticated() || s.User() != "" {
			t.Error("somebody is signed in")
		}
		if err := s.Login(""); !errors.Is(err, session.ErrUser) {
			t.Errorf("an empty user: %v", err)
		}
		must(t, s.Login("user123"))
		must(t, theme.Set(s, "dark"))
		must(t, prefs.Set(s, map[string]any{"lang": "en", "notifications": true}))
	})
	v.do(func(s *session.Session) {
		if !s.Authenticated() || s.User() != "user123" {
			t.Errorf("user %q", s.User())
		}
		if theme.Get(s) != "dark" || theme.GetOr(s, "light") != "dark" {
			t.Error("theme")
		}
		p := prefs.Get(s).(map[string]any)
		if p["lang"] != "en" || p["notifications"] != true {
			t.Errorf("preferences %v", p)
		}
		if was, err := theme.Delete(s); !was || err != nil {
			t.Error("remove of a value that is there", err)
		}
		if was, err := theme.Delete(s); was || err != nil {
			t.Error("remove of a value that is gone", err)
		}
		if theme.GetOr(s, "light") != "light" {
			t.Error("default")
		}
	})
	v.do(func(s *session.Session) { must(t, s.Logout()) })
	v.do(func(s *session.Session) {
		if s.Authenticated() || prefs.Get(s) != nil {
			t.Error("cleared session shows something")
		}
	})
}

func TestParallelRequestsMerge(t *testing.T) {
	m, _ := newManager(t, nil)
	v := &visitor{t, m, nil}
	v.do(func(s *session.Session) { must(t, rings.Set(s, 1)) })
	a, _ := v.arrive()
	b, _ := v.arrive()
	must(t, rings.Set(a, 7))
	must(t, theme.Set(b, "dark"))
	must(t, v.leave(a))
	must(t, v.leave(b))
	v.do(func(s *session.Session) {
		if rings.Get(s) != 7 || theme.Get(s) != "dark" {
			t.Errorf("rings %d, theme %q", rings.Get(s), theme.Get(s))
		}
		if !slices.Equal(s.Keys(), []string{"n_rings", "theme"}) {
			t.Errorf("keys %q", s.Keys())
		}
	})
}

func TestUpdateIsExact(t *testing.T) {
	m, _ := newManager(t, nil)
	v := &visitor{t, m, nil}
	v.do(func(s *session.Session) { must(t, rings.Set(s, 0)) })
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for range 50 {
				s, err := m.Load(ctx, v.token)
				if err == nil {
					_, err = rings.Update(ctx, s, func(n int) int { return n + 1 })
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	v.do(func(s *session.Session) {
		if n := rings.Get(s); n != 1000 {
			t.Errorf("%d of 1000", n)
		}
	})
}

func TestUpdateWithPending(t *testing.T) {
	inc := func(n int) int { return n + 1 }
	for _, c := range []struct {
		name    string
		live    bool // the request comes with a session: rings 10, theme dark
		before  func(*session.Session) error
		want    int
		theme   string // after the commit
		pending bool   // the theme set before is stored only by the commit
	}{
		{"blank", false, func(s *session.Session) error { return nil }, 1, "", false},
		{"birth pending", false, func(s *session.Session) error { return theme.Set(s, "light") }, 1, "light", false},
		{"login pending", false, func(s *session.Session) error { return s.Login("ann") }, 1, "", false},
		{"stored value", true, func(s *session.Session) error { return nil }, 11, "dark", false},
		{"pending Set is the input", true, func(s *session.Session) error { return rings.Set(s, 40) }, 41, "dark", false},
		{"another key stays pending", true, func(s *session.Session) error { return theme.Set(s, "light") }, 11, "light", true},
		{"pending Delete", true, func(s *session.Session) error { _, err := rings.Delete(s); return err }, 1, "dark", false},
		{"pending Clear", true, func(s *session.Session) error { return s.Clear() }, 1, "", false},
		{"pending Login", true, func(s *session.Session) error { return s.Login("ann") }, 11, "dark", false},
		{"pending Renew", true, func(s *session.Session) error { return s.Renew() }, 11, "dark", false},
		{"pending Logout", true, func(s *session.Session) error { return s.Logout() }, 1, "", false},
		{"pending Reset", true, func(s *session.Session) error { return s.Reset() }, 1, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, _ := newManager(t, nil)
			v := &visitor{t, m, nil}
			if c.live {
				v.do(func(s *session.Session) { must(t, rings.Set(s, 10)); must(t, theme.Set(s, "dark")) })
			}
			s, err := v.arrive()
			must(t, err)
			must(t, c.before(s))
			n, err := rings.Update(ctx, s, inc)
			if err != nil || n != c.want {
				t.Fatalf("Update = %d, %v; want %d", n, err, c.want)
			}
			now, err := m.Load(ctx, s.Token())
			must(t, err)
			if rings.Get(now) != c.want {
				t.Errorf("stored %d, want %d", rings.Get(now), c.want)
			}
			if c.pending && theme.Get(now) != "dark" {
				t.Errorf("theme %q was stored before the commit", theme.Get(now))
			}
			must(t, v.leave(s))
			v.do(func(s *session.Session) {
				if theme.Get(s) != c.theme || rings.Get(s) != c.want {
					t.Errorf("after the commit: theme %q, rings %d", theme.Get(s), rings.Get(s))
				}
			})
		})
	}
}

func TestLoginKeepsOrStartsFromNothing(t *testing.T) {
	for _, c := range []struct {
		name, was string
		keeps     bool
	}{
		{"anonymous", "", true}, {"same user", "ann", true}, {"another user", "bob", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, _ := newManager(t, nil)
				v := &visitor{t, m, nil}
				v.do(func(s *session.Session) {
					if c.was != "" {
						must(t, s.Login(c.was))
					}
					must(t, theme.Set(s, "dark"))
					must(t, s.SetMeta("device", "laptop"))
				})
				before := v.do(func(s *session.Session) {})
				handle, created, old := before.Handle(), before.Created(), v.token
				time.Sleep(10 * time.Minute)
				v.do(func(s *session.Session) {
					must(t, rings.Set(s, 3))
					must(t, s.Login("ann"))
					must(t, s.SetMeta("place", "home"))
					if s.User() != "ann" {
						t.Errorf("user %q", s.User())
					}
				})
				v.do(func(s *session.Session) {
					if s.User() != "ann" || !s.AuthTime().Equal(time.Now().Round(0)) {
						t.Errorf("user %q, signed in %v", s.User(), s.AuthTime())
					}
					if got := theme.Get(s) == "dark" && rings.Get(s) == 3 && s.Meta()["device"] == "laptop"; got != c.keeps {
						t.Errorf("kept %v, want %v: %q %d %v", got, c.keeps, theme.Get(s), rings.Get(s), s.Meta())
					}
					if s.Meta()["place"] != "home" {
						t.Error("metadata set after the login is gone")
					}
					if kept := s.Handle() == handle && s.Created().Equal(created); kept != c.keeps {
						t.Errorf("handle and creation kept %v, want %v", kept, c.keeps)
					}
					if left := time.Until(s.Deadline()); left != session.DefaultLifetime {
						t.Errorf("lifetime %v", left)
					}
				})
				view, err := m.Load(ctx, old)
				if err != session.ErrRotated || theme.Get(view) != "" || view.User() != "" {
					t.Errorf("the old token: %v, theme %q, user %q", err, theme.Get(view), view.User())
				}
				time.Sleep(session.Grace)
				if _, err := m.Load(ctx, old); !errors.Is(err, session.ErrExpired) {
					t.Errorf("the old token after the grace: %v", err)
				}
			})
		})
	}
}

func TestRenew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newManager(t, nil)
		v := &visitor{t, m, nil}
		v.do(func(s *session.Session) { must(t, s.Login("ann")); must(t, theme.Set(s, "dark")) })
		first := v.do(func(s *session.Session) {})
		old, deadline := v.token, first.Deadline()
		time.Sleep(time.Minute)
		v.do(func(s *session.Session) { must(t, s.Renew()) })
		if v.token == old {
			t.Fatal("the token stayed")
		}
		v.do(func(s *session.Session) {
			if theme.Get(s) != "dark" || s.User() != "ann" || !s.Deadline().Equal(deadline) || s.Handle() != first.Handle() || !s.AuthTime().Equal(first.AuthTime()) {
				t.Error("Renew changed more than the token")
			}
		})
		view, err := m.Load(ctx, old)
		if err != session.ErrRotated || theme.Get(view) != "dark" || view.User() != "ann" {
			t.Errorf("the old token within the grace: %v %q %q", err, theme.Get(view), view.User())
		}
		if err := theme.Set(view, "light"); err != session.ErrRotated {
			t.Errorf("a write with the old token: %v", err)
		}
		if err := m.Commit(ctx, view); err != session.ErrRotated {
			t.Errorf("the commit of it: %v", err)
		}
		time.Sleep(session.Grace)
		_, err = m.Load(ctx, old)
		var e *session.ExpiredError
		if !errors.As(err, &e) || e.Reason != session.ReasonRotated {
			t.Errorf("after the grace: %v", err)
		}
	})
}

func TestIdleAndLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newManager(t, nil)
		v := &visitor{t, m, nil}
		v.do(func(s *session.Session) { must(t, rings.Set(s, 1)) })
		last := time.Now()
		for range 90 { // a request every 59 s: most of them renew nothing
			time.Sleep(59 * time.Second)
			v.do(func(s *session.Session) {})
			last = time.Now()
		}
		time.Sleep(30*time.Minute - time.Since(last))
		v.do(func(s *session.Session) {})
		time.Sleep(31*time.Minute + time.Second)
		_, err := v.arrive()
		var e *session.ExpiredError
		if !errors.As(err, &e) || e.Reason != session.ReasonIdle {
			t.Fatalf("31:01 after the last request: %v", err)
		}
		v = &visitor{t, m, nil}
		v.do(func(s *session.Session) { must(t, rings.Set(s, 1)) })
		for range 24*60 - 1 {
			time.Sleep(time.Minute)
			v.do(func(s *session.Session) { must(t, s.Save(ctx)) })
		}
		time.Sleep(time.Minute)
		if _, err = v.arrive(); !errors.As(err, &e) || e.Reason != session.ReasonLifetime {
			t.Fatalf("after a day of a request a minute: %v", err)
		}
	})
}

func TestEndedIsAnErrorUntilReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, db := newManager(t, nil)
		v := &visitor{t, m, nil}
		v.do(func(s *session.Session) { must(t, s.Login("ann")); must(t, rings.Set(s, 5)) })
		time.Sleep(32 * time.Minute)
		s, err := v.arrive()
		if !errors.Is(err, session.ErrExpired) || s == nil {
			t.Fatal(err)
		}
		if !errors.Is(s.Err(), session.ErrExpired) || rings.Get(s) != 0 || s.User() != "" || s.Authenticated() {
			t.Error("an ended session shows something")
		}
		for what, err := range map[string]error{"Set": rings.Set(s, 1), "Renew": s.Renew(), "Clear": s.Clear(), "SetMeta": s.SetMeta("a", "b"), "Commit": m.Commit(ctx, s), "Save": s.Save(ctx), "Reload": s.Reload(ctx), "Remember": s.Remember(time.Hour)} {
			if !errors.Is(err, session.ErrExpired) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if _, err := rings.Update(ctx, s, func(n int) int { return n + 1 }); !errors.Is(err, session.ErrExpired) {
			t.Errorf("Update: %v", err)
		}
		must(t, s.Reset())
		if s.Err() != nil || s.Ended() == nil || s.Ended().Reason != session.ReasonIdle {
			t.Errorf("after Reset: %v, %v", s.Err(), s.Ended())
		}
		must(t, rings.Set(s, 1))
		must(t, v.leave(s))
		v.do(func(s *session.Session) {
			if rings.Get(s) != 1 || s.User() != "" {
				t.Errorf("after the reset: rings %d, user %q", rings.Get(s), s.User())
			}
		})
		if n := count(t, db); n != 2 {
			t.Errorf("%d records, want the dead one and the new one", n)
		}
	})
}

func TestLogoutWinsOverSlowWriter(t *testing.T) {
	m, _ := newManager(t, nil)
	v := &visitor{t, m, nil}
	v.do(func(s *session.Session) { must(t, s.Login("ann")); must(t, rings.Set(s, 1)) })
	old := v.token
	slow, _ := v.arrive()
	must(t, rings.Set(slow, 2))
	v.do(func(s *session.Session) { must(t, s.Logout()) })
	if v.token != nil {
		t.Error("the token stays after the logout")
	}
	err := m.Commit(ctx, slow)
	var e *session.ExpiredError
	if !errors.As(err, &e) || e.Reason != session.ReasonLogout {
		t.Errorf("the slow writer: %v", err)
	}
	if _, err := m.Load(ctx, old); !errors.Is(err, session.ErrExpired) {
		t.Errorf("the old token: %v", err)
	}
}

func TestLogoutFollowsRotation(t *testing.T) {
	m, _ := newManager(t, nil)
	v := &visitor{t, m, nil}
	v.do(func(s *session.Session) { must(t, s.Login("ann")) })
	slow, _ := v.arrive()
	v.do(func(s *session.Session) { must(t, s.Renew()) })
	must(t, slow.Logout())
	must(t, m.Commit(ctx, slow))
	if _, err := v.arrive(); !errors.Is(err, session.ErrExpired) {
		t.Errorf("the successor lives: %v", err)
	}
}

func TestDoubleClickedLogin(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("second comes after the first=%v", late), func(t *testing.T) {
			m, _ := newManager(t, nil)
			v := &visitor{t, m, nil}
			v.do(func(s *session.Session) { must(t, rings.Set(s, 1)) })
			first, second := *v, *v
			a, _ := first.arrive()
			b, _ := second.arrive()
			must(t, a.Login("ann"))
			must(t, first.leave(a))
			if late {
				b, _ = second.arrive()
			}
			must(t, b.Login("ann"))
			must(t, second.leave(b))
			for _, v := range []visitor{first, second} {
				if s, err := v.arrive(); err != nil || s.User() != "ann" {
					t.Errorf("one answer signs nobody in: %v", err)
				}
			}
			list, err := m.List(ctx, "ann")
			if err != nil || len(list) != 2 {
				t.Errorf("%d sessions, %v", len(list), err)
			}
		})
	}
}

func TestRevoke(t *testing.T) {
	m, _ := newManager(t, nil)
	var vs []*visitor
	for range 4 {
		v := &visitor{t, m, nil}
		v.do(func(s *session.Session) { must(t, s.Login("ann")) })
		vs = append(vs, v)
	}
	list, err := m.List(ctx, "ann")
	if err != nil || len(list) != 4 {
		t.Fatal(len(list), err)
	}
	handle := ""
	vs[0].do(func(s *session.Session) { handle = s.Handle() })
	must(t, m.Revoke(ctx, "ann", handle))
	if err := m.Revoke(ctx, "ann", handle); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("again: %v", err)
	}
	if err := m.Revoke(ctx, "bob", handle); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("another user's: %v", err)
	}
	_, err = vs[0].arrive()
	var e *session.ExpiredError
	if !errors.As(err, &e) || e.Reason != session.ReasonRevoked {
		t.Error(err)
	}
	s, _ := vs[1].arrive()
	if n, err := m.RevokeOthers(ctx, s); n != 2 || err != nil {
		t.Error(n, err)
	}
	vs[1].do(func(*session.Session) {})
	for _, v := range vs[2:] {
		if _, err := v.arrive(); !errors.Is(err, session.ErrExpired) {
			t.Error(err)
		}
	}
	if n, err := m.RevokeUser(ctx, "ann"); n != 1 || err != nil {
		t.Error(n, err)
	}
	if _, err := m.RevokeOthers(ctx, m.New()); !errors.Is(err, session.ErrAnonymous) {
		t.Error(err)
	}
}

func TestRemember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newManager(t, nil)
		v := &visitor{t, m, nil}
		const month = 30 * 24 * time.Hour
		s := v.do(func(s *session.Session) { must(t, s.Login("ann")); must(t, s.Remember(month)) })
		if s.MaxAge() != month {
			t.Errorf("Max-Age %v", s.MaxAge())
		}
		time.Sleep(20 * 24 * time.Hour)
		s = v.do(func(s *session.Session) { must(t, s.Clear()) })
		if left := s.MaxAge(); left != month-20*24*time.Hour {
			t.Errorf("Max-Age after 20 days %v", left)
		}
		s = v.do(func(s *session.Session) { must(t, s.Remember(0)) })
		if s.MaxAge() != 0 || time.Until(s.Deadline()) != session.DefaultLifetime {
			t.Errorf("taken back: Max-Age %v, lifetime %v", s.MaxAge(), time.Until(s.Deadline()))
		}
		time.Sleep(32 * time.Minute)
		if _, err := v.arrive(); !errors.Is(err, session.ErrExpired) {
			t.Error(err)
		}
		if err := m.New().Remember(401 * 24 * time.Hour); !errors.Is(err, session.ErrRemember) {
			t.Error(err)
		}
	})
}

func TestTooLarge(t *testing.T) {
	m, _ := newManager(t, &session.Options{MaxBytes: 1000})
	v := &visitor{t, m, nil}
	v.do(func(s *session.Session) {
		must(t, theme.Set(s, strings.Repeat("x", 900)))
		if err := theme.Set(s, strings.Repeat("y", 1001)); !errors.Is(err, session.ErrTooLarge) {
			t.Error(err)
		}
		if !strings.HasPrefix(theme.Get(s), "x") {
			t.Error("the old value is gone")
		}
	})
	a, _ := v.arrive()
	b, _ := v.arrive()
	must(t, session.NewKey[string]("a").Set(a, strings.Repeat("a", 60)))
	must(t, session.NewKey[string]("b").Set(b, strings.Repeat("b", 60)))
	must(t, v.leave(a))
	if err := v.leave(b); !errors.Is(err, session.ErrTooLarge) {
		t.Errorf("after the merge: %v", err)
	}
}

func TestErrSent(t *testing.T) {
	m, _ := newManager(t, nil)
	blank := m.New()
	m.Sent(blank)
	for what, err := range map[string]error{"Set": rings.Set(blank, 1), "Login": blank.Login("ann"), "Remember": blank.Remember(time.Hour), "SetMeta": blank.SetMeta("a", "b")} {
		if !errors.Is(err, session.ErrSent) {
			t.Errorf("%s on a blank session: %v", what, err)
		}
	}
	v := &visitor{t, m, nil}
	v.do(func(s *session.Session) { must(t, rings.Set(s, 1)) })
	s, _ := v.arrive()
	m.Sent(s)
	must(t, rings.Set(s, 2))
	must(t, s.Save(ctx))
	if err := s.Renew(); !errors.Is(err, session.ErrSent) {
		t.Error(err)
	}
	if err := s.Logout(); !errors.Is(err, session.ErrSent) {
		t.Error(err)
	}
	if _, err := v.arrive(); !errors.Is(err, session.ErrExpired) {
		t.Error("the logout after the answer did not end the session")
	}
	if err := rings.Set(s, 3); !errors.Is(err, session.ErrExpired) {
		t.Error(err)
	}
}

// A Login that meets the end of its session starts from nothing, and keeps what was set for it.
func TestLoginMeetsAnEnd(t *testing.T) {
	m, _ := newManager(t, nil)
	v := &visitor{t, m, nil}
	v.do(func(s *session.Session) { must(t, theme.Set(s, "dark")) })
	slow, _ := v.arrive()
	v.do(func(s *session.Session) { must(t, s.Logout()) })
	must(t, theme.Set(slow, "light"))
	must(t, slow.Login("ann"))
	must(t, rings.Set(slow, 1))
	must(t, slow.SetMeta("device", "laptop"))
	must(t, v.leave(slow))
	v.do(func(s *session.Session) {
		if s.User() != "ann" || rings.Get(s) != 1 || theme.Get(s) != "" || s.Meta()["device"] != "laptop" {
			t.Errorf("user %q, rings %d, theme %q, meta %v", s.User(), rings.Get(s), theme.Get(s), s.Meta())
		}
	})
}

// While a Login of another user, or an end, is pending, Reload brings nothing of the old session back.
func TestReloadBringsNothingBack(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*session.Session) error
		user   string
	}{
		{"Login of another user", func(s *session.Session) error { return s.Login("bob") }, "bob"},
		{"Logout", (*session.Session).Logout, ""},
		{"Reset", (*session.Session).Reset, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, _ := newManager(t, nil)
			v := &visitor{t, m, nil}
			v.do(func(s *session.Session) { must(t, s.Login("ann")); must(t, theme.Set(s, "ann's")) })
			v.do(func(s *session.Session) {
				must(t, c.change(s))
				must(t, s.Reload(ctx))
				must(t, m.Touch(ctx, s))
				if theme.Get(s) != "" || len(s.Keys()) > 0 {
					t.Errorf("Reload shows %q, %q", theme.Get(s), s.Keys())
				}
				must(t, rings.Set(s, 1))
			})
			v.do(func(s *session.Session) {
				if s.User() != c.user || theme.Get(s) != "" || rings.Get(s) != 1 {
					t.Errorf("user %q, theme %q, rings %d", s.User(), theme.Get(s), rings.Get(s))
				}
			})
		})
	}
}

// A pending Login is not undone by the end of the session that it leaves.
func TestReloadKeepsALogin(t *testing.T) {
	m, _ := newManager(t, nil)
	v := &visitor{t, m, nil}
	v.do(func(s *session.Session) { must(t, theme.Set(s, "dark")) })
	slow, _ := v.arrive()
	v.do(func(s *session.Session) { must(t, s.Logout()) })
	must(t, slow.Login("ann"))
	must(t, slow.Reload(ctx))
	must(t, v.leave(slow))
	v.do(func(s *session.Session) {
		if s.User() != "ann" || theme.Get(s) != "" {
			t.Errorf("user %q, theme %q", s.User(), theme.Get(s))
		}
	})
}

// A9: within the Grace the old token reads on, but not past the end of its successor.
func TestA9OldTokenEndsWithItsSuccessor(t *testing.T) {
	for _, c := range []struct {
		name   string
		end    func(v *visitor)
		reason session.Reason
	}{
		{"logout", func(v *visitor) { v.do(func(s *session.Session) { must(v.t, s.Logout()) }) }, session.ReasonLogout},
		{"revoke", func(v *visitor) {
			list, _ := v.m.List(ctx, "ann")
			must(v.t, v.m.Revoke(ctx, "ann", list[0].Handle))
		}, session.ReasonRevoked},
		{"revoke user", func(v *visitor) {
			_, err := v.m.RevokeUser(ctx, "ann")
			must(v.t, err)
		}, session.ReasonRevoked},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, _ := newManager(t, nil)
			v := &visitor{t, m, nil}
			v.do(func(s *session.Session) { must(t, s.Login("ann")); must(t, theme.Set(s, "diary")) })
			old := v.token
			for range 2 {
				v.do(func(s *session.Session) { must(t, s.Renew()) })
			}
			if s, err := m.Load(ctx, old); err != session.ErrRotated || theme.Get(s) != "diary" {
				t.Fatalf("before the end: %v", err)
			}
			c.end(v)
			s, err := m.Load(ctx, old)
			var e *session.ExpiredError
			if !errors.As(err, &e) || e.Reason != c.reason || theme.Get(s) != "" || s.User() != "" {
				t.Errorf("after it: %v, %q, user %q", err, theme.Get(s), s.User())
			}
		})
	}
}

// The other answer of a double click shares a handle only with a session of the same user.
func TestHandlesAreOneUsers(t *testing.T) {
	m, _ := newManager(t, nil)
	v := &visitor{t, m, nil}
	v.do(func(s *session.Session) { must(t, rings.Set(s, 1)) })
	first, same, other := *v, *v, *v
	first.do(func(s *session.Session) { must(t, s.Login("ann")) })
	handle := func(v *visitor, user string) string {
		s, err := v.arrive()
		if err != session.ErrRotated {
			t.Fatal(err)
		}
		must(t, s.Login(user))
		must(t, v.leave(s))
		return s.Handle()
	}
	ann := first.do(func(*session.Session) {}).Handle()
	if handle(&same, "ann") != ann {
		t.Error("the second answer of ann's double click has another handle")
	}
	if handle(&other, "bob") == ann {
		t.Error("bob's session has ann's handle")
	}
}

// Anvil 8: what was handed out before the end is no longer valid. A handler whose answer has left and that goes on
// notices when its own time is up, unless other requests have renewed the session.
func TestAnvilKeptSession(t *testing.T) {
	for _, renewed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			m, _ := newManager(t, nil)
			v := &visitor{t, m, nil}
			v.do(func(s *session.Session) { must(t, s.Login("ann")); must(t, theme.Set(s, "dark")) })
			stream, err := v.arrive()
			must(t, err)
			must(t, m.Commit(ctx, stream))
			m.Sent(stream)
			for range 4 {
				time.Sleep(10 * time.Minute)
				if renewed {
					v.do(func(*session.Session) {})
				}
			}
			if ended := errors.Is(stream.Err(), session.ErrExpired); ended == renewed {
				t.Errorf("renewed %v: %v", renewed, stream.Err())
			}
			if shown := theme.Get(stream) == "dark" && stream.User() == "ann"; shown != renewed {
				t.Errorf("renewed %v: theme %q, user %q", renewed, theme.Get(stream), stream.User())
			}
			if err := theme.Set(stream, "light"); errors.Is(err, session.ErrExpired) == renewed {
				t.Errorf("renewed %v: Set: %v", renewed, err)
			}
		})
	}
}
