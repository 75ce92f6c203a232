package middleware_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/middleware"
	"example.com/hardy/session"
)

// What the systems do that Hardy was made from, by the names of their own documents.

// Supervisely, 1 to 4: one process serves two users at once. Inside the handler each is the current user, calls the
// platform with their own rights, and sees a random number of their own; nothing of it lies in a global.
func TestSuperviselyEachUserSeesTheirOwn(t *testing.T) {
	platform := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer key-of-"))
	}))
	defer platform.Close()
	number, apiKey := session.NewKey[int]("number"), session.NewKey[string]("api_key")

	type seen struct {
		User, Platform string
		Number         int
	}
	// look answers what the user sees, once both users are inside.
	look := func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		call := ask(t, "GET", platform.URL, "Authorization", "Bearer "+apiKey.Get(s))
		resp, err := platform.Client().Do(call)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		var whose string
		if _, err := fmt.Fscan(resp.Body, &whose); err != nil {
			t.Error(err)
		}
		json.NewEncoder(w).Encode(seen{s.User(), whose, number.Get(s)})
	}
	var inside sync.WaitGroup
	st := newSite(t, nil, nil, nil, map[string]http.HandlerFunc{
		"POST /enter": func(_ http.ResponseWriter, r *http.Request) {
			s := session.From(r.Context())
			if err := s.Login(r.FormValue("user")); err != nil {
				t.Error(err)
			}
			apiKey.Set(s, "key-of-"+r.FormValue("user"))
		},
		"POST /button": func(w http.ResponseWriter, r *http.Request) { // the callback
			inside.Done()
			inside.Wait()
			s := session.From(r.Context())
			if err := number.Set(s, 1+rand.IntN(100)); err != nil {
				t.Error(err)
			}
			look(w, r)
		},
		"POST /text": look,
	})
	users := []string{"ann", "bob"}
	browsers := []*http.Client{st.browser(), st.browser()}
	for i, user := range users {
		st.post(browsers[i], "/enter", url.Values{"user": {user}})
	}
	for range 20 {
		both := func(path string) (got [2]seen) {
			var all sync.WaitGroup
			for i := range users {
				all.Go(func() {
					resp, err := browsers[i].Do(ask(t, "POST", st.server.URL+path))
					if err != nil {
						t.Error(err)
						return
					}
					defer resp.Body.Close()
					if err := json.NewDecoder(resp.Body).Decode(&got[i]); err != nil {
						t.Error(resp.StatusCode, err)
					}
				})
			}
			all.Wait()
			return got
		}
		inside.Add(len(users))
		pressed, later := both("/button"), both("/text")
		for i, user := range users {
			if got := pressed[i]; got.User != user || got.Platform != user || got.Number < 1 || got.Number > 100 {
				t.Errorf("%s sees %+v", user, got)
			}
			if later[i] != pressed[i] {
				t.Errorf("%s sees %+v, and later %+v", user, pressed[i], later[i])
			}
		}
	}
}

// Anvil, 1: a browser that opens the app starts a session and keeps its token; when the app is run again there, in the same
// process or the next one, it has the same session. Another browser has another.
func TestAnvilSameBrowserSameSession(t *testing.T) {
	st := newStand(t, nil, nil)
	here, there := st.browser(), st.browser()
	handle := func(b *http.Client) (handle string) {
		st.server.Visit(b, st.sessions, func(s *session.Session) { handle = s.Handle() })
		return handle
	}
	first := st.send(here, "POST", "/ring")
	if len(first.setCookies()) != 1 {
		t.Fatalf("%q", first.setCookies())
	}
	st.send(there, "POST", "/ring")
	one, other := handle(here), handle(there)
	if one == "" || other == "" || one == other {
		t.Errorf("two browsers have %q and %q", one, other)
	}
	for n := range 3 { // the window is closed and opened, with what the browser keeps
		here.CloseIdleConnections()
		if n == 2 { // the program, too, over the same store and keys
			st.sessions = middleware.Sessions(session.NewManager(st.faults, nil), st.keys, nil)
		}
		got, err := st.server.Open(here, "/look")
		if err != nil {
			t.Fatal(err)
		}
		var v view
		json.NewDecoder(got.Body).Decode(&v)
		got.Body.Close()
		if v.Rings != 1 || len(got.Header["Set-Cookie"]) > 0 || handle(here) != one {
			t.Errorf("opened again: %+v, %q, session %q, want %q", v, got.Header["Set-Cookie"], handle(here), one)
		}
	}
}

// Agent guide, 10: the session comes by an id in a header; a missing one and an invalid one are distinct errors, and the
// session is in the request. One that has timed out after 30 minutes is a third.
func TestAgentGuideSessionFromHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newAPIClient(t, middleware.Restart)
		c.wantRefused("no id", c.call("POST", "/ring"), "missing")
		c.wantRefused("an id of nobody's", c.call("POST", "/ring", apiHeader, "3f0e9d1c-77aa-4f9e-9a50-0a2f6a1c0001"), "invalid")
		c.signIn()
		if v := c.see(c.call("GET", "/look")); v != (view{User: "ann", Rings: 3}) {
			t.Errorf("the request has %+v", v)
		}
		time.Sleep(32 * time.Minute)
		c.wantRefused("a session that timed out", c.call("POST", "/ring"), "idle")
	})
}
