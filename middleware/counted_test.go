package middleware_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"sync"
	"testing"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

// counter is an application that counts, and the one browser session that all of its clients hold.
type counter struct {
	t        *testing.T
	server   *sessiontest.Server
	sessions func(http.Handler) http.Handler
	first    *http.Client
}

var (
	left  = session.NewKey[string]("left")
	right = session.NewKey[string]("right")
)

func newCounter(t *testing.T, routes map[string]http.HandlerFunc) *counter {
	c := &counter{t: t}
	m := session.NewManager(store.NewMemory(nil), &session.Options{Logger: slog.New(slog.DiscardHandler)})
	c.sessions = middleware.Sessions(m, cookie.DevKeys("bell"), nil)
	mux := http.NewServeMux()
	for path, h := range routes {
		mux.HandleFunc(path, h)
	}
	mux.HandleFunc("/look", func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		json.NewEncoder(w).Encode([]any{visits.Get(s), left.Get(s), right.Get(s)})
	})
	c.server = sessiontest.NewServer(t, c.sessions(mux))
	c.first = c.server.Browser()
	c.server.Visit(c.first, c.sessions, func(s *session.Session) { left.Set(s, "before") })
	return c
}

// another is a client with connections and a jar of its own, which holds the same cookie.
func (c *counter) another() *http.Client {
	client := c.server.Browser()
	jar, _ := cookiejar.New(nil) // never an error
	site := ask(c.t, "GET", c.server.URL).URL
	jar.SetCookies(site, secured(c.first.Jar.Cookies(site)))
	client.Jar = jar
	return client
}

// secured makes cookies as a jar gives them such as it takes.
func secured(cookies []*http.Cookie) []*http.Cookie {
	for _, c := range cookies {
		c.Path, c.Secure = "/", true
	}
	return cookies
}

// Parallel requests of one session lose no count.
func TestFiveThousandUpdatesCounted(t *testing.T) {
	const clients, updates = 100, 50
	c := newCounter(t, map[string]http.HandlerFunc{
		"POST /count": func(w http.ResponseWriter, r *http.Request) {
			n, err := visits.Update(r.Context(), session.From(r.Context()), func(n int) int { return n + 1 })
			if err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
			fmt.Fprint(w, n)
		},
	})
	var all sync.WaitGroup
	begin := make(chan struct{})
	for range clients {
		client := c.another()
		all.Go(func() {
			<-begin
			for range updates {
				resp, err := client.Do(ask(t, "POST", c.server.URL+"/count"))
				if err != nil {
					t.Error(err)
					return
				}
				io.Copy(io.Discard, resp.Body) // else the connection would be made anew for each
				resp.Body.Close()
				if resp.StatusCode != 200 || len(resp.Header["Set-Cookie"]) > 0 {
					t.Errorf("%d with %q", resp.StatusCode, resp.Header["Set-Cookie"])
				}
			}
		})
	}
	close(begin)
	all.Wait()
	if _, got := fetch(t, c.first, ask(t, "POST", c.server.URL+"/look")); got != fmt.Sprintf("[%d,\"before\",\"\"]\n", clients*updates) {
		t.Errorf("the session holds %s", got)
	}
}

// Each of two requests has read the session before either has written, and each sets a key of its own.
func TestParallelRequestsOverHTTP(t *testing.T) {
	var reading sync.WaitGroup
	set := func(k session.Key[string], value string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			s := session.From(r.Context())
			if got := left.Get(s) + right.Get(s); got != "before" {
				t.Errorf("the requests do not overlap: one of them reads %q", got)
			}
			reading.Done()
			reading.Wait()
			if err := k.Set(s, value); err != nil {
				t.Error(err)
			}
		}
	}
	c := newCounter(t, map[string]http.HandlerFunc{"POST /left": set(left, "one"), "POST /right": set(right, "two")})
	reading.Add(2)
	var both sync.WaitGroup
	for _, path := range []string{"/left", "/right"} {
		client := c.another()
		both.Go(func() {
			resp, err := client.Do(ask(t, "POST", c.server.URL+path))
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			if resp.StatusCode != 200 {
				t.Errorf("%s: %d", path, resp.StatusCode)
			}
		})
	}
	both.Wait()
	if _, got := fetch(t, c.first, ask(t, "POST", c.server.URL+"/look")); got != "[0,\"one\",\"two\"]\n" {
		t.Errorf("the session holds %s", got)
	}
}
