package sessiontest_test

import (
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

var rings = session.NewKey[int]("n_rings")

func ring(w http.ResponseWriter, r *http.Request) {
	s := session.From(r.Context())
	rings.Set(s, rings.Get(s)+1)
	fmt.Fprintf(w, "%q %d", s.User(), rings.Get(s))
}

func TestVisit(t *testing.T) {
	for _, insecure := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			manager := session.NewManager(store.NewMemory(nil), nil)
			sessions := middleware.Sessions(manager, cookie.DevKeys("bell"), &middleware.Options{InsecureHTTP: insecure})
			server := sessiontest.NewServer(t, sessions(http.HandlerFunc(ring)))
			if insecure {
				server.URL = "http://app.hardy.test"
			}
			bob, ann := server.Browser(), server.Browser()
			get := func(c *http.Client) string { resp, err := c.Get(server.URL); return body(t, resp, err) }

			server.SignIn(ann, sessions, "ann")
			server.Visit(bob, sessions, func(s *session.Session) { rings.Set(s, 7) })
			for _, c := range []struct {
				browser *http.Client
				want    string
			}{{bob, `"" 8`}, {ann, `"ann" 1`}, {ann, `"ann" 2`}} {
				if got := get(c.browser); got != c.want {
					t.Errorf("%s, want %s", got, c.want)
				}
			}
			server.SignIn(bob, sessions, "bob") // keeps what he held
			server.Visit(bob, sessions, func(s *session.Session) {
				if n := rings.Get(s); n != 8 || s.User() != "bob" {
					t.Errorf("%q rang %d times", s.User(), n)
				}
			})
			if list, err := manager.List(t.Context(), "bob"); len(list) != 1 || err != nil {
				t.Errorf("bob has %d sessions (%v)", len(list), err)
			}
			time.Sleep(31*time.Minute + time.Second)
			server.Visit(ann, sessions, func(s *session.Session) {
				if e := s.Ended(); e == nil || e.Reason != session.ReasonIdle || s.User() != "" {
					t.Errorf("after half an hour: %v, %q", e, s.User())
				}
			})
		})
	}
}

// A Visit that can't have its session ends the test.
func TestVisitFails(t *testing.T) {
	faults := sessiontest.NewFaults(store.NewMemory(nil))
	sessions := middleware.Sessions(session.NewManager(faults, nil), cookie.DevKeys("bell"), nil)
	fake := record(t)
	server := sessiontest.NewServer(fake, http.NotFoundHandler())
	defer fake.end()
	faults.Add(sessiontest.Fault{Op: "create", Err: errDown})
	server.SignIn(server.Browser(), sessions, "ann")
	if !fake.fatal {
		t.Error("a store that is down is no sign-in")
	}
}

func TestRequest(t *testing.T) {
	manager := session.NewManager(store.NewMemory(nil), nil)
	call := func(fill func(*session.Session), h http.HandlerFunc) (string, *session.Session) {
		w := httptest.NewRecorder()
		r := sessiontest.Request(t, httptest.NewRequest("POST", "/ring", nil), manager, fill)
		h(w, r)
		return w.Body.String(), sessiontest.Stored(t, r, manager)
	}
	logout := func(w http.ResponseWriter, r *http.Request) { session.From(r.Context()).Logout() }
	arrive := func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		due := manager.Sent(s).Due
		fmt.Fprintf(w, "%s %v %v %v", s.User(), due, s.AuthTime().IsZero(), s.Handle() != "")
	}
	ann := func(s *session.Session) {
		s.Login("ann")
		rings.Set(s, 3)
	}
	for _, c := range []struct {
		name    string
		fill    func(*session.Session)
		handler http.HandlerFunc
		says    string
		rings   int
		user    string
	}{
		{"new visitor", nil, ring, `"" 1`, 1, ""},
		{"comes back", ann, ring, `"ann" 4`, 4, "ann"},
		{"as on arrival", ann, arrive, "ann false false true", 3, "ann"},
		{"signs out", ann, logout, "", 0, ""},
		{"sets nothing", nil, func(http.ResponseWriter, *http.Request) {}, "", 0, ""},
		{"fills nothing", func(*session.Session) {}, ring, `"" 1`, 1, ""},
	} {
		says, stored := call(c.fill, c.handler)
		if says != c.says || rings.Get(stored) != c.rings || stored.User() != c.user {
			t.Errorf("%s: %s, stored %d of %q; want %s, %d of %q", c.name, says, rings.Get(stored), stored.User(), c.says, c.rings, c.user)
		}
	}
}
