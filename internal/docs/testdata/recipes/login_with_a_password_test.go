package recipe

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
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

func TestSignIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys = cookie.DevKeys("bell")
		sessions = session.NewManager(store.NewMemory(nil), nil)
		checkPassword = func(_ context.Context, address, password string) (string, bool) {
			return "u1", address == "ann@example.com" && password == "anvil"
		}
		render = func(http.ResponseWriter, string, any) {}
		mux := http.NewServeMux()
		mux.HandleFunc("POST /sign-in", signIn)
		mux.HandleFunc("POST /sign-out", signOut)
		mux.HandleFunc("POST /password", changePassword)
		mux.HandleFunc("GET /", signedIn(func(w http.ResponseWriter, r *http.Request) {}))
		wrap := middleware.Sessions(sessions, keys, &middleware.Options{Aware: []string{"POST /sign-in", "POST /sign-out"}})
		server := sessiontest.NewServer(t, wrap(mux))
		ann := server.Browser()
		ann.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		post := func(path string, form url.Values) *http.Response {
			t.Helper()
			resp, err := ann.Post(server.URL+path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			return resp
		}
		user := func() (user string) {
			server.Visit(ann, wrap, func(s *session.Session) { user = s.User() })
			return user
		}

		if resp, _ := server.Open(ann, "/"); resp.Header.Get("Location") != "/sign-in" {
			t.Errorf("a stranger: %d %q", resp.StatusCode, resp.Header.Get("Location"))
		}
		if resp := post("/sign-in", url.Values{"address": {"ann@example.com"}, "password": {"wrong"}}); resp.StatusCode != 422 || user() != "" {
			t.Errorf("a wrong password: %d, %q", resp.StatusCode, user())
		}
		right := url.Values{"address": {"ann@example.com"}, "password": {"anvil"}}
		if resp := post("/sign-in", right); resp.Header.Get("Location") != "/" || user() != "u1" {
			t.Errorf("the password: %d, %q", resp.StatusCode, user())
		}
		time.Sleep(11 * time.Minute)
		if resp := post("/password", nil); resp.Header.Get("Location") != "/sign-in" {
			t.Errorf("an old sign-in changes the password: %d", resp.StatusCode)
		}
		if resp := post("/sign-in", right); resp.Header.Get("Location") != "/password" {
			t.Errorf("after the second sign-in: %q", resp.Header.Get("Location"))
		}
		other := server.Browser()
		server.SignIn(other, wrap, "u1")
		if resp := post("/password", nil); resp.StatusCode != 200 || user() != "u1" {
			t.Errorf("change of password: %d, %q", resp.StatusCode, user())
		}
		if list, _ := sessions.List(t.Context(), "u1"); len(list) != 1 {
			t.Errorf("%d sessions are left, want 1", len(list))
		}
		time.Sleep(time.Hour)
		if resp := post("/sign-in", right); resp.StatusCode != 303 || user() != "u1" {
			t.Errorf("a sign-in form from before lunch: %d, %q", resp.StatusCode, user())
		}
		if resp := post("/sign-out", nil); resp.StatusCode != 303 || user() != "" {
			t.Errorf("sign-out: %d, %q", resp.StatusCode, user())
		}
	})
}

func TestAttempts(t *testing.T) {
	from := func(address string) *http.Request {
		r := httptest.NewRequest("POST", "/sign-in", nil)
		r.RemoteAddr = address
		return r
	}
	for i := range 10 {
		if !mayTry(from("192.0.2.1:1"), "Ann") {
			t.Fatalf("attempt %d was refused", i+1)
		}
	}
	if mayTry(from("192.0.2.2:1"), "ann") {
		t.Error("the 11th attempt, from another address, passed")
	}
	if !mayTry(from("192.0.2.1:1"), "bob") {
		t.Error("another account was refused")
	}
}
