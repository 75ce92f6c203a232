package gorilla_test

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/compat/gorilla"
	"example.com/hardy/cookie"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
	"github.com/gorilla/sessions"
)

const name = "app-session"

// profile is what an application keeps in its sessions.
type profile struct {
	Name  string
	Roles []string
}

type key int

const userKey key = 0

func TestMain(m *testing.M) {
	gob.Register(profile{})
	gob.Register(userKey)
	gob.Register(map[string]int{})
	gob.Register(time.Time{})
	gob.Register(&big.Int{})
	m.Run()
}

// site is an application on gorilla/sessions: one process of it.
type site struct {
	t       *testing.T
	db      *store.Memory
	faults  *sessiontest.Faults
	keys    *cookie.Keys
	manager *session.Manager
	store   *gorilla.Store
	address string
	client  func() *http.Client
	mux     *http.ServeMux
}

type setup struct {
	beside  *site // shares its store and keys: another process of the same application
	manager session.Options
	gorilla gorilla.Options
	handler bool // within Store.Handler
	bubble  bool // on connections in memory
}

func newSite(t *testing.T, s setup) *site {
	t.Helper()
	st := &site{t: t, mux: http.NewServeMux()}
	if s.beside != nil {
		st.db, st.keys = s.beside.db, s.beside.keys
	} else {
		var err error
		st.db = store.NewMemory(nil)
		if st.keys, err = cookie.NewKeys(t.Context(), &ring{cookie.NewMaster()}, "app"); err != nil {
			t.Fatal(err)
		}
	}
	st.faults = sessiontest.NewFaults(st.db)
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	s.manager.Logger, s.gorilla.Logger = log, log
	st.manager = session.NewManager(st.faults, &s.manager)
	st.store = gorilla.NewStore(st.manager, st.keys, &s.gorilla)
	var h http.Handler = st.mux
	if s.handler {
		h = st.store.Handler(h)
	}
	if s.bubble {
		server := sessiontest.NewServer(t, h)
		st.address, st.client = server.URL, server.Browser
	} else {
		server := httptest.NewTLSServer(h)
		t.Cleanup(server.Close)
		st.address, st.client = server.URL, func() *http.Client { c := *server.Client(); return &c }
	}
	st.handle("/set", func(s *sessions.Session, r *http.Request) string {
		for k, v := range r.URL.Query() {
			s.Values[k] = v[0]
		}
		return "set"
	})
	st.mux.HandleFunc("/get", func(w http.ResponseWriter, r *http.Request) {
		s, err := st.store.Get(r, name)
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		var all []string
		for k, v := range r.URL.Query() {
			_ = v
			all = append(all, fmt.Sprint(s.Values[k]))
		}
		if len(all) == 0 {
			fmt.Fprint(w, s.Values)
			return
		}
		fmt.Fprint(w, strings.Join(all, ","))
	})
	st.handle("/logout", func(s *sessions.Session, r *http.Request) string {
		s.Options.MaxAge = -1
		return "bye"
	})
	return st
}

// ring is a keyring's text that a test can change.
type ring struct{ text string }

func (r *ring) Masters(context.Context) (string, error) { return r.text, nil }

// handle serves do, then Save, as handlers are written; what Save refuses is a 409.
func (st *site) handle(path string, do func(s *sessions.Session, r *http.Request) string) {
	st.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		s, err := st.store.Get(r, name)
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		text := do(s, r)
		if err := s.Save(r, w); err != nil {
			http.Error(w, err.Error(), status(err))
			return
		}
		io.WriteString(w, text)
	})
}

func status(err error) int {
	switch {
	case errors.Is(err, session.ErrUnavailable):
		return http.StatusServiceUnavailable
	case errors.Is(err, session.ErrExpired), errors.Is(err, session.ErrRotated):
		return http.StatusConflict
	case errors.Is(err, session.ErrSent):
		return http.StatusTeapot
	}
	return http.StatusInternalServerError
}

// browser is a client with a cookie jar of its own.
func (st *site) browser() *http.Client {
	c := st.client()
	c.Jar, _ = cookiejar.New(nil)
	return c
}

func (st *site) get(b *http.Client, path string) (status int, body string, set []string) {
	st.t.Helper()
	resp, err := b.Get(st.address + path)
	if err != nil {
		st.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		st.t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header["Set-Cookie"]
}

// body is the answer to a request that must succeed.
func (st *site) body(b *http.Client, path string) string {
	st.t.Helper()
	code, body, _ := st.get(b, path)
	if code != 200 {
		st.t.Errorf("%s: %d %s", path, code, body)
	}
	return body
}

// cookie is the value of the session's cookie in a browser; "" where there is none.
func (st *site) cookie(b *http.Client) string {
	for _, c := range b.Jar.Cookies(st.url()) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

func (st *site) url() *url.URL {
	u, err := url.Parse(st.address)
	if err != nil {
		st.t.Fatal(err)
	}
	return u
}

// with is a browser that holds a cookie of that value: who has kept or stolen it.
func (st *site) with(value string) *http.Client {
	b := st.browser()
	b.Jar.SetCookies(st.url(), []*http.Cookie{{Name: name, Value: value, Path: "/", Secure: true}})
	return b
}

func (st *site) records() int {
	st.t.Helper()
	n, err := st.db.Count(st.t.Context())
	if err != nil {
		st.t.Fatal(err)
	}
	return n
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func master() string { return cookie.NewMaster() }

func keysOf(t *testing.T, text *ring) *cookie.Keys {
	t.Helper()
	keys, err := cookie.NewKeys(t.Context(), text, "app")
	check(t, err)
	return keys
}

// inBubble runs f with one.
func inBubble(t *testing.T, s setup, f func(t *testing.T, st *site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s.bubble = true
		f(t, newSite(t, s))
	})
}
