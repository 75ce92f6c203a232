package scs_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newManager is one on a store of its own, with a quiet log.
func newManager() *scs.SessionManager {
	m := scs.New()
	m.Store = memstore.NewWithCleanupInterval(0)
	m.Hardy.Logger = slog.New(slog.DiscardHandler)
	return m
}

// twin is another process with the same store and settings.
func twin(m *scs.SessionManager) *scs.SessionManager {
	other := scs.New()
	other.Store, other.HashTokenInStore, other.IdleTimeout, other.Codec = m.Store, m.HashTokenInStore, m.IdleTimeout, m.Codec
	other.Hardy = m.Hardy
	return other
}

// begin stores a session with these values and returns its token.
func begin(t *testing.T, m *scs.SessionManager, values map[string]any) string {
	t.Helper()
	ctx := load(t, m, "")
	for name, v := range values {
		m.Put(ctx, name, v)
	}
	token, _, err := m.Commit(ctx)
	must(t, err)
	return token
}

func load(t *testing.T, m *scs.SessionManager, token string) context.Context {
	t.Helper()
	ctx, err := m.Load(context.Background(), token)
	must(t, err)
	return ctx
}

// browser keeps cookies as one does.
type browser struct {
	t       *testing.T
	h       http.Handler
	mu      sync.Mutex
	cookies map[string]string
}

func newBrowser(t *testing.T, h http.Handler) *browser {
	return &browser{t: t, h: h, cookies: make(map[string]string)}
}

type answer struct {
	status int
	body   string
	header http.Header
}

func (b *browser) get(path string) answer {
	b.t.Helper()
	r := httptest.NewRequest("GET", path, nil)
	b.mu.Lock()
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	b.mu.Unlock()
	w := httptest.NewRecorder()
	b.h.ServeHTTP(w, r)
	resp := w.Result()
	body, err := io.ReadAll(resp.Body)
	must(b.t, err)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range resp.Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	return answer{resp.StatusCode, string(body), resp.Header}
}

func (b *browser) token() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cookies["session"]
}

// take gives b the cookies of another browser: a second tab, or a thief.
func (b *browser) take(other *browser) *browser {
	for name, value := range other.cookies {
		b.cookies[name] = value
	}
	return b
}

// faulty is a store that fails, or waits, on command.
type faulty struct {
	scs.Store
	mu     sync.Mutex
	finds  error
	writes error
	before func(call string)
}

func (f *faulty) call(name string, err *error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.before != nil {
		f.before(name)
	}
	return *err
}

func (f *faulty) set(finds, writes error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.finds, f.writes = finds, writes
}

func (f *faulty) Find(token string) ([]byte, bool, error) {
	if err := f.call("find", &f.finds); err != nil {
		return nil, false, err
	}
	return f.Store.Find(token)
}

func (f *faulty) Commit(token string, b []byte, expiry time.Time) error {
	if err := f.call("commit", &f.writes); err != nil {
		return err
	}
	return f.Store.Commit(token, b, expiry)
}

func (f *faulty) Delete(token string) error {
	if err := f.call("delete", &f.writes); err != nil {
		return err
	}
	return f.Store.Delete(token)
}

func (f *faulty) All() (map[string][]byte, error) { return f.Store.(scs.IterableStore).All() }

var errDown = errors.New("store is down")

// moment is longer than a process trusts what it has read of a row.
func moment() { time.Sleep(20 * time.Millisecond) }

func contains(t *testing.T, what, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("%s: %q does not contain %q", what, text, part)
	}
}
