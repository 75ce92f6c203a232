package scs_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/hardy/cookie"
)

func sealingApp(t *testing.T) (keys *cookie.Keys, master string) {
	master = cookie.NewMaster()
	return ring(t, master), master
}

// fixed is a cookie.Source.
type fixed string

func (f fixed) Masters(context.Context) (string, error) { return string(f), nil }

func ring(t *testing.T, masters string) *cookie.Keys {
	t.Helper()
	keys, err := cookie.NewKeys(t.Context(), fixed(masters), "bell")
	must(t, err)
	return keys
}

// With Keys new sessions have sealed cookies and rows, and those that exist go on until their token is renewed.
func TestSealed(t *testing.T) {
	for _, idle := range []time.Duration{0, 20 * time.Minute} {
		m := newManager()
		m.IdleTimeout = idle
		app := m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx := r.Context()
			switch r.URL.Path {
			case "/put":
				m.Put(ctx, "n", m.GetInt(ctx, "n")+1)
				m.Put(ctx, "secret", "the gardener")
			case "/login":
				must(t, m.RenewToken(ctx))
				m.Put(ctx, "user", "ann")
			case "/logout":
				must(t, m.Destroy(ctx))
			}
			fmt.Fprint(w, m.GetInt(ctx, "n"), m.GetString(ctx, "user"))
		}))
		old := newBrowser(t, app)
		old.get("/put")
		plain := old.token()
		m.Hardy.Keys, _ = sealingApp(t)

		fresh := newBrowser(t, app)
		fresh.get("/put")
		sealed := fresh.token()
		if len(sealed) == 43 || !strings.HasPrefix(sealed, "v1.") {
			t.Errorf("a new session's cookie is %q", sealed)
		}
		if a := fresh.get("/put"); a.body != "2" {
			t.Errorf("a sealed session counts %s", a.body)
		}
		if a := old.get("/put"); a.body != "2" || old.token() != plain {
			t.Errorf("an older session counts %s, its token changed: %v", a.body, old.token() != plain)
		}
		if a := old.get("/login"); a.body != "2ann" || old.token() == plain || len(old.token()) == 43 {
			t.Errorf("signed in: %q, token %q", a.body, old.token())
		}
		if a := old.get("/put"); !strings.HasPrefix(a.body, "3") {
			t.Errorf("after the sign-in it counts %s", a.body)
		}
		theft := newBrowser(t, app)
		theft.cookies["session"] = plain
		if a := theft.get("/"); a.body != "0" {
			t.Errorf("the old token opens %q", a.body)
		}
		all, err := m.Store.(interface {
			All() (map[string][]byte, error)
		}).All()
		must(t, err)
		for id, row := range all {
			if bytes.Contains(row, []byte("gardener")) || bytes.Contains(row, []byte("ann")) || strings.Contains(sealed+old.token(), id) {
				t.Error("the store shows a value or a token")
			}
		}
		n := 0
		must(t, m.Iterate(t.Context(), func(ctx context.Context) error {
			n++
			if len(m.Keys(ctx)) != 0 {
				t.Errorf("Iterate sees %v", m.Keys(ctx))
			}
			return m.Destroy(ctx)
		}))
		if a := fresh.get("/"); n != 2 || a.body != "0" {
			t.Errorf("%d sessions; after they were ended the value is %s", n, a.body)
		}
		fresh.get("/put")
		thief := newBrowser(t, app).take(fresh)
		fresh.get("/logout")
		if a := thief.get("/"); a.body != "0" {
			t.Errorf("after the logout its cookie opens %q", a.body)
		}
	}
}

// Deadlines of sealed sessions are those of the application, however long.
func TestSealedDeadline(t *testing.T) {
	m := newManager()
	m.Lifetime = 1000 * 24 * time.Hour
	m.Hardy.Keys, _ = sealingApp(t)
	token := begin(t, m, map[string]any{"n": 1})
	ctx := load(t, m, token)
	if d := time.Until(m.Deadline(ctx)); d < 999*24*time.Hour {
		t.Errorf("the deadline is %v away", d)
	}
	m.SetDeadline(ctx, time.Now().Add(-time.Second))
	_, _, err := m.Commit(ctx)
	must(t, err)
	if m.Token(load(t, m, token)) != "" {
		t.Error("a session past its deadline opens")
	}
}

// Keys rotate as they do everywhere in Hardy; a forged cookie, and one under a revoked key, are new visitors.
func TestSealedKeys(t *testing.T) {
	m := newManager()
	keys, master := sealingApp(t)
	m.Hardy.Keys = keys
	token := begin(t, m, map[string]any{"n": 1})
	next := cookie.NewMaster()
	for name, c := range map[string]struct {
		keys  string
		opens bool
	}{
		"the same": {master, true}, "rotated": {next + "," + master, true}, "dropped": {next, false},
		"revoked": {next + ",revoked:" + master, false},
	} {
		m.Hardy.Keys = ring(t, c.keys)
		if got := m.GetInt(load(t, m, token), "n") == 1; got != c.opens {
			t.Errorf("%s: opens %v", name, got)
		}
	}
	m.Hardy.Keys = keys
	for i := range token {
		forged := token[:i] + string(token[i]^1) + token[i+1:]
		if m.Token(load(t, m, forged)) != "" {
			t.Fatalf("a cookie with byte %d changed opens", i)
		}
	}
	// A row that was changed serves nothing.
	all, _ := m.Store.(interface {
		All() (map[string][]byte, error)
	}).All()
	for id, row := range all {
		row = bytes.Clone(row)
		row[len(row)/2] ^= 1
		must(t, m.Store.Commit(id, row, time.Now().Add(time.Hour)))
	}
	if keys := m.Keys(load(t, m, token)); len(keys) != 0 {
		t.Errorf("a row that was changed opens: %v", keys)
	}
}
