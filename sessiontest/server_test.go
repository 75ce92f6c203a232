package sessiontest_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/sessiontest"
)

func body(t *testing.T, resp *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// both runs f by the clock and within synctest.
func both(t *testing.T, f func(t *testing.T)) {
	t.Run("clock", f)
	t.Run("synctest", func(t *testing.T) { synctest.Test(t, f) })
}

func TestServer(t *testing.T) {
	both(t, func(t *testing.T) {
		mux := http.NewServeMux()
		mux.HandleFunc("/who", func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.Host, " ", r.TLS != nil, " ", r.RemoteAddr[:strings.LastIndex(r.RemoteAddr, ":")])
		})
		mux.Handle("/from", http.RedirectHandler("/who", http.StatusSeeOther))
		mux.HandleFunc("/count", func(w http.ResponseWriter, r *http.Request) {
			n := 0
			if c, err := r.Cookie("n"); err == nil {
				fmt.Sscan(c.Value, &n)
			}
			http.SetCookie(w, &http.Cookie{Name: "n", Value: fmt.Sprint(n + 1), Secure: true, MaxAge: 60})
			fmt.Fprint(w, n+1)
		})
		server := sessiontest.NewServer(t, mux)
		bob, eve := server.Browser(), server.Browser()
		get := func(c *http.Client, url string) string { resp, err := c.Get(url); return body(t, resp, err) }

		for _, c := range []struct {
			client    *http.Client
			url, want string
		}{
			{bob, server.URL + "/who", "app.hardy.test true 198.18.0.1"},
			{bob, server.URL + "/from", "app.hardy.test true 198.18.0.1"},
			{eve, server.URL + "/who", "app.hardy.test true 198.18.0.2"},
			{bob, "https://two.hardy.test/who", "two.hardy.test true 198.18.0.1"},
			{bob, "http://app.hardy.test/who", "app.hardy.test false 198.18.0.1"},
			{bob, server.URL + "/count", "1"},
			{bob, server.URL + "/count", "2"},
			{eve, server.URL + "/count", "1"},
			{bob, "http://app.hardy.test/count", "1"}, // the Secure cookie stays at home
		} {
			if got := get(c.client, c.url); got != c.want {
				t.Errorf("%s: %q, want %q", c.url, got, c.want)
			}
		}
	})
}

func TestServerLetsTimePass(t *testing.T) {
	started := time.Now()
	synctest.Test(t, func(t *testing.T) {
		server := sessiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := r.Cookie("a"); err == nil {
				io.WriteString(w, "came back")
			}
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "b", MaxAge: 1800})
		}))
		bob := server.Browser()
		for i, want := range []string{"", "came back", ""} {
			resp, err := bob.Get(server.URL)
			if got := body(t, resp, err); got != want {
				t.Errorf("request %d: %q, want %q", i, got, want)
			}
			time.Sleep(time.Duration(i) * 31 * time.Minute) // the jar keeps synctest's time, too
		}
	})
	if took := time.Since(started); took > time.Minute {
		t.Errorf("93 minutes took %v", took)
	}
}

func TestServerOpen(t *testing.T) {
	server := sessiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Method, r.URL, r.Header.Get("Sec-Fetch-Mode"), strings.Contains(r.Header.Get("Accept"), "text/html"))
	}))
	resp, err := server.Open(server.Browser(), "/a?b=c")
	if got := body(t, resp, err); got != "GET/a?b=cnavigatetrue" {
		t.Error(got)
	}
}

// Streams and hijacked connections end with the test, and handlers have returned by then.
func TestServerEndsWithTheTest(t *testing.T) {
	both(t, func(t *testing.T) {
		ended := make(chan string, 2)
		test := record(t)
		mux := http.NewServeMux()
		mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "data: 1\n\n")
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
			ended <- "stream"
		})
		mux.HandleFunc("/hijack", func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
			io.Copy(conn, conn)
			ended <- "hijacked"
		})
		server := sessiontest.NewServer(test, mux)
		events, err := server.Browser().Get(server.URL + "/events")
		if err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(events.Body).ReadString('\n'); line != "data: 1\n" {
			t.Error(line, err)
		}
		r, _ := http.NewRequest("GET", server.URL+"/hijack", nil)
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "echo")
		echo, err := server.Browser().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		wire := echo.Body.(io.ReadWriter)
		io.WriteString(wire, "ping\n")
		if line, err := bufio.NewReader(wire).ReadString('\n'); line != "ping\n" {
			t.Error(line, err)
		}
		test.end()
		for range 2 {
			select {
			case <-ended:
			case <-time.After(10 * time.Second):
				t.Fatal("a handler outlives its test")
			}
		}
	})
}

// A handler's panic shows in the output of the test, where wrong wiring says how to mend it.
func TestServerShowsPanics(t *testing.T) {
	fake := record(t)
	server := sessiontest.NewServer(fake, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("mend it like this") }))
	if _, err := server.Browser().Get(server.URL); err == nil {
		t.Error("no error from a handler that panics")
	}
	fake.end()
	if !strings.Contains(fake.out.String(), "mend it like this") {
		t.Errorf("the output is %q", fake.out.String())
	}
}

// recorder is a test whose output and end can be looked at.
type recorder struct {
	testing.TB
	ctx      context.Context
	cancel   func()
	out      strings.Builder
	fatal    bool
	cleanups []func()
}

func record(t *testing.T) *recorder {
	ctx, cancel := context.WithCancel(t.Context())
	return &recorder{TB: t, ctx: ctx, cancel: cancel}
}

func (r *recorder) Context() context.Context { return r.ctx }

func (r *recorder) Fatalf(string, ...any) { r.fatal = true }
func (r *recorder) Output() io.Writer     { return &r.out }
func (r *recorder) Cleanup(f func())      { r.cleanups = append(r.cleanups, f) }
func (r *recorder) end() {
	r.cancel()
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
}
