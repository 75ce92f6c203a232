package middleware_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/store"
)

// newDesk serves a small app under DevUsers, and returns a browser for each host: its cookies are kept by host.
func newDesk(t *testing.T) (ask func(method, host, path string, form url.Values, header ...string) (int, string, http.Header)) {
	t.Helper()
	m := session.NewManager(store.NewMemory(nil), nil)
	keys := cookie.DevKeys("desk")
	o := &middleware.Options{InsecureHTTP: true}
	rings := session.NewKey[int]("n_rings")
	app := http.NewServeMux()
	app.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		w.Header().Set("X-Frame-Options", "DENY")
		w.Header().Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'")
		fmt.Fprintf(w, "%q rang %d", s.User(), rings.Get(s))
	})
	app.HandleFunc("POST /ring", func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		rings.Set(s, rings.Get(s)+1)
	})
	server := httptest.NewServer(middleware.Chain(app, middleware.DevUsers(m, keys, o, nil), middleware.Sessions(m, keys, o)))
	t.Cleanup(server.Close)
	jar, _ := cookiejar.New(nil)
	client := &http.Client{Jar: jar, Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}}}
	t.Cleanup(client.CloseIdleConnections)
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	return func(method, host, path string, form url.Values, header ...string) (int, string, http.Header) {
		t.Helper()
		r, err := http.NewRequest(method, "http://"+host+":"+port+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		if method == "POST" {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, _ := io.ReadAll(answer.Body)
		return answer.StatusCode, string(body), answer.Header
	}
}

func press(what, user string) url.Values { return url.Values{"do": {what}, "user": {user}} }

func TestDevUsers(t *testing.T) {
	ask := newDesk(t)
	status, desk, _ := ask("GET", "users.localhost", "/?seats=3", nil)
	if status != 200 || strings.Count(desk, "<iframe") != 3 || !strings.Contains(desk, "http://c.users.localhost:") {
		t.Fatalf("%d %s", status, desk)
	}
	seats := []string{"a.users.localhost", "b.users.localhost", "c.users.localhost", "d.users.localhost"}
	for i, seat := range seats {
		user := []string{"ann", "bob", "cleo", "ann"}[i]
		if status, page, _ := ask("POST", seat, "/hardy-users/", press("sign in", user)); status != 200 || !strings.Contains(page, user+" · ") {
			t.Fatalf("%s: %d %s", seat, status, page)
		}
		for range i + 1 {
			ask("POST", seat, "/ring", nil)
		}
	}
	sees := func(seat, want string) {
		t.Helper()
		if _, got, _ := ask("GET", seat, "/", nil); got != want {
			t.Errorf("%s sees %s, want %s", seat, got, want)
		}
	}
	sees(seats[0], `"ann" rang 1`)
	sees(seats[1], `"bob" rang 2`)
	sees(seats[3], `"ann" rang 4`)
	sees("localhost", `"" rang 0`)

	ask("POST", seats[1], "/hardy-users/", press("sign in", "dan")) // switch: another user starts from nothing
	sees(seats[1], `"dan" rang 0`)
	ask("POST", seats[1], "/hardy-users/", press("sign out", ""))
	sees(seats[1], `"" rang 0`)

	// An end from elsewhere, and an expiry, are met as in production.
	for seat, reason := range map[string]string{seats[0]: "revoked", seats[2]: "idle"} {
		ask("POST", seat, "/hardy-users/", press(map[string]string{"revoked": "end", "idle": "expire"}[reason], ""))
		for range 2 { // looking does not start over
			if _, state, _ := ask("GET", seat, "/hardy-users/state", nil); !strings.Contains(state, reason) {
				t.Errorf("%s: %s", seat, state)
			}
		}
		if status, _, h := ask("POST", seat, "/ring", nil); status != 401 || !strings.Contains(h.Get("WWW-Authenticate"), reason) {
			t.Errorf("%s: %d %q", seat, status, h.Get("WWW-Authenticate"))
		}
		ask("POST", seat, "/hardy-users/", press("sign in", "eve"))
		sees(seat, `"eve" rang 0`)
	}
	sees(seats[3], `"ann" rang 4`)
	if status, _, _ := ask("POST", seats[3], "/hardy-users/", press("explode", "")); status != 400 {
		t.Errorf("an unknown button: %d", status)
	}
}

// The frames show what the application lets nobody frame; other hosts get its answers as they are.
func TestDevUsersFrames(t *testing.T) {
	ask := newDesk(t)
	_, _, h := ask("GET", "a.users.localhost", "/", nil)
	if h.Get("X-Frame-Options") != "" || h.Get("Content-Security-Policy") != "default-src 'self'; base-uri 'none'" {
		t.Errorf("%v", h)
	}
	for _, host := range []string{"localhost", "z.users.localhost", "a.b.users.localhost", "ausers.localhost"} {
		if _, _, h := ask("GET", host, "/", nil); h.Get("X-Frame-Options") != "DENY" || !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s: %v", host, h)
		}
		if status, _, _ := ask("POST", host, "/hardy-users/", press("sign in", "ann")); status != http.StatusMethodNotAllowed {
			t.Errorf("%s signs in: %d", host, status)
		}
	}
}

func TestDevUsersRefuses(t *testing.T) {
	ask := newDesk(t)
	if status, _, _ := ask("POST", "a.users.localhost", "/hardy-users/", press("sign in", "ann"), "Sec-Fetch-Site", "cross-site"); status != http.StatusForbidden {
		t.Errorf("a form of another site: %d", status)
	}
	for _, header := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Cf-Connecting-Ip", "Forwarded", "Via"} {
		for _, host := range []string{"users.localhost", "a.users.localhost"} {
			if status, _, _ := ask("GET", host, "/", nil, header, "x"); status != http.StatusForbidden {
				t.Errorf("through a proxy (%s): %d", header, status)
			}
		}
	}

	m := session.NewManager(store.NewMemory(nil), nil)
	dev := cookie.DevKeys("desk")
	h := middleware.DevUsers(m, dev, nil, nil)(http.NotFoundHandler())
	for _, c := range []struct{ remote, local string }{
		{"192.0.2.7:1", "127.0.0.1:80"}, {"127.0.0.1:1", "192.0.2.8:80"}, {"@", "127.0.0.1:80"}, {"[::1]:1", ""},
	} {
		r := httptest.NewRequest("GET", "http://users.localhost/", nil)
		r.RemoteAddr = c.remote
		if addr, err := net.ResolveTCPAddr("tcp", c.local); err == nil && c.local != "" {
			r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(addr)))
		}
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusForbidden {
			t.Errorf("from %s to %s: %d", c.remote, c.local, w.Code)
		}
	}

	t.Setenv("HARDY_KEYS", cookie.NewMaster())
	production, err := cookie.KeysFromEnv("HARDY_KEYS", "desk")
	if err != nil {
		t.Fatal(err)
	}
	for _, keys := range []*cookie.Keys{production, nil} {
		func() {
			defer func() {
				if said, _ := recover().(string); !strings.Contains(said, "cookie.DevKeys") {
					t.Errorf("panicked with %q", said)
				}
			}()
			middleware.DevUsers(m, keys, nil, nil)
		}()
	}
}

// SignIn does what the application's own sign-in does beside Login.
func TestDevUsersSignIn(t *testing.T) {
	role := session.NewKey[string]("role")
	m := session.NewManager(store.NewMemory(nil), nil)
	keys := cookie.DevKeys("desk")
	o := &middleware.Options{InsecureHTTP: true}
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, role.Get(session.From(r.Context())))
	})
	h := middleware.Chain(app, middleware.DevUsers(m, keys, o, &middleware.DevUsersOptions{
		Users: []string{"root+1@example.org"},
		SignIn: func(s *session.Session, user string) error {
			if err := s.Login(user); err != nil {
				return err
			}
			return role.Set(s, "role of "+user)
		},
	}), middleware.Sessions(m, keys, o))
	server := httptest.NewServer(h)
	defer server.Close()
	jar, _ := cookiejar.New(nil)
	client := &http.Client{Jar: jar, Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}}}
	defer client.CloseIdleConnections()
	answer, err := client.Get("http://users.localhost/")
	if err != nil {
		t.Fatal(err)
	}
	desk, _ := io.ReadAll(answer.Body)
	answer.Body.Close()
	if !strings.Contains(string(desk), "?suggest=root%2B1%40example.org") {
		t.Errorf("%s", desk)
	}
	answer, err = client.PostForm("http://a.users.localhost/hardy-users/", press("sign in", "root"))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	answer, err = client.Get("http://a.users.localhost/")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, _ := io.ReadAll(answer.Body); string(body) != "role of root" {
		t.Errorf("%s", body)
	}
}
