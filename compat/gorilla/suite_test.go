package gorilla_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/hardy/session"
	"github.com/gorilla/sessions"
)

// What gorilla/sessions 1.4.0 tests of its own stores, asked of this one. The numbers are those of its issues.

// again is the next request of whoever got that answer.
func again(w *httptest.ResponseRecorder) *http.Request {
	r := httptest.NewRequest("GET", "http://localhost:8080/", nil)
	for _, line := range w.Header()["Set-Cookie"] {
		r.Header.Add("Cookie", line) // attributes and all, as its tests send it
	}
	return r
}

func TestGorillaFlashes(t *testing.T) {
	st := newSite(t, setup{}).store
	if st.Options.SameSite != http.SameSiteNoneMode {
		t.Error("SameSite")
	}
	r, w := httptest.NewRequest("GET", "http://localhost:8080/", nil), httptest.NewRecorder()
	s, err := st.Get(r, "session-key")
	check(t, err)
	if f := s.Flashes(); len(f) != 0 {
		t.Errorf("%v", f)
	}
	s.AddFlash("foo")
	s.AddFlash("bar")
	s.AddFlash("baz", "custom_key")
	check(t, sessions.Save(r, w))
	lines := w.Header()["Set-Cookie"]
	if len(lines) != 1 || !strings.Contains(lines[0], "SameSite=None") || !strings.Contains(lines[0], "Secure") {
		t.Fatalf("%q", lines)
	}
	if _, err := st.Get(r, "session:key"); err == nil || err.Error() != "sessions: invalid character in cookie name: session:key" {
		t.Errorf("%v", err)
	}

	s, err = st.Get(again(w), "session-key")
	check(t, err)
	if f := s.Flashes(); len(f) != 2 || f[0] != "foo" || f[1] != "bar" {
		t.Errorf("%v", f)
	}
	if f := s.Flashes(); len(f) != 0 {
		t.Errorf("%v", f)
	}
	if f := s.Flashes("custom_key"); len(f) != 1 || f[0] != "baz" {
		t.Errorf("%v", f)
	}

	r, w = httptest.NewRequest("GET", "http://localhost:8080/", nil), httptest.NewRecorder()
	s, err = st.Get(r, "session-key")
	check(t, err)
	s.AddFlash(&profile{Name: "foo"})
	check(t, sessions.Save(r, w))
	s, err = st.Get(again(w), "session-key")
	check(t, err)
	if f := s.Flashes(); len(f) != 1 || f[0].(profile).Name != "foo" {
		t.Errorf("%v", f)
	}

	// A shallow copy of the request has the same session.
	r = httptest.NewRequest("GET", "http://localhost:8080/", nil)
	s, err = st.Get(r, "session-key")
	check(t, err)
	s.Values["test"] = "test-value"
	s, err = st.Get(r.WithContext(r.Context()), "session-key")
	check(t, err)
	if s.Values["test"] != "test-value" {
		t.Errorf("%v", s.Values)
	}
}

func TestGorillaMapPanic(t *testing.T) {
	st := newSite(t, setup{}).store
	s := sessions.NewSession(st, "hello")
	s.Values["data"] = "hello-world"
	check(t, s.Save(httptest.NewRequest("GET", "http://www.example.com", nil), httptest.NewRecorder()))
}

func TestGorilla8OptionsAreTheSessionsOwn(t *testing.T) {
	st := newSite(t, setup{}).store
	s, err := st.New(httptest.NewRequest("GET", "http://www.example.com", nil), "hello")
	check(t, err)
	st.Options.Path = "/foo"
	if s.Options.Path != "/" {
		t.Errorf("%q", s.Options.Path)
	}
}

func TestGorilla2TooLarge(t *testing.T) {
	large := make([]byte, 6144)
	for most, fits := range map[int]bool{4096: false, 3 * 4096: true} {
		st := newSite(t, setup{manager: session.Options{MaxBytes: most}}).store
		r := httptest.NewRequest("GET", "http://www.example.com", nil)
		s, err := st.New(r, "my-session")
		check(t, err)
		s.Values["big"] = large
		if err := s.Save(r, httptest.NewRecorder()); err == nil != fits {
			t.Errorf("at most %d: %v", most, err)
		}
	}
}

func TestGorilla8Delete(t *testing.T) {
	st := newSite(t, setup{}).store
	for _, age := range []int{-1, 0} {
		r, w := httptest.NewRequest("GET", "http://www.example.com", nil), httptest.NewRecorder()
		s, err := st.New(r, "hello")
		check(t, err)
		check(t, s.Save(r, w))
		s.Options.MaxAge = age
		check(t, s.Save(r, w))
	}
}

// 288: a store that fails leaves no nil behind.
func TestGorilla288NeverNil(t *testing.T) {
	site := newSite(t, setup{})
	r := httptest.NewRequest("GET", "http://www.example.com", nil)
	r.AddCookie(&http.Cookie{Name: "hello", Value: "\x00not a cookie"})
	if s, err := site.store.Get(r, "hello"); s == nil || err != nil || !s.IsNew {
		t.Errorf("%v, %v", s, err)
	}
}
