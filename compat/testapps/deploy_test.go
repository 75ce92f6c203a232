package testapps_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"example.com/hardy/internal/servers"
)

// door sends requests to the binaries that serve, one after another.
type door struct {
	behind atomic.Pointer[[]*httputil.ReverseProxy]
	next   atomic.Uint64
}

func (d *door) open(addresses ...string) {
	var all []*httputil.ReverseProxy
	for _, a := range addresses {
		u, _ := url.Parse(a)
		all = append(all, httputil.NewSingleHostReverseProxy(u))
	}
	d.behind.Store(&all)
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	all := *d.behind.Load()
	all[d.next.Add(1)%uint64(len(all))].ServeHTTP(w, r)
}

// TestRollingDeploy: the old binary, then both behind one door, then the new one, then both and back to the old one, 10,000
// requests in all. Nobody is signed out, no count is lost, and who signs out is out.
func TestRollingDeploy(t *testing.T) {
	b := build(t)
	for _, c := range []struct {
		style   string
		address func(t *testing.T) string
	}{
		{"plain", func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "sessions.db") }},
		{"idle", func(t *testing.T) string { return servers.SharedRedis(t).URL() }},
		{"hashed", func(t *testing.T) string { return servers.SharedPostgres(t).URL() }},
		{"codec", func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "sessions.db") }},
	} {
		t.Run(c.style, func(t *testing.T) {
			address := c.address(t)
			old := start(t, b.scs, "-style", c.style, "-store", address)
			fresh := start(t, b.hardy, "-style", c.style, "-store", address)
			d := &door{}
			server := httptest.NewServer(d)
			defer server.Close()

			const visitors = 8
			var all []*visitor
			for i := range visitors {
				jar, err := cookiejar.New(nil)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, &visitor{t: t, base: server.URL, name: fmt.Sprint("visitor", i), http: http.Client{Jar: jar}})
			}
			requests := 0
			for phase, behind := range [][]string{{old}, {old, fresh}, {fresh}, {fresh, old}, {old}} {
				d.open(behind...)
				var under sync.WaitGroup
				for _, v := range all {
					under.Go(func() { v.visit(phase, 63) })
				}
				under.Wait()
			}
			for _, v := range all {
				requests += v.requests
			}
			t.Logf("%d requests", requests)
			if requests < 2500 {
				t.Errorf("%d requests", requests)
			}
		})
	}
}

// visitor knows what its session has to hold.
type visitor struct {
	t        *testing.T
	base     string
	name     string
	http     http.Client
	count    int
	user     string
	requests int
}

func (v *visitor) get(path string) string {
	v.requests++
	resp, err := v.http.Get(v.base + path)
	if err != nil {
		v.t.Error(err)
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		v.t.Errorf("%s: %d %q, %v", path, resp.StatusCode, body, err)
	}
	return string(bytes.TrimSpace(body))
}

// visit counts, looks, signs in and out. What it sees has to be what it did.
func (v *visitor) visit(phase, requests int) {
	for end := v.requests + requests; v.requests < end && !v.t.Failed(); {
		switch n := v.requests % 23; {
		case n == 3 && v.user == "":
			v.get("/login?user=" + v.name)
			v.user = v.name
		case n == 17 && v.user != "" && v.requests%2 == phase%2:
			v.get("/logout")
			v.user, v.count = "", 0
		case n%4 == 1:
			if got, want := v.get("/me"), strings.TrimSpace(fmt.Sprintf("%s %d", v.user, v.count)); got != want {
				v.t.Errorf("%s, phase %d, request %d: the session holds %q, want %q", v.name, phase, v.requests, got, want)
			}
		default:
			v.count++
			if got := v.get("/count"); got != fmt.Sprint(v.count) {
				v.t.Errorf("%s, phase %d, request %d: counted %s, want %d", v.name, phase, v.requests, got, v.count)
			}
		}
	}
}

// TestFixation: the cookie that a browser had before the sign-in opens nothing after it, in any style.
func TestFixation(t *testing.T) {
	b := build(t)
	for _, style := range []string{"plain", "remember", "idle", "hashed", "gin", "echo", "header", "proxied", "codec"} {
		t.Run(style, func(t *testing.T) {
			t.Parallel()
			base := start(t, b.hardy, "-style", style)
			victim := &client{make(map[string]string)}
			ask(t, base, style, victim, "/count")
			thief := victim.copy()
			if got := ask(t, base, style, thief, "/count"); got != "2" {
				t.Fatalf("before the sign-in the cookie opens %q", got)
			}
			ask(t, base, style, victim, "/login?user=ann")
			if got := ask(t, base, style, victim, "/me"); !strings.HasPrefix(got, "ann") {
				t.Errorf("signed in as %q", got)
			}
			for _, path := range []string{"/me", "/"} {
				if got := ask(t, base, style, thief.copy(), path); strings.Contains(got, "ann") || strings.Contains(got, "n 2") || got == " 2" {
					t.Errorf("the old cookie opens %q at %s", got, path)
				}
			}
			// Whatever it writes does not reach the account. The application on echo panics where a commit is refused.
			for _, path := range []string{"/count", "/put?k=planted&v=x"} {
				if _, err := try(base, style, thief.copy(), path); err != nil && style != "echo" {
					t.Error(err)
				}
			}
			if got := ask(t, base, style, victim, "/"); strings.Contains(got, "planted") || !strings.Contains(got, "n 2") {
				t.Errorf("the account holds %q", got)
			}
		})
	}
}

// ask sends one request with a client's token, and keeps what comes back.
func ask(t *testing.T, base, style string, c *client, path string) string {
	t.Helper()
	body, err := try(base, style, c, path)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func try(base, style string, c *client, path string) (string, error) {
	req, err := http.NewRequest("GET", base+path, nil)
	if err != nil {
		return "", err
	}
	for n, v := range c.values {
		if style == "header" {
			req.Header.Set("X-Session", v)
		} else {
			req.Header.Add("Cookie", n+"="+v)
		}
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	for _, cookie := range resp.Cookies() {
		c.values[cookie.Name] = cookie.Value
	}
	if token := resp.Header.Get("X-Session"); token != "" {
		c.values["X-Session"] = token
	}
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}
