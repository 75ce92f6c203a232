package scs_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"example.com/hardy/session"
)

// What is put into a session after the first byte is stored; what would need a cookie by then is told.
func TestLateWrites(t *testing.T) {
	m := newManager()
	var lost atomic.Int32
	m.Hardy.Trace = &session.Trace{Lost: func(_ string, err error) {
		if errors.Is(err, session.ErrSent) {
			lost.Add(1)
		}
	}}
	app := m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		switch r.URL.Path {
		case "/late":
			fmt.Fprint(w, "page")
			m.Put(ctx, "late", m.GetInt(ctx, "late")+1)
		case "/pop":
			fmt.Fprint(w, "page")
			m.Pop(ctx, "flash")
		case "/flash":
			m.Put(ctx, "flash", "once")
		case "/renew":
			fmt.Fprint(w, "page")
			if err := m.RenewToken(ctx); !errors.Is(err, session.ErrSent) {
				t.Errorf("RenewToken after the first byte: %v", err)
			}
		case "/destroy":
			fmt.Fprint(w, "page")
			must(t, m.Destroy(ctx))
		}
	}))
	b := newBrowser(t, app)
	if a := b.get("/late"); a.status != 200 || a.body != "page" || lost.Load() != 1 {
		t.Errorf("a session that would begin late: %d %q, told %d times", a.status, a.body, lost.Load())
	}
	b.get("/flash")
	token := b.token()
	b.get("/late")
	b.get("/late")
	b.get("/pop")
	b.get("/renew")
	if b.token() != token {
		t.Error("the token has changed")
	}
	now := load(t, m, token)
	if n := m.GetInt(now, "late"); n != 2 || m.Exists(now, "flash") {
		t.Errorf("late is %d, flash is there: %v", n, m.Exists(now, "flash"))
	}
	b.get("/destroy")
	if now := load(t, m, token); m.Token(now) != "" {
		t.Error("a late Destroy did not end the session")
	}
	if lost.Load() != 1 {
		t.Errorf("lost is told %d times", lost.Load())
	}
}

// Flush sends the cookie; 103 does not count as an answer; files go out as they would without the middleware.
func TestWritersOtherThanWrite(t *testing.T) {
	m := newManager()
	var readFrom, flushed atomic.Bool
	handler := m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/flush":
			m.Put(r.Context(), "n", 1)
			w.(http.Flusher).Flush()
			flushed.Store(true)
		case "/early":
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			m.Put(r.Context(), "n", 2)
			w.WriteHeader(http.StatusCreated)
		case "/file":
			_, is := w.(io.ReaderFrom)
			readFrom.Store(is)
			m.Put(r.Context(), "n", 3)
			io.Copy(w, io.LimitReader(strings.NewReader("a file"), 6))
		case "/deadline":
			must(t, http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute)))
		}
	}))
	server := httptest.NewServer(handler)
	defer server.Close()
	hints := 0
	for path, status := range map[string]int{"/flush": 200, "/early": 201, "/file": 200, "/deadline": 200} {
		req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, _ textproto.MIMEHeader) error { hints++; return nil },
		}), "GET", server.URL+path, nil)
		must(t, err)
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		resp.Body.Close()
		if got := len(resp.Cookies()); resp.StatusCode != status || (path == "/deadline") != (got == 0) {
			t.Errorf("%s: status %d, %d cookies", path, resp.StatusCode, got)
		}
	}
	if hints != 1 || !readFrom.Load() || !flushed.Load() {
		t.Errorf("1xx answers %d, ReadFrom %v, Flush %v", hints, readFrom.Load(), flushed.Load())
	}
}

// Hijack stores a session that has its token, and says where a cookie would be due.
func TestHijack(t *testing.T) {
	m := newManager()
	token := begin(t, m, map[string]any{"n": 1})
	result := make(chan error, 1)
	server := httptest.NewServer(m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.Put(r.Context(), "n", 2)
		if r.URL.Path == "/renew" {
			must(t, m.RenewToken(r.Context()))
		}
		conn, buf, err := w.(http.Hijacker).Hijack()
		if err != nil {
			w.WriteHeader(http.StatusTeapot)
			result <- err
			return
		}
		defer conn.Close()
		buf.WriteString("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
		buf.Flush()
		result <- nil
	})))
	defer server.Close()
	for _, c := range []struct {
		path, token string
		refused     bool
	}{{"/", token, false}, {"/", "", true}, {"/renew", token, true}} {
		req, err := http.NewRequest("GET", server.URL+c.path, nil)
		must(t, err)
		if c.token != "" {
			req.AddCookie(&http.Cookie{Name: "session", Value: c.token})
		}
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		bufio.NewReader(resp.Body).WriteTo(io.Discard)
		resp.Body.Close()
		if err := <-result; c.refused != (err != nil) || c.refused != (resp.StatusCode == http.StatusTeapot) {
			t.Errorf("Hijack with path %s, token %v: %v, status %d", c.path, c.token != "", err, resp.StatusCode)
		}
		if !c.refused {
			if now := load(t, m, token); m.GetInt(now, "n") != 2 {
				t.Error("what was put before the Hijack is not stored")
			}
		}
	}
}

// A panic stores nothing, and passes.
func TestPanicStoresNothing(t *testing.T) {
	m := newManager()
	token := begin(t, m, map[string]any{"n": 1})
	app := m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.Put(r.Context(), "n", 2)
		panic("a bug")
	}))
	func() {
		defer func() {
			if recover() != "a bug" {
				t.Error("the panic did not pass")
			}
		}()
		r := httptest.NewRequest("GET", "/", nil)
		r.AddCookie(&http.Cookie{Name: "session", Value: token})
		app.ServeHTTP(httptest.NewRecorder(), r)
	}()
	if n := m.GetInt(load(t, m, token), "n"); n != 1 {
		t.Errorf("n is %d", n)
	}
}

// The same manager twice in a chain answers with one cookie.
func TestWrappedTwice(t *testing.T) {
	m := newManager()
	app := m.LoadAndSave(m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.Put(r.Context(), "n", 1)
		fmt.Fprint(w, "page")
	})))
	if a := newBrowser(t, app).get("/"); len(a.header["Set-Cookie"]) != 1 || a.body != "page" {
		t.Errorf("answer %q with cookies %q", a.body, a.header["Set-Cookie"])
	}
}

// Two managers side by side keep to themselves, literals among them: scs mixes up two that were not made by New.
func TestTwoManagers(t *testing.T) {
	a, b := newManager(), newManager()
	b.Cookie.Name = "other"
	c := &scs.SessionManager{Lifetime: time.Hour, Store: a.Store, Cookie: scs.SessionCookie{Name: "c", Persist: true}}
	d := &scs.SessionManager{Lifetime: time.Hour, Store: b.Store, Cookie: scs.SessionCookie{Name: "d", Persist: true}}
	all := []*scs.SessionManager{a, b, c, d}
	var app http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for i, m := range all {
			m.Put(r.Context(), "i", m.GetInt(r.Context(), "i")+i)
			fmt.Fprint(w, m.GetInt(r.Context(), "i"), " ")
		}
	})
	for _, m := range all {
		app = m.LoadAndSave(app)
	}
	br := newBrowser(t, app)
	br.get("/")
	if len(br.cookies) != 1 { // the body began before the others were written to
		t.Errorf("%d cookies", len(br.cookies))
	}
	quiet := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text := ""
		for i, m := range all {
			m.Put(r.Context(), "i", m.GetInt(r.Context(), "i")+i)
			text += fmt.Sprint(m.GetInt(r.Context(), "i"), " ")
		}
		fmt.Fprint(w, text)
	})
	app = quiet
	for _, m := range all {
		app = m.LoadAndSave(app)
	}
	br = newBrowser(t, app)
	br.get("/")
	if got := br.get("/"); got.body != "0 2 4 6 " {
		t.Errorf("the values of four managers: %q", got.body)
	}
}
