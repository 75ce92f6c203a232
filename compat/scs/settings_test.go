package scs_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
)

// Fields that are set after the middleware was made count; so do copies and literals.
func TestSettingsCountAtOnce(t *testing.T) {
	m := scs.New()
	app := m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.Put(r.Context(), "n", m.GetInt(r.Context(), "n")+1)
		fmt.Fprint(w, m.GetInt(r.Context(), "n"))
	}))
	b := newBrowser(t, app)
	b.get("/")
	second := memstore.NewWithCleanupInterval(0)
	m.Store, m.Lifetime, m.IdleTimeout, m.Cookie.Secure, m.Cookie.Name = second, time.Hour, time.Minute, true, "named"
	a := b.get("/")
	if a.body != "1" || b.cookies["named"] == "" {
		t.Errorf("with another store: %s, cookies %v", a.body, b.cookies)
	}
	contains(t, "cookie", a.header.Get("Set-Cookie"), "Secure")
	contains(t, "cookie", a.header.Get("Set-Cookie"), "Max-Age=60")
	if all, _ := second.All(); len(all) != 1 {
		t.Errorf("the new store has %d rows", len(all))
	}

	literal := &scs.SessionManager{Store: second, Lifetime: time.Hour}
	token := begin(t, literal, map[string]any{"n": 5})
	if literal.GetInt(load(t, literal, token), "n") != 5 {
		t.Error("a literal does not work")
	}
	copied := *scs.New()
	copied.Store = second
	if copied.GetInt(load(t, &copied, token), "n") != 5 {
		t.Error("a copy does not work")
	}
}

// mapStore can't be compared.
type mapStore struct {
	rows map[string][]byte
	mu   *sync.Mutex
}

func (s mapStore) Find(token string) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.rows[token]
	return b, ok, nil
}

func (s mapStore) Commit(token string, b []byte, _ time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows[token] = b
	return nil
}

func (s mapStore) Delete(token string) error { return s.Commit(token, nil, time.Time{}) }

func TestStoreThatCannotBeCompared(t *testing.T) {
	m := newManager()
	m.Store = mapStore{map[string][]byte{}, new(sync.Mutex)}
	token := begin(t, m, map[string]any{"n": 1})
	if m.GetInt(load(t, m, token), "n") != 1 {
		t.Error("not stored")
	}
}

// With Cookie.Persist off RememberMe decides; the cookie is scs's.
func TestCookieOfRememberMe(t *testing.T) {
	m := newManager()
	m.Cookie.Persist = false
	app := m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.RememberMe(r.Context(), r.URL.Path == "/remember")
	}))
	b := newBrowser(t, app)
	if c := b.get("/").header.Get("Set-Cookie"); strings.Contains(c, "Max-Age") || strings.Contains(c, "Expires") {
		t.Errorf("cookie %q", c)
	}
	contains(t, "cookie", b.get("/remember").header.Get("Set-Cookie"), "Max-Age=86400")
}

// An idle timeout ends a session to the letter where it is short, and within 1/30 where it is long. Rows are renewed
// once in that time, the cookie at each request.
func TestIdleTimeoutWritesSeldom(t *testing.T) {
	m := newManager()
	m.IdleTimeout = 20 * time.Minute
	writes := 0
	store := &faulty{Store: m.Store, before: func(call string) {
		if call == "commit" {
			writes++
		}
	}}
	m.Store = store
	app := m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/put" {
			m.Put(r.Context(), "n", 1)
		}
		if r.URL.Path == "/get" && m.Status(r.Context()) != scs.Modified {
			t.Error("the status is not Modified")
		}
	}))
	b := newBrowser(t, app)
	b.get("/put")
	for range 10 {
		contains(t, "cookie", b.get("/get").header.Get("Set-Cookie"), "Max-Age=1200")
	}
	if writes != 1 {
		t.Errorf("%d writes for 10 requests that read", writes-1)
	}
}

// A store is asked no more often than by scs, whatever it is asked for: how often that is stands behind each.
func TestQuestions(t *testing.T) {
	m := newManager()
	var calls atomic.Int32
	m.Store = &faulty{Store: m.Store, before: func(string) {
		calls.Add(1)
		time.Sleep(time.Millisecond) // far away
	}}
	app := m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		switch r.URL.Path {
		case "/put":
			m.Put(ctx, "n", m.GetInt(ctx, "n")+1)
		case "/renew":
			must(t, m.RenewToken(ctx))
		case "/destroy":
			must(t, m.Destroy(ctx))
		}
	}))
	b := newBrowser(t, app)
	for _, c := range []struct {
		path  string
		times int32
	}{{"/", 0}, {"/put", 1}, {"/", 1}, {"/put", 2}, {"/renew", 3}, {"/destroy", 2}} {
		least := int32(99)
		for range 20 { // on a busy machine a write may look once more
			if c.path == "/destroy" {
				b.get("/put")
			}
			if c.path == "/put" && c.times == 1 {
				clear(b.cookies)
			}
			calls.Store(0)
			b.get(c.path)
			least = min(least, calls.Load())
		}
		if least != c.times {
			t.Errorf("%s: %d questions, want %d", c.path, least, c.times)
		}
	}
}

// An unchanged session sends no cookie and asks the store once.
func TestUntouched(t *testing.T) {
	m := newManager()
	token := begin(t, m, map[string]any{"n": 1})
	calls := 0
	m.Store = &faulty{Store: m.Store, before: func(string) { calls++ }}
	app := m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.GetInt(r.Context(), "n") }))
	b := newBrowser(t, app)
	if a := b.get("/"); calls != 0 || a.header.Get("Set-Cookie") != "" {
		t.Errorf("a new visitor: %d questions, cookie %q", calls, a.header.Get("Set-Cookie"))
	}
	b.cookies["session"] = token
	if a := b.get("/"); calls != 1 || a.header.Get("Set-Cookie") != "" {
		t.Errorf("a reader: %d questions, cookie %q", calls, a.header.Get("Set-Cookie"))
	}
}

// Outside of the middleware a call says what is missing.
func TestNoSessionInContext(t *testing.T) {
	defer func() {
		if got := recover(); got != "scs: no session data in context" {
			t.Errorf("panic %v", got)
		}
	}()
	newManager().GetInt(t.Context(), "n")
}

// Whoever reads the store of hashed tokens can't open a session by a row's key, however he writes it.
func TestHashedTokensAreNotInTheStore(t *testing.T) {
	m := newManager()
	m.HashTokenInStore = true
	token := begin(t, m, map[string]any{"n": 5})
	if m.GetInt(load(t, m, token), "n") != 5 {
		t.Fatal("the token opens nothing")
	}
	rows, err := m.Store.(scs.IterableStore).All()
	must(t, err)
	if len(rows) != 1 {
		t.Fatalf("%d rows", len(rows))
	}
	for id := range rows {
		for _, forged := range []string{id, "\x00" + id} {
			if ctx := load(t, m, forged); m.GetInt(ctx, "n") != 0 || m.Token(ctx) != "" {
				t.Errorf("%q opens a session", forged)
			}
		}
	}
}
