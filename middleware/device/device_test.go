package device_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/middleware/device"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

// What Of says is in the list of sessions; a change of it is told, keeps the answer public, and ends nothing.
func TestListed(t *testing.T) {
	var told []string
	m := session.NewManager(store.NewMemory(nil), &session.Options{
		Logger: slog.New(slog.DiscardHandler),
		Trace:  &session.Trace{Changed: func(_, entry, from, to string) { told = append(told, entry+" "+from+" "+to) }},
	})
	sessions := middleware.Sessions(m, cookie.DevKeys("bell"), &middleware.Options{Describe: device.Of})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) { session.From(r.Context()).Login("ann") })
	mux.HandleFunc("GET /{$}", func(http.ResponseWriter, *http.Request) {})
	server := sessiontest.NewServer(t, sessions(mux))
	b := server.Browser()
	send := func(method, path, agent string) *http.Response {
		r, err := http.NewRequest(method, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("User-Agent", agent)
		resp, err := b.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"
	const newer = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"
	const chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
	send("POST", "/login", firefox)
	list, err := m.List(t.Context(), "ann")
	if err != nil || len(list) != 1 || list[0].Meta["device"] != "Firefox on Linux" || list[0].Meta["address"] != "198.18.0.0/24" {
		t.Fatalf("%+v %v", list, err)
	}
	if got := send("GET", "/", newer); got.Header.Get("Cache-Control") != "" || len(told) > 0 {
		t.Errorf("an update: %q, told %q", got.Header.Get("Cache-Control"), told)
	}
	if got := send("GET", "/", chrome); got.StatusCode != 200 || got.Header.Get("Cache-Control") != "" || len(told) != 1 || told[0] != "device Firefox on Linux Chrome on Windows" {
		t.Errorf("another one: %d %q, told %q", got.StatusCode, got.Header.Get("Cache-Control"), told)
	}
	if list, err = m.List(t.Context(), "ann"); err != nil || len(list) != 1 || list[0].Meta["device"] != "Chrome on Windows" {
		t.Errorf("afterwards: %+v %v", list, err)
	}
}

func TestOf(t *testing.T) {
	for agent, want := range map[string]string{
		"": "another program",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1": "Safari on iOS",
		"curl/8.5.0":                       "curl",
		"\x00\x1b[31m\xff/1.0":             "another program",
		"Browser\u202e\x07X/1.0":           "BrowserX",
		strings.Repeat("x", 5000) + "/1.0": strings.Repeat("x", 32),
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("User-Agent", agent)
		if got := device.Of(r)["device"]; got != want {
			t.Errorf("%.40q is %q, want %q", agent, got, want)
		}
	}
	for peer, want := range map[string]string{
		"192.0.2.77:1": "192.0.2.0/24", "[2001:db8:1:2::3]:1": "2001:db8:1::/48", "[::ffff:192.0.2.77]:1": "192.0.2.0/24", "[fe80::1%eth0]:1": "fe80::/48", "@": "",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = peer
		if got := device.Of(r)["address"]; got != want {
			t.Errorf("%s is %q, want %q", peer, got, want)
		}
	}
}
