package middleware_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

// A login that is clicked twice.

// late holds an answer back where the test says so: it has been committed, and is on its way.
type late struct {
	http.ResponseWriter
	held   <-chan struct{}
	status *int
}

func (w *late) WriteHeader(code int) {
	*w.status = code
	if w.held != nil {
		<-w.held
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *late) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// click is one of the two requests.
type click struct {
	arrives chan struct{} // closed when its answer may reach the browser
	cancel  context.CancelFunc
	done    chan struct{}
	status  int // that the server gave
}

// clicks is one double click: two processes, one store, one browser.
type clicks struct {
	t       *testing.T
	faults  [2]*sessiontest.Faults
	manager [2]*session.Manager
	wrap    func(http.Handler) http.Handler
	browser [2]*http.Client // one jar: the same browser, whose requests two processes answer
	server  [2]*sessiontest.Server
	click   [2]*click
}

func newClicks(t *testing.T, processes int) *clicks {
	c := &clicks{t: t}
	db := store.NewMemory(nil)
	keys := cookie.DevKeys("bell")
	jar, _ := cookiejar.New(nil)
	for i := range 2 {
		if i > 0 && processes == 1 {
			c.faults[i], c.manager[i], c.server[i], c.browser[i] = c.faults[0], c.manager[0], c.server[0], c.browser[0]
			continue
		}
		c.faults[i] = sessiontest.NewFaults(db)
		c.manager[i] = session.NewManager(c.faults[i], &session.Options{Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
		c.wrap = middleware.Sessions(c.manager[i], keys, nil) // POST /login is not even Aware
		mux := http.NewServeMux()
		mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
			if err := session.From(r.Context()).Login(r.FormValue("user")); err != nil {
				http.Error(w, err.Error(), http.StatusTeapot)
				return
			}
			http.Redirect(w, r, "/", http.StatusSeeOther)
		})
		app := c.wrap(mux)
		c.server[i] = sessiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if n := r.Header.Get("Click"); n != "" {
				k := c.click[n[0]-'0']
				w = &late{w, k.arrives, &k.status}
			}
			app.ServeHTTP(w, r)
		}))
		c.browser[i] = c.server[i].Browser()
		c.browser[i].Jar = jar
		c.browser[i].CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return c
}

// begin sends click i with the cookie that the browser has at this moment.
func (c *clicks) begin(i int, user string) {
	ctx, cancel := context.WithCancel(c.t.Context())
	k := &click{arrives: make(chan struct{}), cancel: cancel, done: make(chan struct{})}
	c.click[i] = k
	r, err := http.NewRequestWithContext(ctx, "POST", c.server[i].URL+"/login", strings.NewReader(url.Values{"user": {user}}.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Click", fmt.Sprint(i))
	go func() {
		defer close(k.done)
		if resp, err := c.browser[i].Do(r); err == nil {
			resp.Body.Close()
		}
	}()
}

// see is what the browser's session is by the cookies it has now.
func (c *clicks) see() (user string, rings int, handle string) {
	c.server[0].Visit(c.browser[0], c.wrap, func(s *session.Session) {
		user, rings, handle = s.User(), standRings.Get(s), s.Handle()
	})
	return user, rings, handle
}

// Whatever the browser had before, wherever the second click meets the first one, and whichever answer comes last or
// never: both are answered well, the browser is signed in, and no session is left that nobody can see and end.
func TestDoubleClickedLoginOverHTTP(t *testing.T) {
	before := []struct {
		name, user string // who was signed in
		rings      int    // what the session held
		calls      int    // that a login then makes
	}{
		{"nothing", "", 0, 1},
		{"an anonymous session", "", 3, 3},
		{"a session of ann's", "ann", 3, 3},
		{"a session of bob's", "bob", 3, 3},
	}
	arrivals := []struct {
		name  string
		do    func(first, second *click)
		early bool // the first one is cancelled while it is served
	}{
		{"in turn", func(first, second *click) { first.arrive(); second.arrive() }, false},
		{"the first last", func(first, second *click) { second.arrive(); first.arrive() }, false},
		{"the first cancelled", func(first, second *click) { first.hangUp(); second.arrive() }, false},
		{"the first cancelled while it was served", func(first, second *click) { close(first.arrives); second.arrive() }, true},
		{"the second cancelled", func(first, second *click) { second.hangUp(); first.arrive() }, false},
	}
	for _, processes := range []int{1, 2} {
		for _, b := range before {
			t.Run(fmt.Sprintf("%d processes, %s", processes, b.name), func(t *testing.T) {
				for _, a := range arrivals {
					// The second click comes before the first one's nth store call, or after all of them.
					for nth := 1; ; nth++ {
						met := false
						synctest.Test(t, func(t *testing.T) {
							met = doubleClick(t, processes, b.user, b.rings, nth, a.name, a.early, a.do)
						})
						if t.Failed() {
							return
						}
						if !met {
							if nth <= b.calls {
								t.Fatalf("%s: a login made %d store calls, want %d at least: the test does not reach what it is for", a.name, nth-1, b.calls)
							}
							break
						}
					}
				}
			})
		}
	}
}

func (k *click) arrive() {
	close(k.arrives)
	<-k.done
}

func (k *click) hangUp() {
	k.cancel()
	<-k.done
	close(k.arrives)
}

// doubleClick plays one, and says whether the first click made an nth store call before which the second one came.
func doubleClick(t *testing.T, processes int, was string, rings, nth int, name string, early bool, arrivals func(first, second *click)) (met bool) {
	c := newClicks(t, processes)
	if was != "" {
		c.server[0].SignIn(c.browser[0], c.wrap, was)
	}
	if rings > 0 {
		c.server[0].Visit(c.browser[0], c.wrap, func(s *session.Session) { standRings.Set(s, rings) })
	}
	_, _, handle := c.see()

	goOn := make(chan struct{})
	c.faults[0].Add(sessiontest.Fault{Nth: nth, Before: func(sessiontest.Call) {
		met = true
		<-goOn
	}})
	c.begin(0, "ann")
	synctest.Wait() // for its nth call, or for its answer to be on the way
	c.faults[0].Clear()
	if early {
		c.click[0].cancel()
		synctest.Wait()
	}
	c.begin(1, "ann")
	synctest.Wait() // it has gone as far as it can without the first one
	close(goOn)
	synctest.Wait()
	arrivals(c.click[0], c.click[1])
	synctest.Wait()

	where := fmt.Sprintf("%s, the second before store call %d of the first (%v)", name, nth, met)
	for i, k := range c.click {
		if k.status != http.StatusSeeOther && !(early && i == 0) { // nobody hears that one
			t.Errorf("%s: click %d was answered %d, want a redirect", where, i+1, k.status)
		}
	}
	user, kept, now := c.see()
	if user != "ann" {
		t.Errorf("%s: the browser ends as %q, want ann", where, user)
	}
	// A second click that comes within the Grace begins with nothing: the old token shows no value after a login.
	if kept != 0 && (was == "bob" || kept != rings) {
		t.Errorf("%s: ann's session holds %d rings; %q had %d", where, kept, was, rings)
	}
	list, err := c.manager[0].List(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 1 || len(list) > 2 {
		t.Errorf("%s: %d sessions listed, want one or two", where, len(list))
	}
	seen := false
	for _, info := range list {
		seen = seen || info.Handle == now
		switch {
		case was == "bob" && info.Handle == handle:
			t.Errorf("%s: ann's session bears the handle of bob's", where)
		case was != "bob" && handle != "" && info.Handle != handle:
			t.Errorf("%s: a session of another handle: Revoke would end one of the two", where)
		}
	}
	if !seen {
		t.Errorf("%s: the browser's session is not in the list", where)
	}
	if live := c.live(); live != len(list) {
		t.Errorf("%s: %d records are live, %d listed", where, live, len(list))
	}
	// What was there before holds nothing any more but for ann herself.
	if was == "bob" {
		if list, _ := c.manager[0].List(t.Context(), "bob"); len(list) != 0 {
			t.Errorf("%s: bob's session lives on", where)
		}
	}
	if n, err := c.manager[0].RevokeUser(t.Context(), "ann"); err != nil || n != len(list) || c.live() != 0 {
		t.Errorf("%s: revoked %d of %d, %d live: %v", where, n, len(list), c.live(), err)
	}
	return met
}

// live counts the records that a token could open.
func (c *clicks) live() (n int) {
	for cursor := ""; ; {
		page, next, err := c.faults[0].Scan(c.t.Context(), cursor, 1000)
		if err != nil {
			c.t.Fatal(err)
		}
		for _, r := range page {
			if r.Ended == "" {
				n++
			}
		}
		if cursor = next; cursor == "" {
			return n
		}
	}
}
