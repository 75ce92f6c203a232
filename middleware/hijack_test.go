package middleware_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
)

// A Hijack that fails has sent nothing: what comes after it in the handler works as if it had not been asked for.
func TestAfterAFailedHijack(t *testing.T) {
	changes := map[string]struct {
		before, after func(s *session.Session) error
		want          string // user and visits afterwards
	}{
		"a birth":             {nil, func(s *session.Session) error { return visits.Set(s, 7) }, `"" 7`},
		"a login":             {nil, func(s *session.Session) error { return s.Login("ann") }, `"ann" 0`},
		"a login after a set": {func(s *session.Session) error { return visits.Set(s, 7) }, func(s *session.Session) error { return s.Login("ann") }, `"ann" 7`},
		"a renewal":           {func(s *session.Session) error { return visits.Set(s, 7) }, (*session.Session).Renew, `"" 7`},
		"a logout":            {func(s *session.Session) error { return s.Login("ann") }, (*session.Session).Logout, `"" 0`},
		"a reset and a value": {func(s *session.Session) error { return s.Login("ann") }, func(s *session.Session) error {
			return errors.Join(s.Reset(), visits.Set(s, 7))
		}, `"" 7`},
	}
	// Writers beneath whose connection can't be had: by net/http's word, or by that of somebody who tries and fails.
	failing := map[string]func(http.ResponseWriter) http.ResponseWriter{
		"HTTP/2 or a recorder": func(w http.ResponseWriter) http.ResponseWriter { return w },
		"a stranger's":         func(w http.ResponseWriter) http.ResponseWriter { return neverHijacked{w} },
	}
	for _, wiring := range wirings {
		for below, wrap := range failing {
			for name, c := range changes {
				for _, known := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s/%s/%s/known %v", wiring.name, below, name, known), func(t *testing.T) {
						shop := newShop(t)
						mux := http.NewServeMux()
						mux.HandleFunc("/known", func(w http.ResponseWriter, r *http.Request) { visits.Set(session.From(r.Context()), 0) })
						mux.HandleFunc("/probe", func(w http.ResponseWriter, r *http.Request) {
							s := session.From(r.Context())
							fmt.Fprintf(w, "%q %d", s.User(), visits.Get(s))
							if wiring.jars {
								fmt.Fprint(w, nick.Get(cookie.Local(r.Context())))
							}
						})
						mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
							s := session.From(r.Context())
							if c.before != nil {
								if err := c.before(s); err != nil {
									t.Error("before:", err)
								}
							}
							for range 2 {
								if _, _, err := http.NewResponseController(w).Hijack(); err == nil {
									t.Error("hijacked")
								}
							}
							if err := c.after(s); err != nil {
								t.Error("after:", err)
							}
							if wiring.jars {
								if err := nick.Set(cookie.Local(r.Context()), "Bob"); err != nil {
									t.Error("a jar after:", err)
								}
							}
							fmt.Fprint(w, "no upgrade")
						})
						want := c.want
						if wiring.jars {
							want += "Bob"
						}
						inner := wiring.wrap(shop, mux)
						h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { inner.ServeHTTP(wrap(w), r) })

						server, _ := shop.stand(t, true, h)
						bob := visitorOf(server)
						if known {
							fetch(t, bob, ask(t, "POST", server.URL+"/known"))
						}
						resp, body := fetch(t, bob, ask(t, "POST", server.URL))
						if resp.ProtoMajor != 2 || resp.StatusCode != 200 || body != "no upgrade" {
							t.Errorf("%s: %d %q", resp.Proto, resp.StatusCode, body)
						}
						if _, got := fetch(t, bob, ask(t, "POST", server.URL+"/probe")); got != want {
							t.Errorf("over HTTP/2: %s, want %s", got, want)
						}

						var jar []*http.Cookie
						visit := func(path string) string {
							w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "https://app.hardy.test"+path, nil)
							for _, c := range jar {
								r.AddCookie(c)
							}
							h.ServeHTTP(w, r)
							for _, c := range w.Result().Cookies() {
								jar = replaceCookie(jar, c)
							}
							return w.Body.String()
						}
						if known {
							visit("/known")
						}
						if got := visit("/"); got != "no upgrade" {
							t.Error(got)
						}
						if got := visit("/probe"); got != want {
							t.Errorf("with a recorder: %s, want %s", got, want)
						}
					})
				}
			}
		}
	}
}

// neverHijacked has a Hijack that fails, and can't be looked through.
type neverHijacked struct{ http.ResponseWriter }

func (neverHijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, errors.New("no connection to be had")
}

func replaceCookie(jar []*http.Cookie, c *http.Cookie) (kept []*http.Cookie) {
	for _, old := range jar {
		if old.Name != c.Name {
			kept = append(kept, old)
		}
	}
	if c.MaxAge < 0 {
		return kept
	}
	return append(kept, c)
}

// The cookie of a session that has ended is not due where nobody starts over: an Aware route's WebSocket is its own affair.
// Where the page has started over it is.
func TestHijackWithAnEndedSession(t *testing.T) {
	for _, row := range []struct {
		path  string
		reset bool
		ok    bool
	}{{"/aware", false, true}, {"/aware", true, false}} {
		synctest.Test(t, func(t *testing.T) {
			var reset, failed bool
			st := newStand(t, nil, nil)
			h := middleware.Sessions(st.manager, st.keys, &middleware.Options{Aware: []string{"/aware"}})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if reset {
					session.From(r.Context()).Reset()
				} else if session.From(r.Context()).Err() == nil {
					t.Error("the session has not ended")
				}
				conn, _, err := http.NewResponseController(w).Hijack()
				if failed = err != nil; !failed {
					conn.Close()
				}
			}))
			b := st.browser()
			st.send(b, "POST", "/ring")
			time.Sleep(32 * time.Minute)
			reset = row.reset
			r := ask(t, "POST", st.server.URL+row.path)
			for _, c := range b.Jar.Cookies(r.URL) {
				r.AddCookie(c)
			}
			h.ServeHTTP(&hijackable{httptest.NewRecorder()}, r)
			if failed == row.ok {
				t.Errorf("reset %v: failed %v", row.reset, failed)
			}
		})
	}
}

// hijackable gives away one end of a pipe.
type hijackable struct{ *httptest.ResponseRecorder }

func (*hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, other := net.Pipe()
	other.Close()
	return conn, nil, nil
}
