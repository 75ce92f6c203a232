package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/session"
	"example.com/hardy/store"
)

// Agent guide, 3: at most 5 sessions a user, the oldest by creation evicted; ending one is harmless when repeated.
func TestAgentGuideCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newManager(t, capped(5, false))
		var all []*visitor
		for range 7 {
			all = append(all, signIn(t, m, "ann"))
			time.Sleep(time.Second)
		}
		all[2].do(func(*session.Session) {}) // activity makes it no younger
		wantLive(t, all, session.ReasonEvicted, all[2:]...)
		all = append(all, signIn(t, m, "ann"))
		wantLive(t, all, session.ReasonEvicted, all[3:]...)
	})
}

// Agent guide, 11: 10 creations at once for 3 users give 10 unique ids, and no user is above the cap.
func TestAgentGuideConcurrentCreation(t *testing.T) {
	m := session.NewManager(store.NewMemory(nil), capped(2, false))
	var all sync.WaitGroup
	handles := make([]string, 10)
	for i := range handles {
		all.Go(func() {
			s := m.New()
			if err := errors.Join(s.Login(fmt.Sprint("user", i%3)), m.Commit(ctx, s)); err != nil {
				t.Error(err)
			}
			handles[i] = s.Handle()
		})
	}
	all.Wait()
	unique := map[string]bool{}
	for _, h := range handles {
		unique[h] = h != ""
	}
	if len(unique) != 10 {
		t.Errorf("%d unique ids", len(unique))
	}
	for user := range 3 {
		if list, err := m.List(ctx, fmt.Sprint("user", user)); err != nil || len(list) != 2 {
			t.Errorf("user%d has %d sessions, %v", user, len(list), err)
		}
	}
}

// Line 7: what comes from outside is answered clearly, and nothing is lost.
func TestBadInputOfManyUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newManager(t, capped(2, false))
		v := &visitor{t: t, m: m}
		v.do(func(s *session.Session) { must(t, theme.Set(s, "dark")) })
		v.do(func(s *session.Session) {
			for name, user := range map[string]string{"empty": "", "10 kB": strings.Repeat("u", 10<<10), "NUL": "a\x00b", "no UTF-8": "\xff"} {
				if err := s.Login(user); !errors.Is(err, session.ErrUser) {
					t.Errorf("a user that is %s: %v", name, err)
				}
			}
			if s.Authenticated() || theme.Get(s) != "dark" {
				t.Error("a refused name has changed something")
			}
			must(t, s.Login("ann"))
			must(t, s.SetMeta("device", "laptop"))
			if err := s.SetMeta("note", strings.Repeat("x", 1024)); !errors.Is(err, session.ErrTooLarge) {
				t.Errorf("metadata over its size: %v", err)
			}
		})
		v.do(func(s *session.Session) {
			if s.User() != "ann" || theme.Get(s) != "dark" || s.Meta()["device"] != "laptop" || len(s.Meta()) != 1 {
				t.Errorf("kept: %q %q %v", s.User(), theme.Get(s), s.Meta())
			}
			// A KeepAlive whose connection is gone already keeps nothing alive.
			gone, leave := context.WithCancel(ctx)
			leave()
			must(t, s.KeepAlive(gone))
		})
		time.Sleep(32 * time.Minute)
		if _, err := v.arrive(); !errors.Is(err, session.ErrExpired) {
			t.Errorf("kept alive by nobody: %v", err)
		}
	})
}
