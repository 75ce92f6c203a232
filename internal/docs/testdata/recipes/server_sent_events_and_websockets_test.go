package recipe

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

func site(t *testing.T, news <-chan string) (*sessiontest.Server, *http.Client) {
	sessions = session.NewManager(store.NewMemory(nil), nil)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) { events(w, r, news) })
	mux.HandleFunc("GET /socket", socket)
	wrap := middleware.Sessions(sessions, cookie.DevKeys("bell"), nil)
	server := sessiontest.NewServer(t, middleware.RequireOrigin()(wrap(mux)))
	ann := server.Browser()
	server.SignIn(ann, wrap, "ann")
	return server, ann
}

func TestEventsEndWithTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		news := make(chan string)
		server, ann := site(t, news)
		resp, err := ann.Get(server.URL + "/events")
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		lines := bufio.NewScanner(resp.Body)
		news <- "two\nlines"
		if lines.Scan(); lines.Text() != `data: "two\nlines"` {
			t.Errorf("the event is %q", lines.Text())
		}
		lines.Scan()
		if n, err := sessions.RevokeUser(t.Context(), "ann"); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		start := time.Now()
		if lines.Scan() || time.Since(start) > 0 {
			t.Errorf("the stream went on for %v: %q", time.Since(start), lines.Text())
		}
		if resp, err := ann.Get(server.URL + "/events"); err != nil || resp.StatusCode != 401 {
			t.Errorf("the browser connects again: %v %v", resp, err)
		}
	})
}

func TestSocketEndsWithTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, ann := site(t, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		dial := func(origin string) (*websocket.Conn, *http.Response, error) {
			return websocket.Dial(ctx, "wss"+strings.TrimPrefix(server.URL, "https")+"/socket", &websocket.DialOptions{
				HTTPClient: ann, HTTPHeader: http.Header{"Origin": {origin}},
			})
		}
		if _, resp, err := dial("https://evil.example"); err == nil || resp.StatusCode != 403 {
			t.Errorf("another site's page: %v %v", resp, err)
		}
		conn, _, err := dial(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"1", "2"} {
			if err := conn.Write(ctx, websocket.MessageText, []byte("ring")); err != nil {
				t.Fatal(err)
			}
			if _, got, err := conn.Read(ctx); string(got) != want {
				t.Fatalf("rang %s times, want %s (%v)", got, want, err)
			}
		}
		sessions.RevokeUser(ctx, "ann")
		start := time.Now()
		if _, got, err := conn.Read(ctx); err == nil || time.Since(start) > 0 {
			t.Errorf("after %v: %q %v", time.Since(start), got, err)
		}
	})
}
