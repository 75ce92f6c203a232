package recipe

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

func TestSPA(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys = cookie.DevKeys("bell")
		sessions = session.NewManager(store.NewMemory(nil), nil)
		files := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<p>the app</p>") })
		server := sessiontest.NewServer(t, spa(files))
		ann := server.Browser()
		ask := func(method, path string) (int, string) {
			t.Helper()
			r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			r.Header.Set("Sec-Fetch-Mode", "cors")
			resp, err := ann.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			return resp.StatusCode, strings.TrimSpace(string(body))
		}
		expect := func(method, path string, status int, body string) {
			t.Helper()
			if code, got := ask(method, path); code != status || !strings.Contains(got, body) {
				t.Errorf("%s %s: %d %s, want %d %s", method, path, code, got, status, body)
			}
		}
		expect("GET", "/anything", 200, "the app")
		expect("GET", "/hardy.js", 200, "hardy:expired")
		expect("GET", "/api/me", 200, `{"user":""}`)
		server.SignIn(ann, middleware.Sessions(sessions, keys, nil), "ann")
		expect("GET", "/api/me", 200, `{"user":"ann"}`)
		time.Sleep(31*time.Minute + time.Second)
		expect("GET", "/anything", 200, "the app")
		expect("GET", "/api/me", 401, "session-ended")
		expect("POST", "/hardy/reset", 204, "")
		expect("GET", "/api/me", 200, `{"user":""}`)
	})
}
