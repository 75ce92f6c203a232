package main

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// fetch asks once, without following, and returns the answer with its body.
func (v *visitor) fetch(method, path string) (*http.Response, string) {
	v.t.Helper()
	r, _ := http.NewRequest(method, v.site+path, nil)
	r.Header.Set("Accept", "text/html")
	resp, err := v.Transport.RoundTrip(v.withCookies(r))
	_, body := read(v.t, resp, err)
	return resp, body
}

func (v *visitor) withCookies(r *http.Request) *http.Request {
	for _, c := range v.Jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	return r
}

// Sessions, cookies and limits stand in one chain: each answer carries its session and jar, and says how much is left to
// address and user. Who has had enough is told when to come again, and nothing of theirs is lost.
func TestBellLimits(t *testing.T) {
	in(t, 0, false, func(v *visitor) {
		v.post("/sign-in", "user", "ann", "password", demoPassword)
		v.post("/ring")
		v.post("/cookies/name", "name", "Bo")
		resp, page := v.fetch("GET", "/")
		expect(t, resp.StatusCode, page, 200, "Signed in as <strong>ann</strong>")
		policies := strings.Join(resp.Header.Values("RateLimit-Policy"), ",")
		if policies != `"address";q=500;w=10,"user";q=200;w=10` || len(resp.Header.Values("RateLimit")) != 2 {
			t.Errorf("RateLimit-Policy: %s, RateLimit: %v", policies, resp.Header.Values("RateLimit"))
		}

		// All of her browsers are one user.
		desk := v.another()
		desk.post("/sign-in", "user", "ann", "password", demoPassword)
		v.until429(t, 200)
		if resp, page = desk.fetch("POST", "/ring"); resp.StatusCode != 429 {
			t.Errorf("ann at her desk: %d", resp.StatusCode)
		}
		expect(t, resp.StatusCode, page, 429, "Too many requests", "Nothing was changed")
		stranger := v.another()
		if resp, _ := stranger.fetch("GET", "/"); resp.StatusCode != 200 {
			t.Errorf("a stranger: %d", resp.StatusCode)
		}

		wait, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		time.Sleep(time.Duration(wait) * time.Second)
		status, page := v.open("/")
		expect(t, status, page, 200, "Signed in as <strong>ann</strong>", "rang <strong>1</strong>")
		status, page = v.open("/cookies")
		expect(t, status, page, 200, "Bo")
	})
}

// until429 asks until it is refused for the user's sake, most times at most.
func (v *visitor) until429(t *testing.T, most int) {
	t.Helper()
	for range most + 1 {
		resp, _ := v.fetch("GET", "/")
		if resp.StatusCode == 200 {
			continue
		}
		if got := resp.Header.Get("RateLimit"); resp.StatusCode != 429 || got != `"user";r=0;t=1` || resp.Header.Get("Retry-After") != "1" {
			t.Errorf("%d, RateLimit: %s, Retry-After: %s", resp.StatusCode, got, resp.Header.Get("Retry-After"))
		}
		return
	}
	t.Errorf("%d requests pass", most)
}
