package middleware

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func upgrade(host string) *http.Request {
	r := httptest.NewRequest("GET", "http://"+host+"/socket", nil)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Cookie", "a=b")
	return r
}

// Row H2 of the acceptance list, for handshakes: CrossOriginProtection lets a GET pass.
func TestRequireOriginH2(t *testing.T) {
	type header = map[string]string
	tests := []struct {
		name    string
		host    string
		tls     bool
		header  header
		allowed bool
	}{
		{"same", "app.example", false, header{"Origin": "https://app.example"}, true},
		{"same, in capitals", "APP.example", false, header{"Origin": "https://app.EXAMPLE"}, true},
		{"same, default port", "app.example:443", false, header{"Origin": "https://app.example"}, true},
		{"same, with port", "app.example:8080", false, header{"Origin": "http://app.example:8080"}, true},
		{"same, IPv6", "[::1]:8080", false, header{"Origin": "http://[::1]:8080"}, true},
		{"another port", "app.example", false, header{"Origin": "https://app.example:8443"}, false},
		{"port 80 is not https", "app.example:80", false, header{"Origin": "https://app.example"}, false},
		{"downgraded page", "app.example", true, header{"Origin": "http://app.example"}, false},
		{"TLS", "app.example", true, header{"Origin": "https://app.example"}, true},
		{"another host", "app.example", false, header{"Origin": "https://evil.example"}, false},
		{"our name as prefix", "app.example", false, header{"Origin": "https://app.example.evil.example"}, false},
		{"our name as suffix", "app.example", false, header{"Origin": "https://evilapp.example"}, false},
		{"our name as user", "app.example", false, header{"Origin": "https://app.example@evil.example"}, false},
		{"subdomain", "app.example", false, header{"Origin": "https://x.app.example"}, false},
		{"parent", "x.app.example", false, header{"Origin": "https://app.example"}, false},
		{"null", "app.example", false, header{"Origin": "null"}, false},
		{"empty", "app.example", false, header{"Origin": ""}, false},
		{"no origin", "app.example", false, header{"Origin": "app.example"}, false},
		{"with a path", "app.example", false, header{"Origin": "https://app.example/"}, false},
		{"extension", "app.example", false, header{"Origin": "chrome-extension://app.example"}, false},
		{"listed", "app.example", false, header{"Origin": "https://desk.example"}, true},
		{"listed, cross-site", "app.example", false, header{"Origin": "https://desk.example", "Sec-Fetch-Site": "cross-site"}, true},
		{"listed, with port", "app.example", false, header{"Origin": "http://localhost:5173"}, true},
		{"listed under another scheme", "app.example", false, header{"Origin": "http://desk.example"}, false},
		{"host changed by a proxy", "10.0.0.7:8080", false, header{"Origin": "https://app.example", "Sec-Fetch-Site": "same-origin"}, true},
		{"the browser says cross-site", "app.example", false, header{"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"}, false},
		{"the browser says same-site", "app.example", false, header{"Origin": "https://app.example", "Sec-Fetch-Site": "same-site"}, false},
		{"the browser says none", "app.example", false, header{"Sec-Fetch-Site": "none"}, false},
		{"opaque, but same-origin", "app.example", false, header{"Origin": "null", "Sec-Fetch-Site": "same-origin"}, false},
		{"a program with a cookie", "app.example", false, nil, false},
		{"a program", "app.example", false, header{"Cookie": "-"}, true},
		{"a program that says its origin", "app.example", false, header{"Origin": "http://app.example"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			reached := false
			h := RequireOrigin("https://desk.example", "http://LOCALHOST:5173")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
			r := upgrade(tt.host)
			if tt.tls {
				r.TLS = &tls.ConnectionState{}
			}
			for name, value := range tt.header {
				if r.Header.Set(name, value); value == "-" {
					r.Header.Del(name)
				}
			}
			w := serve(h, r)
			if reached != tt.allowed || (w.Code == 403) == tt.allowed {
				t.Fatalf("reached %v, status %d, want allowed %v", reached, w.Code, tt.allowed)
			}
			if !tt.allowed && (w.Header().Get("Content-Type") != "application/problem+json" ||
				!strings.Contains(w.Body.String(), `"hardy/1/cross-origin"`)) {
				t.Errorf("%v %s", w.Header(), w.Body)
			}
		})
	}
}

// What counts as a handshake, however it is written; everything else passes.
func TestRequireOriginHandshakes(t *testing.T) {
	tests := []struct {
		name      string
		change    func(r *http.Request)
		handshake bool
	}{
		{"as browsers write it", func(r *http.Request) {}, true},
		{"in capitals", func(r *http.Request) { r.Header.Set("Upgrade", "WebSocket") }, true},
		{"in a list", func(r *http.Request) { r.Header.Set("Upgrade", "h2c, websocket/13") }, true},
		{"on a second line", func(r *http.Request) { r.Header["Upgrade"] = []string{"h2c", "websocket"} }, true},
		{"without Connection", func(r *http.Request) { r.Header.Del("Connection") }, true},
		{"HTTP/2", func(r *http.Request) {
			r.Method = "CONNECT"
			r.Header.Del("Upgrade")
			r.Header[":protocol"] = []string{"websocket"}
		}, true},
		{"POST", func(r *http.Request) { r.Method = "POST" }, true},
		{"a page", func(r *http.Request) { r.Header.Del("Upgrade") }, false},
		{"another upgrade", func(r *http.Request) { r.Header.Set("Upgrade", "h2c") }, false},
		{"two origins", func(r *http.Request) { r.Header["Origin"] = []string{"http://app.example", "http://app.example"} }, true},
	}
	for _, tt := range tests {
		r := upgrade("app.example")
		r.Header.Set("Origin", "https://evil.example")
		tt.change(r)
		reached := false
		serve(RequireOrigin()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true })), r)
		if reached == tt.handshake {
			t.Errorf("%s: reached the handler: %v", tt.name, reached)
		}
	}
}

func TestRequireOriginList(t *testing.T) {
	for bad, mend := range map[string]string{
		"*":                        "one by one",
		"https://*.app.example":    "one by one",
		"app.example":              "https://",
		"app.example:8080":         "https://",
		"":                         "https://",
		"null":                     "https://",
		"//app.example":            "https://",
		"wss://app.example":        "https://app.example",
		"ws://app.example:80":      "http://app.example:80",
		"https://app.example/":     "write https://app.example",
		"https://app.example/a":    "write https://app.example",
		"https://app.example?":     "write https://app.example",
		"https://app.example#":     "write https://app.example",
		"https://ann@app.example":  "write https://app.example",
		"https://":                 "no host",
		"https://:443":             "no host",
		"https://app.example:port": "port",
	} {
		func() {
			defer func() {
				why, _ := recover().(string)
				if !strings.Contains(why, "RequireOrigin") || !strings.Contains(why, mend) {
					t.Errorf("%q: panic %q, want one with %q", bad, why, mend)
				}
			}()
			RequireOrigin("https://good.example", bad)
		}()
	}
}

// FuzzOrigin: what passes by Host names that very host, and nothing in it hides another.
func FuzzOrigin(f *testing.F) {
	for _, o := range []string{"https://app.example", "http://app.example:80", "null", "https://app.example@evil.example", "https://app.example\\.evil.example", "https://[::1]"} {
		f.Add(o, "app.example")
	}
	f.Fuzz(func(t *testing.T, origin, host string) {
		r := &http.Request{Method: "GET", Host: host, Header: http.Header{"Origin": {origin}, "Upgrade": {"websocket"}, "Cookie": {"a=b"}}}
		if !(&requireOrigin{}).passes(r) {
			return
		}
		scheme, rest, ok := strings.Cut(origin, "://")
		if !ok || strings.ContainsAny(rest, "/?#@\\") {
			t.Fatalf("%q passes for %q", origin, host)
		}
		if s := strings.ToLower(scheme); s != "http" && s != "https" {
			t.Fatalf("%q passes for %q", origin, host)
		}
		bare := func(h string) string {
			return strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(h), ":80"), ":443")
		}
		if bare(rest) != bare(host) {
			t.Fatalf("%q passes for %q", origin, host)
		}
	})
}
