package middleware_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
)

const apiHeader = "X-Session"

// apiClient is a program that keeps the token by itself.
type apiClient struct {
	*stand
	client *http.Client
	token  string
	ended  middleware.Ended
}

func newAPIClient(t *testing.T, ended middleware.Ended) *apiClient {
	st := newStand(t, nil, &middleware.Options{
		Carrier: middleware.Header(apiHeader), Aware: []string{"POST /login", "/aware"}, Ended: ended,
	})
	c := &apiClient{stand: st, client: st.browser(), ended: ended}
	c.client.Jar = nil
	return c
}

// call sends the token, unless the fields say otherwise, and takes one that comes back.
func (c *apiClient) call(method, path string, fields ...string) reply {
	c.t.Helper()
	if !slices.Contains(fields, apiHeader) && c.token != "" {
		fields = append(fields, apiHeader, c.token)
	}
	got := c.send(c.client, method, path, fields...)
	if cookies := got.Header["Set-Cookie"]; len(cookies) > 0 {
		c.t.Errorf("%s %s: a cookie beside the header: %q", method, path, cookies)
	}
	if sent := got.Header.Get(apiHeader); sent != "" {
		c.token = sent
	}
	return got
}

// signIn begins a session with 3 rings, and makes both tokens known: the one before the answer, and the session's.
func (c *apiClient) signIn() {
	c.t.Helper()
	if got := c.call("POST", "/login?user=ann"); got.StatusCode != 303 || c.token == "" {
		c.t.Fatalf("sign-in: %d %v", got.StatusCode, got.Header)
	}
	for range 3 {
		if got := c.call("POST", "/ring"); got.StatusCode != 200 || got.Header[apiHeader] != nil {
			c.t.Fatalf("ring: %d %v", got.StatusCode, got.Header)
		}
	}
}

func (c *apiClient) see(got reply) (v view) {
	c.t.Helper()
	if got.StatusCode != 200 || json.Unmarshal(got.body, &v) != nil {
		c.t.Errorf("%d %s", got.StatusCode, got.body)
	}
	return v
}

// refused are the three ways to come without a session, which a client can tell apart by field and body.
var refused = map[string]struct{ problem, field, reason string }{
	"missing": {"hardy/1/session-missing", `Session error="missing"`, ""},
	"invalid": {"hardy/1/session-invalid", `Session error="invalid"`, ""},
	"idle":    {"hardy/1/session-ended", `Session error="expired", reason="idle"`, "idle"},
	"logout":  {"hardy/1/session-ended", `Session error="expired", reason="logout"`, "logout"},
	"revoked": {"hardy/1/session-ended", `Session error="expired", reason="revoked"`, "revoked"},
}

func (c *apiClient) wantRefused(what string, got reply, as string) {
	c.t.Helper()
	var p struct {
		Type, Title, Detail, Reason string
		Status                      int
	}
	want := refused[as]
	if err := json.Unmarshal(got.body, &p); err != nil {
		c.t.Errorf("%s: %v in %s", what, err, got.body)
	}
	if got.StatusCode != 401 || p.Status != 401 || p.Type != want.problem || p.Reason != want.reason || p.Title == "" || p.Detail == "" {
		c.t.Errorf("%s: %d %s, want %s", what, got.StatusCode, got.body, want.problem)
	}
	h := got.Header
	if h.Get("Content-Type") != "application/problem+json" || h.Get("WWW-Authenticate") != want.field || h.Get("Cache-Control") != "private, no-store" {
		c.t.Errorf("%s: %v", what, h)
	}
	if !varies(h, apiHeader) || h[apiHeader] != nil || h.Get("X-Ran") != "" {
		c.t.Errorf("%s: %v", what, h)
	}
}

// varies says whether Vary names a field.
func varies(h http.Header, name string) bool {
	return slices.ContainsFunc(strings.Split(strings.Join(h["Vary"], ","), ","), func(s string) bool {
		return strings.EqualFold(strings.TrimSpace(s), name)
	})
}

// What a request with the Header carrier meets, by what it carries.
func TestHeaderCarrier(t *testing.T) {
	for _, row := range []struct {
		name  string
		sends func(c *apiClient) string // the token of the request, and "-" for none
		meets string                    // of refused; "": the session of ann, with 3 rings
		fresh bool                      // under Fresh: blank, where others are refused
		err   string                    // that the handler of an Aware route sees
	}{
		{"its token", func(c *apiClient) string { return c.token }, "", false, ""},
		{"none", func(*apiClient) string { return "-" }, "missing", false, ""},
		{"an empty one", func(*apiClient) string { return "" }, "missing", false, ""},
		{"one that was changed", func(c *apiClient) string { return c.token[:40] + "AAAA" + c.token[44:] }, "invalid", false, ""},
		{"a word", func(*apiClient) string { return "ann" }, "invalid", false, ""},
		{"one of a cookie", func(c *apiClient) string {
			text, err := c.keys.Sealer("session", standCookie).Seal(make([]byte, 32))
			if err != nil {
				c.t.Fatal(err)
			}
			return text
		}, "invalid", false, ""},
		{"one under an unknown key", func(c *apiClient) string {
			text, err := cookie.DevKeys("bell").Sealer("session", apiHeader).Seal(make([]byte, 32))
			if err != nil {
				c.t.Fatal(err)
			}
			return text
		}, "invalid", false, ""},
		{"one that idled out", func(c *apiClient) string { time.Sleep(32 * time.Minute); return c.token }, "idle", true, "idle"},
		{"one that signed out", func(c *apiClient) string { c.call("POST", "/logout"); return c.token }, "logout", true, "logout"},
		{"one that was revoked", func(c *apiClient) string {
			if _, err := c.manager.RevokeUser(c.t.Context(), "ann"); err != nil {
				c.t.Fatal(err)
			}
			return c.token
		}, "revoked", true, "revoked"},
		{"one under a revoked key", func(c *apiClient) string {
			c.ring.text = cookie.NewMaster() + ",revoked:" + c.ring.text
			if err := c.keys.Reload(c.t.Context()); err != nil {
				c.t.Fatal(err)
			}
			return c.token
		}, "revoked", true, "revoked"},
	} {
		for _, ended := range []middleware.Ended{middleware.Restart, middleware.Strict, middleware.Fresh} {
			t.Run(row.name+" "+[]string{"Restart", "Strict", "Fresh"}[ended], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := newAPIClient(t, ended)
					c.signIn()
					token := row.sends(c)
					with := func(fields ...string) []string {
						if token == "-" {
							c.token = ""
							return fields
						}
						return append(fields, apiHeader, token)
					}
					blank := row.fresh && ended == middleware.Fresh
					check := func(what string, got reply) {
						t.Helper()
						switch {
						case row.meets == "":
							if v := c.see(got); v != (view{User: "ann", Rings: 3}) {
								t.Errorf("%s: %+v", what, v)
							}
						case blank:
							if v := c.see(got); v != (view{Ended: row.meets}) || got.Header.Get(apiHeader) != "" {
								t.Errorf("%s: %+v %v", what, v, got.Header)
							}
						default:
							c.wantRefused(what, got, row.meets)
						}
					}
					check("a program", c.call("GET", "/look", with("Accept", "application/json")...))
					check("a post", c.call("POST", "/look", with()...))
					// Whatever it says that it accepts, and however it asks, no page starts over here.
					check("as a page", c.call("GET", "/look", with("Accept", "text/html")...))
					check("as a browser", c.call("GET", "/look", with("Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")...))
					check("with the mark of the dialog", c.call("GET", "/look?hardy-start-over", with("Accept", "text/html", "Sec-Fetch-Mode", "navigate")...))

					// Aware routes run, and see what it is. So does the answer to a preflight, which changes nothing.
					want := view{Err: row.err}
					if row.meets == "" {
						want = view{User: "ann", Rings: 3}
					}
					for _, got := range []reply{
						c.call("GET", "/aware", with()...),
						c.call("OPTIONS", "/look", with("Origin", "https://app.example.com", "Access-Control-Request-Method", "POST")...),
					} {
						if v := c.see(got); v != want || got.Header.Get("X-Ran") == "" || got.Header[apiHeader] != nil {
							t.Errorf("%s %s: %+v %v, want %+v", got.Request.Method, got.Request.URL.Path, v, got.Header, want)
						}
						if !varies(got.Header, apiHeader) || varies(got.Header, "Cookie") {
							t.Errorf("%s: Vary %q", got.Request.URL.Path, got.Header["Vary"])
						}
					}
					// From each of them a sign-in gets on.
					if got := c.call("POST", "/login?user=bob", with()...); got.StatusCode != 303 || got.Header.Get(apiHeader) == "" {
						t.Errorf("sign-in: %d %v", got.StatusCode, got.Header)
					}
					if v := c.see(c.call("GET", "/look")); v != (view{User: "bob"}) {
						t.Errorf("afterwards: %+v", v)
					}
				})
			})
		}
	}
}

// Two headers of one name are neither's.
func TestHeaderCarrierTwoHeaders(t *testing.T) {
	c := newAPIClient(t, middleware.Restart)
	c.signIn()
	for _, second := range []string{c.token, "", "x"} {
		r := ask(t, "GET", c.server.URL+"/look")
		r.Header[apiHeader] = []string{c.token, second}
		c.wantRefused("two headers", c.do(c.client, r), "invalid")
	}
}

// A new token comes back in the header, once; an empty one takes it away; a cookie is never looked at.
func TestHeaderCarrierReplacesAndClears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newAPIClient(t, middleware.Restart)
		c.signIn()
		first := c.token

		got := c.call("POST", "/renew")
		if values := got.Header[apiHeader]; len(values) != 1 || c.token == first || !varies(got.Header, apiHeader) || got.Header.Get("Cache-Control") != "private, no-store" {
			t.Errorf("a rotation: %v", got.Header)
		}
		if v := c.see(c.call("GET", "/look")); v != (view{User: "ann", Rings: 3}) {
			t.Errorf("with the new token: %+v", v)
		}
		if got := c.call("POST", "/ring", apiHeader, first); got.StatusCode != 409 || got.Header.Get("Retry-After") != "1" || got.Header[apiHeader] != nil {
			t.Errorf("a write with the old one: %d %v", got.StatusCode, got.Header)
		}
		time.Sleep(11 * time.Second)
		if got := c.call("GET", "/look", apiHeader, first, "Accept", "text/html"); got.StatusCode != 401 {
			t.Errorf("the old one after the grace: %d", got.StatusCode)
		}

		// The live token as a cookie, under every name that could be thought of, is no token.
		r := ask(t, "GET", c.server.URL+"/look")
		for _, name := range []string{apiHeader, "__Host-" + apiHeader, standCookie} {
			r.AddCookie(&http.Cookie{Name: name, Value: c.token})
		}
		c.wantRefused("cookies alone", c.do(c.client, r), "missing")
		if v := c.see(c.call("GET", "/look", "Cookie", standCookie+"="+first)); v.User != "ann" {
			t.Errorf("a cookie beside the header: %+v", v)
		}

		// The key is retired: the next request that renews the session brings the token under the new one.
		was := c.token
		c.ring.text = cookie.NewMaster() + "," + c.ring.text
		if err := c.keys.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := c.call("GET", "/look"); got.Header[apiHeader] != nil {
			t.Errorf("without a Touch: %v", got.Header)
		}
		time.Sleep(2 * time.Minute)
		if got := c.call("GET", "/idle"); len(got.Header[apiHeader]) != 1 || c.token == was || !varies(got.Header, apiHeader) {
			t.Errorf("with a Touch: %v", got.Header)
		}
		for _, token := range []string{was, c.token} { // it is the same session
			if v := c.see(c.call("GET", "/look", apiHeader, token)); v != (view{User: "ann", Rings: 3}) {
				t.Errorf("under another key: %+v", v)
			}
		}

		got = c.call("POST", "/logout")
		if values, ok := got.Header[apiHeader]; !ok || len(values) != 1 || values[0] != "" {
			t.Errorf("a logout: %v", got.Header)
		}
		c.wantRefused("after the logout", c.call("GET", "/look"), "logout")
	})
}
