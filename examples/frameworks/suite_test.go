package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
	"github.com/gin-gonic/gin"
)

// One suite for all frameworks, over HTTP.

// site is the application on one framework.
type site struct {
	t      *testing.T
	server *httptest.Server
	faults *sessiontest.Faults
}

type ring struct{ text string }

func (r ring) Masters(context.Context) (string, error) { return r.text, nil }

// each runs a test on every framework.
func each(t *testing.T, o *session.Options, test func(t *testing.T, st *site)) {
	gin.SetMode(gin.TestMode)
	for name, wire := range frameworks {
		t.Run(name, func(t *testing.T) {
			keys, err := cookie.NewKeys(t.Context(), ring{cookie.NewMaster()}, "frameworks")
			if err != nil {
				t.Fatal(err)
			}
			options := session.Options{Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
			if o != nil {
				options.Idle, options.Lifetime = o.Idle, o.Lifetime
			}
			st := &site{t: t, faults: sessiontest.NewFaults(store.NewMemory(nil))}
			st.server = httptest.NewTLSServer(wire(newApp(session.NewManager(st.faults, &options), keys, &middleware.Options{})))
			t.Cleanup(st.server.Close)
			test(t, st)
		})
	}
}

// browser is a client with a cookie jar that shows redirects instead of following them.
func (st *site) browser() *http.Client {
	b := *st.server.Client()
	b.Jar, _ = cookiejar.New(nil)
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &b
}

type answer struct {
	code int
	http.Header
	body string
}

func (st *site) do(b *http.Client, method, path string, form url.Values) answer {
	st.t.Helper()
	r, err := http.NewRequest(method, st.server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		st.t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	} else {
		r.Header.Set("Sec-Fetch-Mode", "navigate")
	}
	resp, err := b.Do(r)
	if err != nil {
		st.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		st.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

func (st *site) login(b *http.Client, user string) answer {
	st.t.Helper()
	return st.do(b, "POST", "/login", url.Values{"user": {user}})
}

// shows asks for the front page and looks for what it says.
func (st *site) shows(b *http.Client, wants ...string) {
	st.t.Helper()
	got := st.do(b, "GET", "/", nil)
	for _, want := range wants {
		if !strings.Contains(got.body, want) {
			st.t.Errorf("%d %s\nwant %q", got.code, got.body, want)
		}
	}
}

// keep is another browser with the cookies that b holds now.
func (st *site) keep(b *http.Client) *http.Client {
	u, err := url.Parse(st.server.URL)
	if err != nil {
		st.t.Fatal(err)
	}
	other := st.browser()
	cookies := b.Jar.Cookies(u)
	for _, c := range cookies {
		c.Secure, c.Path = true, "/"
	}
	other.Jar.SetCookies(u, cookies)
	return other
}

func TestSignInFlashCount(t *testing.T) {
	each(t, nil, func(t *testing.T, st *site) {
		b := st.browser()
		if got := st.do(b, "GET", "/", nil); got.code != 200 || !strings.Contains(got.body, "Hello, stranger. The bell rang 0 times.") || got.Get("Set-Cookie") != "" {
			t.Errorf("%d %s %q", got.code, got.body, got.Get("Set-Cookie"))
		}
		for n := 1; n <= 3; n++ {
			got := st.do(b, "POST", "/count", nil)
			if got.code != 200 || got.body != strconv.Itoa(n) || (got.Get("Set-Cookie") != "") != (n == 1) {
				t.Errorf("ring %d: %d %s %q", n, got.code, got.body, got.Get("Set-Cookie"))
			}
		}
		anonymous := st.keep(b)
		if got := st.login(b, "ann"); got.code != http.StatusSeeOther || got.Get("Location") != "/" || got.Get("Cache-Control") != "private, no-store" {
			t.Errorf("sign-in: %d %v", got.code, got.Header)
		}
		st.shows(b, "Welcome, ann.", "Hello, ann. The bell rang 3 times.")
		if got := st.do(b, "GET", "/", nil); strings.Contains(got.body, "Welcome") {
			t.Errorf("the message is shown again: %s", got.body)
		}
		if got := st.do(anonymous, "GET", "/", nil); strings.Contains(got.body, "ann") || strings.Contains(got.body, "3 times") {
			t.Errorf("the anonymous cookie shows %s", got.body)
		}
		// Exact, however many ring at once.
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if got := st.do(b, "POST", "/count", nil); got.code != 200 {
					t.Errorf("%d %s", got.code, got.body)
				}
			})
		}
		all.Wait()
		st.shows(b, "The bell rang 23 times.")
		kept := st.keep(b)
		if got := st.do(b, "POST", "/logout", nil); got.code != http.StatusSeeOther {
			t.Errorf("sign-out: %d", got.code)
		}
		st.shows(b, "Hello, stranger. The bell rang 0 times.")
		if got := st.do(kept, "POST", "/count", nil); got.code != http.StatusUnauthorized || !strings.Contains(got.body, `"reason":"logout"`) {
			t.Errorf("with the cookie of before: %d %s", got.code, got.body)
		}
		if got := st.login(st.browser(), ""); got.code != http.StatusBadRequest {
			t.Errorf("nobody: %d", got.code)
		}
	})
}

// The session ends by itself; a form from before meets a 401, a page starts over and says so.
func TestExpire(t *testing.T) {
	each(t, &session.Options{Idle: time.Second, Lifetime: time.Minute}, func(t *testing.T, st *site) {
		b := st.browser()
		st.login(b, "ann")
		deadline := time.Now().Add(time.Minute)
		for {
			r, err := http.NewRequest("GET", st.server.URL+"/alive", nil) // renews nothing
			if err != nil {
				t.Fatal(err)
			}
			resp, err := b.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode == http.StatusUnauthorized {
				if why := resp.Header.Get("WWW-Authenticate"); !strings.Contains(why, `reason="idle"`) {
					t.Errorf("%q", why)
				}
				break
			}
			if resp.StatusCode != http.StatusNoContent || time.Now().After(deadline) {
				t.Fatalf("%s", resp.Status)
			}
			time.Sleep(50 * time.Millisecond)
		}
		if got := st.do(b, "POST", "/count", nil); got.code != http.StatusUnauthorized {
			t.Errorf("a form from before: %d", got.code)
		}
		st.shows(b, "Your session has ended.", "Hello, stranger")
		if got := st.do(b, "GET", "/", nil); strings.Contains(got.body, "ended") {
			t.Errorf("it is said again: %s", got.body)
		}
		if got := st.login(b, "ann"); got.code != http.StatusSeeOther {
			t.Errorf("signing in again: %d", got.code)
		}
	})
}

// Who guesses passwords is slowed down, and told for how long; everything else goes on.
func TestLimit(t *testing.T) {
	each(t, nil, func(t *testing.T, st *site) {
		b := st.browser()
		var codes []int
		var last answer
		for range 6 {
			last = st.login(b, "ann")
			codes = append(codes, last.code)
		}
		if !slices.Equal(codes, []int{303, 303, 303, 303, 303, 429}) {
			t.Errorf("%v", codes)
		}
		if wait, err := strconv.Atoi(last.Get("Retry-After")); err != nil || wait < 1 || wait > 60 || last.Get("RateLimit") == "" {
			t.Errorf("%v", last.Header)
		}
		if got := st.do(b, "POST", "/count", nil); got.code != 200 {
			t.Errorf("%d", got.code)
		}
	})
}

// A cookie goes out before the first byte of a stream.
func TestStream(t *testing.T) {
	each(t, nil, func(t *testing.T, st *site) {
		b := st.browser()
		if got := st.do(b, "GET", "/stream", nil); got.code != 200 || got.body != "ring\nring\nring\n" || got.Get("Set-Cookie") == "" {
			t.Errorf("%d %q %v", got.code, got.body, got.Header)
		}
		st.shows(b, "You have seen the stream.")
	})
}

// Where the session can't be stored the client gets one clean error, and nothing of the handler's.
func TestStoreThatIsDown(t *testing.T) {
	each(t, nil, func(t *testing.T, st *site) {
		b := st.browser()
		st.do(b, "POST", "/count", nil)
		st.faults.Add(sessiontest.Fault{Op: "create", Err: errors.New("down")})
		for what, ask := range map[string]func() answer{
			"sign-in": func() answer { return st.login(b, "ann") },
			"stream":  func() answer { return st.do(st.browser(), "GET", "/stream", nil) },
		} {
			got := ask()
			if got.code != http.StatusServiceUnavailable || got.Get("Retry-After") == "" || got.Get("Location") != "" || got.Get("Set-Cookie") != "" || strings.Contains(got.body, "ring\n") {
				t.Errorf("%s: %d %v %s", what, got.code, got.Header, got.body)
			}
		}
		st.faults.Clear()
		st.faults.Add(sessiontest.Fault{Op: "load", Err: errors.New("down")})
		if got := st.do(b, "GET", "/", nil); got.code != http.StatusServiceUnavailable || strings.Contains(got.body, "stranger") {
			t.Errorf("a page: %d %s", got.code, got.body)
		}
		st.faults.Clear()
		st.shows(b, "Hello, stranger. The bell rang 1 times.")
	})
}

// Another site's form is refused before it meets the session.
func TestOtherOrigin(t *testing.T) {
	each(t, nil, func(t *testing.T, st *site) {
		r, err := http.NewRequest("POST", st.server.URL+"/count", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		resp, err := st.browser().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden || resp.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s", resp.Status)
		}
	})
}
