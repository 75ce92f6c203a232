package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
)

// probes prints how races and late writes end that an application can do nothing about.
func probes(out io.Writer) {
	log.SetOutput(io.Discard)
	for _, p := range []struct {
		name string
		run  func() string
	}{
		{"logout during a request that writes", logoutDuringWrite},
		{"logout during a request that reads", logoutDuringRead},
		{"login during a request", loginDuringRequest},
		{"two requests write", twoWrite},
		{"put after the first byte", lateWrite},
		{"pop after the first byte", latePop},
		{"a commit that fails", failingCommit},
		{"put after 103", afterEarlyHints},
		{"put, then flush", afterFlush},
		{"iterate and destroy with hashed tokens", iterateHashed},
		{"a row that cannot be decoded", undecodable},
	} {
		fmt.Fprintf(out, "%s: %s\n", p.name, p.run())
	}
}

func fresh() *scs.SessionManager {
	s := scs.New()
	s.Store = memstore.NewWithCleanupInterval(0)
	return s
}

func check[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func begun(s *scs.SessionManager, values ...string) string {
	ctx := check(s.Load(context.Background(), ""))
	for i := 0; i < len(values); i += 2 {
		s.Put(ctx, values[i], values[i+1])
	}
	token, _, err := s.Commit(ctx)
	return check(token, err)
}

func user(s *scs.SessionManager, token string) string {
	return s.GetString(check(s.Load(context.Background(), token)), "user")
}

// ask serves one request with the cookie.
func ask(s *scs.SessionManager, token string, h http.HandlerFunc) *http.Response {
	r := httptest.NewRequest("GET", "/", nil)
	if token != "" {
		r.AddCookie(&http.Cookie{Name: "session", Value: token})
	}
	w := httptest.NewRecorder()
	s.LoadAndSave(h).ServeHTTP(w, r)
	return w.Result()
}

func destroy(s *scs.SessionManager, token string) {
	if err := s.Destroy(check(s.Load(context.Background(), token))); err != nil {
		panic(err)
	}
}

func logoutDuringWrite() string {
	s := fresh()
	token := begun(s, "user", "ann")
	ask(s, token, func(w http.ResponseWriter, r *http.Request) {
		destroy(s, token)
		s.Put(r.Context(), "n", 1)
	})
	if user(s, token) == "ann" {
		return "signed in again"
	}
	return "signed out"
}

func logoutDuringRead() string {
	s := fresh()
	s.IdleTimeout = time.Hour
	token := begun(s, "user", "ann")
	ask(s, token, func(w http.ResponseWriter, r *http.Request) { destroy(s, token) })
	if user(s, token) == "ann" {
		return "signed in again"
	}
	return "signed out"
}

func loginDuringRequest() string {
	s := fresh()
	token := begun(s, "n", "1")
	resp := ask(s, token, func(w http.ResponseWriter, r *http.Request) {
		ctx := check(s.Load(context.Background(), token))
		if err := s.RenewToken(ctx); err != nil {
			panic(err)
		}
		s.Put(ctx, "user", "ann")
		if _, _, err := s.Commit(ctx); err != nil {
			panic(err)
		}
		s.Put(r.Context(), "n", "2")
	})
	for _, c := range resp.Cookies() {
		if c.Value == token {
			return "the old token comes back"
		}
	}
	return "the old token is gone"
}

func twoWrite() string {
	s := fresh()
	token := begun(s, "user", "ann")
	a, b := check(s.Load(context.Background(), token)), check(s.Load(context.Background(), token))
	s.Put(a, "a", "1")
	s.Put(b, "b", "1")
	s.Commit(a)
	s.Commit(b)
	return fmt.Sprint(s.Keys(check(s.Load(context.Background(), token))))
}

func lateWrite() string {
	s := fresh()
	token := begun(s, "user", "ann")
	ask(s, token, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "page")
		s.Put(r.Context(), "user", "bob")
	})
	return user(s, token)
}

func latePop() string {
	s := fresh()
	token := begun(s, "user", "once")
	ask(s, token, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "page")
		s.Pop(r.Context(), "user")
	})
	return fmt.Sprintf("%q", user(s, token))
}

// broken can't store.
type broken struct{ scs.Store }

func (broken) Commit(string, []byte, time.Time) error { return io.ErrUnexpectedEOF }

func failingCommit() string {
	s := fresh()
	s.Store = broken{s.Store}
	resp := ask(s, "", func(w http.ResponseWriter, r *http.Request) {
		s.Put(r.Context(), "n", 1)
		io.WriteString(w, "private page")
	})
	body := check(io.ReadAll(resp.Body))
	return fmt.Sprintf("%d, the page goes out: %v", resp.StatusCode, strings.Contains(string(body), "private"))
}

// over serves one request by a real server and says whether a cookie comes back.
func over(s *scs.SessionManager, h http.HandlerFunc) string {
	server := httptest.NewServer(s.LoadAndSave(h))
	resp := check(http.Get(server.URL))
	resp.Body.Close()
	server.Close() // waits until the handler has returned, after which scs stores
	rows := check(s.Store.(scs.IterableStore).All())
	return fmt.Sprintf("%d cookies, %d rows", len(resp.Cookies()), len(rows))
}

func afterEarlyHints() string {
	s := fresh()
	return over(s, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		s.Put(r.Context(), "n", 1)
	})
}

func afterFlush() string {
	s := fresh()
	return over(s, func(w http.ResponseWriter, r *http.Request) {
		s.Put(r.Context(), "n", 1)
		http.NewResponseController(w).Flush()
	})
}

func iterateHashed() string {
	s := fresh()
	s.HashTokenInStore = true
	token := begun(s, "user", "ann")
	if err := s.Iterate(context.Background(), func(ctx context.Context) error { return s.Destroy(ctx) }); err != nil {
		return err.Error()
	}
	if user(s, token) == "ann" {
		return "signed in"
	}
	return "signed out"
}

func undecodable() string {
	s := fresh()
	token := begun(s, "user", "ann")
	if err := s.Store.Commit(token, []byte("broken"), time.Now().Add(time.Hour)); err != nil {
		panic(err)
	}
	resp := ask(s, token, func(w http.ResponseWriter, r *http.Request) {})
	return fmt.Sprint(resp.StatusCode)
}
