package sessiontest_test

import (
	"errors"
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

// t stands for the test that the code of an Example is part of.
var t *testing.T

func TestExamples(tt *testing.T) {
	for name, example := range map[string]func(){
		"Server": ExampleServer, "SignIn": ExampleServer_SignIn, "Request": ExampleRequest, "Faults": ExampleFaults,
	} {
		tt.Run(name, func(tt *testing.T) {
			t = tt
			example()
		})
	}
}

// The session of a browser that rests for half an hour has ended: a form that it posts then is refused, and
// a page that it opens starts over.
func ExampleServer() {
	synctest.Test(t, func(t *testing.T) {
		sessions := middleware.Sessions(session.NewManager(store.NewMemory(nil), nil), cookie.DevKeys("bell"), nil)
		server := sessiontest.NewServer(t, sessions(http.HandlerFunc(ring)))
		bob := server.Browser()
		bob.Post(server.URL+"/ring", "", nil)

		time.Sleep(31*time.Minute + time.Second) // at once

		if resp, err := bob.Post(server.URL+"/ring", "", nil); err != nil || resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("the form: %v %v", resp, err)
		}
		if resp, err := server.Open(bob, "/"); err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("the page: %v %v", resp, err)
		}
	})
}

// Two browsers are two visitors; one of them is signed in, without a form.
func ExampleServer_SignIn() {
	sessions := middleware.Sessions(session.NewManager(store.NewMemory(nil), nil), cookie.DevKeys("bell"), nil)
	server := sessiontest.NewServer(t, sessions(http.HandlerFunc(ring)))
	ann, bob := server.Browser(), server.Browser()
	server.SignIn(ann, sessions, "ann")
	server.Visit(bob, sessions, func(s *session.Session) { rings.Set(s, 41) })

	ann.Get(server.URL)
	bob.Get(server.URL)

	server.Visit(ann, sessions, func(s *session.Session) {
		if n := rings.Get(s); s.User() != "ann" || n != 1 {
			t.Errorf("%q rang %d times", s.User(), n)
		}
	})
	server.Visit(bob, sessions, func(s *session.Session) {
		if n := rings.Get(s); s.User() != "" || n != 42 {
			t.Errorf("%q rang %d times", s.User(), n)
		}
	})
}

// A handler is called by itself, with a session that holds something.
func ExampleRequest() {
	manager := session.NewManager(store.NewMemory(nil), nil)
	r := sessiontest.Request(t, httptest.NewRequest("POST", "/ring", nil), manager, func(s *session.Session) {
		s.Login("ann")
		rings.Set(s, 3)
	})
	ring(httptest.NewRecorder(), r)
	if n := rings.Get(sessiontest.Stored(t, r, manager)); n != 4 {
		t.Errorf("the bell rang %d times", n)
	}
}

// The store breaks down for a moment: nobody becomes a new visitor by it.
func ExampleFaults() {
	faults := sessiontest.NewFaults(store.NewMemory(nil))
	sessions := middleware.Sessions(session.NewManager(faults, nil), cookie.DevKeys("bell"), nil)
	server := sessiontest.NewServer(t, sessions(http.HandlerFunc(ring)))
	bob := server.Browser()
	server.Visit(bob, sessions, func(s *session.Session) { rings.Set(s, 3) })

	faults.Add(sessiontest.Fault{Op: "load", Nth: 1, Err: errors.New("connection refused")})
	if resp, err := bob.Get(server.URL); err != nil || resp.StatusCode != http.StatusServiceUnavailable || len(resp.Cookies()) > 0 {
		t.Errorf("while it is down: %v %v", resp, err)
	}
	bob.Get(server.URL)
	server.Visit(bob, sessions, func(s *session.Session) {
		if n := rings.Get(s); n != 4 {
			t.Errorf("the bell rang %d times", n)
		}
	})
}
