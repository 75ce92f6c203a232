package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/ratelimit"
	"example.com/hardy/ratelimit/quota"
)

const (
	ann = "free-ann"
	bob = "pro-bob"
)

// client calls the program, or, where the test's own clock counts, its handler without sockets.
type client struct {
	t    *testing.T
	site string
	h    http.Handler
}

type answer struct {
	*http.Response
	body string
}

func (c client) do(method, path, key, body string, header ...string) answer {
	c.t.Helper()
	r, err := http.NewRequest(method, c.site+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	if c.h != nil {
		w := httptest.NewRecorder()
		r.RemoteAddr = "127.0.0.1:4711"
		c.h.ServeHTTP(w, r)
		return answer{w.Result(), w.Body.String()}
	}
	plain := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := plain.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer{resp, string(b)}
}

func (c client) expect(a answer, status int, wants ...string) answer {
	c.t.Helper()
	if a.StatusCode != status {
		c.t.Errorf("status %d, want %d: %s", a.StatusCode, status, a.body)
	}
	for _, want := range wants {
		if !strings.Contains(a.body, want) {
			c.t.Errorf("the answer does not say %q:\n%s", want, a.body)
		}
	}
	return a
}

// left is r of a policy in the field RateLimit.
func (a answer) left(policy string) int {
	m := regexp.MustCompile(`"` + policy + `";r=(\d+)`).FindStringSubmatch(strings.Join(a.Header.Values("RateLimit"), ", "))
	if m == nil {
		return -1
	}
	n, _ := strconv.Atoi(m[1])
	return n
}

// start runs the program as its user does.
func start(t *testing.T, args ...string) client {
	t.Helper()
	out := &lines{arrived: make(chan string, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, append([]string{"-http", "127.0.0.1:0"}, args...), out) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case site := <-out.arrived:
		return client{t: t, site: site}
	case err := <-ended:
		ended <- err
		t.Fatalf("it ended at once: %v", err)
	}
	panic("unreachable")
}

// lines finds the address in what the program says.
type lines struct {
	once    sync.Once
	arrived chan string
}

func (l *lines) Write(b []byte) (int, error) {
	if site := regexp.MustCompile(`http://[^/ ]+`).Find(b); site != nil {
		l.once.Do(func() { l.arrived <- string(site) })
	}
	return len(b), nil
}

func TestCallsAreLimitedByAccountAndPlan(t *testing.T) {
	c := start(t)
	first := c.expect(c.do("GET", "/v1/quote", ann, ""), 200, `"quote"`)
	if got := first.left("calls"); got != 9 {
		t.Errorf("after one call of ten %d are left", got)
	}
	if got := first.Header.Values("RateLimit-Policy"); !slices.Equal(got, []string{`"address";q=100;w=5`, `"calls";q=10;w=5`}) {
		t.Errorf("RateLimit-Policy is %q", got)
	}
	began, passed := time.Now(), 1
	var last answer
	for passed <= 10+int(2*time.Since(began).Seconds())+1 {
		// A forged address changes nothing: the limit is the account's, and nobody is trusted to name one.
		if last = c.do("GET", "/v1/quote", ann, "", "X-Forwarded-For", fmt.Sprint("192.0.2.", passed)); last.StatusCode != 200 {
			break
		}
		passed++
	}
	if passed < 10 {
		t.Errorf("%d calls passed, want 10 at least", passed)
	}
	c.expect(last, 429, `"violated-policies":["calls"]`, quotaExceeded)
	if last.Header.Get("Retry-After") != "1" || last.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("the refusal's header is %v", last.Header)
	}
	for range 30 {
		c.expect(c.do("GET", "/v1/quote", bob, ""), 200)
	}
}

func TestKeysAreAskedFor(t *testing.T) {
	c := start(t)
	for _, key := range []string{"", "free-eve", ann + "-"} {
		if a := c.expect(c.do("GET", "/v1/quote", key, ""), 401, "Show your key"); a.Header.Get("WWW-Authenticate") == "" {
			t.Error("no WWW-Authenticate")
		}
	}
	c.expect(c.do("GET", "/v1/quote", "", "", "Authorization", "Basic "+ann), 401)
	c.expect(c.do("GET", "/v1/nothing", ann, ""), 404)
	// Each guess costs its address twenty calls more, and the limit stands before the keys.
	guesses := 0
	for ; guesses < 50; guesses++ {
		if c.do("GET", "/v1/quote", "guess", "").StatusCode == 429 {
			break
		}
	}
	if guesses > 10 {
		t.Errorf("%d keys could be guessed at once", guesses)
	}
}

// The moments are exact here: who waits as long as Retry-After says is let in, and not a second earlier.
func TestRetryAfterIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := inside(t)
		generate := func() answer { return c.do("POST", "/v1/generate", ann, `{"prompt":"a"}`) }
		for range 2 {
			generate()
		}
		if a := c.expect(generate(), 429); a.Header.Get("Retry-After") != "3" { // five calls at two a second
			t.Fatalf("Retry-After is %q", a.Header.Get("Retry-After"))
		}
		time.Sleep(2 * time.Second)
		c.expect(generate(), 429)
		time.Sleep(time.Second)
		c.expect(generate(), 200)
	})
}

// inside is the application for tests in which the clock is the test's own.
func inside(t *testing.T) client {
	a, err := newAPI(quota.NewMemory(), nil, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	return client{t: t, site: "http://localhost", h: a.handler()}
}

// What a call needed is charged, not what it reserved, in the bucket and in the ledger.
func TestTokensAreSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := inside(t)
		a := c.expect(c.do("POST", "/v1/generate", bob, `{"prompt":"strike while hot","max_tokens":900}`), 200, "STRIKE WHILE HOT", `"tokens_used":3`)
		if got := a.left("tokens"); got != 5997 {
			t.Errorf("of 6000 tokens 3 were used, and %d are left", got)
		}
		if got := used(t, c, bob); got["tokens"] != 3 || got["compute_seconds"] != 0.001 { // no time passes in here
			t.Errorf("the ledger has %v", got)
		}
		for _, body := range []string{"", "{}", `{"prompt":"a","max_tokens":0}`, `{"prompt":"a","max_tokens":-5}`, `{"prompt":"a","max_tokens":1001}`, `[]`} {
			c.expect(c.do("POST", "/v1/generate", bob, body), 422)
		}
		c.expect(c.do("POST", "/v1/generate", ann, `{"prompt":"a","max_tokens":601}`), 422, `"limit":600`)
		if got := used(t, c, bob)["tokens"]; got != 3 {
			t.Errorf("calls that make no sense were charged: %v tokens", got)
		}
		c.expect(c.do("POST", "/v1/generate", bob, `{"prompt":"`+strings.Repeat("a ", 60<<10)+`"}`), 422)
	})
}

// Calls side by side cannot spend the same tokens: what one has reserved is not there for the other.
func TestReservationsAreExclusive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, err := newAPI(quota.NewMemory(), nil, slog.New(slog.NewTextHandler(t.Output(), nil)))
		if err != nil {
			t.Fatal(err)
		}
		c := client{t: t, site: "http://localhost", h: a.handler()}
		held, res, err := a.tokens.Reserve(t.Context(), ratelimit.Key{User: "ann"}, 500)
		if err != nil || !res.Allowed {
			t.Fatal(res, err)
		}
		refused := c.expect(c.do("POST", "/v1/generate", ann, `{"prompt":"a","max_tokens":200}`), 429, `"violated-policies":["tokens"]`, quotaExceeded)
		if got := refused.Header.Get("Retry-After"); got != "10" { // 100 tokens at 600 a minute
			t.Errorf("Retry-After is %q", got)
		}
		if err := held.Settle(10); err != nil {
			t.Fatal(err)
		}
		c.expect(c.do("POST", "/v1/generate", ann, `{"prompt":"a","max_tokens":200}`), 200)
	})
}

func used(t *testing.T, c client, key string) map[string]float64 {
	t.Helper()
	a := c.expect(c.do("GET", "/v1/usage", key, ""), 200)
	var report struct {
		Usage []struct {
			Resource   string
			Used       float64
			Limit      *float64
			Percentage float64
			ResetsAt   time.Time `json:"resets_at"`
		}
	}
	if err := json.Unmarshal([]byte(a.body), &report); err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, l := range report.Usage {
		all[l.Resource] = l.Used
		if l.Limit != nil && (l.Percentage != 100*l.Used / *l.Limit || !l.ResetsAt.After(time.Now())) {
			t.Errorf("a line makes no sense: %+v", l)
		}
	}
	return all
}

// The two hundred calls of a day are exact; to ask costs nothing; the next day begins anew.
func TestQuotaOfADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := inside(t)
		quote := func() answer { return c.do("GET", "/v1/quote", ann, "") }
		for range 200 {
			c.expect(quote(), 200)
			c.do("GET", "/v1/usage", ann, "")
			time.Sleep(time.Second)
		}
		a := c.expect(quote(), 429, "quota exceeded for api_calls: 201/200")
		wait, err := strconv.Atoi(a.Header.Get("Retry-After"))
		if err != nil || wait < 3600 {
			t.Fatalf("Retry-After is %q", a.Header.Get("Retry-After"))
		}
		c.expect(c.do("GET", "/usage", "", ""), 200, "200/200 (100 %)", "nearly used up")
		time.Sleep(time.Duration(wait-1) * time.Second)
		c.expect(quote(), 429) // a second early
		time.Sleep(time.Second)
		c.expect(quote(), 200) // the next day
	})
}

var leftOnPage = regexp.MustCompile(`data-left="(\d+)"`)

// The page works without its script: a form, a table, and a refusal that says when to come again.
func TestBucketWithoutScript(t *testing.T) {
	c := start(t)
	page := c.expect(c.do("GET", "/", "", ""), 200, "<th scope=\"row\">click</th>", ">shadow</span>", "127.0.0.1/32", `data-left="10"`)
	if csp := page.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "script-src 'self'") || strings.Contains(csp, "unsafe") {
		t.Errorf("Content-Security-Policy is %q", csp)
	}
	if strings.Contains(page.body, "<script>") || strings.Contains(page.body, "style=") || strings.Contains(page.body, "onclick") {
		t.Error("the page holds a script or style of its own")
	}
	synctest.Test(t, func(t *testing.T) {
		c := inside(t)
		for range 5 {
			if a := c.expect(c.do("POST", "/click", "", ""), 303); a.Header.Get("Location") != "/" {
				t.Errorf("it leads to %q", a.Header.Get("Location"))
			}
		}
		if m := leftOnPage.FindStringSubmatch(c.do("GET", "/", "", "").body); m == nil || m[1] != "5" {
			t.Errorf("after five clicks the page says %v", m)
		}
		for range 5 {
			c.expect(c.do("POST", "/click", "", ""), 303)
		}
		a := c.expect(c.do("POST", "/click", "", ""), 429, "Come again in 1 s.", "Too fast", "<th scope=\"row\">click</th>")
		if a.Header.Get("Retry-After") != "1" {
			t.Errorf("Retry-After is %q", a.Header.Get("Retry-After"))
		}
	})
	c.expect(c.do("POST", "/click", "", "", "Sec-Fetch-Site", "cross-site"), 403)
}

// The script gets what it draws from: the fields, and the shadow policy's count.
func TestBucketWithScript(t *testing.T) {
	c := start(t)
	js := c.expect(c.do("GET", "/static/bucket.js", "", ""), 200, "RateLimit-Policy", "Retry-After")
	if !strings.Contains(js.Header.Get("Content-Type"), "javascript") {
		t.Errorf("the script's type is %q", js.Header.Get("Content-Type"))
	}
	synctest.Test(t, func(t *testing.T) {
		c := inside(t)
		click := func() answer { return c.do("POST", "/click", "", "", "Accept", "application/json") }
		for n := 1; n <= 10; n++ {
			c.do("GET", "/", "", "") // looking is no click
			a := c.expect(click(), 200, fmt.Sprintf("Of %d clicks", n))
			if got := a.left("click"); got != 10-n {
				t.Errorf("after %d clicks %d are left", n, got)
			}
			if got := a.Header.Get("RateLimit-Policy"); got != `"click";q=10;w=10` {
				t.Errorf("RateLimit-Policy is %q: the shadow policy is nobody's business", got)
			}
			if n == 10 && !strings.Contains(a.body, "it would have refused 5.") {
				t.Errorf("the shadow policy counted otherwise: %s", a.body)
			}
		}
		c.expect(click(), 429, `"violated-policies":["click"]`, "Of 11 clicks")
		time.Sleep(time.Second)
		c.expect(click(), 200)
		c.expect(click(), 429)
	})
}

// Behind a proxy that is trusted each client has a bucket, by what the proxy has seen, never by what the client wrote.
func TestBehindAProxy(t *testing.T) {
	c := start(t, "-proxy", "127.0.0.1/32")
	refused := false
	for n := 0; n < 200 && !refused; n++ {
		refused = c.do("POST", "/click", "", "", "X-Forwarded-For", fmt.Sprintf("192.0.2.%d, 198.51.100.7", n)).StatusCode == 429
	}
	if !refused {
		t.Error("forged entries gave new buckets")
	}
	c.expect(c.do("POST", "/click", "", "", "X-Forwarded-For", "198.51.100.8"), 303)
	c.expect(c.do("GET", "/", "", "", "X-Forwarded-For", "2001:db8::7"), 200, "2001:db8::/64")
}

// What was used is there after a restart, where a file keeps it.
func TestQuotasOutliveTheProgram(t *testing.T) {
	file := filepath.Join(t.TempDir(), "api.db")
	for n := 1; n <= 3; n++ {
		t.Run(fmt.Sprint("start ", n), func(t *testing.T) {
			c := start(t, "-db", file)
			c.expect(c.do("GET", "/v1/quote", ann, ""), 200)
			if got := used(t, c, ann)["api_calls"]; got != float64(n) {
				t.Errorf("%v calls are on the account, want %d", got, n)
			}
		})
	}
}

func TestUsagePage(t *testing.T) {
	c := start(t)
	c.expect(c.do("GET", "/v1/quote", ann, ""), 200)
	c.expect(c.do("GET", "/usage", "", ""), 200, "1/200 (0 %)", "0/100000 (0 %)", "measured only", "a day (UTC)", "<meter")
}

func TestWrongFlags(t *testing.T) {
	for _, args := range [][]string{
		{"-http", "0.0.0.0:0"}, {"-http", "example.org:80"}, {"-http", "8081"}, {"-proxy", "10.0.0.0"}, {"-proxy", "0.0.0.0/0"}, {"-nonsense"},
	} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("%v was accepted", args)
		}
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-h"}, &out); err == nil || !strings.Contains(out.String(), "-proxy network") {
		t.Errorf("help is %v\n%s", errors.Unwrap(err), out.String())
	}
}
