package middleware_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dunglas/httpsfv"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/ratelimit"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

func per(name string, n int, span time.Duration) ratelimit.Policy {
	return ratelimit.Policy{Name: name, Limit: ratelimit.Per(n, span), Burst: n}
}

func byName(name string) middleware.By {
	return middleware.ByFunc(func(*http.Request) (ratelimit.Key, error) { return ratelimit.Key{Name: name}, nil })
}

// The examples of draft-ietf-httpapi-ratelimit-headers-11, byte by byte, and read back by another parser.
func TestFieldsAreTheDraftsExamples(t *testing.T) {
	bytes := per("peruser", 65535, 10*time.Second)
	bytes.Unit = "content-bytes"
	for _, c := range []struct {
		list          []ratelimit.Policy
		cost          int
		policy, limit string
	}{
		{[]ratelimit.Policy{per("burst", 100, time.Minute), per("daily", 1000, 24*time.Hour)}, 50,
			`"burst";q=100;w=60,"daily";q=1000;w=86400`, `"burst";r=50;t=30,"daily";r=950;t=82080`},
		{[]ratelimit.Policy{per("default", 100, time.Minute)}, 50, `"default";q=100;w=60`, `"default";r=50;t=30`},
		{[]ratelimit.Policy{bytes}, 0, `"peruser";q=65535;qu="content-bytes";w=10`, `"peruser";r=65535;t=10`},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := middleware.RateLimit(ratelimit.MustNew(nil, c.list...), middleware.ByIP,
				&middleware.RateLimitOptions{Cost: func(*http.Request) int { return c.cost }})(served)
			head := do(h, from("192.0.2.1:1")).Header()
			if got := head["Ratelimit-Policy"]; len(got) != 1 || got[0] != c.policy {
				t.Errorf("RateLimit-Policy: %s\nwant %s", got, c.policy)
			}
			if got := head["Ratelimit"]; len(got) != 1 || got[0] != c.limit {
				t.Errorf("RateLimit: %s\nwant %s", got, c.limit)
			}
			for _, name := range []string{"RateLimit-Policy", "RateLimit"} {
				list, err := httpsfv.UnmarshalList(head.Values(name))
				if err != nil || len(list) != len(c.list) {
					t.Errorf("%s: %v, %v", name, list, err)
				}
			}
		})
	}
}

// Two limiters in a chain write one list; a refusal tells only what refuses, so that no t is later than Retry-After.
func TestFieldsOfTwoLimiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := middleware.Chain(served,
			middleware.RateLimit(ratelimit.MustNew(nil, per("address", 100, time.Minute)), middleware.ByIP, nil),
			middleware.RateLimit(ratelimit.MustNew(nil, per("hourly", 1, 10*time.Second)), byName("x"), nil))
		items := func(head http.Header, name string) (all []string) {
			list, err := httpsfv.UnmarshalList(head.Values(name))
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range list {
				all = append(all, m.(httpsfv.Item).Value.(string))
			}
			return all
		}
		for _, want := range [][]string{{"address", "hourly"}, {"hourly"}} {
			head := do(h, from("192.0.2.1:1")).Header()
			if got := items(head, "RateLimit"); !slices.Equal(got, want) {
				t.Errorf("RateLimit of %v, want %v", got, want)
			}
			if got := items(head, "RateLimit-Policy"); !slices.Equal(got, []string{"address", "hourly"}) {
				t.Errorf("RateLimit-Policy of %v", got)
			}
		}
	})
}

func TestFieldsOffAndLegacy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := func() *ratelimit.Limiter {
			return ratelimit.MustNew(nil, per("burst", 10, time.Minute), per("daily", 1000, 24*time.Hour))
		}
		head := do(middleware.RateLimit(limits(), middleware.ByIP, &middleware.RateLimitOptions{NoFields: true})(served), from("192.0.2.1:1")).Header()
		for name := range head {
			if strings.Contains(name, "Ratelimit") {
				t.Error(name)
			}
		}
		h := middleware.RateLimit(limits(), middleware.ByIP, &middleware.RateLimitOptions{NoFields: true, Legacy: true})(served)
		var w *httptest.ResponseRecorder
		for range 11 {
			w = do(h, from("192.0.2.1:1"))
		}
		full := strconv.FormatInt(time.Now().Add(time.Minute).Unix(), 10)
		for name, want := range map[string]string{"X-RateLimit-Limit": "10", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": full, "Retry-After": "6"} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
	})
}

// Who obeys Retry-After passes; one second earlier nobody does.
func TestRetryAfterObeyedPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, p := range []ratelimit.Policy{
			per("a", 100, time.Minute), per("b", 1, time.Hour), {Name: "c", Limit: 0.3, Burst: 7}, {Name: "d", Limit: 1.0 / 7, Burst: 2}, per("e", 50, time.Second),
		} {
			server := sessiontest.NewServer(t, middleware.RateLimit(ratelimit.MustNew(nil, p), middleware.ByIP, nil)(served))
			b := server.Browser()
			get := func() *http.Response {
				resp, err := b.Get(server.URL)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				return resp
			}
			for range 3 {
				resp := get()
				for resp.StatusCode == 200 {
					resp = get()
				}
				wait, err := strconv.Atoi(resp.Header.Get("Retry-After"))
				if resp.StatusCode != 429 || err != nil || wait < 1 {
					t.Fatalf("%s: %d, Retry-After %q", p.Name, resp.StatusCode, resp.Header.Get("Retry-After"))
				}
				if wait > 1 {
					time.Sleep(time.Duration(wait-1) * time.Second)
					if resp := get(); resp.StatusCode != 429 {
						t.Errorf("%s: passes a second before %d", p.Name, wait)
					}
				}
				time.Sleep(time.Duration(min(wait, 1)) * time.Second)
				if resp := get(); resp.StatusCode != 200 {
					t.Errorf("%s: refused after %d s", p.Name, wait)
				}
			}
		}
	})
}

// A refusal by what the client understands; never cached.
func TestRefusalByAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := ratelimit.MustNew(nil, per("burst", 1, 30*time.Second), per(`da"ily`, 1, 100*time.Second))
		h := middleware.RateLimit(limits, byName("x"), nil)(served)
		do(h, from("192.0.2.1:1"))
		for _, c := range []struct {
			header  []string
			kind    string
			trigger string
		}{
			{nil, "application/problem+json", ""},
			{[]string{"Accept", "text/html,*/*"}, "text/html; charset=utf-8", ""},
			{[]string{"HX-Request", "true", "Accept", "*/*"}, "application/problem+json", `{"hardy:limited":{"retryAfter":100,"policies":["burst","da\"ily"]}}`},
		} {
			w := do(h, from("192.0.2.1:1", c.header...))
			head := w.Header()
			if w.Code != 429 || head.Get("Content-Type") != c.kind || head.Get("HX-Trigger") != c.trigger {
				t.Errorf("%v: %d %v", c.header, w.Code, head)
			}
			if head.Get("Cache-Control") != "private, no-store" || head.Get("Retry-After") != "100" || !strings.Contains(head.Get("Vary"), "Accept") {
				t.Errorf("%v: %v", c.header, head)
			}
			if c.kind[0] == 't' {
				for _, want := range []string{"<h1", "Too many requests", "in 100 seconds", "<a href=", "Try again"} {
					if !strings.Contains(w.Body.String(), want) {
						t.Errorf("the page does not say %q", want)
					}
				}
				continue
			}
			var p struct {
				Type     string
				Status   int
				Title    string
				Violated []string `json:"violated-policies"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Type != "https://iana.org/assignments/http-problem-types#quota-exceeded" ||
				p.Status != 429 || !slices.Equal(p.Violated, []string{"burst", `da"ily`}) {
				t.Errorf("%s %v", w.Body, err)
			}
		}
		r := from("192.0.2.1:1")
		r.Method = "HEAD"
		if w := do(h, r); w.Code != 429 || w.Body.Len() > 0 {
			t.Errorf("HEAD: %d %q", w.Code, w.Body)
		}
		own := middleware.RateLimit(limits, byName("x"), &middleware.RateLimitOptions{
			OnLimited: func(w http.ResponseWriter, r *http.Request, res ratelimit.Result) {
				w.WriteHeader(http.StatusTooManyRequests)
				fmt.Fprint(w, res.Err())
			}})(served)
		if w := do(own, from("192.0.2.1:1")); w.Header().Get("Retry-After") != "100" || w.Header().Get("Cache-Control") != "private, no-store" || !strings.Contains(w.Body.String(), "burst") {
			t.Errorf("OnLimited: %v %s", w.Header(), w.Body)
		}
		never := middleware.RateLimit(ratelimit.MustNew(nil, ratelimit.Policy{Name: "closed", Limit: 1}), middleware.ByIP, nil)(served)
		if w := do(never, from("192.0.2.1:1")); w.Code != 429 || w.Header()["Retry-After"] != nil {
			t.Errorf("what no waiting admits: %d %v", w.Code, w.Header())
		}
	})
}

// A refusal inside a handler is answered as the middleware does, field by field and byte by byte.
func TestTooManyAnswersAsRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, o := range map[string]*middleware.RateLimitOptions{
			"defaults": nil, "no fields, legacy": {NoFields: true, Legacy: true},
			"its own": {OnLimited: func(w http.ResponseWriter, _ *http.Request, res ratelimit.Result) {
				w.WriteHeader(http.StatusTooManyRequests)
				fmt.Fprint(w, res.Err())
			}},
		} {
			limits := ratelimit.MustNew(nil, per("burst", 3, time.Minute), per("daily", 100, 24*time.Hour))
			around := middleware.RateLimit(limits, middleware.ByIP, o)(served)
			inside := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				held, res, err := limits.Reserve(r.Context(), ratelimit.Key{Addr: ratelimit.Addr(middleware.ClientAddr(r))}, 1)
				if held != nil || err != nil {
					t.Error(held, err)
				}
				middleware.TooMany(w, r, res, o)
			})
			for do(around, from("192.0.2.1:1")).Code == 200 {
			}
			for _, header := range [][]string{nil, {"Accept", "text/html"}, {"HX-Request", "true"}} {
				want, got := do(around, from("192.0.2.1:1", header...)), do(inside, from("192.0.2.1:1", header...))
				if got.Code != 429 || !reflect.DeepEqual(got.Header(), want.Header()) || got.Body.String() != want.Body.String() {
					t.Errorf("%s, %v: %d %v %s\nwant %v %s", name, header, got.Code, got.Header(), got.Body, want.Header(), want.Body)
				}
			}
		}
		// Further in than a RateLimit that let it pass, only what refuses is told.
		outer := middleware.RateLimit(ratelimit.MustNew(nil, per("address", 100, time.Minute)), middleware.ByIP, nil)
		tokens := ratelimit.MustNew(nil, per("tokens", 1, time.Minute))
		h := outer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if res, _ := tokens.Take(r.Context(), ratelimit.Key{User: "ann"}, 1); !res.Allowed {
				middleware.TooMany(w, r, res, nil)
			}
		}))
		do(h, from("192.0.2.1:1"))
		head := do(h, from("192.0.2.1:1")).Header()
		if got := head.Values("RateLimit"); !slices.Equal(got, []string{`"tokens";r=0;t=60`}) || len(head.Values("RateLimit-Policy")) != 2 {
			t.Error(head)
		}
	})
}

// hall is an application with sessions and limits.
type hall struct {
	db       *sessiontest.Faults
	manager  *session.Manager
	sessions func(http.Handler) http.Handler
	server   *sessiontest.Server
}

func newHall(t *testing.T, app http.Handler, outside, inside []func(http.Handler) http.Handler) *hall {
	t.Helper()
	x := &hall{db: sessiontest.NewFaults(store.NewMemory(nil))}
	x.manager = session.NewManager(x.db, &session.Options{Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	keys := cookie.DevKeys("hall")
	x.sessions = middleware.Sessions(x.manager, keys, &middleware.Options{Skip: []string{"GET /static/"}})
	x.server = sessiontest.NewServer(t, middleware.Chain(app, slices.Concat(outside, []func(http.Handler) http.Handler{middleware.Cookies(keys, nil), x.sessions}, inside)...))
	return x
}

func get(t *testing.T, b *http.Client, address string) *http.Response {
	t.Helper()
	resp, err := b.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

// Agent guide, 10: 100 calls in 60 s a session, further calls are refused; on another session nothing of it is felt.
// Who has no session yet counts by address.
func TestAgentGuide10HundredCallsAMinuteOverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		perSession := middleware.RateLimit(ratelimit.MustNew(nil, ratelimit.CallsPerMinute(100)), middleware.BySession, nil)
		x := newHall(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}), nil, []func(http.Handler) http.Handler{perSession})
		ann, bob, cid := x.server.Browser(), x.server.Browser(), x.server.Browser()
		x.server.SignIn(ann, x.sessions, "ann")
		x.server.SignIn(bob, x.sessions, "bob")
		for _, b := range []*http.Client{ann, bob, cid} {
			for i := range 100 {
				if resp := get(t, b, x.server.URL); resp.StatusCode != 200 {
					t.Fatalf("call %d: %d", i+1, resp.StatusCode)
				}
			}
			if resp := get(t, b, x.server.URL); resp.StatusCode != 429 || resp.Header.Get("RateLimit-Policy") != `"session";q=100;w=60` {
				t.Errorf("call 101: %d %v", resp.StatusCode, resp.Header)
			}
		}
		time.Sleep(time.Minute)
		if resp := get(t, ann, x.server.URL); resp.StatusCode != 200 {
			t.Errorf("after a minute: %d", resp.StatusCode)
		}
	})
}

// By user inside of Sessions: wherever ann is, she is one; who has not signed in counts by address; the session
// is not touched, so that the answer stays cacheable; a path in Skip counts by address, too.
func TestByUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := ratelimit.MustNew(nil, per("user", 3, time.Hour))
		x := newHall(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}), nil,
			[]func(http.Handler) http.Handler{middleware.RateLimit(limits, middleware.ByUser, nil)})
		desk, laptop, stranger, other := x.server.Browser(), x.server.Browser(), x.server.Browser(), x.server.Browser()
		x.server.SignIn(desk, x.sessions, "ann")
		x.server.SignIn(laptop, x.sessions, "ann")
		for i, c := range []struct {
			b    *http.Client
			path string
			want int
		}{
			{desk, "/", 200}, {laptop, "/", 200}, {desk, "/", 200}, {laptop, "/", 429}, {desk, "/", 429},
			{stranger, "/", 200}, {stranger, "/static/a", 200}, {stranger, "/b", 200}, {stranger, "/static/a", 429},
			{other, "/", 200}, {desk, "/static/a", 200},
		} {
			resp := get(t, c.b, x.server.URL+c.path)
			if resp.StatusCode != c.want {
				t.Errorf("%d: %d, want %d", i, resp.StatusCode, c.want)
			}
			if c.want == 200 && (resp.Header["Cache-Control"] != nil || resp.Header["Vary"] != nil) {
				t.Errorf("%d: the session was touched: %v", i, resp.Header)
			}
		}
	})
}

// A limit by address outside of the sessions refuses without a call of the store.
func TestLimitOutsideCostsNoStoreCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		perAddress := middleware.RateLimit(ratelimit.MustNew(nil, per("address", 5, time.Hour)), middleware.ByIP, nil)
		x := newHall(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { session.From(r.Context()).User() }),
			[]func(http.Handler) http.Handler{perAddress}, nil)
		ann := x.server.Browser()
		x.server.SignIn(ann, x.sessions, "ann")
		for get(t, ann, x.server.URL).StatusCode == 200 {
		}
		before := x.db.Calls("")
		for range 20 {
			if resp := get(t, ann, x.server.URL); resp.StatusCode != 429 {
				t.Fatal(resp.StatusCode)
			}
		}
		if n := x.db.Calls("") - before; n != 0 {
			t.Errorf("20 refusals cost %d calls of the store", n)
		}
	})
}

// Keys are typed: nothing that a client chooses as one part can look like another.
func TestKeysAreTyped(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/c", served)
	mux.Handle("/b/c", served)
	mux.Handle("GET /item/{id}", served)
	mux.Handle("/item/{id}", served)
	key := middleware.ByFunc(func(r *http.Request) (ratelimit.Key, error) { return ratelimit.Key{User: r.Header.Get("User")}, nil })
	h := middleware.RateLimit(ratelimit.MustNew(nil, per("a", 1, time.Hour)), middleware.ByAll(key, middleware.ByHeader("x-api-key"), middleware.ByRoute), nil)(mux)
	for i, c := range []struct {
		method, path, user, name string
		want                     int
	}{
		{"GET", "/b/c", "a", "k", 200}, {"GET", "/c", "a/b", "k", 200}, {"GET", "/c", "/b", "k", 200},
		{"GET", "/c", "k", "a/b", 200}, {"GET", "/c", "a/b", "k", 429},
		{"GET", "/item/1", "u", "k", 200}, {"GET", "/item/2", "u", "k", 429}, {"HEAD", "/item/3", "u", "k", 429}, {"POST", "/item/1", "u", "k", 200},
		{"GET", "/none/1", "u", "k", 404}, {"GET", "/none/2", "u", "k", 429},
	} {
		r := httptest.NewRequest(c.method, c.path, nil)
		r.Header.Set("User", c.user)
		r.Header.Set("X-Api-Key", c.name)
		if w := do(h, r); w.Code != c.want {
			t.Errorf("%d: %d, want %d", i, w.Code, c.want)
		}
	}
}

func TestByRoute(t *testing.T) {
	limits := func() *ratelimit.Limiter { return ratelimit.MustNew(nil, per("a", 1, time.Hour)) }
	hidden := func(next http.Handler) http.Handler { return http.HandlerFunc(next.ServeHTTP) }
	inside := http.NewServeMux()
	one := middleware.RateLimit(limits(), middleware.ByRoute, nil)
	inside.Handle("GET /a/{x}", one(served))
	inside.Handle("GET /b/{x}", one(served))
	mux := http.NewServeMux()
	mux.Handle("GET /a/{x}", served)
	mux.Handle("GET /b/{x}", served)
	for name, h := range map[string]http.Handler{
		"inside":  inside,
		"around":  middleware.RateLimit(limits(), middleware.ByRoute, nil)(mux),
		"through": middleware.Chain(mux, middleware.RateLimit(limits(), middleware.ByRoute, nil), middleware.Cookies(cookie.DevKeys("a"), &middleware.CookieOptions{AllowDevKeys: true})),
		"patterns": middleware.Chain(mux, middleware.RateLimit(limits(), middleware.ByRoute,
			&middleware.RateLimitOptions{Routes: []string{"GET /a/{x}", "GET /b/{x}"}}), hidden),
	} {
		for i, c := range []struct {
			path string
			want int
		}{{"/a/1", 200}, {"/a/2", 429}, {"/b/1", 200}, {"/b/2", 429}} {
			if w := do(h, httptest.NewRequest("GET", c.path, nil)); w.Code != c.want {
				t.Errorf("%s, %d: %d", name, i, w.Code)
			}
		}
	}
	lost := middleware.Chain(mux, middleware.RateLimit(limits(), middleware.ByRoute, nil), hidden)
	if why := panics(func() { do(lost, from("192.0.2.1:1")) }); !strings.Contains(fmt.Sprint(why), "RateLimitOptions.Routes") {
		t.Error("no mux to be seen:", why)
	}
}

// L3 of the security list (NIST SP 800-63B-4, 3.2.2): the 101st failed login of an account is refused
// whatever the address. Who is known, by a session in which the account has signed in, still gets in with the
// right password, as the policy counts strangers only; and it, too, has a limit of its own.
func TestL3FailedLogins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logins := ratelimit.MustNew(nil,
			ratelimit.Policy{Name: "account", Limit: ratelimit.Per(100, 24*time.Hour), Burst: 100, By: ratelimit.ByName, Optional: true},
			ratelimit.Policy{Name: "known", Limit: ratelimit.Per(10, time.Hour), Burst: 10, By: ratelimit.BySession, Optional: true},
			ratelimit.Policy{Name: "address", Limit: ratelimit.Per(20, time.Hour), Burst: 20, By: ratelimit.ByAddr})
		byAccount := func(r *http.Request) (ratelimit.Key, error) {
			key := ratelimit.Key{Addr: ratelimit.Addr(middleware.ClientAddr(r)), Name: r.PostFormValue("user")}
			if user, handle := session.Peek(r.Context()); user != "" && user == key.Name {
				key.Name, key.Session = "", handle
			}
			return key, nil
		}
		mux := http.NewServeMux()
		mux.Handle("POST /login", middleware.RateLimit(logins, middleware.ByFunc(byAccount), nil)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.PostFormValue("password") != "right" {
				w.WriteHeader(http.StatusUnprocessableEntity)
				return
			}
			key, _ := byAccount(r)
			logins.Refund(key, 1) // only failures count
			session.From(r.Context()).Login(r.PostFormValue("user"))
		})))
		x := newHall(t, mux, nil, nil)
		login := func(b *http.Client, user, password string) int {
			resp, err := b.PostForm(x.server.URL+"/login", map[string][]string{"user": {user}, "password": {password}})
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			return resp.StatusCode
		}
		known := x.server.Browser()
		for range 50 {
			if status := login(known, "ann", "right"); status != 200 {
				t.Fatalf("the right password is counted: %d", status)
			}
		}
		for i := range 100 {
			if status := login(x.server.Browser(), "ann", "wrong"); status != 422 {
				t.Fatalf("failure %d: %d", i+1, status)
			}
		}
		for _, c := range []struct {
			name, user, password string
			b                    *http.Client
			want                 int
		}{
			{"the 101st failure, from a new address", "ann", "wrong", x.server.Browser(), 429},
			{"the right password from a stranger", "ann", "right", x.server.Browser(), 429},
			{"the right password from a known session", "ann", "right", known, 200},
			{"another account", "bob", "right", x.server.Browser(), 200},
		} {
			if got := login(c.b, c.user, c.password); got != c.want {
				t.Errorf("%s: %d, want %d", c.name, got, c.want)
			}
		}
		for range 10 {
			login(known, "ann", "wrong")
		}
		if got := login(known, "ann", "right"); got != 429 {
			t.Errorf("a known session that guesses: %d", got)
		}
		guesser := x.server.Browser()
		for i := range 20 {
			login(guesser, fmt.Sprint("victim", i), "wrong")
		}
		if got := login(guesser, "one more", "wrong"); got != 429 {
			t.Errorf("an address that tries many accounts: %d", got)
		}
	})
}

// Bad input is refused with a stated answer, traced and logged, and never unlimited.
func TestBadInputIsRefused(t *testing.T) {
	limits := func() *ratelimit.Limiter { return ratelimit.MustNew(nil, per("a", 3, time.Hour)) }
	cost := func(n int) *middleware.RateLimitOptions {
		return &middleware.RateLimitOptions{Cost: func(*http.Request) int { return n }}
	}
	fails := func(key ratelimit.Key, err error) middleware.By {
		return middleware.ByFunc(func(*http.Request) (ratelimit.Key, error) { return key, err })
	}
	for name, c := range map[string]struct {
		l    middleware.Limits
		by   middleware.By
		o    *middleware.RateLimitOptions
		want int
		says string
	}{
		"a key function that fails":      {limits(), fails(ratelimit.Key{Name: "x"}, errors.New("no luck")), nil, 500, "no luck"},
		"a key function that panics":     {limits(), middleware.ByFunc(func(*http.Request) (ratelimit.Key, error) { panic("oh") }), nil, 500, "oh"},
		"one among others":               {limits(), middleware.ByAll(middleware.ByIP, middleware.ByFunc(func(*http.Request) (ratelimit.Key, error) { panic("oh") })), nil, 500, "oh"},
		"an empty key":                   {limits(), fails(ratelimit.Key{}, nil), nil, 500, "key is empty"},
		"a key that lacks a part":        {ratelimit.MustNew(nil, ratelimit.Policy{Name: "u", Limit: 1, Burst: 1, By: ratelimit.ByUser}), byName("x"), nil, 500, "counts by user"},
		"two keys":                       {limits(), middleware.ByAll(byName("x"), byName("y")), nil, 500, "Key.Name"},
		"a cost below 0":                 {limits(), middleware.ByIP, cost(-1), 500, "-1 units"},
		"a cost far below 0":             {limits(), middleware.ByIP, cost(math.MinInt), 500, "units"},
		"a cost above the burst":         {limits(), middleware.ByIP, cost(4), 500, "raise the burst"},
		"a cost beyond all":              {limits(), middleware.ByIP, cost(math.MaxInt), 500, "raise the burst"},
		"a cost function that panics":    {limits(), middleware.ByIP, &middleware.RateLimitOptions{Cost: func(*http.Request) int { panic("oh") }}, 500, "oh"},
		"a limiter that is out of reach": {outOfReach{}, middleware.ByIP, nil, 503, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			o := middleware.RateLimitOptions{}
			if c.o != nil {
				o = *c.o
			}
			var logged bytes.Buffer
			failed := 0
			o.Logger = slog.New(slog.NewTextHandler(&logged, nil))
			o.Failed = func(_ *http.Request, err error) {
				if failed++; !strings.Contains(err.Error(), c.says) {
					t.Errorf("Failed is told %v", err)
				}
			}
			h := middleware.RateLimit(c.l, c.by, &o)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("let through") }))
			for range 10 {
				w := do(h, from("192.0.2.1:1"))
				if w.Code != c.want || w.Header().Get("Content-Type") != "application/problem+json" || !strings.Contains(w.Header().Get("Cache-Control"), "no-store") {
					t.Errorf("%d %v", w.Code, w.Header())
				}
				if strings.Contains(w.Body.String(), c.says) {
					t.Errorf("the client is told: %s", w.Body)
				}
			}
			if n := strings.Count(logged.String(), "level=ERROR"); failed != 10 || n != 1 || !strings.Contains(logged.String(), c.says) {
				t.Errorf("traced %d times, logged %d times:\n%s", failed, n, &logged)
			}
		})
	}

	h := middleware.RateLimit(limits(), middleware.ByIP, cost(0))(served)
	for range 10 { // cost 0 asks only
		if w := do(h, from("192.0.2.1:1")); w.Code != 200 || w.Header().Get("RateLimit") != `"a";r=3;t=3600` {
			t.Errorf("cost 0: %d %v", w.Code, w.Header())
		}
	}
	h = middleware.RateLimit(limits(), middleware.ByHeader("X-API-Key"), nil)(served)
	long := strings.Repeat("x", 1<<20)
	for i, c := range []struct {
		keys []string
		want int
	}{
		{[]string{long}, 200}, {[]string{long}, 200}, {[]string{long}, 200}, {[]string{long}, 429}, {[]string{long + "y"}, 200},
		// none, empty and several count by address, all together
		{nil, 200}, {[]string{""}, 200}, {[]string{"a", "b"}, 200}, {[]string{"a", "c"}, 429}, {nil, 429},
	} {
		r := from("192.0.2.1:1")
		r.Header["X-Api-Key"] = c.keys
		if w := do(h, r); w.Code != c.want {
			t.Errorf("header %d: %d, want %d", i, w.Code, c.want)
		}
	}
	aborts := middleware.RateLimit(limits(), middleware.ByFunc(func(*http.Request) (ratelimit.Key, error) { panic(http.ErrAbortHandler) }), nil)(served)
	if why := panics(func() { do(aborts, from("192.0.2.1:1")) }); why != http.ErrAbortHandler {
		t.Error(why)
	}
}

// outOfReach is a limiter of another machine.
type outOfReach struct{}

func (outOfReach) Take(context.Context, ratelimit.Key, int) (ratelimit.Result, error) {
	return ratelimit.Result{}, errors.New("dial tcp 10.0.0.3:6379: connection refused")
}

// What can't work is told at start, or at the first request, with the mend.
func TestRateLimitWiring(t *testing.T) {
	limits := ratelimit.MustNew(nil, per("a", 3, time.Hour))
	user := ratelimit.Policy{Name: "u", Limit: 1, Burst: 1, By: ratelimit.ByUser}
	db := session.NewManager(store.NewMemory(nil), nil)
	sessions := middleware.Sessions(db, cookie.DevKeys("a"), nil)
	perUser := middleware.RateLimit(limits, middleware.ByUser, nil)
	hidden := func(next http.Handler) http.Handler { return http.HandlerFunc(next.ServeHTTP) }
	for name, c := range map[string]struct {
		f    func()
		want string
	}{
		"no limits":            {func() { middleware.RateLimit(nil, middleware.ByIP, nil) }, "ratelimit.New"},
		"limits that are nil":  {func() { middleware.RateLimit((*ratelimit.Limiter)(nil), middleware.ByIP, nil) }, "ratelimit.New"},
		"no By":                {func() { middleware.RateLimit(limits, nil, nil) }, "ByIP serves"},
		"a ByFunc that is nil": {func() { middleware.RateLimit(limits, middleware.ByFunc(nil), nil) }, "ByIP serves"},
		"no part":              {func() { middleware.RateLimit(limits, middleware.Parts(0), nil) }, "name one"},
		"an unknown part":      {func() { middleware.RateLimit(limits, middleware.Parts(128), nil) }, "name one"},
		"ByAll of nothing":     {func() { middleware.ByAll() }, "name the parts"},
		"ByAll of nil":         {func() { middleware.ByAll(middleware.ByIP, nil) }, "is nil"},
		"a width":              {func() { middleware.RateLimit(limits, middleware.ByIP, &middleware.RateLimitOptions{IPv6: 128}) }, "64 (the default), 56 or 48"},
		"a version":            {func() { middleware.RateLimit(limits, middleware.ByIP, &middleware.RateLimitOptions{Fields: 6}) }, "NoFields"},
		"a route": {func() {
			middleware.RateLimit(limits, middleware.ByRoute, &middleware.RateLimitOptions{Routes: []string{"GET"}})
		}, "no pattern"},
		"a header":              {func() { middleware.ByHeader("X Key") }, "name of a header"},
		"cookies as a header":   {func() { middleware.ByHeader("cookie") }, "BySession"},
		"a policy by another":   {func() { middleware.RateLimit(ratelimit.MustNew(nil, user), middleware.ByIP, nil) }, "set Optional"},
		"a policy of the known": {func() { middleware.RateLimit(ratelimit.MustNew(nil, user), middleware.ByUser, nil) }, "with Policy.By 0"},
		"one name twice": {func() {
			middleware.Chain(served, middleware.RateLimit(limits, middleware.ByIP, nil), middleware.Cookies(cookie.DevKeys("a"), nil), middleware.RateLimit(limits, byName("x"), nil))
		}, `policy named "a"`},
		"by user outside of Sessions":          {func() { middleware.Chain(served, perUser, sessions) }, "put it inside"},
		"by user outside, which can't be seen": {func() { do(middleware.Chain(served, perUser, hidden, sessions), from("192.0.2.1:1")) }, "put it inside"},
		"by user without Sessions":             {func() { do(perUser(served), from("192.0.2.1:1")) }, "put it inside"},
	} {
		if why := panics(c.f); why == nil || !strings.Contains(fmt.Sprint(why), c.want) {
			t.Errorf("%s: %v", name, why)
		}
	}
	optional := user
	optional.Optional = true
	middleware.RateLimit(ratelimit.MustNew(nil, optional, per("address", 1, time.Second)), middleware.ByIP|middleware.ByUser, nil)
}

// A handler's goroutine that calls it after the response is told what to call instead, over HTTP/1 and
// HTTP/2; a client that has hung up is limited like any other.
func TestRateLimitAfterTheResponse(t *testing.T) {
	limited := func() http.Handler {
		return middleware.RateLimit(three(), middleware.ByIP, nil)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	}
	for _, major := range []int{1, 2} {
		if major == 2 && raceDetector {
			continue // net/http itself finds out by reading what it writes without a lock
		}
		h, answered, told := limited(), make(chan bool), make(chan any, 1)
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor != major {
				t.Errorf("it came by %s", r.Proto)
			}
			go func() {
				<-answered
				<-r.Context().Done()
				why := panics(func() { h.ServeHTTP(w, r) })
				for begin := time.Now(); why == nil && time.Since(begin) < 10*time.Second; time.Sleep(time.Millisecond) {
					why = panics(func() { h.ServeHTTP(w, r) }) // over HTTP/2 the last byte goes out a moment before the end
				}
				told <- why
			}()
		}))
		server.EnableHTTP2 = major == 2
		server.StartTLS()
		resp, err := server.Client().Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		close(answered)
		if why := fmt.Sprint(<-told); !strings.Contains(why, "limits.Wait") {
			t.Errorf("HTTP/%d: %s", major, why)
		}
		server.Close()
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	h := limited()
	for _, want := range []int{200, 200, 200, 429} {
		if w := do(h, from("192.0.2.1:1").WithContext(gone)); w.Code != want {
			t.Errorf("%d, want %d", w.Code, want)
		}
	}
}

// It puts nothing around the writer: flushing, hijacking and whatever else the server has work inside of it.
func TestRateLimitLeavesTheWriterAlone(t *testing.T) {
	under := httptest.NewRecorder()
	h := middleware.RateLimit(three(), middleware.ByIP, nil)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if w != http.ResponseWriter(under) {
			t.Errorf("the handler gets a %T", w)
		}
		http.NewResponseController(w).Flush()
	}))
	if h.ServeHTTP(under, from("192.0.2.1:1")); !under.Flushed || under.Result().Header.Get("RateLimit") == "" {
		t.Error(under.Result().Header)
	}
}

// blank is a writer that allocates nothing.
type blank struct{ h http.Header }

func (b *blank) Header() http.Header         { return b.h }
func (b *blank) Write(p []byte) (int, error) { return len(p), nil }
func (b *blank) WriteHeader(int)             {}

// cheap are requests that are let through, by the most that each may allocate.
func cheap(t testing.TB) map[string]struct {
	h    http.Handler
	r    *http.Request
	most float64
} {
	plenty := func(name string) *ratelimit.Limiter {
		return ratelimit.MustNew(nil, per(name, 1e9, time.Second), per(name+"2", 1e9, 24*time.Hour))
	}
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	manager := session.NewManager(store.NewMemory(nil), &session.Options{Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	signedIn := sessiontest.Request(t, from("192.0.2.1:4711"), manager, func(s *session.Session) { s.Login("ann") })
	matched := from("192.0.2.1:4711")
	matched.Pattern = "GET /{id}"
	return map[string]struct {
		h    http.Handler
		r    *http.Request
		most float64
	}{
		"ByIP":             {middleware.RateLimit(plenty("a"), middleware.ByIP, nil)(nothing), from("192.0.2.1:4711"), 2},
		"ByIP, IPv6":       {middleware.RateLimit(plenty("a"), middleware.ByIP, nil)(nothing), from("[2001:db8::1]:4711"), 2},
		"ByIP, no fields":  {middleware.RateLimit(plenty("a"), middleware.ByIP, &middleware.RateLimitOptions{NoFields: true})(nothing), from("192.0.2.1:4711"), 0},
		"ByUser":           {middleware.RateLimit(plenty("a"), middleware.ByUser, nil)(nothing), signedIn, 2},
		"ByUser|BySession": {middleware.RateLimit(plenty("a"), middleware.ByUser|middleware.BySession, nil)(nothing), signedIn, 2},
		"ByHeader, Cost": {middleware.RateLimit(plenty("a"), middleware.ByHeader("X-API-Key"), &middleware.RateLimitOptions{Cost: func(*http.Request) int { return 2 }})(nothing),
			from("192.0.2.1:4711", "X-API-Key", "k"), 2},
		"ByAll, ByRoute": {middleware.RateLimit(plenty("a"), middleware.ByAll(middleware.ByIP, middleware.ByRoute), nil)(nothing), matched, 2},
		"ClientIP": {middleware.Chain(nothing, middleware.ClientIP(proxies...), middleware.RateLimit(plenty("a"), middleware.ByIP, nil)),
			from("10.0.0.7:1", "X-Forwarded-For", "198.51.100.1, 203.0.113.9, 10.0.0.8"), 4},
	}
}

// At most two allocations with fields; ClientIP makes a context and a request.
func TestRateLimitAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	for name, c := range cheap(t) {
		w := &blank{http.Header{}}
		got := testing.AllocsPerRun(200, func() { clear(w.h); c.h.ServeHTTP(w, c.r) })
		if t.Logf("%s: %v allocations", name, got); got > c.most {
			t.Errorf("%s: %v allocations, want at most %v", name, got, c.most)
		}
		if w.h["Ratelimit"] == nil && c.most > 0 {
			t.Errorf("%s: %v", name, w.h)
		}
	}
}

// What a request that is let through costs in the middleware, with two policies.
func BenchmarkRateLimit(b *testing.B) {
	for name, c := range cheap(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			w := &blank{http.Header{}}
			for b.Loop() {
				clear(w.h)
				c.h.ServeHTTP(w, c.r)
			}
		})
	}
}
