package scsstore_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
	"example.com/hardy/store"
	"example.com/hardy/store/pgstore"
	"example.com/hardy/store/redisstore"
	"example.com/hardy/store/scsstore"
	"example.com/hardy/store/sqlitestore"
)

func TestMain(m *testing.M) { os.Exit(servers.Run(m)) }

// served are the stores of Hardy, by name.
var served = map[string]func(t *testing.T) session.Store{
	"memory": func(*testing.T) session.Store { return store.NewMemory(nil) },
	"sqlite": func(t *testing.T) session.Store {
		db, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "sessions.db"), nil)
		must(t, err)
		t.Cleanup(func() { db.Close() })
		return db
	},
	"redis": func(t *testing.T) session.Store {
		db, err := redisstore.Open(t.Context(), servers.SharedRedis(t).URL(), nil)
		must(t, err)
		t.Cleanup(func() { db.Close() })
		return db
	},
	"postgres": func(t *testing.T) session.Store {
		db, err := pgstore.Open(t.Context(), servers.SharedPostgres(t).URL(), nil)
		must(t, err)
		t.Cleanup(func() { db.Close() })
		return db
	},
}

// app is a program on scs, which knows nothing of Hardy.
func app(m *scs.SessionManager) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/count", func(w http.ResponseWriter, r *http.Request) {
		n := m.GetInt(r.Context(), "n") + 1
		m.Put(r.Context(), "n", n)
		w.Write([]byte(strconv.Itoa(n)))
	})
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		if err := m.RenewToken(r.Context()); err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		m.Put(r.Context(), "user", r.FormValue("user"))
	})
	mux.HandleFunc("/me", func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(m.GetString(r.Context(), "user")))
	})
	mux.HandleFunc("/logout", func(w http.ResponseWriter, r *http.Request) {
		if err := m.Destroy(r.Context()); err != nil {
			http.Error(w, err.Error(), 500)
		}
	})
	return m.LoadAndSave(mux)
}

type browser struct {
	t *testing.T
	http.Client
	base string
}

func newBrowser(t *testing.T, base string) *browser {
	jar, err := cookiejar.New(nil)
	must(t, err)
	return &browser{t, http.Client{Jar: jar}, base}
}

func (b *browser) get(path string) string {
	b.t.Helper()
	resp, err := b.Get(b.base + path)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(body)
}

// A program on scs, unchanged, on Hardy's stores.
func TestServe(t *testing.T) {
	for name, open := range served {
		for _, hashed := range []bool{false, true} {
			t.Run(name+", hashed "+strconv.FormatBool(hashed), func(t *testing.T) {
				m := scs.New()
				m.Store, m.HashTokenInStore, m.IdleTimeout = scsstore.Serve(open(t)), hashed, time.Hour
				server := httptest.NewServer(app(m))
				defer server.Close()
				b := newBrowser(t, server.URL)
				for want := range 3 {
					if got := b.get("/count"); got != strconv.Itoa(want+1) {
						t.Errorf("count %s, want %d", got, want+1)
					}
				}
				b.get("/login?user=ann")
				if got := b.get("/me"); got != "ann" {
					t.Errorf("signed in as %q", got)
				}
				if got := b.get("/count"); got != "4" {
					t.Errorf("after the sign-in count is %s", got)
				}
				users := 0
				must(t, m.Iterate(t.Context(), func(ctx context.Context) error {
					if m.GetString(ctx, "user") == "ann" && m.GetInt(ctx, "n") == 4 {
						users++
					}
					return nil
				}))
				if users != 1 {
					t.Errorf("Iterate found %d sessions of ann", users)
				}
				b.get("/logout")
				if got := b.get("/me"); got != "" {
					t.Errorf("after the logout signed in as %q", got)
				}
				must(t, m.Iterate(t.Context(), func(ctx context.Context) error {
					t.Errorf("Iterate found a session after the logout: %v", m.Keys(ctx))
					return nil
				}))
			})
		}
	}
}

// scs brings a session back that was destroyed while a request was under way. On Serve it does not.
func TestServeRevivesNothing(t *testing.T) {
	for name, open := range served {
		t.Run(name, func(t *testing.T) {
			m := scs.New()
			m.Store = scsstore.Serve(open(t))
			ctx, err := m.Load(t.Context(), "")
			must(t, err)
			m.Put(ctx, "user", "ann")
			token, _, err := m.Commit(ctx)
			must(t, err)

			slow, err := m.Load(t.Context(), token)
			must(t, err)
			out, err := m.Load(t.Context(), token)
			must(t, err)
			must(t, m.Destroy(out))
			m.Put(slow, "n", 1)
			if _, _, err := m.Commit(slow); !errors.Is(err, session.ErrExpired) {
				t.Errorf("Commit of a request that was under way: %v", err)
			}
			late, err := m.Load(t.Context(), token)
			must(t, err)
			if m.GetString(late, "user") != "" || m.Token(late) != "" {
				t.Error("the destroyed session is back")
			}
		})
	}
}

// A deadline can be brought forward, and ends the session when it comes.
func TestServeFollowsDeadline(t *testing.T) {
	for name, open := range served {
		t.Run(name, func(t *testing.T) {
			s := scsstore.Serve(open(t))
			token := newRecord("").ID
			must(t, s.Commit(token, []byte("row"), time.Now().Add(time.Hour)))
			if b, found, err := s.Find(token); err != nil || !found || string(b) != "row" {
				t.Errorf("Find: %q, %v, %v", b, found, err)
			}
			must(t, s.Commit(token, []byte("row"), time.Now().Add(-time.Second)))
			if _, found, err := s.Find(token); err != nil || found {
				t.Errorf("Find of what has expired: %v, %v", found, err)
			}
			if err := s.Commit(token, []byte("row"), time.Now().Add(time.Hour)); !errors.Is(err, session.ErrExpired) {
				t.Errorf("Commit of what has expired: %v", err)
			}
			must(t, s.Delete(token))
			must(t, s.Delete(token))
			must(t, s.Delete("no token"))
		})
	}
}

func TestServeRefusesOddTokens(t *testing.T) {
	s := scsstore.Serve(store.NewMemory(nil))
	good := newRecord("").ID
	for _, token := range []string{"", "short", good + "A", good[:42], good[:42] + "!", good[:42] + "é", strings.Repeat("A", 9000), good[:42] + "\n"} {
		if _, found, err := s.Find(token); found || err != nil {
			t.Errorf("Find of a token of %d bytes: %v, %v", len(token), found, err)
		}
		if err := s.Commit(token, nil, time.Now().Add(time.Hour)); err == nil {
			t.Errorf("Commit of a token of %d bytes succeeded", len(token))
		}
	}
}

// Parallel commits under one token all succeed, as scs expects of a store, and one of them stays.
func TestServeParallelCommits(t *testing.T) {
	for name, open := range served {
		t.Run(name, func(t *testing.T) {
			s := scsstore.Serve(open(t))
			token := newRecord("").ID
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() {
					if err := s.CommitCtx(t.Context(), token, []byte{byte(i)}, time.Now().Add(time.Hour)); err != nil {
						t.Errorf("Commit: %v", err)
					}
				})
			}
			all.Wait()
			if b, found, err := s.Find(token); err != nil || !found || len(b) != 1 || b[0] > 7 {
				t.Errorf("Find: %v, %v, %v", b, found, err)
			}
		})
	}
}
