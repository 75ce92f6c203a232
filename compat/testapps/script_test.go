package testapps_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/hardy/internal/servers"
)

// steps is what browsers ask one after another: "method path", after "b:" where it is browser b, "thief:" for one that
// has the cookies which ann's browser had when it said "steal". {token} stands for the value of b's cookie.
var steps = strings.Split(strings.TrimSpace(`
GET /
GET /
POST /put?k=colour&v=green
GET /
GET /count
GET /count
HEAD /count
GET /
GET /kinds
GET /kinds?set=1
GET /kinds
GET /cart?add=rake
GET /cart?add=rake
GET /cart?add=hoe&forget=1
GET /cart
GET /flash?m=saved
GET /show
GET /show
GET /pop?k=colour
GET /pop?k=colour
GET /
steal
POST /login?user=ann
GET /
thief: GET /
thief: GET /me
GET /count
GET /commit?v=1
GET /
GET /remove?k=early
GET /remove?k=early
GET /redirect?from=there
GET /nowhere
POST /fail
GET /
GET /deadline?in=100h
GET /
b: GET /me
b: GET /count
b: POST /login?user=ann&remember=1
b: GET /
GET /sessions
GET /large
GET /pop?k=large
c: GET /put?k=from&v=c
c: GET /me
steal
GET /logout
GET /
GET /me
thief: GET /me
thief: GET /
GET /count
GET /again
GET /show
b: GET /again
b: GET /
GET /revoke?user=ann
c: POST /login?user=cleo
c: GET /clear
c: GET /
c: GET /clear
b: GET /merge?token={token of c}
b: GET /
c: GET /
b: OPTIONS /count
odd: GET /
long: GET /me
twice: GET /me
GET /sessions
`), "\n")

// TestSameAnswers: in every style, on every store, the application compiled against scs and against compat/scs gives the
// same answers over the script: status, body, and every header, cookie for cookie. Tokens are numbered as they come, and
// moments rounded.
func TestSameAnswers(t *testing.T) {
	if len(steps) < 60 {
		t.Fatalf("%d steps", len(steps))
	}
	b := build(t)
	inMemory := func(*testing.T) string { return "" }
	inFile := func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "sessions.db") }
	inRedis := func(t *testing.T) string { return servers.SharedRedis(t).URL() }
	inPostgres := func(t *testing.T) string { return servers.SharedPostgres(t).URL() }
	for style, fresh := range map[string]func(*testing.T) string{
		"plain": inRedis, "remember": inFile, "idle": inPostgres, "hashed": inRedis, "gin": inMemory, "echo": inFile,
		"header": inPostgres, "twins": inRedis, "proxied": inMemory, "codec": inPostgres,
	} {
		t.Run(style, func(t *testing.T) {
			t.Parallel()
			var answers [2][]string
			for i, binary := range []string{b.scs, b.hardy} {
				answers[i] = play(t, start(t, binary, "-style", style, "-store", fresh(t)), style)
			}
			for i := range answers[0] {
				if answers[0][i] != answers[1][i] {
					t.Errorf("step %d:\nscs:   %s\nHardy: %s", i, answers[0][i], answers[1][i])
				}
			}
		})
	}
}

// client keeps the cookies of one browser, or the token in the header.
type client struct{ values map[string]string }

func (c *client) copy() *client {
	other := &client{make(map[string]string)}
	for name, v := range c.values {
		other.values[name] = v
	}
	return other
}

// play sends the script to the application at base and returns what can be compared.
func play(t *testing.T, base, style string) []string {
	t.Helper()
	clients := map[string]*client{
		"odd":  {map[string]string{"session": "!#$%&'()*+-./:<=>?@[]^_`{|}~", "app_session": "x"}},
		"long": {map[string]string{"session": strings.Repeat("A", 8<<10), "app_session": strings.Repeat("A", 8<<10)}},
	}
	get := func(name string) *client {
		if clients[name] == nil {
			clients[name] = &client{make(map[string]string)}
		}
		return clients[name]
	}
	var tokens []string
	var all []string
	for i, step := range steps {
		name := "ann"
		if who, rest, ok := strings.Cut(step, ": "); ok {
			name, step = who, rest
		}
		if step == "steal" {
			clients["thief"] = get("ann").copy()
			all = append(all, step)
			continue
		}
		method, path, _ := strings.Cut(step, " ")
		if _, of, ok := strings.Cut(path, "{token of "); ok {
			other := get(strings.TrimSuffix(of, "}"))
			for _, v := range other.values {
				path = strings.Replace(path, "{token of "+of, url.QueryEscape(v), 1)
			}
		}
		if style == "twins" && i%3 == 0 {
			path = "/staff" + path
		}
		req, err := http.NewRequest(method, base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		c := get(name)
		for n, v := range c.values {
			if style == "header" {
				req.Header.Set("X-Session", v)
			} else {
				req.Header.Add("Cookie", n+"="+v)
			}
		}
		if name == "twice" {
			req.Header.Set("Cookie", "session=first; session=second")
		}
		if style == "proxied" && i%2 == 0 {
			req.Header.Set("X-Forwarded-Proto", "https")
		}
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, cookie := range resp.Cookies() {
			if cookie.MaxAge < 0 {
				delete(c.values, cookie.Name)
			} else {
				c.values[cookie.Name] = cookie.Value
			}
			tokens = numbered(tokens, cookie.Value)
		}
		if token := resp.Header.Get("X-Session"); token != "" {
			c.values["X-Session"] = token
			tokens = numbered(tokens, token)
		}
		all = append(all, comparable(step, resp, string(body), tokens))
	}
	return all
}

func numbered(tokens []string, token string) []string {
	if len(token) < 43 || slices.Contains(tokens, token) {
		return tokens
	}
	return append(tokens, token)
}

var (
	expires = regexp.MustCompile(`(Expires=)[^;]+(GMT)`)
	maxAge  = regexp.MustCompile(`Max-Age=(\d+)`)
)

// comparable is an answer without what differs from run to run.
func comparable(step string, resp *http.Response, body string, tokens []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%d %q\n", step, resp.StatusCode, body)
	var names []string
	for name := range resp.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, v := range resp.Header[name] {
			switch name {
			case "Date":
				continue
			case "X-Session-Expiry":
				at, err := http.ParseTime(v)
				if err != nil {
					v = "no time: " + v
				} else {
					v = rounded(time.Until(at))
				}
			case "Set-Cookie":
				v = expires.ReplaceAllStringFunc(v, func(s string) string {
					at, err := http.ParseTime(strings.TrimPrefix(s, "Expires="))
					if err != nil {
						return s
					}
					return "Expires=" + rounded(time.Until(at))
				})
				v = maxAge.ReplaceAllStringFunc(v, func(s string) string {
					n, _ := strconv.Atoi(strings.TrimPrefix(s, "Max-Age="))
					return "Max-Age=" + rounded(time.Duration(n)*time.Second)
				})
			}
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	text := b.String()
	for i, token := range tokens {
		text = strings.ReplaceAll(text, token, fmt.Sprintf("<token %d>", i))
	}
	return text
}

// rounded leaves the minute or two that a slow machine takes out of a moment; the past is the past.
func rounded(d time.Duration) string {
	if d < 0 {
		return "past"
	}
	return d.Round(10 * time.Minute).String()
}
