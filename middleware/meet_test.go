package middleware_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
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

// How requests meet an ended session.

// stand is an application that shows what it sees of its session, with everything around it.
type stand struct {
	t        *testing.T
	faults   *sessiontest.Faults
	manager  *session.Manager
	keys     *cookie.Keys
	ring     *ringSource
	sessions func(http.Handler) http.Handler
	server   *sessiontest.Server
}

var standRings = session.NewKey[int]("n_rings")

// view is what the application sees of a session: an answer's body.
type view struct {
	Err, Ended, User string
	Rings            int
}

func viewOf(s *session.Session) view {
	v := view{User: s.User(), Rings: standRings.Get(s)}
	if e, ok := errors.AsType[*session.ExpiredError](s.Err()); ok {
		v.Err = string(e.Reason)
	} else if s.Err() == session.ErrRotated {
		v.Err = "rotated moments ago"
	}
	if e := s.Ended(); e != nil {
		v.Ended = string(e.Reason)
	}
	return v
}

// ringSource is a keyring's text that a test can change.
type ringSource struct{ text string }

func (r *ringSource) Masters(context.Context) (string, error) { return r.text, nil }

func newStand(t *testing.T, mo *session.Options, o *middleware.Options) *stand {
	t.Helper()
	if mo == nil {
		mo = &session.Options{}
	}
	mo.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	st := &stand{t: t, faults: sessiontest.NewFaults(store.NewMemory(nil)), ring: &ringSource{cookie.NewMaster()}}
	st.manager = session.NewManager(st.faults, mo)
	var err error
	if st.keys, err = cookie.NewKeys(t.Context(), st.ring, "bell"); err != nil {
		t.Fatal(err)
	}
	st.sessions = middleware.Sessions(st.manager, st.keys, o)

	mux := http.NewServeMux()
	mux.HandleFunc("/ring", func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		standRings.Set(s, standRings.Get(s)+1) // as many a program: a refused write fails the commit
		json.NewEncoder(w).Encode(viewOf(s))
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := session.From(r.Context()).Login(r.FormValue("user")); err != nil {
			http.Error(w, err.Error(), http.StatusTeapot)
			return
		}
		http.Redirect(w, r, "/look", http.StatusSeeOther)
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) { session.From(r.Context()).Logout() })
	mux.HandleFunc("POST /renew", func(w http.ResponseWriter, r *http.Request) { session.From(r.Context()).Renew() })
	mux.HandleFunc("/idle", func(http.ResponseWriter, *http.Request) {}) // leaves the session alone
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Ran", "yes")
		json.NewEncoder(w).Encode(viewOf(session.From(r.Context())))
	})
	outer := http.NewServeMux()
	outer.Handle("POST /reset", middleware.ResetHandler(st.manager, st.keys, o))
	outer.Handle("/", st.sessions(mux))
	st.server = sessiontest.NewServer(t, outer)
	return st
}

// browser is one that shows redirects instead of following them.
func (st *stand) browser() *http.Client {
	b := st.server.Browser()
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return b
}

// reply is an answer, read to its end.
type reply struct {
	*http.Response
	body []byte
}

func (st *stand) do(client *http.Client, r *http.Request) reply {
	st.t.Helper()
	resp, err := client.Do(r)
	if err != nil {
		st.t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		st.t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	return reply{resp, body}
}

// send makes a request; fields are header fields by turns with their values.
func (st *stand) send(client *http.Client, method, path string, fields ...string) reply {
	st.t.Helper()
	r, err := http.NewRequest(method, st.server.URL+path, nil)
	if err != nil {
		st.t.Fatal(err)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	return st.do(client, r)
}

func (st *stand) post(client *http.Client, path string, form url.Values) reply {
	st.t.Helper()
	r, err := http.NewRequest(http.MethodPost, st.server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		st.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return st.do(client, r)
}

// look is what the application sees of a browser's session, asked by a call of its page.
func (st *stand) look(client *http.Client) (v view, status int) {
	st.t.Helper()
	resp := st.send(client, "GET", "/look", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty")
	if resp.StatusCode == http.StatusOK {
		if err := json.Unmarshal(resp.body, &v); err != nil {
			st.t.Fatalf("%v: %s", err, resp.body)
		}
	}
	return v, resp.StatusCode
}

const standCookie = "__Host-bell-session"

// token is the session cookie in a browser's jar; "" where there is none.
func (st *stand) token(jar http.CookieJar) string {
	site, err := url.Parse(st.server.URL)
	if err != nil {
		st.t.Fatal(err)
	}
	for _, c := range jar.Cookies(site) {
		if c.Name == standCookie {
			return c.Value
		}
	}
	return ""
}

// jarWith returns a jar that holds the session cookie as a browser would.
func (st *stand) jarWith(token string) http.CookieJar {
	jar, _ := cookiejar.New(nil)
	site, _ := url.Parse(st.server.URL)
	jar.SetCookies(site, []*http.Cookie{{Name: standCookie, Value: token, Path: "/", Secure: true}})
	return jar
}

// setCookies are the lines of an answer that set or clear the session cookie.
func (r reply) setCookies() (lines []string) {
	for _, line := range r.Header["Set-Cookie"] {
		if strings.HasPrefix(line, standCookie+"=") {
			lines = append(lines, line)
		}
	}
	return lines
}

const cleared = standCookie + "=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"

func (r reply) varies(by string) bool {
	return slices.ContainsFunc(r.Header.Values("Vary"), func(line string) bool {
		return slices.ContainsFunc(strings.Split(line, ","), func(f string) bool { return strings.EqualFold(strings.TrimSpace(f), by) })
	})
}

// meeting is one of the four cases of the design's section An ended session.
type meeting int

const (
	awareRoute   meeting = iota + 1 // the handler runs and sees the error
	actedOnByNo                     // so it does, and no cookie is written
	pageOpened                      // starts over
	fromAnOldTab                    // 401 before the handler
)

// What browsers and programs send. html is what the answer to a refusal is: a page or problem+json.
var requests = []struct {
	name, method, path string
	fields             []string
	meets              meeting
	html               bool
}{
	{"sign-in form", "POST", "/aware", []string{"Sec-Fetch-Mode", "navigate", "Accept", "text/html"}, awareRoute, true},
	{"sign-in call", "POST", "/aware", []string{"Sec-Fetch-Mode", "cors", "Accept", "application/json"}, awareRoute, false},
	{"sign-in by htmx", "POST", "/aware", []string{"HX-Request", "true"}, awareRoute, false},
	{"aware page", "GET", "/aware", []string{"Sec-Fetch-Mode", "navigate", "Accept", "text/html"}, awareRoute, true},
	{"aware page, prefetched", "GET", "/aware", []string{"Sec-Purpose", "prefetch", "Sec-Fetch-Mode", "navigate"}, awareRoute, false},

	{"prefetch", "GET", "/x", []string{"Sec-Purpose", "prefetch", "Sec-Fetch-Mode", "navigate", "Accept", "text/html"}, actedOnByNo, true},
	{"prerender", "GET", "/x", []string{"Sec-Purpose", "prefetch;prerender", "Sec-Fetch-Mode", "navigate"}, actedOnByNo, false},
	{"script", "GET", "/x", []string{"Sec-Fetch-Dest", "script", "Sec-Fetch-Mode", "no-cors"}, actedOnByNo, false},
	{"style", "GET", "/x", []string{"Sec-Fetch-Dest", "style", "Sec-Fetch-Mode", "no-cors"}, actedOnByNo, false},
	{"image", "GET", "/x", []string{"Sec-Fetch-Dest", "image", "Sec-Fetch-Mode", "no-cors", "Accept", "image/avif,*/*"}, actedOnByNo, false},
	{"font", "GET", "/x", []string{"Sec-Fetch-Dest", "font", "Sec-Fetch-Mode", "cors"}, actedOnByNo, false},
	{"audio", "GET", "/x", []string{"Sec-Fetch-Dest", "audio"}, actedOnByNo, false},
	{"video", "GET", "/x", []string{"Sec-Fetch-Dest", "video"}, actedOnByNo, false},
	{"track", "GET", "/x", []string{"Sec-Fetch-Dest", "track"}, actedOnByNo, false},
	{"manifest", "GET", "/x", []string{"Sec-Fetch-Dest", "manifest"}, actedOnByNo, false},
	{"worker", "GET", "/x", []string{"Sec-Fetch-Dest", "worker"}, actedOnByNo, false},
	{"preflight", "OPTIONS", "/x", []string{"Sec-Fetch-Mode", "cors"}, actedOnByNo, false},

	{"link", "GET", "/x", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Accept", "text/html,*/*"}, pageOpened, true},
	{"frame", "GET", "/x", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Accept", "text/html"}, pageOpened, true},
	{"link, Accept says nothing", "GET", "/x", []string{"Sec-Fetch-Mode", "navigate"}, pageOpened, false},
	{"HEAD of a page", "HEAD", "/x", []string{"Sec-Fetch-Mode", "navigate", "Accept", "text/html"}, pageOpened, true},
	{"link, old browser", "GET", "/x", []string{"Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}, pageOpened, true},
	{"HEAD, old browser", "HEAD", "/x", []string{"Accept", "text/html"}, pageOpened, true},

	{"form", "POST", "/x", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Accept", "text/html,*/*"}, fromAnOldTab, true},
	{"form, old browser", "POST", "/x", []string{"Accept", "text/html"}, fromAnOldTab, true},
	{"fetch", "GET", "/x", []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Accept", "*/*"}, fromAnOldTab, false},
	{"fetch of a fragment", "GET", "/x", []string{"Sec-Fetch-Mode", "same-origin", "Sec-Fetch-Dest", "empty", "Accept", "text/html"}, fromAnOldTab, true},
	{"fetch to post", "POST", "/x", []string{"Sec-Fetch-Mode", "cors", "Accept", "application/json"}, fromAnOldTab, false},
	{"fetch to put", "PUT", "/x", []string{"Sec-Fetch-Mode", "cors"}, fromAnOldTab, false},
	{"fetch to patch", "PATCH", "/x", []string{"Sec-Fetch-Mode", "cors"}, fromAnOldTab, false},
	{"fetch to delete", "DELETE", "/x", []string{"Sec-Fetch-Mode", "cors"}, fromAnOldTab, false},
	{"EventSource", "GET", "/x", []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Accept", "text/event-stream"}, fromAnOldTab, false},
	{"WebSocket", "GET", "/x", []string{"Sec-Fetch-Mode", "websocket", "Sec-Fetch-Dest", "websocket", "Upgrade", "websocket", "Connection", "Upgrade"}, fromAnOldTab, false},
	{"htmx get", "GET", "/x", []string{"HX-Request", "true", "Sec-Fetch-Mode", "cors", "Accept", "text/html"}, fromAnOldTab, true},
	{"htmx get, old browser", "GET", "/x", []string{"HX-Request", "true", "Accept", "text/html"}, fromAnOldTab, true},
	{"htmx post", "POST", "/x", []string{"HX-Request", "true", "Sec-Fetch-Mode", "cors"}, fromAnOldTab, false},
	{"XMLHttpRequest, old browser", "GET", "/x", []string{"X-Requested-With", "XMLHttpRequest", "Accept", "text/html, */*"}, fromAnOldTab, true},
	{"API client", "GET", "/x", nil, fromAnOldTab, false},
	{"API client, HEAD", "HEAD", "/x", nil, fromAnOldTab, false},
	{"anything but HTML", "GET", "/x", []string{"Accept", "text/html;q=0, */*"}, fromAnOldTab, false},
}

// ends are the ways in which a session ends. Each leaves the browser with a cookie of a session that has
// ended, of which "ann" was the user and which held 3 rings.
var ends = []struct {
	reason session.Reason
	end    func(st *stand, ann *http.Client)
}{
	{session.ReasonIdle, func(st *stand, ann *http.Client) { time.Sleep(31*time.Minute + time.Second) }},
	{session.ReasonLifetime, func(st *stand, ann *http.Client) {
		for range 24*6 - 1 {
			time.Sleep(10 * time.Minute)
			st.send(ann, "GET", "/idle")
		}
		time.Sleep(11 * time.Minute)
	}},
	{session.ReasonLogout, func(st *stand, ann *http.Client) {
		jar := st.jarWith(st.token(ann.Jar))
		st.post(ann, "/logout", nil)
		ann.Jar = jar // the answer was lost on the way
	}},
	{session.ReasonRevoked, func(st *stand, ann *http.Client) {
		if n, err := st.manager.RevokeUser(st.t.Context(), "ann"); n != 1 || err != nil {
			st.t.Fatal(n, err)
		}
	}},
	{session.ReasonRevoked, func(st *stand, ann *http.Client) { // by its key
		st.ring.text = cookie.NewMaster() + ",revoked:" + st.ring.text
		if err := st.keys.Reload(st.t.Context()); err != nil {
			st.t.Fatal(err)
		}
	}},
	{session.ReasonRotated, func(st *stand, ann *http.Client) {
		jar := st.jarWith(st.token(ann.Jar))
		st.post(ann, "/renew", nil)
		time.Sleep(session.Grace + time.Second)
		ann.Jar = jar
	}},
	{session.ReasonUnknown, func(st *stand, ann *http.Client) {
		ctx, stop := context.WithCancel(st.t.Context())
		go st.manager.Run(ctx)
		time.Sleep(session.DefaultIdle + session.Tombstone + 5*time.Minute) // idle, then forgotten
		stop()
	}},
}

// The whole table: every request of the list, with a session that ended for every reason, under every setting.
func TestEndedSessionIsMet(t *testing.T) {
	modes := map[string]middleware.Ended{"default": middleware.Restart, "Strict": middleware.Strict, "Fresh": middleware.Fresh}
	for name, mode := range modes {
		for i, e := range ends {
			t.Run(name+"/"+string(e.reason), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					st := newStand(t, nil, &middleware.Options{Ended: mode, Aware: []string{"/aware"}})
					ann := st.browser()
					st.post(ann, "/login", url.Values{"user": {"ann"}})
					for range 3 {
						st.post(ann, "/ring", nil)
					}
					if v, status := st.look(ann); status != 200 || v != (view{User: "ann", Rings: 3}) {
						t.Fatalf("before the end: %d %+v", status, v)
					}
					ends[i].end(st, ann)
					dead := st.token(ann.Jar)
					if dead == "" {
						t.Fatal("the browser has no cookie to meet the end with")
					}
					for _, row := range requests {
						ann.Jar = st.jarWith(dead)
						got := st.send(ann, row.method, row.path, row.fields...)
						meets := row.meets
						switch {
						case mode == middleware.Strict && meets == pageOpened:
							meets = fromAnOldTab
						case mode == middleware.Fresh && meets == fromAnOldTab:
							meets = pageOpened
						}
						kept := st.token(ann.Jar) == dead
						switch meets {
						case awareRoute, actedOnByNo:
							checkRan(t, row.name, got, view{Err: string(e.reason)})
							if len(got.setCookies()) > 0 || !kept {
								t.Errorf("%s: wrote the cookie: %q", row.name, got.setCookies())
							}
						case pageOpened:
							checkRan(t, row.name, got, view{Ended: string(e.reason)})
							if !slices.Equal(got.setCookies(), []string{cleared}) || kept {
								t.Errorf("%s: Set-Cookie %q, want the deletion", row.name, got.setCookies())
							}
						case fromAnOldTab:
							checkRefused(t, row.name, got, e.reason, slices.Contains(row.fields, "HX-Request"), row.html)
							if !kept {
								t.Errorf("%s: the jar lost its cookie", row.name)
							}
							// Every time, until somebody starts over.
							checkRefused(t, row.name+" again", st.send(ann, row.method, row.path, row.fields...), e.reason, slices.Contains(row.fields, "HX-Request"), row.html)
						}
					}
				})
			})
		}
	}
}

// checkRan checks the answer of a handler that has run, and looked at its session.
func checkRan(t *testing.T, name string, got reply, want view) {
	t.Helper()
	if got.StatusCode != 200 || got.Header.Get("X-Ran") == "" {
		t.Errorf("%s: %d, handler ran: %q; want 200 by the handler", name, got.StatusCode, got.Header.Get("X-Ran"))
		return
	}
	if got.Request.Method != http.MethodHead {
		var v view
		if err := json.Unmarshal(got.body, &v); err != nil || v != want {
			t.Errorf("%s: the handler saw %s, want %+v", name, got.body, want)
		}
	}
	if cc := got.Header.Get("Cache-Control"); cc != "private, no-store" || !got.varies("Cookie") {
		t.Errorf("%s: Cache-Control %q, Vary %q", name, cc, got.Header["Vary"])
	}
	for _, field := range []string{"WWW-Authenticate", "HX-Trigger"} {
		if v := got.Header.Get(field); v != "" {
			t.Errorf("%s: %s %q on an answer of the handler", name, field, v)
		}
	}
}

func checkRefused(t *testing.T, name string, got reply, reason session.Reason, htmx, html bool) {
	t.Helper()
	if got.StatusCode != 401 || got.Header.Get("X-Ran") != "" {
		t.Errorf("%s: %d, handler ran: %q; want 401 before the handler", name, got.StatusCode, got.Header.Get("X-Ran"))
		return
	}
	trigger := ""
	if htmx {
		trigger = `{"hardy:expired":{"reason":"` + string(reason) + `"}}`
	}
	kind := "application/problem+json"
	if html {
		kind = "text/html; charset=utf-8"
	}
	for field, want := range map[string]string{
		"WWW-Authenticate": `Session error="expired", reason="` + string(reason) + `"`,
		"Cache-Control":    "private, no-store",
		"Content-Type":     kind,
		"HX-Trigger":       trigger,
	} {
		if v := got.Header.Get(field); v != want {
			t.Errorf("%s: %s: %q, want %q", name, field, v, want)
		}
	}
	if !got.varies("Cookie") || !got.varies("Accept") {
		t.Errorf("%s: Vary %q", name, got.Header["Vary"])
	}
	if len(got.Header["Set-Cookie"]) > 0 {
		t.Errorf("%s: Set-Cookie %q: a late answer would drop the cookie of a session begun meanwhile", name, got.Header["Set-Cookie"])
	}
	switch {
	case got.Request.Method == http.MethodHead:
		if len(got.body) > 0 {
			t.Errorf("%s: HEAD has a body", name)
		}
	case html:
		if !bytes.Contains(got.body, []byte(">Refresh now</a>")) || bytes.Contains(got.body, []byte("<script")) {
			t.Errorf("%s: no dialog that works without scripts:\n%s", name, got.body)
		}
	default:
		var problem struct {
			Type, Title, Detail, Reason string
			Status                      int
		}
		if err := json.Unmarshal(got.body, &problem); err != nil ||
			problem.Type != "hardy/1/session-ended" || problem.Status != 401 || problem.Reason != string(reason) ||
			problem.Title == "" || problem.Detail == "" {
			t.Errorf("%s: %s", name, got.body)
		}
	}
}

// What a program can do on an Aware route: nothing, write (the 401 after all), start over, sign in.
func TestEndedSessionOnAwareRoutes(t *testing.T) {
	for _, row := range []struct {
		name   string
		do     func(t *testing.T, s *session.Session)
		status int
		after  view // what the browser's next call sees
		dead   int  // or the status that it gets
	}{
		{"looks", func(t *testing.T, s *session.Session) { s.User() }, 200, view{}, 401},
		{"writes", func(t *testing.T, s *session.Session) {
			if err := standRings.Set(s, 1); !errors.Is(err, session.ErrExpired) {
				t.Errorf("Set: %v", err)
			}
		}, 401, view{}, 401},
		{"deletes", func(t *testing.T, s *session.Session) {
			if _, err := standRings.Delete(s); !errors.Is(err, session.ErrExpired) {
				t.Errorf("Delete: %v", err)
			}
		}, 401, view{}, 401},
		{"updates", func(t *testing.T, s *session.Session) {
			_, err := standRings.Update(t.Context(), s, func(n int) int { return n + 1 })
			if !errors.Is(err, session.ErrExpired) {
				t.Errorf("Update: %v", err)
			}
		}, 401, view{}, 401},
		{"renews", func(t *testing.T, s *session.Session) {
			if err := s.Renew(); !errors.Is(err, session.ErrExpired) {
				t.Errorf("Renew: %v", err)
			}
		}, 401, view{}, 401},
		{"resets", func(t *testing.T, s *session.Session) {
			if err := s.Reset(); err != nil || s.Err() != nil || s.Ended() == nil || s.Ended().Reason != session.ReasonIdle {
				t.Errorf("Reset: %v; then Err %v, Ended %v", err, s.Err(), s.Ended())
			}
		}, 200, view{}, 0},
		{"catches, resets and writes", func(t *testing.T, s *session.Session) {
			if err := standRings.Set(s, 1); !errors.Is(err, session.ErrExpired) {
				t.Errorf("Set: %v", err)
			}
			s.Reset()
			if err := standRings.Set(s, 1); err != nil {
				t.Errorf("Set after Reset: %v", err)
			}
		}, 200, view{Rings: 1}, 0},
		{"signs in", func(t *testing.T, s *session.Session) {
			if err := s.Login("ann"); err != nil || s.User() != "ann" || standRings.Get(s) != 0 {
				t.Errorf("Login: %v; then %q rang %d times", err, s.User(), standRings.Get(s))
			}
		}, 200, view{User: "ann"}, 0},
		{"signs out", func(t *testing.T, s *session.Session) {
			if err := s.Logout(); err != nil {
				t.Errorf("Logout: %v", err)
			}
		}, 200, view{}, 0},
	} {
		for _, mode := range []middleware.Ended{middleware.Restart, middleware.Strict, middleware.Fresh} {
			synctest.Test(t, func(t *testing.T) {
				manager := session.NewManager(store.NewMemory(nil), &session.Options{Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
				sessions := middleware.Sessions(manager, cookie.DevKeys("bell"), &middleware.Options{Ended: mode, Aware: []string{"/aware"}})
				mux := http.NewServeMux()
				mux.HandleFunc("/aware", func(w http.ResponseWriter, r *http.Request) { row.do(t, session.From(r.Context())) })
				mux.HandleFunc("/look", func(w http.ResponseWriter, r *http.Request) {
					json.NewEncoder(w).Encode(viewOf(session.From(r.Context())))
				})
				st := &stand{t: t, manager: manager, sessions: sessions, server: sessiontest.NewServer(t, sessions(mux))}
				ann := st.browser()
				st.server.Visit(ann, sessions, func(s *session.Session) { s.Login("ann"); standRings.Set(s, 3) })
				time.Sleep(31*time.Minute + time.Second)

				if got := st.send(ann, "POST", "/aware"); got.StatusCode != row.status {
					t.Errorf("%s: %d, want %d", row.name, got.StatusCode, row.status)
				}
				if mode == middleware.Fresh && row.dead == 401 {
					return // the next call starts over
				}
				switch v, status := st.look(ann); {
				case row.dead != 0 && status != row.dead:
					t.Errorf("%s: the next call: %d, want %d", row.name, status, row.dead)
				case row.dead == 0 && (status != 200 || v != row.after):
					t.Errorf("%s: the next call: %d %+v, want %+v", row.name, status, v, row.after)
				}
			})
		}
	}
}

// OnEnded answers instead of the 401, and only there.
func TestOnEndedRedirects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		st := newStand(t, nil, &middleware.Options{
			Aware: []string{"/aware"},
			OnEnded: func(w http.ResponseWriter, r *http.Request, e *session.ExpiredError) {
				asked++
				http.Redirect(w, r, "/login?next="+url.QueryEscape(r.URL.Path)+"&why="+string(e.Reason), http.StatusSeeOther)
			},
		})
		ann := st.browser()
		st.post(ann, "/login", url.Values{"user": {"ann"}})
		time.Sleep(31*time.Minute + time.Second)
		dead := st.token(ann.Jar)
		want := 0
		for _, row := range requests {
			ann.Jar = st.jarWith(dead)
			got := st.send(ann, row.method, row.path, row.fields...)
			if row.meets == fromAnOldTab {
				want++
				if got.StatusCode != 303 || got.Header.Get("Location") != "/login?next=%2Fx&why=idle" || len(got.Header["Set-Cookie"]) > 0 {
					t.Errorf("%s: %d to %q, Set-Cookie %q", row.name, got.StatusCode, got.Header.Get("Location"), got.Header["Set-Cookie"])
				}
			} else if got.StatusCode != 200 {
				t.Errorf("%s: %d", row.name, got.StatusCode)
			}
			if asked != want {
				t.Fatalf("%s: OnEnded was called %d times, want %d", row.name, asked, want)
			}
		}
	})
}

// Anvil, 7 and 8: the operation that meets the expiry fails, any operation does, and every one after it, until
// somebody resets; then the same call works with a blank session, and nobody is signed in. What was handed
// out before stays invalid.
func TestAnvilSessionExpired(t *testing.T) {
	resets := map[string]func(st *stand, ann *http.Client) reply{
		"by ResetHandler": func(st *stand, ann *http.Client) reply { return st.post(ann, "/reset", nil) },
		"by opening a page": func(st *stand, ann *http.Client) reply {
			return st.send(ann, "GET", "/x", "Accept", "text/html", "Sec-Fetch-Mode", "navigate")
		},
		"by the dialog's link": func(st *stand, ann *http.Client) reply {
			return st.send(ann, "GET", "/x?hardy-start-over", "Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "same-origin")
		},
		"by an aware route": func(st *stand, ann *http.Client) reply { return st.post(ann, "/aware/reset", nil) },
	}
	for mode, ended := range map[string]middleware.Ended{"default": middleware.Restart, "Strict": middleware.Strict} {
		for name, reset := range resets {
			if ended == middleware.Strict && name == "by opening a page" {
				continue // it meets the dialog: TestEndedSessionIsMet
			}
			t.Run(mode+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					st := newStand(t, nil, &middleware.Options{Ended: ended, Aware: []string{"/aware/"}})
					// An object that a request handed out: here a session that the program kept.
					var kept *session.Session
					mux := http.NewServeMux()
					mux.HandleFunc("/keep", func(w http.ResponseWriter, r *http.Request) { kept = session.From(r.Context()); kept.User() })
					mux.HandleFunc("/aware/reset", func(w http.ResponseWriter, r *http.Request) { session.From(r.Context()).Reset() })
					mux.HandleFunc("/ring", func(w http.ResponseWriter, r *http.Request) {
						s := session.From(r.Context())
						standRings.Set(s, standRings.Get(s)+1)
						json.NewEncoder(w).Encode(viewOf(s))
					})
					mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
						json.NewEncoder(w).Encode(viewOf(session.From(r.Context())))
					})
					outer := http.NewServeMux()
					outer.Handle("POST /reset", middleware.ResetHandler(st.manager, st.keys, &middleware.Options{Ended: ended}))
					outer.Handle("/", st.sessions(mux))
					st.server = sessiontest.NewServer(t, outer)
					ann := st.browser()
					st.server.SignIn(ann, st.sessions, "ann")
					for range 3 {
						st.post(ann, "/ring", nil)
					}
					st.send(ann, "GET", "/keep")

					time.Sleep(31*time.Minute + time.Second)

					for range 3 { // the call, and every further one
						for _, call := range []string{"/ring", "/look", "/keep"} {
							if got := st.post(ann, call, nil); got.StatusCode != 401 {
								t.Fatalf("%s after the end: %d, want 401", call, got.StatusCode)
							}
						}
					}
					if got := reset(st, ann); got.StatusCode >= 400 {
						t.Fatalf("reset: %d %s", got.StatusCode, got.body)
					}
					var v view
					if got := st.post(ann, "/ring", nil); got.StatusCode != 200 || json.Unmarshal(got.body, &v) != nil || v != (view{Rings: 1}) {
						t.Errorf("the repeated call: %d %s, want a blank session's first ring", got.StatusCode, got.body)
					}
					// The object that was handed out before raises, and touches nothing of the successor.
					if _, err := standRings.Update(t.Context(), kept, func(int) int { return 99 }); !errors.Is(err, session.ErrExpired) {
						t.Errorf("Update by the old object: %v", err)
					}
					if err := standRings.Set(kept, 99); !errors.Is(err, session.ErrExpired) {
						t.Errorf("Set by the old object: %v", err)
					}
					if err := kept.Save(t.Context()); !errors.Is(err, session.ErrExpired) {
						t.Errorf("Save by the old object: %v", err)
					}
					if kept.User() != "" || standRings.Get(kept) != 0 {
						t.Errorf("the old object shows %q, %d", kept.User(), standRings.Get(kept))
					}
					if v, status := st.look(ann); status != 200 || v != (view{Rings: 1}) {
						t.Errorf("afterwards: %d %+v", status, v)
					}
				})
			})
		}
	}
}
