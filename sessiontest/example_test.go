package sessiontest_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

// The session of a browser that rests for half an hour has ended: a form that it posts then is refused, and
// a page that it opens starts over.
func ExampleServer() {
	test := func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			sessions := middleware.Sessions(session.NewManager(store.NewMemory(nil), nil), cookie.DevKeys("bell"), nil)
			server := sessiontest.NewServer(t, sessions(http.HandlerFunc(ring)))
			bob := server.Browser()
			bob.Post(server.URL+"/ring", "", nil)

			time.Sleep(31*time.Minute + time.Second) // at once

			resp, _ := bob.Post(server.URL+"/ring", "", nil)
			fmt.Println(resp.Status)
			resp, _ = server.Open(bob, "/ring")
			fmt.Println(resp.Status)
		})
	}
	run(test)
	// Output:
	// 401 Unauthorized
	// 200 OK
}

// Two browsers are two visitors; one of them is signed in, without a form.
func ExampleServer_SignIn() {
	test := func(t *testing.T) {
		sessions := middleware.Sessions(session.NewManager(store.NewMemory(nil), nil), cookie.DevKeys("bell"), nil)
		server := sessiontest.NewServer(t, sessions(http.HandlerFunc(ring)))
		ann, bob := server.Browser(), server.Browser()
		server.SignIn(ann, sessions, "ann")
		server.Visit(bob, sessions, func(s *session.Session) { rings.Set(s, 41) })

		ann.Get(server.URL)
		bob.Get(server.URL)

		for _, browser := range []*http.Client{ann, bob} {
			server.Visit(browser, sessions, func(s *session.Session) { fmt.Printf("%q rang %d\n", s.User(), rings.Get(s)) })
		}
	}
	run(test)
	// Output:
	// "ann" rang 1
	// "" rang 42
}

// A handler is called by itself, with a session that holds something.
func ExampleRequest() {
	test := func(t *testing.T) {
		manager := session.NewManager(store.NewMemory(nil), nil)
		r := sessiontest.Request(t, httptest.NewRequest("POST", "/ring", nil), manager, func(s *session.Session) {
			s.Login("ann")
			rings.Set(s, 3)
		})
		ring(httptest.NewRecorder(), r)
		fmt.Println(rings.Get(sessiontest.Stored(t, r, manager)))
	}
	run(test)
	// Output: 4
}

// The store breaks down for a moment: nobody becomes a new visitor by it.
func ExampleFaults() {
	test := func(t *testing.T) {
		faults := sessiontest.NewFaults(store.NewMemory(nil))
		sessions := middleware.Sessions(session.NewManager(faults, nil), cookie.DevKeys("bell"), nil)
		server := sessiontest.NewServer(t, sessions(http.HandlerFunc(ring)))
		bob := server.Browser()
		server.Visit(bob, sessions, func(s *session.Session) { rings.Set(s, 3) })

		faults.Add(sessiontest.Fault{Op: "load", Nth: 1, Err: errors.New("connection refused")})
		for range 2 {
			resp, _ := bob.Get(server.URL)
			fmt.Println(resp.StatusCode, len(resp.Cookies()))
		}
		server.Visit(bob, sessions, func(s *session.Session) { fmt.Println(rings.Get(s)) })
	}
	run(test)
	// Output:
	// 503 0
	// 200 0
	// 4
}
