package scs_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"example.com/hardy/session"
)

// Where a commit fails the client gets one clean error, and neither a header nor a byte of the handler's.
func TestCommitFails(t *testing.T) {
	m := newManager()
	store := &faulty{Store: m.Store}
	m.Store = store
	var told error
	m.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		told = err
		http.Error(w, "sorry", http.StatusServiceUnavailable)
	}
	app := m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Page", "private")
		m.Put(r.Context(), "n", m.GetInt(r.Context(), "n")+1)
		if r.URL.Path == "/unencodable" {
			m.Put(r.Context(), "f", func() {})
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, "private page")
	}))
	b := newBrowser(t, app)
	b.get("/")
	for _, c := range []struct {
		path          string
		finds, writes error
	}{{"/", nil, errDown}, {"/", errDown, nil}, {"/unencodable", nil, nil}} {
		store.set(c.finds, c.writes)
		told = nil
		a := b.get(c.path)
		if a.status != 503 || a.body != "sorry\n" || a.header.Get("X-Page") != "" || a.header.Get("Set-Cookie") != "" {
			t.Errorf("%+v: %d %q, header %v", c, a.status, a.body, a.header)
		}
		if told == nil || c.path == "/" && !errors.Is(told, errDown) {
			t.Errorf("%+v: ErrorFunc was told %v", c, told)
		}
	}
	store.set(nil, nil)
	if a := b.get("/"); a.status != 201 || m.GetInt(load(t, m, b.token()), "n") != 2 {
		t.Errorf("afterwards: %d, n is %d", a.status, m.GetInt(load(t, m, b.token()), "n"))
	}
}

// The default ErrorFunc answers 500 as scs does, and 401 or 409 where a session has ended or was replaced.
func TestDefaultErrors(t *testing.T) {
	m := newManager()
	m.Store = &faulty{Store: m.Store, finds: errDown}
	app := m.LoadAndSave(http.NotFoundHandler())
	b := newBrowser(t, app)
	b.cookies["session"] = strings.Repeat("A", 43)
	if a := b.get("/"); a.status != 500 || a.body != "Internal Server Error\n" {
		t.Errorf("store down: %d %q", a.status, a.body)
	}
	m = newManager()
	token := begin(t, m, map[string]any{"n": 1})
	b = newBrowser(t, m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		must(t, m.Destroy(load(t, m, token)))
		m.Put(r.Context(), "n", 2)
	})))
	b.cookies["session"] = token
	if a := b.get("/"); a.status != 401 || a.header.Get("Set-Cookie") != "" {
		t.Errorf("ended meanwhile: %d, %v", a.status, a.header)
	}
}

type renamed struct{ A int }

// Rows that can't be decoded, and odd cookies, are new visitors: never a 500, and each row is told once.
func TestUndecodable(t *testing.T) {
	m := newManager()
	var corrupt atomic.Int32
	m.Hardy.Trace = &session.Trace{Corrupt: func(handle string, err error) {
		if handle == "" || err == nil {
			t.Errorf("traced %q, %v", handle, err)
		}
		corrupt.Add(1)
	}}
	whole, err := scs.GobCodec{}.Encode(time.Now().Add(time.Hour), map[string]any{"user": "ann", "n": 7})
	must(t, err)
	app := m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/put" {
			m.Put(r.Context(), "n", 1)
		}
		if r.URL.Path == "/logout" {
			must(t, m.Destroy(r.Context()))
		}
		fmt.Fprint(w, m.GetInt(r.Context(), "n"))
	}))
	rows := map[string][]byte{
		"half-written": whole[:len(whole)/2], "one byte": {7}, "empty": {}, "text": []byte(`{"user":"ann"}`),
		"a newer form": append([]byte{0, 'h', 'r', 9}, whole...), "zeros": make([]byte, 300),
		"an unregistered type": unregistered(t),
	}
	for name, row := range rows {
		token := begin(t, m, map[string]any{"x": 1})
		must(t, m.Store.Commit(token, row, time.Now().Add(time.Hour)))
		b := newBrowser(t, app)
		b.cookies["session"] = token
		for range 3 {
			if a := b.get("/"); a.status != 200 || a.body != "0" || a.header.Get("Set-Cookie") != "" {
				t.Errorf("a row that is %s: %d %q", name, a.status, a.body)
			}
		}
		if a := b.get("/put"); a.status != 200 || b.token() == token || b.token() == "" {
			t.Errorf("a row that is %s: the visitor can't begin anew: %d", name, a.status)
		}
		if a := b.get("/"); a.body != "1" {
			t.Errorf("a row that is %s: the new session holds %q", name, a.body)
		}
		b.cookies["session"] = token
		if a := b.get("/logout"); a.status != 200 {
			t.Errorf("a row that is %s: logout %d", name, a.status)
		}
	}
	if got := int(corrupt.Load()); got != len(rows) {
		t.Errorf("%d rows were traced, of %d", got, len(rows))
	}
	for name, cookie := range map[string]string{
		"8 kB": strings.Repeat("A", 8<<10), "empty": "", "a space": " ", "signs": "!#$%&'()*+-./:<=>?@[]^_`{|}~",
		"43 of them": strings.Repeat("A", 43), "short": "A", "quoted": `"quoted"`,
	} {
		b := newBrowser(t, app)
		b.cookies["session"] = cookie
		if a := b.get("/"); a.status != 200 || a.body != "0" {
			t.Errorf("a cookie of %s: %d %q", name, a.status, a.body)
		}
	}
}

// A store that goes wrong at any moment of a rotation leaves one session that can be used, and no old token.
func TestRenewWithFaults(t *testing.T) {
	for _, fails := range []int{1, 2} {
		m := newManager()
		store := &faulty{Store: m.Store}
		m.Store = store
		token := begin(t, m, map[string]any{"n": 1})
		ctx := load(t, m, token)
		must(t, m.RenewToken(ctx))
		m.Put(ctx, "user", "ann")
		calls := 0
		store.before = func(call string) {
			if call != "find" {
				calls++
				store.writes = nil
				if calls == fails {
					store.writes = errDown
				}
			}
		}
		if _, _, err := m.Commit(ctx); !errors.Is(err, errDown) {
			t.Errorf("Commit with write %d failing: %v", fails, err)
		}
		store.before, store.writes = nil, nil
		old := load(t, m, token)
		if m.GetString(old, "user") != "" {
			t.Errorf("with write %d failing the old token opens the account", fails)
		}
		if got, _, err := m.Commit(ctx); err != nil || m.GetString(load(t, m, got), "user") != "ann" {
			t.Errorf("the commit does not succeed afterwards: %v", err)
		}
		if old := load(t, m, token); m.Token(old) != "" {
			t.Error("the old token opens a session")
		}
	}
}
