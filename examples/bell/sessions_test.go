package main

import (
	"net/http/cookiejar"
	"regexp"
	"testing"
	"time"
)

// another is a second browser on the same bell.
func (v *visitor) another() *visitor {
	jar, _ := cookiejar.New(nil)
	client := *v.Client
	client.Jar = jar
	return &visitor{v.t, v.site, &client}
}

var handles = regexp.MustCompile(`name="handle" value="([^"]+)"`)

// Your sessions: each is listed, one can be ended, or all others.
func TestBellEndsSessions(t *testing.T) {
	in(t, 0, false, func(v *visitor) {
		phone, laptop := v.another(), v.another()
		_, page := v.open("/sessions")
		expect(v.t, 200, page, 200, "Sign in</a>, first")
		for _, one := range []*visitor{v, phone, laptop} {
			one.post("/sign-in", "user", "ann", "password", demoPassword)
		}
		stranger := v.another()
		stranger.post("/sign-in", "user", "bob", "password", demoPassword)

		time.Sleep(3 * time.Minute)
		_, page = v.open("/sessions")
		found := handles.FindAllStringSubmatch(page, -1)
		expect(v.t, 200, page, 200, "another program", "3 minutes ago", "End all others")
		if len(found) != 2 {
			v.t.Fatalf("%d other sessions, want 2", len(found))
		}
		stranger.post("/sessions/end", "handle", found[0][1]) // not theirs
		_, page = v.open("/sessions")
		if n := len(handles.FindAllString(page, -1)); n != 2 {
			v.t.Fatalf("a stranger ended a session: %d are left", n)
		}

		_, page = v.post("/sessions/end", "handle", found[0][1])
		if n := len(handles.FindAllString(page, -1)); n != 1 {
			v.t.Errorf("one was ended, %d are left", n)
		}
		v.post("/sessions/end", "handle", found[0][1]) // once more is harmless
		_, page = v.post("/sessions/end-others")
		expect(v.t, 200, page, 200, "Nowhere.")
		for _, one := range []*visitor{phone, laptop} {
			status, page := one.post("/ring")
			expect(v.t, status, page, 401)
			status, page = one.open("/")
			expect(v.t, status, page, 200, "ended from another place", "!Signed in")
		}
		_, page = stranger.open("/")
		expect(v.t, 200, page, 200, "Signed in as <strong>bob</strong>")

		// The list is for who has just signed in (ASVS 7.5.2).
		time.Sleep(fresh)
		_, page = v.open("/sessions")
		expect(v.t, 200, page, 200, "Sign in</a>, first", "Signed in as <strong>ann</strong>")
		v.post("/sign-in", "user", "ann", "password", demoPassword)
		_, page = v.open("/sessions")
		expect(v.t, 200, page, 200, "Nowhere.")
	})
}

// Inside: neither side's copy says what the values are, and no cookie is shown whole.
func TestBellInside(t *testing.T) {
	in(t, 0, false, func(v *visitor) {
		_, page := v.open("/inside")
		expect(v.t, 200, page, 200, "Nothing: no cookie", "Nothing. The first")
		v.post("/cookies/name", "name", "Bartholomew")
		v.post("/ring")
		v.post("/sign-in", "user", "ann", "password", demoPassword)
		_, page = v.open("/inside")
		expect(v.t, 200, page, 200, "<code>bell-session</code>", "<code>bell-local</code>", "<dt>name</dt><dd>Bartholomew", "<dt>n_rings</dt><dd>1",
			"<dt>user</dt><dd>ann", "another program")
		for name, value := range v.cookies() {
			expect(v.t, 200, page, 200, "!"+value[:20])
			if len(value) < 40 {
				v.t.Errorf("%s is %q", name, value)
			}
		}
	})
}

func TestDevice(t *testing.T) {
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                                "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36":                       "Chrome on Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0":             "Edge on Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604": "Safari on iPhone",
		"Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36":                          "Chrome on Android",
		"curl/8.5.0": "curl", "": "another program",
	} {
		if got := device(agent); got != want {
			t.Errorf("%s: %q, want %q", agent, got, want)
		}
	}
}
