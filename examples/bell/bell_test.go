package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
)

// visitor is a browser that looks at the bell.
type visitor struct {
	t    *testing.T
	site string
	*http.Client
}

func read(t *testing.T, resp *http.Response, err error) (int, string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// open opens the page, post sends a form from it and follows to where it leads.
func (v *visitor) open() (int, string) {
	v.t.Helper()
	r, _ := http.NewRequest("GET", v.site+"/", nil)
	r.Header.Set("Accept", "text/html")
	resp, err := v.Do(r)
	return read(v.t, resp, err)
}

func (v *visitor) post(path string, form ...string) (int, string) {
	v.t.Helper()
	values := url.Values{}
	for i := 0; i < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	resp, err := v.PostForm(v.site+path, values)
	return read(v.t, resp, err)
}

func (v *visitor) cookies() map[string]string {
	at, _ := url.Parse(v.site)
	all := map[string]string{}
	for _, c := range v.Jar.Cookies(at) {
		all[c.Name] = c.Value
	}
	return all
}

func expect(t *testing.T, status int, page string, wantStatus int, wants ...string) {
	t.Helper()
	if status != wantStatus {
		t.Errorf("status %d, want %d", status, wantStatus)
	}
	for _, want := range wants {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q:\n%s", want, page)
		}
	}
}

// start runs the program as its user does, and returns its address and what takes it down.
func start(t *testing.T, args ...string) (site string, stop func() error) {
	t.Helper()
	out := &lines{arrived: make(chan string, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, append([]string{"-http", "127.0.0.1:0"}, args...), out, 1) }()
	stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { stop() })
	select {
	case site = <-out.arrived:
	case err := <-ended:
		t.Fatalf("it ended at once: %v", err)
	}
	return site, stop
}

// lines finds the address in what the program says.
type lines struct{ arrived chan string }

var address = regexp.MustCompile(`http://[^/ ]+`)

func (l *lines) Write(b []byte) (int, error) {
	if site := address.Find(b); site != nil {
		l.arrived <- string(site)
	}
	return len(b), nil
}

func browser(t *testing.T, site string) *visitor {
	jar, _ := cookiejar.New(nil)
	return &visitor{t, site, &http.Client{Jar: jar}}
}

// The whole program over sockets: two visitors ring, keep a name, sign in and out.
func TestBell(t *testing.T) {
	site, stop := start(t)
	ann, bob := browser(t, site), browser(t, site)

	status, page := ann.open()
	expect(t, status, page, 200, "It has not been rung in this session", "Nothing is stored for you yet")
	if len(ann.cookies()) != 0 {
		t.Errorf("a visitor who did nothing has %v", ann.cookies())
	}
	for n := 1; n <= 3; n++ {
		status, page = ann.post("/ring")
		expect(t, status, page, 200, fmt.Sprintf("rang <strong>%d</strong>", n))
	}
	status, page = bob.open()
	expect(t, status, page, 200, "It has not been rung")

	status, page = ann.post("/name", "name", "Bo<b>")
	expect(t, status, page, 200, "Hello, Bo&lt;b&gt;.", "rang <strong>3</strong>")
	status, page = ann.post("/name", "name", strings.Repeat("ü", 41))
	expect(t, status, page, 422, "longer than 40 characters", "Hello, Bo&lt;b&gt;.")
	status, page = ann.post("/name", "name", "Bo<b>", "forget", "yes")
	expect(t, status, page, 200, "Ring the bell!")

	status, page = ann.post("/sign-in", "user", "ann", "password", "wrong")
	expect(t, status, page, 422, "do not go together", `value="ann"`)
	status, page = ann.post("/sign-in", "user", "nobody", "password", demoPassword)
	expect(t, status, page, 422, "do not go together")
	before := ann.cookies()["bell-session"]
	status, page = ann.post("/sign-in", "user", "ann", "password", demoPassword)
	expect(t, status, page, 200, "Signed in as <strong>ann</strong>", "rang <strong>3</strong>")
	signedIn := ann.cookies()["bell-session"]
	if signedIn == before || signedIn == "" {
		t.Error("signing in came with no new token")
	}

	status, page = ann.post("/sign-out")
	expect(t, status, page, 200, "It has not been rung", `id="password"`)
	if ann.cookies()["bell-session"] != "" {
		t.Error("signing out left the cookie")
	}
	r, _ := http.NewRequest("POST", site+"/ring", nil)
	r.AddCookie(&http.Cookie{Name: "bell-session", Value: signedIn})
	resp, err := http.DefaultClient.Do(r)
	if status, _ := read(t, resp, err); status != 401 {
		t.Errorf("a copy of the cookie after the sign-out: %d", status)
	}
	if err := stop(); err != nil {
		t.Errorf("the program ended with %v", err)
	}
}

// in runs f in synctest, with a visitor of a bell on its handler.
func in(t *testing.T, idle time.Duration, strict bool, f func(v *visitor)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBell(cookie.DevKeys("bell"), newAccounts(1, demoPassword, demoUsers...), &session.Options{Idle: idle}, strict)
		server := sessiontest.NewServer(t, b.handler())
		f(&visitor{t, "http://app.hardy.test", server.Browser()})
	})
}

// Anvil's bell example: n_rings from 0, one more with each ring, kept between calls.
func TestAnvilBellCountsRings(t *testing.T) {
	in(t, 0, false, func(v *visitor) {
		for n := 1; n <= 5; n++ {
			status, page := v.post("/ring")
			expect(v.t, status, page, 200, fmt.Sprintf("rang <strong>%d</strong>", n))
			time.Sleep(29 * time.Minute)
		}
	})
}

func TestBellExpires(t *testing.T) {
	in(t, 10*time.Second, false, func(v *visitor) {
		v.post("/ring")
		time.Sleep(9 * time.Second)
		status, page := v.post("/ring")
		expect(v.t, status, page, 200, "rang <strong>2</strong>", "ends in 10 seconds")

		time.Sleep(11 * time.Second)
		if status, _ := v.post("/ring"); status != 401 {
			v.t.Errorf("a form from an old page: %d", status)
		}
		status, page = v.open()
		expect(v.t, status, page, 200, "has ended: nobody rang for a while", "It has not been rung")
		status, page = v.post("/ring")
		expect(v.t, status, page, 200, "rang <strong>1</strong>")
	})
}

func TestBellExpiresStrict(t *testing.T) {
	in(t, 10*time.Second, true, func(v *visitor) {
		v.post("/ring")
		time.Sleep(11 * time.Second)
		for range 2 {
			status, page := v.open()
			expect(v.t, status, page, 401, "Refresh now")
		}
		// Signing in works from the old page, and starts over.
		status, page := v.post("/sign-in", "user", "bob", "password", demoPassword)
		expect(v.t, status, page, 200, "Signed in as <strong>bob</strong>", "It has not been rung")
	})
}

// Anvil's set(3, name=…): three days, in the browser and inside the seal.
func TestAnvilNameForThreeDays(t *testing.T) {
	in(t, 0, false, func(v *visitor) {
		v.post("/name", "name", "Bob")
		kept := v.cookies()["bell-local"]
		time.Sleep(nickLives - time.Minute)
		status, page := v.open()
		expect(v.t, status, page, 200, "Hello, Bob.")
		time.Sleep(2 * time.Minute)
		status, page = v.open()
		expect(v.t, status, page, 200, "Ring the bell!")
		if strings.Contains(page, "Bob") || len(v.cookies()) != 0 {
			v.t.Errorf("after three days there is %v", v.cookies())
		}
		r, _ := http.NewRequest("GET", v.site+"/", nil)
		r.AddCookie(&http.Cookie{Name: "bell-local", Value: kept})
		resp, err := v.Do(r)
		if _, page := read(v.t, resp, err); kept == "" || strings.Contains(page, "Bob") {
			v.t.Error("a copy of the cookie still says the name")
		}
	})
}

func TestBellRefusesOtherSites(t *testing.T) {
	in(t, 0, false, func(v *visitor) {
		r, _ := http.NewRequest("POST", v.site+"/ring", nil)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		resp, err := v.Do(r)
		if status, _ := read(v.t, resp, err); status != 403 || len(v.cookies()) != 0 {
			v.t.Errorf("a post from another site: %d, %v", status, v.cookies())
		}
		status, page := v.open()
		expect(v.t, status, page, 200, "It has not been rung")
	})
}

// The stylesheet has no session, so that caches may keep it and nobody is renewed by it.
func TestBellStyle(t *testing.T) {
	in(t, 30*time.Second, false, func(v *visitor) {
		v.post("/ring")
		resp, err := v.Get(v.site + "/style.css")
		_, css := read(v.t, resp, err)
		if !strings.Contains(css, "--idle: 31.000s") || resp.Header.Get("Vary") != "" || len(resp.Cookies()) != 0 {
			v.t.Errorf("%v\n%s", resp.Header, css)
		}
	})
}

func TestBellRefusesToStart(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-http", ":8080"}, "this computer only"},
		{[]string{"-http", "0.0.0.0:8080"}, "this computer only"},
		{[]string{"-http", "[::]:8080"}, "this computer only"},
		{[]string{"-http", "192.0.2.1:8080"}, "this computer only"},
		{[]string{"-http", "localhost.example.com:8080"}, "this computer only"},
		{[]string{"-http", "8080"}, "an address looks like"},
		{[]string{"-http", "127.0.0.1:99999"}, "choose another address"},
		{[]string{"-idle", "-1s"}, "negative"},
		{[]string{"-idle", "48h"}, "Lifetime"},
		{[]string{"-idle", "soon"}, "soon"},
		{[]string{"-loud"}, "-loud"},
	} {
		var out bytes.Buffer
		err := run(t.Context(), c.args, &out, 1)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want an error that says %q", c.args, err, c.want)
		}
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-h"}, &out, 1); !errors.Is(err, flag.ErrHelp) || !strings.Contains(out.String(), "-idle") {
		t.Errorf("-h: %v\n%s", err, out.String())
	}
}

func TestAccounts(t *testing.T) {
	a := newAccounts(2, "secret", demoUsers...)
	for _, c := range []struct {
		user, password string
		want           bool
	}{{"ann", "secret", true}, {"ann", "secre", false}, {"nobody", "secret", false}} {
		if got := a.check(c.user, c.password); got != c.want {
			t.Errorf("%s with %s: %v", c.user, c.password, got)
		}
	}
	if bytes.Equal(a["ann"].sum, a["bob"].sum) {
		t.Error("one password shows as one hash")
	}
}

func TestSpell(t *testing.T) {
	for d, want := range map[time.Duration]string{
		24*time.Hour - time.Millisecond: "24 hours", time.Hour: "1 hour", 90 * time.Minute: "2 hours", 30 * time.Minute: "30 minutes",
		10 * time.Second: "10 seconds", time.Second: "1 second", 100 * time.Millisecond: "a moment", 59*time.Minute + 59*time.Second: "60 minutes",
	} {
		if got := spell(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
