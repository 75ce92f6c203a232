package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/didip/tollbooth/v7"
	chi "github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/httprate"
	"github.com/sethvargo/go-limiter/httplimit"
	"github.com/sethvargo/go-limiter/memorystore"
	ulule "github.com/ulule/limiter/v3"
	"github.com/ulule/limiter/v3/drivers/middleware/stdlib"
	"github.com/ulule/limiter/v3/drivers/store/memory"
)

// The spoof table: an attacker who wants more than the limit of one address, against each middleware as its own
// documentation sets it up behind one proxy, 10.0.0.1, which appends to X-Forwarded-For the address it sees.

const spoofName = "spoof table"

const (
	spoofBurst = 10
	spoofCalls = 100
	frontProxy = "10.0.0.1:41000"
)

// bouncer is a middleware behind the proxy.
type bouncer struct {
	name, setUp string
	// wrap is told which field the proxy writes; not every middleware can be.
	wrap func(field string, next http.Handler) http.Handler
}

func bouncers() []bouncer {
	return []bouncer{
		{tollName, "`NewLimiter`'s own lookups", func(_ string, next http.Handler) http.Handler {
			return tollbooth.LimitHandler(tollbooth.NewLimiter(spoofBurst/hour.Seconds(), nil).SetBurst(spoofBurst), next)
		}},
		{rateName, "`LimitByRealIP`", func(_ string, next http.Handler) http.Handler {
			//lint:ignore SA1019 many programs have it, and the table shows what that means
			return httprate.LimitByRealIP(spoofBurst, hour)(next)
		}},
		{rateName + " and chi", "`ClientIPFromXFF`", func(_ string, next http.Handler) http.Handler {
			limit := httprate.LimitBy(spoofBurst, hour, func(r *http.Request) (string, error) {
				return httprate.CanonicalizeIP(chi.GetClientIP(r.Context())), nil
			})
			return chi.ClientIPFromXFF("10.0.0.0/8")(limit(next))
		}},
		{ululeName, "`WithTrustForwardHeader`", func(_ string, next http.Handler) http.Handler {
			l := ulule.New(memory.NewStore(), ulule.Rate{Period: hour, Limit: spoofBurst}, ulule.WithTrustForwardHeader(true))
			return stdlib.NewMiddleware(l).Handler(next)
		}},
		{sethName, "`IPKeyFunc(\"X-Forwarded-For\")`", func(field string, next http.Handler) http.Handler {
			store, err := memorystore.New(&memorystore.Config{Tokens: spoofBurst, Interval: hour})
			must(err)
			m, err := httplimit.NewMiddleware(store, httplimit.IPKeyFunc(field))
			must(err)
			return m.Handle(next)
		}},
		hardyBouncer(),
	}
}

var quiet = slog.New(slog.DiscardHandler)

// trick is what an attacker does, and what another client then meets.
type trick struct {
	name string
	// ask makes r the i-th request of a client, who is attacker or other.
	ask             func(r *http.Request, i int, who string)
	attacker, other string // "": nobody else can be told apart
	field           string // that the proxy writes; "": X-Forwarded-For
}

const (
	attacker4, other4 = "198.51.100.7", "203.0.113.9"
	attacker6, other6 = "2001:db8:0:7::7", "2001:db8:0:9::9"
)

// behind is a request as the proxy passes it on.
func behind(r *http.Request, sent, seen string) {
	r.RemoteAddr = frontProxy
	if sent != "" {
		sent += ", "
	}
	r.Header.Set("X-Forwarded-For", sent+seen)
}

func forged(i int) string { return fmt.Sprintf("192.0.2.%d", i) }

func tricks() []trick {
	return []trick{
		{"leftmost entry forged", func(r *http.Request, i int, who string) { behind(r, forged(i), who) }, attacker4, other4, ""},
		{"past the proxy, header forged", func(r *http.Request, i int, who string) {
			if behind(r, forged(i), who); who == attacker4 {
				r.RemoteAddr = who + ":1234"
				r.Header.Set("X-Forwarded-For", forged(i))
			}
		}, attacker4, other4, ""},
		{"past the proxy, no header", func(r *http.Request, i int, who string) {
			if behind(r, "", who); who == attacker4 {
				r.RemoteAddr = who + ":1234"
				r.Header.Del("X-Forwarded-For")
			}
		}, attacker4, other4, ""},
		{"the proxy sends no header", func(r *http.Request, i int, who string) { r.RemoteAddr = frontProxy }, attacker4, "", ""},
		{"several header lines", func(r *http.Request, i int, who string) {
			behind(r, "", who)
			r.Header["X-Forwarded-For"] = []string{forged(i), forged(i + 100), who}
		}, attacker4, other4, ""},
		{"X-Real-IP, True-Client-IP forged", func(r *http.Request, i int, who string) {
			behind(r, "", who)
			r.Header.Set("X-Real-IP", forged(i))
			r.Header.Set("True-Client-IP", forged(i))
		}, attacker4, other4, ""},
		{"IPv4 written as mapped, or not", func(r *http.Request, i int, who string) {
			if i%2 == 0 {
				who = "::ffff:" + who
			}
			behind(r, "", who)
		}, attacker4, other4, ""},
		{"a zone each time", func(r *http.Request, i int, who string) { behind(r, "", fmt.Sprintf("%s%%eth%d", who, i)) }, attacker6, other6, ""},
		{"a port each time", func(r *http.Request, i int, who string) { behind(r, "", fmt.Sprintf("%s:%d", who, 10000+i)) }, attacker4, other4, ""},
		{"walk through an IPv6 /64", func(r *http.Request, i int, who string) {
			behind(r, "", fmt.Sprintf("%s%x", who[:len(who)-1], i+1))
		}, attacker6, other6, ""},
		{"Forwarded, obfuscated ids before", func(r *http.Request, i int, who string) {
			r.RemoteAddr = frontProxy
			r.Header.Set("Forwarded", fmt.Sprintf(`for=_hidden%d;proto=https, For="%s";by=_proxy`, i, who))
		}, attacker4, other4, "Forwarded"},
		{"spaces and tabs", func(r *http.Request, i int, who string) {
			behind(r, strings.Repeat(" ", i)+forged(i)+"\t", "\t "+who+strings.Repeat(" ", i))
		}, attacker4, other4, ""},
		{"10 kB before the entry", func(r *http.Request, i int, who string) {
			behind(r, fmt.Sprintf("%d%s", i, strings.Repeat("a", 10<<10)), who)
		}, attacker4, other4, ""},
		{"another path each time", func(r *http.Request, i int, who string) {
			behind(r, "", who)
			r.URL.Path = fmt.Sprintf("/login/%d", i)
		}, attacker4, other4, ""},
	}
}

const holds = "holds"

// spoof says what comes of a trick.
func spoof(b bouncer, t trick) string {
	field := "X-Forwarded-For"
	if t.field != "" {
		field = t.field
	}
	h := b.wrap(field, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	call := func(i int, who string) int {
		r := httptest.NewRequest("GET", "http://api.example/login", nil)
		t.ask(r, i, who)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	passed := 0
	for i := range spoofCalls {
		if call(i, t.attacker) == http.StatusOK {
			passed++
		}
	}
	if passed > spoofBurst {
		return fmt.Sprintf("**%d of %d pass**", passed, spoofCalls)
	}
	if t.other != "" {
		if code := call(0, t.other); code != http.StatusOK {
			return fmt.Sprintf("**others get %d**", code)
		}
	}
	if passed < spoofBurst {
		return fmt.Sprintf("**only %d of %d pass**", passed, spoofBurst)
	}
	return holds
}

// spoofSheet has a line for each trick, a column for each middleware.
func spoofSheet() sheet {
	all := bouncers()
	s := sheet{head: []string{fmt.Sprintf("%d requests, %d allowed", spoofCalls, spoofBurst)}}
	failed := make([]int, len(all))
	setUp := []string{"set up by"}
	for _, b := range all {
		s.head = append(s.head, b.name)
		setUp = append(setUp, b.setUp)
	}
	s.lines = append(s.lines, setUp)
	for _, t := range tricks() {
		line := []string{t.name}
		for i, b := range all {
			got := spoof(b, t)
			if got != holds {
				failed[i]++
			}
			line = append(line, got)
		}
		s.lines = append(s.lines, line)
	}
	last := []string{"failed"}
	for _, n := range failed {
		last = append(last, fmt.Sprintf("%d of %d", n, len(tricks())))
	}
	s.lines = append(s.lines, last)
	return s
}
