package scs_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/alexedwards/scs/v2"

	"example.com/hardy/session"
)

// Each test in this file fails on scs 2.9.0. A "process" is one manager; both share the store.

func processes(t *testing.T, test func(t *testing.T, here, there *scs.SessionManager)) {
	for _, hashed := range []bool{false, true} {
		t.Run(fmt.Sprintf("one process, hashed %v", hashed), func(t *testing.T) {
			m := newManager()
			m.HashTokenInStore = hashed
			test(t, m, m)
		})
		t.Run(fmt.Sprintf("two processes, hashed %v", hashed), func(t *testing.T) {
			m := newManager()
			m.HashTokenInStore = hashed
			test(t, m, twin(m))
		})
	}
}

// A session that was destroyed while a request was under way does not come back.
func TestLogoutRace(t *testing.T) {
	processes(t, func(t *testing.T, here, there *scs.SessionManager) {
		token := begin(t, here, map[string]any{"user": "ann"})
		slow := load(t, here, token)
		must(t, there.Destroy(load(t, there, token)))
		moment()
		here.Put(slow, "n", 1)
		if _, _, err := here.Commit(slow); !errors.Is(err, session.ErrExpired) {
			t.Errorf("Commit of a request under way: %v", err)
		}
		if late := load(t, there, token); there.GetString(late, "user") != "" || there.Token(late) != "" {
			t.Error("the destroyed session is back")
		}
	})
}

// With an idle timeout a request that only reads brings a session back in scs.
func TestLogoutRaceOfAReader(t *testing.T) {
	processes(t, func(t *testing.T, here, there *scs.SessionManager) {
		here.IdleTimeout, there.IdleTimeout = 1<<34, 1<<34 // 17 s: renewed at each request
		token := begin(t, here, map[string]any{"user": "ann"})
		app := here.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			user := here.GetString(r.Context(), "user")
			must(t, there.Destroy(load(t, there, token)))
			moment()
			fmt.Fprint(w, user)
		}))
		b := newBrowser(t, app)
		b.cookies["session"] = token
		if a := b.get("/"); a.status != 200 || a.body != "ann" || a.header.Get("Set-Cookie") != "" {
			t.Errorf("the reader's answer: %d %q, cookie %q", a.status, a.body, a.header.Get("Set-Cookie"))
		}
		if late := load(t, here, token); here.GetString(late, "user") != "" {
			t.Error("the destroyed session is back")
		}
	})
}

// A request that was under way while the token was renewed brings neither the old token back nor its cookie.
func TestRenewRace(t *testing.T) {
	processes(t, func(t *testing.T, here, there *scs.SessionManager) {
		token := begin(t, here, map[string]any{"n": 1})
		renewed := ""
		app := here.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			login := load(t, there, token)
			must(t, there.RenewToken(login))
			there.Put(login, "user", "ann")
			var err error
			renewed, _, err = there.Commit(login)
			must(t, err)
			moment()
			here.Put(r.Context(), "n", 2)
		}))
		b := newBrowser(t, app)
		b.cookies["session"] = token
		if a := b.get("/"); a.status != http.StatusConflict || a.header.Get("Set-Cookie") != "" || a.header.Get("Retry-After") != "1" {
			t.Errorf("the slow answer: %d, cookie %q", a.status, a.header.Get("Set-Cookie"))
		}
		if old := load(t, here, token); here.Token(old) != "" || len(here.Keys(old)) != 0 {
			t.Error("the old token opens something")
		}
		if now := load(t, here, renewed); here.GetString(now, "user") != "ann" || here.GetInt(now, "n") != 1 {
			t.Errorf("the new token opens %v", here.Keys(now))
		}
	})
}

// Of two requests that write different keys none is lost.
func TestParallelWritesMerge(t *testing.T) {
	processes(t, func(t *testing.T, here, there *scs.SessionManager) {
		token := begin(t, here, map[string]any{"kept": 1, "removed": 2, "changed": 3})
		a, b := load(t, here, token), load(t, there, token)
		here.Put(a, "a", "from a")
		here.Remove(a, "removed")
		there.Put(b, "b", "from b")
		there.Put(b, "changed", 4)
		_, _, err := here.Commit(a)
		must(t, err)
		moment()
		_, _, err = there.Commit(b)
		must(t, err)
		now := load(t, here, token)
		if got, want := fmt.Sprint(here.Keys(now)), "[a b changed kept]"; got != want {
			t.Errorf("keys %s, want %s", got, want)
		}
		if here.GetInt(now, "changed") != 4 || here.GetString(now, "a") != "from a" {
			t.Error("a value is not the last one that was put")
		}
		// Both go on with what they hold, and a second commit makes only what came since.
		here.Put(a, "a", "again")
		moment()
		_, _, err = here.Commit(a)
		must(t, err)
		now = load(t, there, token)
		if there.GetInt(now, "changed") != 4 || there.GetString(now, "a") != "again" || there.GetString(now, "b") != "from b" {
			t.Error("a second commit has undone another request's")
		}
	})
}

// Many writers, each with a key of its own, in one process: all arrive.
func TestManyWriters(t *testing.T) {
	m := newManager()
	token := begin(t, m, map[string]any{"kept": true})
	const writers, each = 8, 20
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			for n := range each {
				ctx, err := m.Load(t.Context(), token)
				if err != nil {
					t.Error(err)
					return
				}
				m.Put(ctx, fmt.Sprint("writer", i), n+1)
				if _, _, err := m.Commit(ctx); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	now := load(t, m, token)
	for i := range writers {
		if n := m.GetInt(now, fmt.Sprint("writer", i)); n != each {
			t.Errorf("writer %d has stored %d", i, n)
		}
	}
	if !m.GetBool(now, "kept") {
		t.Error("a value that nobody touched is gone")
	}
}

// Values that are changed in place count where the session is stored, as in scs, and survive a merge.
func TestChangedInPlace(t *testing.T) {
	processes(t, func(t *testing.T, here, there *scs.SessionManager) {
		token := begin(t, here, map[string]any{"cart": []int{1, 2, 3}, "n": 1, "other": []string{"x"}})
		a := load(t, here, token)
		here.Get(a, "cart").([]int)[0] = 9
		here.Get(a, "other")
		b := load(t, there, token)
		if got := there.Get(b, "cart").([]int)[0]; got != 1 {
			t.Errorf("a change in place shows in another request: %d", got)
		}
		there.Put(b, "other", []string{"y"})
		_, _, err := there.Commit(b)
		must(t, err)
		moment()
		here.Put(a, "n", 2)
		_, _, err = here.Commit(a)
		must(t, err)
		now := load(t, there, token)
		if got := fmt.Sprint(there.Get(now, "cart"), there.Get(now, "n"), there.Get(now, "other")); got != "[9 2 3] 2 [y]" {
			t.Errorf("stored: %s", got)
		}
	})
}

// A double click on the sign-in button: both answers sign in, whichever the browser keeps.
func TestSignInTwice(t *testing.T) {
	m := newManager()
	app := m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/login":
			must(t, m.RenewToken(r.Context()))
			m.Put(r.Context(), "user", "ann")
		case "/visit":
			m.Put(r.Context(), "n", 1)
		}
		fmt.Fprint(w, m.GetString(r.Context(), "user"))
	}))
	first := newBrowser(t, app)
	first.get("/visit")
	second := newBrowser(t, app).take(first)
	first.get("/login")
	if a := second.get("/login"); a.status != 200 {
		t.Errorf("the second click: %d %s", a.status, a.body)
	}
	if first.token() == second.token() {
		t.Error("both answers bear one token")
	}
	for _, b := range []*browser{first, second} {
		if a := b.get("/"); a.body != "ann" {
			t.Errorf("signed in as %q", a.body)
		}
	}
}
