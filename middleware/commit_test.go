package middleware_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

// office is an application on connections in memory, over a store that fails on demand.
type office struct {
	db       *store.Memory
	faults   *sessiontest.Faults
	manager  *session.Manager
	sessions func(http.Handler) http.Handler
	jars     func(http.Handler) http.Handler
	server   *sessiontest.Server
	mux      *http.ServeMux
}

// newOffice wraps what the test puts into mux: "Cookies, Sessions", or with inside the other way round.
func newOffice(t *testing.T, inside bool, o *session.Options) *office {
	t.Helper()
	f := &office{db: store.NewMemory(nil), mux: http.NewServeMux()}
	f.faults = sessiontest.NewFaults(f.db)
	f.manager = session.NewManager(f.faults, o)
	keys := cookie.DevKeys("bell")
	f.sessions = middleware.Sessions(f.manager, keys, nil)
	f.jars = middleware.Cookies(keys, nil)
	wraps := []func(http.Handler) http.Handler{f.jars, f.sessions}
	if inside {
		slices.Reverse(wraps)
	}
	f.mux.HandleFunc("/probe", func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		fmt.Fprintf(w, "%q %d %q %q", s.User(), visits.Get(s), afterward.Get(s), nick.Get(cookie.Local(r.Context())))
	})
	outer := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Frame-Options", "DENY")
			w.Header().Set("Vary", "Origin")
			next.ServeHTTP(w, r)
		})
	}
	f.server = sessiontest.NewServer(t, outer(middleware.Chain(f.mux, wraps...)))
	return f
}

// probe says what a browser's session and jar hold.
func (f *office) probe(t *testing.T, c *http.Client) string {
	t.Helper()
	_, body := fetch(t, c, ask(t, "POST", f.server.URL+"/probe"))
	return body
}

// failing are answers that must not go out, as their handler began them.
var failing = map[string]func(w http.ResponseWriter, r *http.Request){
	"Write":       func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(rung)) },
	"WriteString": func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, rung) },
	"WriteHeader": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(201); w.Write([]byte(rung)) },
	"redirect":    func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/secret", http.StatusSeeOther) },
	"Flush": func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).Flush()
		w.Write([]byte(rung))
	},
	"http.Flusher": func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush(); w.Write([]byte(rung)) },
	"ReadFrom": func(w http.ResponseWriter, r *http.Request) {
		w.(io.ReaderFrom).ReadFrom(strings.NewReader(rung))
	},
	"ServeContent": func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "secret.html", time.Now(), strings.NewReader(rung))
	},
	"nothing": func(w http.ResponseWriter, r *http.Request) {},
	"103": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</secret.css>; rel=preload")
		w.WriteHeader(103)
		w.Write([]byte(rung))
	},
	"5xx": func(w http.ResponseWriter, r *http.Request) { http.Error(w, rung, 500) },
	"a Content-Length": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(rung)))
		w.Write([]byte(rung))
	},
	"a Trailer": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		w.Write([]byte(rung))
		w.Header().Set("X-Sum", "secret")
	},
	"Hijack": func(w http.ResponseWriter, r *http.Request) {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			conn.Close()
		} else {
			http.Error(w, rung, 500)
		}
	},
	"insists": func(w http.ResponseWriter, r *http.Request) {
		for range 3 {
			w.WriteHeader(200)
			w.Write([]byte(rung))
			http.NewResponseController(w).Flush()
		}
	},
}

// Where the store fails before the first byte the client gets one clean 503: not a byte, a header or a cookie of the
// handler's, but all that a middleware further out had set. When the store is well again everything works.
func TestCommitFailure(t *testing.T) {
	changes := []struct {
		name  string
		op    string // the store's call that fails
		known bool   // the visitor has a session
		apply func(s *session.Session) error
	}{
		{"birth", "create", false, func(s *session.Session) error { return visits.Set(s, 1) }},
		{"value", "replace", true, func(s *session.Session) error { return visits.Set(s, visits.Get(s)+1) }},
		{"login", "create", true, func(s *session.Session) error { return s.Login("ann") }},
		{"login, the end of the old one", "end", true, func(s *session.Session) error { return s.Login("ann") }},
		{"logout", "end", true, func(s *session.Session) error { return s.Logout() }},
	}
	for _, inside := range []bool{false, true} {
		for _, c := range changes {
			for _, name := range slices.Sorted(maps.Keys(failing)) {
				t.Run(fmt.Sprintf("inside %v/%s/%s", inside, c.name, name), func(t *testing.T) {
					f := newOffice(t, inside, nil)
					var heard error
					f.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
						w.Header().Set("X-Secret", "secret")
						w.Header().Set("Content-Type", "text/secret")
						w.Header().Set("X-Frame-Options", "SAMEORIGIN")
						w.Header().Del("Vary")
						http.SetCookie(w, &http.Cookie{Name: "own", Value: "secret"})
						if err := errors.Join(c.apply(session.From(r.Context())), nick.Set(cookie.Local(r.Context()), "Bob")); err != nil {
							t.Error(err)
						}
						failing[name](w, r)
						_, heard = w.Write(nil)
					})
					bob := f.server.Browser()
					bob.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
					if c.known {
						f.server.Visit(bob, f.sessions, func(s *session.Session) { visits.Set(s, 4) })
					}
					before, records := f.probe(t, bob), f.alive(t)

					f.faults.Add(sessiontest.Fault{Op: c.op, Err: errors.New("connection refused by secret-host")})
					resp, body := fetch(t, bob, ask(t, "POST", f.server.URL+"/"))
					var p struct{ Type, Title string }
					if err := json.Unmarshal([]byte(body), &p); err != nil || p.Type != "hardy/1/store-unavailable" {
						t.Errorf("body: %v %s", err, body)
					}
					if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || resp.Header.Get("Content-Type") != "application/problem+json" {
						t.Errorf("%d %v", resp.StatusCode, resp.Header)
					}
					if strings.Contains(body+fmt.Sprint(resp.Header, resp.Trailer), "ecret") || len(resp.Cookies()) > 0 || strings.Contains(body, "<p>") {
						t.Errorf("something of the handler's: %v %s", resp.Header, body)
					}
					if resp.Header.Get("X-Frame-Options") != "DENY" || !strings.HasPrefix(strings.Join(resp.Header["Vary"], ","), "Origin") {
						t.Errorf("of the middleware further out: %v", resp.Header)
					}
					if resp.Header.Get("Cache-Control") != "private, no-store" {
						t.Errorf("Cache-Control %q", resp.Header["Cache-Control"])
					}
					if name != "nothing" && !errors.Is(heard, session.ErrUnavailable) {
						t.Errorf("the handler, writing on, meets %v", heard)
					}

					f.faults.Clear()
					if got := f.probe(t, bob); got != before {
						t.Errorf("afterwards session and jar hold %s, before %s", got, before)
					}
					// A successor that can't be withdrawn either runs out by itself; nobody has its token.
					if n := f.alive(t); n != records && c.name != "login, the end of the old one" {
						t.Errorf("%d live records, before %d", n, records)
					}
					if name == "Hijack" {
						return
					}
					if resp, _ := fetch(t, bob, ask(t, "POST", f.server.URL+"/")); resp.StatusCode == 503 {
						t.Error("the store is well again, the answer is not")
					}
					want := map[string]string{
						"birth": `"" 1 "" "Bob"`, "value": `"" 5 "" "Bob"`, "logout": `"" 0 "" "Bob"`,
						"login": `"ann" 4 "" "Bob"`, "login, the end of the old one": `"ann" 4 "" "Bob"`,
					}[c.name]
					if got := f.probe(t, bob); got != want {
						t.Errorf("once repeated: %s, want %s", got, want)
					}
				})
			}
		}
	}
}

// alive counts the records that neither ended nor expired.
func (f *office) alive(t *testing.T) (n int) {
	t.Helper()
	page, next, err := f.db.Scan(t.Context(), "", 10_000)
	if err != nil || next != "" {
		t.Fatal(next, err)
	}
	for _, r := range page {
		if r.Ended == "" && r.Expires.After(time.Now()) {
			n++
		}
	}
	return n
}

// A sign-in that fails at the end of the old session withdraws the new one, which nobody was told of.
func TestCommitFailureWithdrawsTheSuccessor(t *testing.T) {
	f := newOffice(t, false, nil)
	f.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { session.From(r.Context()).Login("ann") })
	bob := f.server.Browser()
	f.server.Visit(bob, f.sessions, func(s *session.Session) { visits.Set(s, 4) })
	f.faults.Add(sessiontest.Fault{Op: "end", Nth: 1, Err: errors.New("connection refused")})
	resp, _ := fetch(t, bob, ask(t, "POST", f.server.URL+"/"))
	list, err := f.manager.List(t.Context(), "ann")
	if resp.StatusCode != 503 || err != nil || len(list) != 0 || f.alive(t) != 1 {
		t.Errorf("%d; ann has %d sessions (%v), %d are live in all", resp.StatusCode, len(list), err, f.alive(t))
	}
	if got := f.probe(t, bob); got != `"" 4 "" ""` {
		t.Errorf("afterwards: %s", got)
	}
}

// A value that only the merge shows to be too large is the server's 500, not a busy store's 503: trying again is no use.
func TestCommitTooLarge(t *testing.T) {
	f := newOffice(t, false, &session.Options{MaxBytes: 1000})
	half := strings.Repeat("x", 600)
	other := session.NewKey[string]("other")
	f.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		if err := afterward.Set(s, half); err != nil {
			t.Error(err)
		}
		token := s.Token()
		parallel, err := f.manager.Load(r.Context(), token)
		if err := errors.Join(err, other.Set(parallel, half), f.manager.Commit(r.Context(), parallel)); err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, rung)
	})
	bob := f.server.Browser()
	f.server.Visit(bob, f.sessions, func(s *session.Session) { visits.Set(s, 1) })
	resp, body := fetch(t, bob, ask(t, "POST", f.server.URL+"/"))
	if resp.StatusCode != 500 || strings.Contains(body, "bell") || !strings.Contains(body, "hardy/1/session-not-stored") || resp.Header.Get("Retry-After") != "" {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, body)
	}
	f.server.Visit(bob, f.sessions, func(s *session.Session) {
		if visits.Get(s) != 1 || other.Get(s) != half || afterward.Get(s) != "" {
			t.Errorf("the session holds %v", s.Keys())
		}
	})
}

// A panic that leaves the handler stores nothing more, but for an end that was asked for. What Update and Save have
// stored stays.
func TestPanic(t *testing.T) {
	type step = func(t *testing.T, w http.ResponseWriter, r *http.Request, s *session.Session)
	cases := []struct {
		name  string
		do    step
		holds string // user, visits, afterward, nick: the visitor comes with "" 4
		ended bool
	}{
		{"Set", func(t *testing.T, w http.ResponseWriter, r *http.Request, s *session.Session) { visits.Set(s, 9) }, `"" 4 "" ""`, false},
		{"a jar", func(t *testing.T, w http.ResponseWriter, r *http.Request, s *session.Session) {
			nick.Set(cookie.Local(r.Context()), "Bob")
		}, `"" 4 "" ""`, false},
		{"Login", func(t *testing.T, w http.ResponseWriter, r *http.Request, s *session.Session) { s.Login("ann") }, `"" 4 "" ""`, false},
		{"Renew", func(t *testing.T, w http.ResponseWriter, r *http.Request, s *session.Session) { s.Renew() }, `"" 4 "" ""`, false},
		{"Clear", func(t *testing.T, w http.ResponseWriter, r *http.Request, s *session.Session) { s.Clear() }, `"" 4 "" ""`, false},
		{"Update, Set", func(t *testing.T, w http.ResponseWriter, r *http.Request, s *session.Session) {
			visits.Update(r.Context(), s, func(n int) int { return n + 1 })
			afterward.Set(s, "lost")
		}, `"" 5 "" ""`, false},
		{"Save, Set", func(t *testing.T, w http.ResponseWriter, r *http.Request, s *session.Session) {
			afterward.Set(s, "saved")
			s.Save(r.Context())
			visits.Set(s, 9)
		}, `"" 4 "saved" ""`, false},
		{"Logout", func(t *testing.T, w http.ResponseWriter, r *http.Request, s *session.Session) { s.Logout() }, "", true},
		{"Logout, Set", func(t *testing.T, w http.ResponseWriter, r *http.Request, s *session.Session) {
			s.Logout()
			visits.Set(s, 1)
		}, "", true},
		{"Set, Reset", func(t *testing.T, w http.ResponseWriter, r *http.Request, s *session.Session) {
			visits.Set(s, 9)
			s.Reset()
		}, "", true},
		{"Logout, Login", func(t *testing.T, w http.ResponseWriter, r *http.Request, s *session.Session) {
			s.Logout()
			s.Login("ann")
		}, "", true},
		{"Set, Write, Set", func(t *testing.T, w http.ResponseWriter, r *http.Request, s *session.Session) {
			visits.Set(s, 5)
			w.Write([]byte(rung))
			afterward.Set(s, "lost")
		}, `"" 5 "" ""`, false},
		{"Write, Logout", func(t *testing.T, w http.ResponseWriter, r *http.Request, s *session.Session) {
			w.Write([]byte(rung))
			if err := s.Logout(); err != session.ErrSent {
				t.Errorf("Logout after the first byte: %v", err)
			}
		}, "", true},
	}
	for _, inside := range []bool{false, true} {
		for _, recovers := range []bool{false, true} {
			for _, value := range []any{errors.New("boom"), http.ErrAbortHandler} {
				for _, c := range cases {
					t.Run(fmt.Sprintf("inside %v/recovers %v/%v/%s", inside, recovers, value, c.name), func(t *testing.T) {
						f := newOffice(t, inside, nil)
						f.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
							c.do(t, w, r, session.From(r.Context()))
							panic(value)
						})
						served := make(chan bool, 1)
						watched := f.jars(f.sessions(f.mux))
						if inside {
							watched = f.sessions(f.jars(f.mux))
						}
						server := sessiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
							defer func() {
								served <- true
								if !recovers {
									return
								}
								if why := recover(); why != nil {
									http.Error(w, "recovered", 500)
								}
							}()
							watched.ServeHTTP(w, r)
						}))
						f.server = server
						bob := server.Browser()
						server.Visit(bob, f.sessions, func(s *session.Session) { visits.Set(s, 4) })

						resp, err := bob.Do(ask(t, "POST", server.URL+"/"))
						<-served
						if err == nil {
							io.Copy(io.Discard, resp.Body)
							resp.Body.Close()
							if !strings.Contains(c.name, "Write") && (resp.StatusCode != 500 || len(resp.Cookies()) > 0) {
								t.Errorf("answered %d with %q", resp.StatusCode, resp.Header["Set-Cookie"])
							}
						} else if recovers && !strings.Contains(c.name, "Write") {
							t.Error(err)
						}
						resp, body := fetch(t, bob, ask(t, "POST", server.URL+"/probe"))
						<-served
						if c.ended {
							if resp.StatusCode != 401 || !strings.Contains(body, `"reason":"logout"`) || f.alive(t) != 0 {
								t.Errorf("after the end: %d %s; %d records live", resp.StatusCode, body, f.alive(t))
							}
							return
						}
						if body != c.holds || f.alive(t) != 1 {
							t.Errorf("the session holds %s, want %s; %d records live", body, c.holds, f.alive(t))
						}
					})
				}
			}
		}
	}
}

// A client that hangs up while its logout is being stored is signed out all the same; so is one whose request is over
// before the handler comes to it.
func TestHangUpDuringLogout(t *testing.T) {
	for _, when := range []string{"before the call", "before the handler asks", "after the call"} {
		t.Run(when, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newOffice(t, false, nil)
				hangUp := func() {}
				gone := make(chan struct{})
				await := func(ctx context.Context) {
					hangUp()
					<-ctx.Done()
					close(gone)
				}
				var ctx context.Context
				served := make(chan bool, 1)
				f.mux.HandleFunc("/logout", func(w http.ResponseWriter, r *http.Request) {
					ctx = r.Context()
					if when == "before the handler asks" {
						await(ctx)
					}
					if err := session.From(ctx).Logout(); err != nil {
						t.Error(err)
					}
					http.Redirect(w, r, "/", http.StatusSeeOther)
					served <- true
				})
				bob := f.server.Browser()
				f.server.SignIn(bob, f.sessions, "bob")
				switch fault := (sessiontest.Fault{Op: "end", Delay: time.Second}); when {
				case "before the call":
					fault.Before = func(sessiontest.Call) { await(ctx) }
					f.faults.Add(fault)
				case "after the call":
					fault.After = func(sessiontest.Call) { await(ctx) }
					f.faults.Add(fault)
				}
				asked, cancel := context.WithCancel(t.Context())
				hangUp = cancel
				if _, err := bob.Do(ask(t, "POST", f.server.URL+"/logout").WithContext(asked)); !errors.Is(err, context.Canceled) {
					t.Fatalf("the client did not hang up: %v", err)
				}
				<-gone
				<-served
				f.faults.Clear()
				if list, err := f.manager.List(t.Context(), "bob"); len(list) != 0 || err != nil {
					t.Errorf("%d sessions of bob are open (%v)", len(list), err)
				}
				if resp, body := fetch(t, bob, ask(t, "POST", f.server.URL+"/probe")); resp.StatusCode != 401 || !strings.Contains(body, `"reason":"logout"`) {
					t.Errorf("with the old cookie: %d %s", resp.StatusCode, body)
				}
			})
		})
	}
}

// A store that does not answer is given up at the deadline: 503, nothing of the handler's, and nobody a new visitor.
func TestStoreDeadline(t *testing.T) {
	for _, op := range []string{"load", "touch", "create", "replace", "end"} {
		for _, timeout := range []time.Duration{0, 300 * time.Millisecond} {
			t.Run(fmt.Sprint(op, " ", timeout), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newOffice(t, false, &session.Options{StoreTimeout: timeout})
					f.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
						s := session.From(r.Context())
						switch op {
						case "create":
							s.Login("ann")
						case "end":
							s.Logout()
						case "replace":
							visits.Set(s, 9)
						}
						fmt.Fprint(w, rung)
					})
					bob := f.server.Browser()
					f.server.Visit(bob, f.sessions, func(s *session.Session) { visits.Set(s, 4) })
					time.Sleep(5 * time.Minute) // a Touch is due
					f.faults.Add(sessiontest.Fault{Op: op, Delay: time.Hour})
					start := time.Now()
					resp, body := fetch(t, bob, ask(t, "POST", f.server.URL+"/"))
					limit := max(timeout, session.DefaultStoreTimeout)
					if timeout > 0 {
						limit = timeout
					}
					if took := time.Since(start); took != limit {
						t.Errorf("answered after %v, want %v", took, limit)
					}
					if resp.StatusCode != 503 || strings.Contains(body, "bell") || len(resp.Cookies()) > 0 || resp.Header.Get("Retry-After") == "" {
						t.Errorf("%d %v %s", resp.StatusCode, resp.Header, body)
					}
					f.faults.Clear()
					if got := f.probe(t, bob); got != `"" 4 "" ""` {
						t.Errorf("afterwards: %s", got)
					}
				})
			})
		}
	}
}

// All calls of one commit share its deadline: a login, at three calls, takes no longer than one.
func TestStoreDeadlineIsForTheWholeCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newOffice(t, false, nil)
		f.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { session.From(r.Context()).Login("ann") })
		bob := f.server.Browser()
		f.server.Visit(bob, f.sessions, func(s *session.Session) { visits.Set(s, 4) })
		f.faults.Add(sessiontest.Fault{Op: "create", Delay: 1500 * time.Millisecond})
		f.faults.Add(sessiontest.Fault{Op: "end", Delay: 1500 * time.Millisecond})
		start := time.Now()
		resp, _ := fetch(t, bob, ask(t, "POST", f.server.URL+"/"))
		if took := time.Since(start); resp.StatusCode != 503 || took > session.DefaultStoreTimeout {
			t.Errorf("%d after %v", resp.StatusCode, took)
		}
		f.faults.Clear()
		if got := f.probe(t, bob); got != `"" 4 "" ""` {
			t.Errorf("afterwards: %s", got)
		}
	})
}
