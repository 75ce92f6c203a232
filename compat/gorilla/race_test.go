package gorilla_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/sessions"
)

// What two requests at once do to each other's sessions on gorilla's stores.

// slow serves do between reading and Save, where it waits for go_.
func (st *site) slow(path string, arrived chan<- string, go_ <-chan struct{}, do func(s *sessions.Session, r *http.Request)) {
	st.handle(path, func(s *sessions.Session, r *http.Request) string {
		do(s, r)
		arrived <- path
		<-go_
		return ""
	})
}

// A slow request undoes no sign-out (gorilla/sessions #10, redistore #2).
func TestLogoutRace(t *testing.T) {
	for what, do := range map[string]func(s *sessions.Session, r *http.Request){
		"writes":      func(s *sessions.Session, r *http.Request) { s.Values["n"] = 2 },
		"adds a key":  func(s *sessions.Session, r *http.Request) { s.Values["new"] = "x" },
		"signs in":    func(s *sessions.Session, r *http.Request) { s.Values["user"] = "bob" },
		"only saves":  func(s *sessions.Session, r *http.Request) { s.Options.HttpOnly = true },
		"remembers":   func(s *sessions.Session, r *http.Request) { s.Options.MaxAge = 60 },
		"reads flash": func(s *sessions.Session, r *http.Request) { s.Flashes() },
	} {
		t.Run(what, func(t *testing.T) {
			st := newSite(t, setup{})
			arrived, on := make(chan string), make(chan struct{})
			st.slow("/slow", arrived, on, do)
			st.handle("/begin", func(s *sessions.Session, r *http.Request) string {
				s.Values["user"], s.Values["n"] = "ann", 1
				s.AddFlash("hello")
				return ""
			})
			b := st.browser()
			st.body(b, "/begin")
			kept := st.cookie(b)
			var late sync.WaitGroup
			late.Go(func() {
				code, _, set := st.get(st.with(kept), "/slow")
				if code != http.StatusConflict || set != nil {
					t.Errorf("the slow request: %d, %q", code, set)
				}
			})
			<-arrived
			st.body(b, "/logout")
			close(on)
			late.Wait()
			if got := st.body(st.with(kept), "/get"); got != "map[]" {
				t.Errorf("the ended session shows %s", got)
			}
		})
	}
}

// Requests that change different keys at once all count, signed in or not, whether the keys are new or not.
func TestLostUpdate(t *testing.T) {
	const n = 8
	for what, test := range map[string]struct {
		before map[any]any
		value  func(i int) any
	}{
		"keys that are there":     {map[any]any{"k0": "a", "k1": "a", "k2": "a", "k3": "a", "k4": "a", "k5": "a", "k6": "a", "k7": "a"}, func(i int) any { return fmt.Sprint("v", i) }},
		"new keys":                {map[any]any{"visits": 1}, func(i int) any { return fmt.Sprint("v", i) }},
		"new keys of who is in":   {map[any]any{"user": "ann"}, func(i int) any { return i + 1 }},
		"lists, changed in place": {map[any]any{"k0": []string{"a"}, "k1": []string{"b"}, "seen": []string{}}, func(i int) any { return []string{fmt.Sprint("v", i)} }},
	} {
		t.Run(what, func(t *testing.T) {
			st := newSite(t, setup{})
			st.handle("/begin", func(s *sessions.Session, r *http.Request) string {
				for k, v := range test.before {
					s.Values[k] = v
				}
				return ""
			})
			b := st.browser()
			st.body(b, "/begin")
			arrived, on := make(chan string), make(chan struct{})
			for i := range n {
				st.slow(fmt.Sprint("/slow", i), arrived, on, func(s *sessions.Session, r *http.Request) {
					s.Values[fmt.Sprint("k", i)] = test.value(i)
				})
			}
			var all sync.WaitGroup
			for i := range n {
				all.Go(func() { st.body(b, fmt.Sprint("/slow", i)) })
			}
			for range n {
				<-arrived
			}
			close(on)
			all.Wait()
			for i := range n {
				if got := st.body(b, fmt.Sprint("/get?k", i)); got != fmt.Sprint(test.value(i)) {
					t.Errorf("k%d: %s", i, got)
				}
			}
			for k, v := range test.before {
				if key := k.(string); !strings.HasPrefix(key, "k") {
					if got := st.body(b, "/get?"+key); got != fmt.Sprint(v) {
						t.Errorf("%s: %s", key, got)
					}
				}
			}
		})
	}
}

// A request that came with the old cookie after a new one had been given is told that its write is refused. What was on
// its way before is not lost, in another process either: there it is told.
func TestWriteAfterANewToken(t *testing.T) {
	st := newSite(t, setup{})
	other := newSite(t, setup{beside: st})
	arrived, on := make(chan string), make(chan struct{})
	for _, each := range []*site{st, other} {
		each.slow("/slow", arrived, on, func(s *sessions.Session, r *http.Request) { s.Values["slow"] = r.Host })
	}
	b := st.browser()
	st.body(b, "/set?visits=1")
	kept := st.cookie(b)
	var late sync.WaitGroup
	late.Go(func() {
		if code, _, set := st.get(st.with(kept), "/slow"); code != 200 || set != nil {
			t.Errorf("here: %d, %q", code, set)
		}
	})
	late.Go(func() {
		if code, _, set := other.get(other.with(kept), "/slow"); code != http.StatusConflict || set != nil {
			t.Errorf("in another process: %d, %q", code, set)
		}
	})
	<-arrived
	<-arrived
	st.body(b, "/set?user=ann")
	close(on)
	late.Wait()
	if code, _, _ := st.get(st.with(kept), "/set?late=yes"); code != http.StatusConflict {
		t.Errorf("a write that came later: %d", code)
	}
	if got := st.body(b, "/get?slow"); !strings.HasPrefix(st.address, "https://"+got) {
		t.Errorf("what was under way: %s", got)
	}
	if got := st.body(b, "/get?late"); got != "<nil>" {
		t.Errorf("what came later: %s", got)
	}
}

// A double click on the sign-in button signs in, and what both answers bring opens the session.
func TestDoubleClick(t *testing.T) {
	st := newSite(t, setup{})
	arrived, on := make(chan string), make(chan struct{})
	st.slow("/login", arrived, on, func(s *sessions.Session, r *http.Request) { s.Values["user"] = "ann" })
	b := st.browser()
	st.body(b, "/set?visits=1")
	var clicks sync.WaitGroup
	for range 2 {
		clicks.Go(func() { st.body(b, "/login") })
	}
	<-arrived
	<-arrived
	close(on)
	clicks.Wait()
	if got := st.body(b, "/get"); got != "map[user:ann visits:1]" {
		t.Errorf("%s", got)
	}
}

// Two tabs that begin a session at once each get one; neither overwrites the other's.
func TestTwoBirths(t *testing.T) {
	st := newSite(t, setup{})
	b := st.browser()
	var tabs sync.WaitGroup
	for i := range 2 {
		tabs.Go(func() { st.body(b, fmt.Sprintf("/set?tab%d=yes", i)) })
	}
	tabs.Wait()
	if got := st.body(b, "/get"); !strings.Contains(got, "tab") {
		t.Errorf("%s", got)
	}
}

// Save after the first byte of the answer (gorilla/sessions #39): a session that is there is stored all the same; what
// would need a cookie is told within Handler, and stored nowhere.
func TestLateWrites(t *testing.T) {
	for what, write := range map[string]func(w http.ResponseWriter){
		"Write":       func(w http.ResponseWriter) { fmt.Fprint(w, "x") },
		"WriteHeader": func(w http.ResponseWriter) { w.WriteHeader(200) },
		"Flush":       func(w http.ResponseWriter) { http.NewResponseController(w).Flush() },
		"ReadFrom": func(w http.ResponseWriter) {
			http.ServeContent(w, &http.Request{Method: "GET"}, "", time.Time{}, strings.NewReader("x"))
		},
	} {
		for _, within := range []bool{true, false} {
			t.Run(fmt.Sprint(what, " within Handler ", within), func(t *testing.T) {
				st := newSite(t, setup{handler: within})
				answer := func(path string, do func(s *sessions.Session)) <-chan int {
					codes := make(chan int, 1)
					st.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
						s, err := st.store.Get(r, name)
						check(t, err)
						write(w)
						do(s)
						code := 200
						if err := s.Save(r, w); err != nil {
							code = status(err)
						}
						codes <- code
					})
					return codes
				}
				change := answer("/change", func(s *sessions.Session) { s.Values["visits"] = 2 })
				begin := answer("/begin", func(s *sessions.Session) { s.Values["user"] = "ann" })
				quit := answer("/quit", func(s *sessions.Session) { s.Options.MaxAge = -1 })
				early := st.browser()
				st.handle("/first", func(s *sessions.Session, r *http.Request) string { s.Values["visits"] = 1; return "" })
				st.body(early, "/first")
				st.body(early, "/change")
				if code := <-change; code != 200 || st.body(early, "/get?visits") != "2" {
					t.Errorf("a change: %d", code)
				}
				before := st.records()
				fresh := st.browser()
				st.body(fresh, "/begin")
				if code := <-begin; within && (code != http.StatusTeapot || st.records() != before) {
					t.Errorf("a birth: %d", code)
				}
				kept := st.cookie(early)
				st.body(early, "/begin")
				if code := <-begin; within && (code != http.StatusTeapot || st.body(st.with(kept), "/get?user") != "<nil>") {
					t.Errorf("a sign-in: %d, the anonymous cookie shows %s", code, st.body(st.with(kept), "/get"))
				}
				early = st.browser()
				st.body(early, "/first")
				kept = st.cookie(early)
				st.body(early, "/quit")
				if code := <-quit; within && code != http.StatusTeapot || st.body(st.with(kept), "/get") != "map[]" {
					t.Errorf("a sign-out: %d", code)
				}
			})
		}
	}
}

// An early hint is no answer.
func TestHintsAreNoAnswer(t *testing.T) {
	st := newSite(t, setup{handler: true})
	st.mux.HandleFunc("/hint", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		s, err := st.store.Get(r, name)
		check(t, err)
		s.Values["user"] = "ann"
		check(t, s.Save(r, w))
	})
	b := st.browser()
	st.body(b, "/hint")
	if got := st.body(b, "/get?user"); got != "ann" {
		t.Errorf("%s", got)
	}
}
