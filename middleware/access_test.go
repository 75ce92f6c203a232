package middleware_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/store"
)

// page and script are what a browser sends with a page that is opened, and with a call of one.
var (
	page   = []string{"Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}
	script = []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}
)

// problemOf is what an answer in the handler's place says of itself.
func problemOf(t *testing.T, got reply) (p struct{ Type, Title, Detail string }) {
	t.Helper()
	if err := json.Unmarshal(got.body, &p); err != nil {
		t.Errorf("%d is no problem: %v: %.100s", got.StatusCode, err, got.body)
	}
	return p
}

func hello(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "hello %s", session.From(r.Context()).User())
}

// A13: what is for users is refused to strangers, and what wants a recent sign-in to who signed in long ago: a page that
// is opened leads to the sign-in with the way back, everything else is a 401.
func TestA13RequireUserAndFresh(t *testing.T) {
	bubble(t, func(t *testing.T) {
		routes := map[string]http.HandlerFunc{
			"/orders":   middleware.RequireUser("/sign-in")(http.HandlerFunc(hello)).ServeHTTP,
			"/api":      middleware.RequireUser("")(http.HandlerFunc(hello)).ServeHTTP,
			"/password": middleware.RequireFresh(10*time.Minute, "/sign-in")(http.HandlerFunc(hello)).ServeHTTP,
			"/pay":      middleware.RequireFresh(10*time.Minute, "")(http.HandlerFunc(hello)).ServeHTTP,
			"GET /app/": http.StripPrefix("/app", middleware.RequireUser("/sign-in")(http.HandlerFunc(hello))).ServeHTTP,
		}
		st := newSite(t, nil, nil, nil, routes)
		stranger := st.browser()
		st.send(stranger, "POST", "/ring") // has a session, and is nobody
		for _, who := range []*http.Client{st.browser(), stranger} {
			for _, c := range []struct {
				method, path string
				fields       []string
				status       int
				to, kind     string
			}{
				{"GET", "/orders?year=2026&x=%2F", page, 303, "/sign-in?next=" + url.QueryEscape("/orders?year=2026&x=%2F"), ""},
				{"GET", "/app/a/b", page, 303, "/sign-in?next=" + url.QueryEscape("/app/a/b"), ""},
				{"GET", "/password", page, 303, "/sign-in?next=%2Fpassword", ""},
				{"GET", "/orders?hardy-start-over=1&next=//evil.example", page, 303, "/sign-in?next=" + url.QueryEscape("/orders?hardy-start-over=1&next=//evil.example"), ""},
				{"GET", "/orders", script, 401, "", "hardy/1/user-required"},
				{"POST", "/orders", nil, 401, "", "hardy/1/user-required"},
				{"POST", "/password", nil, 401, "", "hardy/1/user-required"},
				{"GET", "/api", page, 401, "", ""},
				{"GET", "/api", nil, 401, "", "hardy/1/user-required"},
				{"GET", "/pay", nil, 401, "", "hardy/1/user-required"},
			} {
				got := st.send(who, c.method, c.path, c.fields...)
				what := c.method + " " + c.path
				if got.StatusCode != c.status || got.Header.Get("Location") != c.to || strings.Contains(string(got.body), "hello") {
					t.Errorf("%s: %d to %q: %.100s", what, got.StatusCode, got.Header.Get("Location"), got.body)
				}
				if cc := got.Header.Get("Cache-Control"); !strings.Contains(cc, "no-store") || !strings.Contains(strings.Join(got.Header["Vary"], ","), "Cookie") {
					t.Errorf("%s: Cache-Control %q, Vary %q", what, cc, got.Header["Vary"])
				}
				if c.status == 401 && got.Header.Get("WWW-Authenticate") != `Session error="anonymous"` {
					t.Errorf("%s: WWW-Authenticate %q", what, got.Header.Get("WWW-Authenticate"))
				}
				if c.kind != "" && problemOf(t, got).Type != c.kind {
					t.Errorf("%s: %s", what, got.body)
				}
			}
			// A form gets a page with a link to sign in, and back to where it stands; htmx is led there.
			got := st.send(who, "POST", "/orders", "Accept", "text/html", "Referer", st.server.URL+"/cart?id=7")
			if want := `href="/sign-in?next=%2Fcart%3Fid%3D7"`; got.StatusCode != 401 || !strings.Contains(string(got.body), want) || !strings.Contains(string(got.body), "Sign in") {
				t.Errorf("a form: %d, without %s: %s", got.StatusCode, want, got.body)
			}
			if got := st.send(who, "POST", "/orders", "HX-Request", "true", "Referer", st.server.URL+"/cart"); got.Header.Get("HX-Redirect") != "/sign-in?next=%2Fcart" {
				t.Errorf("htmx: %q", got.Header)
			}
		}

		ann := st.signIn("ann", 1)
		for _, path := range []string{"/orders", "/api", "/password", "/pay", "/app/a/b"} {
			if got := st.send(ann, "GET", path, page...); got.StatusCode != 200 || string(got.body) != "hello ann" {
				t.Errorf("ann, %s: %d %s", path, got.StatusCode, got.body)
			}
		}
		time.Sleep(10*time.Minute + time.Second)
		if got := st.send(ann, "GET", "/password", page...); got.StatusCode != 303 || got.Header.Get("Location") != "/sign-in?next=%2Fpassword" {
			t.Errorf("ten minutes later: %d %q", got.StatusCode, got.Header.Get("Location"))
		}
		got := st.send(ann, "POST", "/pay")
		if problemOf(t, got).Type != "hardy/1/sign-in-again" || got.StatusCode != 401 || got.Header.Get("WWW-Authenticate") != `Session error="stale", max-age="600"` {
			t.Errorf("ten minutes later: %d %q %s", got.StatusCode, got.Header.Get("WWW-Authenticate"), got.body)
		}
		if got := st.send(ann, "GET", "/orders"); got.StatusCode != 200 {
			t.Errorf("what wants no recent sign-in: %d", got.StatusCode)
		}
		st.post(ann, "/login", url.Values{"user": {"ann"}})
		if got := st.send(ann, "POST", "/pay"); got.StatusCode != 200 {
			t.Errorf("signed in again: %d", got.StatusCode)
		}
		if v, _ := st.look(ann); v.Rings != 1 {
			t.Errorf("signing in again has lost %+v", v)
		}
	})
}

// In the moments after a sign-in the old token is nobody's: the browser asks again, and is let in.
func TestRequireUserInTheGrace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		st := newSite(t, nil, nil, nil, map[string]http.HandlerFunc{"/orders": middleware.RequireUser("/sign-in")(http.HandlerFunc(hello)).ServeHTTP})
		b := st.browser()
		st.send(b, "POST", "/ring")
		site, _ := url.Parse(st.server.URL)
		old := st.as(b.Jar.Cookies(site)[0].Value)
		st.post(b, "/login", url.Values{"user": {"ann"}})
		if got := st.send(old, "GET", "/orders", page...); got.StatusCode != 409 || got.Header.Get("Retry-After") != "1" {
			t.Errorf("the old token: %d %q", got.StatusCode, got.Header.Get("Location"))
		}
		if got := st.send(b, "GET", "/orders", page...); got.StatusCode != 200 {
			t.Errorf("the new one: %d", got.StatusCode)
		}
	})
}

// An API client has no pages to be sent to.
func TestRequireUserOfAPIClients(t *testing.T) {
	keys := cookie.DevKeys("bell")
	m := session.NewManager(store.NewMemory(nil), nil)
	h := middleware.Sessions(m, keys, &middleware.Options{Carrier: middleware.Header("X-Session"), AllowDevKeys: true, Aware: []string{"/"}})(middleware.RequireUser("/sign-in")(http.HandlerFunc(hello)))
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/orders", nil)
	r.Header.Set("Accept", "text/html")
	h.ServeHTTP(w, r)
	if w.Code != 401 || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %q", w.Code, w.Header())
	}
}

func TestWrongRequireUser(t *testing.T) {
	for what, f := range map[string]func(){
		"another site":    func() { middleware.RequireUser("//evil.example/") },
		"no path":         func() { middleware.RequireUser("sign-in") },
		"with a query":    func() { middleware.RequireUser("/sign-in?x=1") },
		"a pattern":       func() { middleware.RequireFresh(time.Minute, "/{sign-in}") },
		"no time":         func() { middleware.RequireFresh(0, "/sign-in") },
		"a negative time": func() { middleware.RequireFresh(-1, "") },
		"outside Sessions": func() {
			middleware.RequireUser("")(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), ask(t, "GET", "/"))
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", what)
				}
			}()
			f()
		}()
	}
}

// A8: a locked session answers 401 with that state to everything but the page that unlocks it and Aware routes, with the
// way back; unlocking comes with a new cookie.
func TestA8LockedOverHTTP(t *testing.T) {
	bubble(t, func(t *testing.T) {
		unlock := func(w http.ResponseWriter, r *http.Request) {
			s := session.From(r.Context())
			user, locked := s.Locked()
			switch {
			case r.Method == "GET":
				fmt.Fprintf(w, "the password of %s, please", user)
			case locked && r.FormValue("password") == "of "+user:
				if err := s.Unlock(); err != nil {
					t.Error(err)
				}
			default:
				http.Error(w, "no", http.StatusForbidden)
			}
		}
		st := newSite(t, nil, &session.Options{AAL: session.AAL2, Lock: true}, &middleware.Options{Unlock: "/unlock", Aware: []string{"POST /login"}},
			map[string]http.HandlerFunc{"/unlock": unlock, "/unlock/more": hello})
		ann := st.signIn("ann", 2)
		site, _ := url.Parse(st.server.URL)
		before := ann.Jar.Cookies(site)[0].Value
		time.Sleep(31 * time.Minute)
		for _, c := range []struct {
			method, path string
			fields       []string
		}{
			{"GET", "/look?x=1", page}, {"GET", "/look", script}, {"POST", "/ring", nil}, {"GET", "/plain", nil}, {"POST", "/logout", nil}, {"POST", "/renew", nil},
			{"GET", "/picture.png", []string{"Sec-Fetch-Dest", "image"}}, {"GET", "/look", []string{"Sec-Purpose", "prefetch", "Sec-Fetch-Mode", "navigate"}},
			{"OPTIONS", "/ring", nil}, {"GET", "/unlock/more", nil}, {"GET", "/look?hardy-start-over", script},
		} {
			got := st.send(ann, c.method, c.path, c.fields...)
			if got.StatusCode != 401 || got.Header.Get("WWW-Authenticate") != `Session error="locked", unlock="/unlock"` || len(got.setCookies()) > 0 ||
				!strings.Contains(got.Header.Get("Cache-Control"), "no-store") || got.Header.Get("X-Ran") != "" {
				t.Errorf("%s %s: %d %q", c.method, c.path, got.StatusCode, got.Header)
			}
			if !slices.Contains(c.fields, "text/html") && problemOf(t, got).Type != "hardy/1/session-locked" {
				t.Errorf("%s %s: %s", c.method, c.path, got.body)
			}
		}
		if got := st.send(ann, "GET", "/look?x=1", page...); !strings.Contains(string(got.body), `href="/unlock?next=%2Flook%3Fx%3D1"`) || !strings.Contains(string(got.body), "locked") {
			t.Errorf("the page: %s", got.body)
		}
		if got := st.send(ann, "POST", "/ring", "HX-Request", "true", "Referer", st.server.URL+"/look"); got.Header.Get("HX-Redirect") != "/unlock?next=%2Flook" {
			t.Errorf("htmx: %q", got.Header)
		}
		// Its link to start over clears no cookie: it has not ended.
		if got := st.send(ann, "GET", "/look?hardy-start-over", page...); got.StatusCode != 303 || len(got.setCookies()) > 0 {
			t.Errorf("start over: %d %q", got.StatusCode, got.Header)
		}
		if got := st.send(ann, "GET", "/unlock", page...); got.StatusCode != 200 || string(got.body) != "the password of ann, please" {
			t.Errorf("the page to unlock: %d %s", got.StatusCode, got.body)
		}
		if got := st.post(ann, "/unlock", url.Values{"password": {"guessed"}}); got.StatusCode != 403 || len(got.setCookies()) > 0 {
			t.Errorf("a wrong password: %d", got.StatusCode)
		}
		if got := st.post(ann, "/unlock", url.Values{"password": {"of ann"}}); got.StatusCode != 200 || len(got.setCookies()) != 1 {
			t.Errorf("the password: %d, %d cookies", got.StatusCode, len(got.setCookies()))
		}
		if v, _ := st.look(ann); v.User != "ann" || v.Rings != 2 {
			t.Errorf("unlocked: %+v", v)
		}
		if got := st.send(st.as(before), "POST", "/ring"); got.StatusCode != 409 {
			t.Errorf("the old cookie: %d", got.StatusCode)
		}
		// Somebody else may sign in instead.
		time.Sleep(time.Hour)
		if got := st.post(ann, "/login", url.Values{"user": {"bob"}}); got.StatusCode != 200 {
			t.Errorf("bob signs in: %d", got.StatusCode)
		}
		if v, _ := st.look(ann); v.User != "bob" || v.Rings != 0 {
			t.Errorf("bob sees %+v", v)
		}
		// A handler that works for longer than that stores nothing.
		time.Sleep(time.Minute)
		slow := newSite(t, st, &session.Options{AAL: session.AAL2, Lock: true}, &middleware.Options{Unlock: "/unlock/"}, map[string]http.HandlerFunc{
			"/slow": func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(40 * time.Minute)
				standRings.Set(session.From(r.Context()), 9)
				fmt.Fprint(w, "done")
			},
		})
		slow.server.URL = st.server.URL
		other := slow.browser()
		other.Jar = ann.Jar
		if got := slow.send(other, "POST", "/slow"); got.StatusCode != 401 || problemOf(t, got).Type != "hardy/1/session-locked" || strings.Contains(string(got.body), "done") {
			t.Errorf("a slow handler: %d %s", got.StatusCode, got.body)
		}
	})
}

func TestWrongUnlock(t *testing.T) {
	keys := cookie.DevKeys("bell")
	locks := session.NewManager(store.NewMemory(nil), &session.Options{Lock: true})
	plain := session.NewManager(store.NewMemory(nil), nil)
	for what, c := range map[string]struct {
		m    *session.Manager
		path string
		says string
	}{
		"no page":         {locks, "", "Options.Unlock"},
		"nothing to lock": {plain, "/unlock", "session.Options.Lock"},
		"no path":         {locks, "unlock", "no path"},
		"a pattern":       {locks, "/{x}", "no path"},
		"a method":        {locks, "GET /unlock", "no path"},
	} {
		func() {
			defer func() {
				if v := fmt.Sprint(recover()); !strings.Contains(v, c.says) {
					t.Errorf("%s: %s", what, v)
				}
			}()
			middleware.Sessions(c.m, keys, &middleware.Options{Unlock: c.path})
		}()
	}
}

// A12: over HTTP a sign-in beyond the cap is a 409, and changes nothing; one that its handler answers is not.
func TestA12CappedOverHTTP(t *testing.T) {
	st := newSite(t, nil, &session.Options{MaxPerUser: 1, RefuseLogin: true}, nil, map[string]http.HandlerFunc{
		"POST /login-or-list": func(w http.ResponseWriter, r *http.Request) {
			s := session.From(r.Context())
			s.Login(r.FormValue("user"))
			if err := s.Save(r.Context()); err != nil {
				w.WriteHeader(http.StatusOK)
				fmt.Fprint(w, "end another session first")
			}
		},
	})
	st.signIn("ann", 0)
	b := st.browser()
	st.send(b, "POST", "/ring")
	got := st.post(b, "/login", url.Values{"user": {"ann"}})
	if got.StatusCode != 409 || problemOf(t, got).Type != "hardy/1/session-capped" || len(got.setCookies()) > 0 || got.Header.Get("Retry-After") != "" {
		t.Errorf("%d %q %s", got.StatusCode, got.Header, got.body)
	}
	if got := st.post(b, "/login-or-list", url.Values{"user": {"ann"}}); got.StatusCode != 200 || len(got.setCookies()) > 0 {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	if v, _ := st.look(b); v.User != "" || v.Rings != 1 {
		t.Errorf("afterwards: %+v", v)
	}
}
