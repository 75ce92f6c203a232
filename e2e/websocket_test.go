package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/store"
)

var (
	rings = session.NewKey[int]("rings")
	last  = session.NewKey[string]("last")
	nick  = cookie.NewKey[string]("nick")
)

// bell is an application with a page, a sign-in and a socket. Each message "ring" is counted at once; "hang on" is left to
// the end of the connection.
type bell struct {
	t       *testing.T
	manager *session.Manager
	server  *httptest.Server
	left    chan error // a handler of the socket has returned, and every middleware with it
}

func newBell(t *testing.T, wrap func(sessions, jars func(http.Handler) http.Handler, h http.Handler) http.Handler) *bell {
	t.Helper()
	keys := cookie.DevKeys("bell")
	b := &bell{t: t, manager: session.NewManager(store.NewMemory(nil), nil), left: make(chan error, 10)}
	sessions := middleware.Sessions(b.manager, keys, &middleware.Options{InsecureHTTP: true})
	jars := middleware.Cookies(keys, &middleware.CookieOptions{Cookie: cookie.Options{InsecureHTTP: true}})
	mux := http.NewServeMux()
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) { session.From(r.Context()).Login("bob") })
	mux.HandleFunc("/rings", func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		fmt.Fprint(w, s.User(), rings.Get(s), last.Get(s), nick.Get(cookie.Local(r.Context())))
	})
	mux.HandleFunc("/socket", b.socket)
	inner := wrap(sessions, jars, mux)
	b.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r)
		if r.URL.Path == "/socket" {
			b.left <- nil
		}
	}))
	t.Cleanup(b.server.Close)
	return b
}

func (b *bell) socket(w http.ResponseWriter, r *http.Request) {
	s := session.From(r.Context())
	if r.URL.Query().Has("new") {
		if err := errors.Join(rings.Set(s, 0), nick.Set(cookie.Local(r.Context()), "Bob")); err != nil {
			b.t.Error("before the handshake:", err)
		}
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		b.t.Error("accept:", err)
		return
	}
	defer conn.CloseNow()
	if err := s.Login("eve"); !errors.Is(err, session.ErrSent) {
		b.t.Error("Login after the handshake:", err)
	}
	if err := nick.Set(cookie.Local(r.Context()), "Eve"); !errors.Is(err, cookie.ErrSent) {
		b.t.Error("a jar after the handshake:", err)
	}
	ctx := context.WithoutCancel(r.Context())
	for {
		_, message, err := conn.Read(ctx)
		if err != nil {
			return
		}
		answer := ""
		switch string(message) {
		case "ring":
			n, err := rings.Update(ctx, s, func(n int) int { return n + 1 })
			answer = fmt.Sprint(n, err)
		case "look":
			err := s.Reload(ctx)
			answer = fmt.Sprint(rings.Get(s), err)
		case "hang on":
			answer = fmt.Sprint(last.Set(s, "held"))
		}
		if err := conn.Write(ctx, websocket.MessageText, []byte(answer)); err != nil {
			b.t.Error("write:", err)
			return
		}
	}
}

func (b *bell) browser() *http.Client {
	jar, _ := cookiejar.New(nil)
	return &http.Client{Jar: jar}
}

func (b *bell) get(c *http.Client, path string) string {
	b.t.Helper()
	resp, err := c.Post(b.server.URL+path, "", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	var text strings.Builder
	fmt.Fprint(&text, resp.StatusCode, " ")
	buf := make([]byte, 1000)
	n, _ := resp.Body.Read(buf)
	text.Write(buf[:n])
	return text.String()
}

func (b *bell) dial(c *http.Client, query string) (*websocket.Conn, *http.Response, error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Second)
	defer cancel()
	return websocket.Dial(ctx, b.server.URL+"/socket"+query, &websocket.DialOptions{
		HTTPClient: c, HTTPHeader: http.Header{"Origin": {b.server.URL}},
	})
}

func (b *bell) say(conn *websocket.Conn, message string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Second)
	defer cancel()
	if err := conn.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
		b.t.Fatal(err)
	}
	_, answer, err := conn.Read(ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(answer)
}

// A WebSocket of coder/websocket under the middleware: the handshake carries the cookies of what was set before it, the
// loop changes the session at once or at its end, sees what others stored, and hears that the session has ended.
func TestWebSocket(t *testing.T) {
	for name, wiring := range map[string]func(sessions, jars func(http.Handler) http.Handler, h http.Handler) http.Handler{
		"Cookies, Sessions": func(s, j func(http.Handler) http.Handler, h http.Handler) http.Handler { return j(s(h)) },
		"Sessions, Cookies": func(s, j func(http.Handler) http.Handler, h http.Handler) http.Handler { return s(j(h)) },
		"RequireOrigin, Cookies, Sessions": func(s, j func(http.Handler) http.Handler, h http.Handler) http.Handler {
			return middleware.Chain(h, middleware.RequireOrigin(), j, s)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBell(t, wiring)
			bob := b.browser()
			conn, resp, err := b.dial(bob, "?new")
			if err != nil {
				t.Fatal(err)
			}
			if len(resp.Cookies()) != 2 {
				t.Errorf("the handshake carries %q", resp.Header["Set-Cookie"])
			}
			for i, message := range []string{"ring", "ring", "look"} {
				if got, want := b.say(conn, message), fmt.Sprint(min(i+1, 2), " <nil>"); got != want {
					t.Errorf("%s: %s, want %s", message, got, want)
				}
			}
			if got := b.get(bob, "/rings"); got != "200 2Bob" {
				t.Errorf("a page beside the socket: %s", got)
			}
			if got := b.say(conn, "hang on"); got != "<nil>" {
				t.Errorf("a value for the end: %s", got)
			}
			conn.Close(websocket.StatusNormalClosure, "")
			<-b.left
			if got := b.get(bob, "/rings"); got != "200 2heldBob" {
				t.Errorf("after the socket: %s", got)
			}

			// Signed in; a second socket under the new token, and a revocation that it hears of.
			b.get(bob, "/login")
			conn, resp, err = b.dial(bob, "")
			if err != nil {
				t.Fatal(err)
			}
			if len(resp.Cookies()) != 0 {
				t.Errorf("a known visitor's handshake carries %q", resp.Header["Set-Cookie"])
			}
			if got := b.say(conn, "ring"); got != "3 <nil>" {
				t.Errorf("ring: %s", got)
			}
			if n, err := b.manager.RevokeUser(t.Context(), "bob"); n != 1 || err != nil {
				t.Errorf("revoked %d, %v", n, err)
			}
			for _, message := range []string{"ring", "look"} {
				if got := b.say(conn, message); !strings.HasPrefix(got, "0 session: ended (revoked)") {
					t.Errorf("%s after the revocation: %s", message, got)
				}
			}
			conn.CloseNow()
			<-b.left
			if _, resp, err := b.dial(bob, ""); err == nil || resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("a handshake with an ended session: %v", err)
			}
		})
	}
}
