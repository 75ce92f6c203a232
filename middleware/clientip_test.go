package middleware_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"example.com/hardy/middleware"
	"example.com/hardy/ratelimit"
)

var proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}

// three a client, and no more for a long time.
func three() *ratelimit.Limiter {
	return ratelimit.MustNew(nil, ratelimit.Policy{Name: "address", Limit: ratelimit.Every(time.Hour), Burst: 3})
}

var served = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, middleware.ClientAddr(r)) })

// from is a request over a connection with peer, with header lines as pairs.
func from(peer string, header ...string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = peer
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func do(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// The spoof table: whatever a client forges, it is counted as itself, and neither is somebody else
// counted in its place.
func TestSpoofedHeadersLimitTheTrueClient(t *testing.T) {
	const xff, fwd = "X-Forwarded-For", "Forwarded"
	const proxy = "10.0.0.7:4711"
	victim := func(i int) string { return fmt.Sprintf("198.51.100.%d", i) }
	for _, c := range []struct {
		name  string
		field string
		send  func(i int) *http.Request // as it arrives, behind the proxy
		want  string                    // whom it counts as; "" is another at each request
	}{
		{"no proxy: header is made up", xff, func(i int) *http.Request { return from("203.0.113.9:1", xff, victim(i)) }, "203.0.113.9"},
		{"no proxy: claims to be one", xff, func(i int) *http.Request { return from("203.0.113.9:1", xff, victim(i)+", 10.0.0.7") }, "203.0.113.9"},
		{"leftmost", xff, func(i int) *http.Request { return from(proxy, xff, victim(i)+", 203.0.113.9") }, "203.0.113.9"},
		{"leftmost, no space", xff, func(i int) *http.Request { return from(proxy, xff, victim(i)+",203.0.113.9") }, "203.0.113.9"},
		{"many entries", xff, func(i int) *http.Request {
			return from(proxy, xff, strings.Repeat(victim(i)+", ", i*10)+"203.0.113.9")
		}, "203.0.113.9"},
		{"names the proxy", xff, func(i int) *http.Request { return from(proxy, xff, "10.0.0.7, 10.0.0.7, 203.0.113.9") }, "203.0.113.9"},
		{"many lines", xff, func(i int) *http.Request { return from(proxy, xff, victim(i), xff, victim(i+1), xff, "203.0.113.9") }, "203.0.113.9"},
		{"through two proxies", xff, func(i int) *http.Request { return from(proxy, xff, victim(i)+", 203.0.113.9, 10.0.0.8") }, "203.0.113.9"},
		{"through two proxies, two lines", xff, func(i int) *http.Request {
			return from(proxy, xff, victim(i)+", 203.0.113.9", xff, "10.0.0.8")
		}, "203.0.113.9"},
		{"other fields", xff, func(i int) *http.Request {
			return from(proxy, xff, "203.0.113.9", "X-Real-IP", victim(i), fwd, "for="+victim(i), "True-Client-IP", victim(i), "CF-Connecting-IP", victim(i))
		}, "203.0.113.9"},
		{"absent header, varying paths", xff, func(i int) *http.Request {
			r := from("203.0.113.9:1")
			r.URL.Path = fmt.Sprint("/", i)
			return r
		}, "203.0.113.9"},
		{"trusted, absent header", xff, func(i int) *http.Request { return from(proxy, "X-Real-IP", victim(i), fwd, "for="+victim(i)) }, "10.0.0.7"},
		{"trusted, empty header", xff, func(i int) *http.Request { return from(proxy, xff, "") }, "10.0.0.7"},
		{"the proxy added nothing", xff, func(i int) *http.Request { return from(proxy, xff, victim(i)+", ") }, "10.0.0.7"},
		{"unknown", xff, func(i int) *http.Request { return from(proxy, xff, victim(i)+", unknown") }, "10.0.0.7"},
		{"unknown behind the second proxy", xff, func(i int) *http.Request { return from(proxy, xff, victim(i)+", unknown, 10.0.0.8") }, "10.0.0.8"},
		{"no address", xff, func(i int) *http.Request { return from(proxy, xff, victim(i)+", 203.0.113.256") }, "10.0.0.7"},
		{"octal", xff, func(i int) *http.Request { return from(proxy, xff, victim(i)+", 0203.0.113.9") }, "10.0.0.7"},
		{"unspecified", xff, func(i int) *http.Request { return from(proxy, xff, victim(i)+", ::ffff:0.0.0.0") }, "10.0.0.7"},
		{"mapped IPv4", xff, func(i int) *http.Request { return from(proxy, xff, victim(i)+", ::ffff:203.0.113.9") }, "203.0.113.9"},
		{"mapped IPv4 in hexadecimal", xff, func(i int) *http.Request { return from(proxy, xff, victim(i)+", [::ffff:cb00:7109]:"+fmt.Sprint(i)) }, "203.0.113.9"},
		{"mapped IPv4 as peer", xff, func(i int) *http.Request { return from("[::ffff:203.0.113.9]:1", xff, victim(i)) }, "203.0.113.9"},
		{"mapped proxy", xff, func(i int) *http.Request { return from("[::ffff:10.0.0.7]:1", xff, victim(i)+", 203.0.113.9") }, "203.0.113.9"},
		{"port", xff, func(i int) *http.Request { return from(proxy, xff, fmt.Sprint("203.0.113.9:", 1000+i)) }, "203.0.113.9"},
		{"port that is none", xff, func(i int) *http.Request { return from(proxy, xff, victim(i)+", 203.0.113.9:x") }, "10.0.0.7"},
		{"spaces", xff, func(i int) *http.Request {
			return from(proxy, xff, victim(i)+" ,\t 203.0.113.9 "+strings.Repeat(" ", i))
		}, "203.0.113.9"},
		{"zone", xff, func(i int) *http.Request { return from(proxy, xff, fmt.Sprint("2001:db8::9%", i)) }, "2001:db8::9"},
		{"zone of the peer", xff, func(i int) *http.Request { return from(fmt.Sprintf("[2001:db8::9%%%d]:1", i)) }, "2001:db8::9"},
		{"brackets", xff, func(i int) *http.Request { return from(proxy, xff, fmt.Sprintf("[2001:db8::9]:%d", 1+i)) }, "2001:db8::9"},
		{"spellings", xff, func(i int) *http.Request {
			return from(proxy, xff, []string{"2001:db8::9", "2001:DB8:0:0::9", "2001:0db8::0009", "[2001:db8::9]"}[i%4])
		}, "2001:db8::9"},
		{"walks through a /64", xff, func(i int) *http.Request { return from(proxy, xff, fmt.Sprintf("2001:db8::%x:%x", i*791, i)) }, ""},
		{"walks through a /64 as peer", xff, func(i int) *http.Request { return from(fmt.Sprintf("[2001:db8::%x:9]:1", i)) }, ""},
		{"trusted IPv6 proxy", xff, func(i int) *http.Request { return from("[fd00::7]:1", xff, victim(i)+", 203.0.113.9") }, "203.0.113.9"},
		{"10 kB", xff, func(i int) *http.Request {
			return from(proxy, xff, strings.Repeat("x", 10<<10)+fmt.Sprint(i)+", 203.0.113.9")
		}, "203.0.113.9"},
		{"10 kB from the proxy", xff, func(i int) *http.Request { return from(proxy, xff, strings.Repeat("1", 10<<10)+fmt.Sprint(i)) }, "10.0.0.7"},
		{"10 kB of commas", xff, func(i int) *http.Request {
			return from(proxy, xff, strings.Repeat(",", 10<<10)+fmt.Sprint(i)+",203.0.113.9")
		}, "203.0.113.9"},
		{"null and friends", xff, func(i int) *http.Request { return from(proxy, xff, "\x00\xff"+fmt.Sprint(i)+", 203.0.113.9") }, "203.0.113.9"},

		{"Forwarded: leftmost", fwd, func(i int) *http.Request { return from(proxy, fwd, "for="+victim(i)+", for=203.0.113.9;proto=https") }, "203.0.113.9"},
		{"Forwarded: the other field", fwd, func(i int) *http.Request { return from(proxy, fwd, "for=203.0.113.9", xff, victim(i)) }, "203.0.113.9"},
		{"Forwarded: many lines", fwd, func(i int) *http.Request { return from(proxy, fwd, "for="+victim(i), fwd, "For=203.0.113.9") }, "203.0.113.9"},
		{"Forwarded: open quote", fwd, func(i int) *http.Request { return from(proxy, fwd, `for="`+victim(i)+`, for=203.0.113.9`) }, "203.0.113.9"},
		{"Forwarded: open quote, then quoted", fwd, func(i int) *http.Request { return from(proxy, fwd, `for="`+victim(i)+`, for="[2001:db8::9]:4711"`) }, "2001:db8::9"},
		{"Forwarded: escaped quote", fwd, func(i int) *http.Request {
			return from(proxy, fwd, `for=`+victim(i)+`;x="\", for=203.0.113.9;host="a\",b"`)
		}, "203.0.113.9"},
		{"Forwarded: trailing backslash", fwd, func(i int) *http.Request { return from(proxy, fwd, `for=`+victim(i)+`\, for=203.0.113.9`) }, "203.0.113.9"},
		{"Forwarded: quoted, port, extension", fwd, func(i int) *http.Request {
			return from(proxy, fwd, fmt.Sprintf(`for=%s, proto=https;for="203.0.113.9:%d";x=","`, victim(i), i+1))
		}, "203.0.113.9"},
		{"Forwarded: obfuscated port", fwd, func(i int) *http.Request { return from(proxy, fwd, fmt.Sprintf(`for="203.0.113.9:_p%d"`, i)) }, "203.0.113.9"},
		{"Forwarded: obfuscated", fwd, func(i int) *http.Request { return from(proxy, fwd, fmt.Sprintf("for=%s, for=_hidden%d", victim(i), i)) }, "10.0.0.7"},
		{"Forwarded: unknown", fwd, func(i int) *http.Request { return from(proxy, fwd, "for="+victim(i)+`, for="unknown"`) }, "10.0.0.7"},
		{"Forwarded: no for", fwd, func(i int) *http.Request { return from(proxy, fwd, "for="+victim(i)+", proto=https;by=10.0.0.7") }, "10.0.0.7"},
		{"Forwarded: two for", fwd, func(i int) *http.Request { return from(proxy, fwd, "for="+victim(i)+";for=203.0.113.9") }, "10.0.0.7"},
		{"Forwarded: through two proxies", fwd, func(i int) *http.Request {
			return from(proxy, fwd, "for="+victim(i)+`, for="[2001:db8::9]", for=10.0.0.8;by="[fd00::1]"`)
		}, "2001:db8::9"},
		{"Forwarded: absent", fwd, func(i int) *http.Request { return from(proxy, xff, victim(i)) }, "10.0.0.7"},

		{"a field that the proxy overwrites", "Cf-Connecting-IP", func(i int) *http.Request {
			return from(proxy, "CF-Connecting-IP", "203.0.113.9", xff, victim(i))
		}, "203.0.113.9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := middleware.Chain(served,
				middleware.ClientIPFrom(&middleware.ClientIPOptions{Field: c.field, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}, proxies...),
				middleware.RateLimit(three(), middleware.ByIP, &middleware.RateLimitOptions{Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}))
			for i := range 10 {
				want := http.StatusOK
				if i >= 3 {
					want = http.StatusTooManyRequests
				}
				w := do(h, c.send(i))
				if w.Code != want {
					t.Fatalf("request %d: %d", i, w.Code)
				}
				if i < 3 && c.want != "" && w.Body.String() != c.want {
					t.Errorf("request %d counts as %s, want %s", i, w.Body, c.want)
				}
			}
			for i := range 3 {
				if w := do(h, from(victim(0)+":1")); w.Code != http.StatusOK {
					t.Errorf("the victim's request %d: %d", i, w.Code)
				}
			}
		})
	}
}

// IPv6 clients are told apart by /64, or by as many bits as the option says; IPv4 never by fewer than all.
func TestIPv6Widths(t *testing.T) {
	for bits, shared := range map[int]map[string]bool{
		0:  {"2001:db8:0:0::2": true, "2001:db8:0:1::1": false, "2001:db8:0:100::1": false, "2001:db8:1::1": false},
		56: {"2001:db8:0:0::2": true, "2001:db8:0:1::1": true, "2001:db8:0:100::1": false, "2001:db8:1::1": false},
		48: {"2001:db8:0:0::2": true, "2001:db8:0:1::1": true, "2001:db8:0:100::1": true, "2001:db8:1::1": false},
	} {
		for other, want := range shared {
			h := middleware.RateLimit(three(), middleware.ByIP, &middleware.RateLimitOptions{IPv6: bits})(served)
			for range 3 {
				do(h, from("[2001:db8::1]:1"))
				do(h, from("192.0.2.1:1"))
			}
			if w := do(h, from("["+other+"]:1")); (w.Code == 429) != want {
				t.Errorf("/%d, %s: %d", bits, other, w.Code)
			}
			if w := do(h, from("192.0.2.2:1")); w.Code != 200 {
				t.Errorf("/%d, IPv4: %d", bits, w.Code)
			}
		}
	}
}

// What is wrong is traced each time, and logged once for each way to be wrong.
func TestClientIPTellsTroubleOnce(t *testing.T) {
	var logged bytes.Buffer
	traced := map[string]int{}
	h := middleware.ClientIPFrom(&middleware.ClientIPOptions{
		Logger: slog.New(slog.NewTextHandler(&logged, nil)),
		Trace:  func(_ *http.Request, why string) { traced[why]++ },
	}, proxies...)(served)
	for range 5 {
		do(h, from("10.0.0.7:1"))
		do(h, from("10.0.0.7:1", "X-Forwarded-For", "203.0.113.9"))
		do(h, from("10.0.0.7:1", "X-Forwarded-For", "203.0.113.9, unknown\nforged"))
		do(h, from("192.168.0.1:1", "X-Forwarded-For", "203.0.113.9"))
		do(h, from("203.0.113.9:1", "X-Forwarded-For", "203.0.113.8"))
	}
	if len(traced) != 3 {
		t.Errorf("traced %v", traced)
	}
	for why, n := range traced {
		if n != 5 {
			t.Errorf("%s: traced %d times", why, n)
		}
	}
	lines := strings.Split(strings.TrimSpace(logged.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("logged:\n%s", &logged)
	}
	for i, want := range []string{"sends no X-Forwarded-For", "no address", "not trusted"} {
		if !strings.Contains(lines[i], want) || !strings.Contains(lines[i], "level=ERROR") {
			t.Errorf("line %d: %s", i, lines[i])
		}
	}
}

// Without ClientIP, a proxy's clients count as one; that is told once.
func TestRateLimitTellsOfAProxyOnce(t *testing.T) {
	var logged bytes.Buffer
	h := middleware.RateLimit(three(), middleware.ByIP, &middleware.RateLimitOptions{Logger: slog.New(slog.NewTextHandler(&logged, nil))})(served)
	do(h, from("127.0.0.1:1"))
	do(h, from("203.0.113.9:1", "X-Forwarded-For", "203.0.113.8"))
	if logged.Len() > 0 {
		t.Error(&logged)
	}
	for range 5 {
		do(h, from("127.0.0.1:1", "X-Forwarded-For", "203.0.113.8"))
	}
	if n := strings.Count(logged.String(), "wrap in ClientIP"); n != 1 {
		t.Errorf("told %d times:\n%s", n, &logged)
	}
}

func TestUnixSocket(t *testing.T) {
	for _, trust := range []bool{false, true} {
		h := middleware.Chain(served,
			middleware.ClientIPFrom(&middleware.ClientIPOptions{TrustSocket: trust, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}),
			middleware.RateLimit(three(), middleware.ByIP, &middleware.RateLimitOptions{Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}))
		for _, c := range []struct {
			r    *http.Request
			want int
		}{
			{from("@"), 500},
			{from("@", "X-Forwarded-For", "unknown"), 500},
			{from("@", "X-Forwarded-For", "198.51.100.1, 203.0.113.9"), map[bool]int{false: 500, true: 200}[trust]},
			{from(""), 500},
		} {
			if w := do(h, c.r); w.Code != c.want || w.Code == 200 && w.Body.String() != "203.0.113.9" {
				t.Errorf("trusted %v, %q %v: %d %s", trust, c.r.RemoteAddr, c.r.Header, w.Code, w.Body)
			}
		}
	}
}

func TestClientIPWiring(t *testing.T) {
	perAddress := middleware.RateLimit(three(), middleware.ByIP, nil)
	for name, c := range map[string]struct {
		f    func()
		want string
	}{
		"no prefix":    {func() { middleware.ClientIP(netip.Prefix{}) }, "MustParsePrefix"},
		"all of IPv4":  {func() { middleware.ClientIP(netip.MustParsePrefix("0.0.0.0/0")) }, "trusts everybody"},
		"all of IPv6":  {func() { middleware.ClientIP(netip.MustParsePrefix("::/0")) }, "trusts everybody"},
		"all, mapped":  {func() { middleware.ClientIP(netip.MustParsePrefix("::ffff:0:0/96")) }, "trusts everybody"},
		"twice":        {func() { middleware.Chain(served, middleware.ClientIP(), middleware.ClientIP()) }, "wrap once"},
		"further in":   {func() { middleware.Chain(served, perAddress, middleware.ClientIP()) }, "put ClientIP further out"},
		"as a header":  {func() { middleware.ByHeader("x-forwarded-for") }, "wrap in ClientIP"},
		"as X-Real-IP": {func() { middleware.ByHeader("X-Real-IP") }, "wrap in ClientIP"},
	} {
		if why := panics(c.f); !strings.Contains(fmt.Sprint(why), c.want) {
			t.Errorf("%s: %v", name, why)
		}
	}
	h := middleware.ClientIP(netip.MustParsePrefix("::ffff:10.0.0.0/104"))(served)
	if w := do(h, from("10.0.0.7:1", "X-Forwarded-For", "203.0.113.9")); w.Body.String() != "203.0.113.9" {
		t.Error("a mapped prefix does not cover IPv4:", w.Body)
	}
}

// Whatever a client sends, it is taken for who it is: nobody is believed but the trusted, and the entry that the
// nearest of them has added is the client.
func FuzzClientIP(f *testing.F) {
	for _, s := range []string{"", "198.51.100.1", `for="`, `for="[2001:db8::1`, `for=a;for=b,`, `"\`, "for=_x, ", "unknown,,", "[::1%eth0]:x", strings.Repeat(`"\,`, 40)} {
		f.Add(s, "203.0.113.9", uint8(0))
		f.Add(s, "2001:db8::9", uint8(3))
		f.Add(s, "::ffff:203.0.113.9", uint8(6))
	}
	f.Fuzz(func(t *testing.T, junk, asks string, how uint8) {
		client, err := netip.ParseAddr(asks)
		if err != nil || client.Zone() != "" || client.Unmap().IsUnspecified() {
			return
		}
		want := client.Unmap()
		for _, p := range proxies {
			if p.Contains(want) {
				return
			}
		}
		found := func(field, peer string, lines ...string) netip.Addr {
			var addr netip.Addr
			r := from(peer)
			r.Header[field] = lines
			h := middleware.ClientIPFrom(&middleware.ClientIPOptions{Field: field, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}, proxies...)
			h(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { addr = middleware.ClientAddr(r) })).ServeHTTP(nil, r)
			if addr.Zone() != "" || addr.Is4In6() || !addr.IsValid() {
				t.Fatalf("%q from %s: %v", lines, peer, addr)
			}
			return addr
		}
		node := client.String()
		if how&1 != 0 {
			node = netip.AddrPortFrom(client, 4711).String()
		}
		quoted := "for=" + node
		if client.Is6() || how&1 != 0 {
			quoted = `for="` + netip.AddrPortFrom(client, 4711).String() + `"`
		}
		if how&2 != 0 {
			quoted += `;host="a,\"b\\";proto=https`
		}
		hop, hopFor := "", ""
		if how&4 != 0 {
			hop, hopFor = ", 10.0.0.8", `, for="[fd00::8]"`
		}
		for field, added := range map[string]string{"X-Forwarded-For": node + hop, "Forwarded": quoted + hopFor} {
			for _, lines := range [][]string{{junk + "," + added}, {junk, added}, {added}} {
				if got := found(field, "10.0.0.7:1", lines...); got != want {
					t.Errorf("%s: %q counts as %v, want %v", field, lines, got, want)
				}
				if got := found(field, netip.AddrPortFrom(client, 1).String(), lines...); got != want {
					t.Errorf("%s: %q from %v itself counts as %v", field, lines, want, got)
				}
			}
			found(field, "10.0.0.7:1", junk)
		}
	})
}
