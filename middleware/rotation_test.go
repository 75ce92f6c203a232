package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

// ringText is the text of a keyring that an operator edits.
type ringText struct{ text atomic.Pointer[string] }

func (s *ringText) Masters(context.Context) (string, error) { return *s.text.Load(), nil }

// instance is one process of an application: its own reading of the keys, its own manager and caches, and the store
// that all of them share.
type instance struct {
	ring    *ringText
	keys    *cookie.Keys
	faults  *sessiontest.Faults
	manager *session.Manager
	app     http.Handler
	// sessions are the application's own middleware.
	sessions func(http.Handler) http.Handler

	mu     sync.Mutex
	opened []opening
}

// opening is one event of the trace.
type opening struct {
	cookie.OpenedInfo
	at time.Time
}

func newInstance(t *testing.T, db session.Store, ring string, h http.Handler, o *middleware.Options) *instance {
	t.Helper()
	i := &instance{ring: &ringText{}, faults: sessiontest.NewFaults(db)}
	i.ring.text.Store(&ring)
	var err error
	if i.keys, err = cookie.NewKeys(t.Context(), i.ring, "bell"); err != nil {
		t.Fatal(err)
	}
	i.keys.Trace = &cookie.Trace{Opened: func(info cookie.OpenedInfo) {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.opened = append(i.opened, opening{info, time.Now()})
	}}
	i.manager = session.NewManager(i.faults, nil)
	i.sessions = middleware.Sessions(i.manager, i.keys, o)
	i.app = middleware.Cookies(i.keys, nil)(i.sessions(h))
	return i
}

// rollOut gives the instance another ring.
func (i *instance) rollOut(t *testing.T, keys ...string) {
	t.Helper()
	text := strings.Join(keys, ",")
	i.ring.text.Store(&text)
	if err := i.keys.Reload(t.Context()); err != nil {
		t.Error(err)
	}
}

// traced counts the events since a moment.
func (i *instance) traced(since time.Time, is func(opening) bool) (n int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, o := range i.opened {
		if !o.at.Before(since) && is(o) {
			n++
		}
	}
	return n
}

// keyOf returns the id of the key that sealed a browser's cookie.
func keyOf(t *testing.T, c *http.Client, kind string) string {
	t.Helper()
	site, err := url.Parse("https://app.hardy.test/")
	if err != nil {
		t.Fatal(err)
	}
	for _, held := range c.Jar.Cookies(site) {
		if parts := strings.Split(held.Value, "."); strings.HasSuffix(held.Name, "-"+kind) && len(parts) == 3 {
			return parts[1]
		}
	}
	return ""
}

// idOf returns the public id of a key.
func idOf(t *testing.T, master string) string {
	t.Helper()
	source := &ringText{}
	source.text.Store(&master)
	keys, err := cookie.NewKeys(t.Context(), source, "bell")
	if err != nil {
		t.Fatal(err)
	}
	return keys.PrimaryID()
}

// bell answers what a session holds, and changes it where the query says so.
func bell(w http.ResponseWriter, r *http.Request) {
	s := session.From(r.Context())
	var err error
	switch {
	case r.URL.Query().Has("ring"):
		err = visits.Set(s, visits.Get(s)+1)
	case r.URL.Query().Has("jar"):
		err = nick.Set(cookie.Local(r.Context()), r.URL.Query().Get("jar"))
	case r.URL.Query().Has("quiet"):
		fmt.Fprint(w, "quiet")
		return
	}
	if err != nil {
		http.Error(w, err.Error(), 500)
		return
	}
	fmt.Fprintf(w, "%q %d %q", s.User(), visits.Get(s), nick.Get(cookie.Local(r.Context())))
}

// The keys are rotated as the documentation of cookie.Keys says, step by step, with a rolling restart of two instances at
// each step and visitors who never stop. Nobody is signed out, and the trace tells when the old key is out of use.
func TestKeysRotateUnderTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		former, next := cookie.NewMaster(), cookie.NewMaster()
		formerID, nextID := idOf(t, former), idOf(t, next)
		db := store.NewMemory(nil)
		instances := []*instance{newInstance(t, db, former, http.HandlerFunc(bell), nil), newInstance(t, db, former, http.HandlerFunc(bell), nil)}
		server := sessiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			instances[rand.IntN(2)].app.ServeHTTP(w, r) // a load balancer
		}))
		both := func(keys ...string) {
			t.Helper()
			for _, i := range instances {
				i.rollOut(t, keys...)
				time.Sleep(2 * time.Minute) // the two differ meanwhile
			}
			time.Sleep(10 * time.Minute)
		}

		// A session is renewed, and its cookie with it, once in 1/30 of its idle timeout: hers, once an hour.
		const remembered = 30 * time.Hour
		var traffic sync.WaitGroup
		stop := make(chan struct{})
		type visitor struct {
			name   string
			every  time.Duration
			path   string
			client *http.Client
			jar    string
		}
		visitors := []*visitor{
			{name: "ann", every: 7 * time.Second},
			{name: "bob", every: 20 * time.Second, path: "?ring"},
			{name: "cy", every: 13 * time.Second, path: "?quiet"},
			{name: "dee", every: 3 * time.Minute},
			{name: "eve", every: 3 * time.Second},
			{name: "fay", every: 25 * time.Minute},
		}
		for _, v := range visitors {
			v.client = server.Browser()
			server.Visit(v.client, instances[0].sessions, func(s *session.Session) {
				err := s.Login(v.name)
				if v.name == "dee" {
					err = errors.Join(err, s.Remember(remembered))
				}
				if err = errors.Join(err, visits.Set(s, 0)); err != nil {
					t.Fatal(err)
				}
			})
			if v.name == "ann" {
				v.jar = "Ann"
				fetch(t, v.client, ask(t, "GET", server.URL+"/?jar=Ann"))
			}
			traffic.Go(func() {
				for n := 0; ; {
					select {
					case <-stop:
						return
					case <-time.After(v.every):
					}
					if v.path == "?ring" {
						n++
					}
					resp, body := fetch(t, v.client, ask(t, "POST", server.URL+"/"+v.path))
					want := fmt.Sprintf("%q %d %q", v.name, n, v.jar)
					if v.path == "?quiet" {
						want = "quiet"
					}
					if resp.StatusCode != 200 || body != want {
						t.Errorf("%s: %d %s, want %s", v.name, resp.StatusCode, body, want)
						return
					}
					for _, c := range resp.Cookies() {
						if long := c.MaxAge > 0; long != (v.name == "dee") || time.Duration(c.MaxAge)*time.Second > remembered || long && c.MaxAge < 60*60 {
							t.Errorf("%s's cookie comes anew with Max-Age %d", v.name, c.MaxAge)
						}
					}
				}
			})
		}
		ofFormer := func(kind string) func(opening) bool {
			return func(o opening) bool {
				return o.KeyID == formerID && o.Retired && o.Outcome == cookie.OK && strings.HasSuffix(o.Cookie, kind)
			}
		}
		count := func(since time.Time, is func(opening) bool) int {
			return instances[0].traced(since, is) + instances[1].traced(since, is)
		}
		start := time.Now()
		time.Sleep(10 * time.Minute)

		both(former, next) // 1. append
		if n := count(start, func(o opening) bool { return o.Retired }); n != 0 {
			t.Errorf("after the new key was appended, %d uses of a retired key", n)
		}
		moved := time.Now()
		both(next, former) // 2. move it to the front
		if count(moved, ofFormer("-session")) == 0 || count(moved, ofFormer("-local")) == 0 {
			t.Error("the use of the old key is not traced")
		}
		time.Sleep(90 * time.Minute)
		since := time.Now()
		time.Sleep(30 * time.Minute)
		if n := count(since, ofFormer("-session")); n != 0 {
			t.Errorf("when everybody has been renewed the old key still serves %d requests for a session", n)
		}
		// A jar is written only where the handler changes it: the trace goes on until then.
		if count(since, ofFormer("-local")) == 0 {
			t.Error("nothing tells that a jar lies under the old key")
		}
		fetch(t, visitors[0].client, ask(t, "POST", server.URL+"/?jar=Ann"))
		time.Sleep(time.Second)
		since = time.Now()
		time.Sleep(10 * time.Minute)
		if n := count(since, func(o opening) bool { return o.KeyID != nextID || o.Retired || o.Outcome != cookie.OK }); n != 0 {
			t.Errorf("%d cookies were not opened by the new key", n)
		}

		both(next) // 3. drop the old one
		close(stop)
		traffic.Wait()
		for _, v := range visitors {
			if id := keyOf(t, v.client, "session"); id != nextID {
				t.Errorf("%s's cookie is sealed by %s, want %s", v.name, id, nextID)
			}
			list, err := instances[0].manager.List(t.Context(), v.name)
			if err != nil || len(list) != 1 {
				t.Errorf("%s has %d sessions (%v)", v.name, len(list), err)
			}
		}
		if n := count(start, func(o opening) bool { return o.Outcome != cookie.OK }); n != 0 {
			t.Errorf("%d cookies were not opened", n)
		}
	})
}

// Every use of a retired key is traced, also where the token was opened before and is not opened again.
func TestRetiredKeyIsTracedWhereTheCacheServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		former, next := cookie.NewMaster(), cookie.NewMaster()
		i := newInstance(t, store.NewMemory(nil), former, http.HandlerFunc(bell), nil)
		server := sessiontest.NewServer(t, i.app)
		bob := server.Browser()
		server.SignIn(bob, i.sessions, "bob")
		for range 3 {
			fetch(t, bob, ask(t, "POST", server.URL))
		}
		i.rollOut(t, next, former)
		id, start := idOf(t, former), time.Now()
		for range 5 {
			fetch(t, bob, ask(t, "POST", server.URL)) // within 1/30 of the idle timeout: not renewed, so not sealed anew
		}
		if n := i.traced(start, func(o opening) bool { return o.Retired && o.KeyID == id && o.Outcome == cookie.OK }); n != 5 {
			t.Errorf("5 requests under the retired key, %d traced", n)
		}
	})
}

// Revoking a key ends the sessions sealed under it at their next request, with the reason, without a store call,
// on every instance, whether its cache knows the cookie or not. Nobody else notices.
func TestKeyRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leaked, next := cookie.NewMaster(), cookie.NewMaster()
		db := store.NewMemory(nil)
		warm := newInstance(t, db, leaked, http.HandlerFunc(bell), nil)
		cold := newInstance(t, db, leaked, http.HandlerFunc(bell), nil)
		servers := map[string]*sessiontest.Server{"warm": sessiontest.NewServer(t, warm.app), "cold": sessiontest.NewServer(t, cold.app)}
		bob, ann := servers["warm"].Browser(), servers["warm"].Browser()
		servers["warm"].SignIn(bob, warm.sessions, "bob")
		fetch(t, bob, ask(t, "POST", servers["warm"].URL))
		warm.rollOut(t, next, leaked)
		cold.rollOut(t, next, leaked)
		servers["warm"].SignIn(ann, warm.sessions, "ann") // under the new key
		fetch(t, bob, ask(t, "POST", servers["warm"].URL))

		for name, i := range map[string]*instance{"warm": warm, "cold": cold} {
			i.rollOut(t, next, "revoked:"+leaked)
			server := servers[name]
			with := func(c *http.Client) *http.Client { // the same visitor, at this instance
				other := server.Browser()
				other.Jar = c.Jar
				return other
			}
			calls := i.faults.Calls("")
			for range 3 {
				resp, body := fetch(t, with(bob), ask(t, "POST", server.URL))
				if resp.StatusCode != 401 || !strings.Contains(body, `"reason":"revoked"`) || len(resp.Cookies()) != 0 {
					t.Errorf("%s: %d %s %q", name, resp.StatusCode, body, resp.Header["Set-Cookie"])
				}
			}
			if n := i.faults.Calls("") - calls; n != 0 {
				t.Errorf("%s: %d calls of the store", name, n)
			}
			if resp, body := fetch(t, with(ann), ask(t, "POST", server.URL)); resp.StatusCode != 200 || body != `"ann" 0 ""` {
				t.Errorf("%s: under the new key: %d %s", name, resp.StatusCode, body)
			}
			if i.traced(time.Time{}, func(o opening) bool { return o.Outcome == cookie.RevokedKey }) == 0 {
				t.Errorf("%s: not traced", name)
			}
		}
		calls := warm.faults.Calls("")
		resp, err := servers["warm"].Open(bob, "/")
		if err != nil || resp.StatusCode != 200 || len(resp.Cookies()) != 1 || resp.Cookies()[0].MaxAge != -1 {
			t.Fatalf("a page that is opened: %v %v", resp, err)
		}
		resp.Body.Close()
		if n := warm.faults.Calls("") - calls; n != 0 {
			t.Errorf("to start over took %d calls of the store", n)
		}
		servers["warm"].Visit(bob, warm.sessions, func(s *session.Session) {
			if s.User() != "" || s.Err() != nil {
				t.Errorf("started over as %q, %v", s.User(), s.Err())
			}
		})
		servers["warm"].SignIn(bob, warm.sessions, "bob")
		if got, want := keyOf(t, bob, "session"), idOf(t, next); got != want {
			t.Errorf("the new session is sealed by %s, want %s", got, want)
		}
	})
}

// A cookie under a key that was dropped is a new visitor's, and traced.
func TestKeyDropped(t *testing.T) {
	former, next := cookie.NewMaster(), cookie.NewMaster()
	i := newInstance(t, store.NewMemory(nil), former, http.HandlerFunc(bell), nil)
	server := sessiontest.NewServer(t, i.app)
	bob := server.Browser()
	server.SignIn(bob, i.sessions, "bob")
	fetch(t, bob, ask(t, "POST", server.URL+"/?jar=Bob"))
	i.rollOut(t, next)
	start, calls := time.Now(), i.faults.Calls("")
	if resp, body := fetch(t, bob, ask(t, "POST", server.URL)); resp.StatusCode != 200 || body != `"" 0 ""` || len(resp.Cookies()) != 0 {
		t.Errorf("%d %s %q", resp.StatusCode, body, resp.Header["Set-Cookie"])
	}
	id := idOf(t, former)
	if n := i.traced(start, func(o opening) bool { return o.Outcome == cookie.UnknownKey && o.KeyID == id }); n != 2 || i.faults.Calls("") != calls {
		t.Errorf("%d of 2 cookies traced as under an unknown key, %d calls of the store", n, i.faults.Calls("")-calls)
	}
	if _, body := fetch(t, bob, ask(t, "POST", server.URL+"/?ring")); body != `"" 1 ""` {
		t.Error(body)
	}
	if _, body := fetch(t, bob, ask(t, "POST", server.URL+"/?ring")); body != `"" 2 ""` {
		t.Error(body)
	}
}

// A bad ring is refused and the former goes on serving.
func TestReloadOfABadRing(t *testing.T) {
	master := cookie.NewMaster()
	i := newInstance(t, store.NewMemory(nil), master, http.HandlerFunc(bell), nil)
	server := sessiontest.NewServer(t, i.app)
	bob := server.Browser()
	server.SignIn(bob, i.sessions, "bob")
	for _, text := range []string{"", "revoked:" + master, "short", master + "," + master} {
		i.ring.text.Store(&text)
		if err := i.keys.Reload(t.Context()); err == nil || strings.Contains(err.Error(), master) {
			t.Errorf("reload: %v", err)
		}
		if _, body := fetch(t, bob, ask(t, "POST", server.URL)); body != `"bob" 0 ""` {
			t.Error(body)
		}
	}
}

// A cookie is sealed anew only with an answer to a request whose own Touch or Replace has succeeded, and of a session that
// is alive and unmoved when the answer leaves.
func TestReseal(t *testing.T) {
	down := errors.New("down")
	var during func(r *http.Request) // what happens while the handler works
	handler := func(w http.ResponseWriter, r *http.Request) {
		if during != nil {
			during(r)
		}
		bell(w, r)
	}
	prefetch := []string{"Sec-Purpose", "prefetch"}
	for _, c := range []struct {
		name   string
		due    bool // a Touch is due
		path   string
		header []string
		fault  sessiontest.Fault
		during func(t *testing.T, i *instance, s *session.Session)
		status int
		sealed bool
	}{
		{name: "nothing due, nothing written", status: 200},
		{name: "a Touch", due: true, status: 200, sealed: true},
		{name: "a Touch, the handler looks at nothing", due: true, path: "?quiet", status: 200, sealed: true},
		{name: "a Replace", path: "?ring", status: 200, sealed: true},
		{name: "a Touch and a Replace", due: true, path: "?ring", status: 200, sealed: true},
		{name: "a jar", path: "?jar=Bob", status: 200},
		{name: "a passive route", due: true, path: "passive", status: 200},
		{name: "a passive route that writes", due: true, path: "passive?ring", status: 200, sealed: true},
		{name: "a prefetch", due: true, header: prefetch, status: 200},
		{name: "a Touch that fails", due: true, fault: sessiontest.Fault{Op: "touch", Err: down}, status: 503},
		{name: "a Touch whose answer is lost", due: true, fault: sessiontest.Fault{Op: "touch", Lost: down}, status: 503},
		{name: "a Replace that fails", path: "?ring", fault: sessiontest.Fault{Op: "replace", Err: down}, status: 503},
		{name: "a logout meanwhile", due: true, status: 200,
			during: func(t *testing.T, i *instance, s *session.Session) { s.Logout() }},
		{name: "a revocation meanwhile", due: true, status: 200,
			during: func(t *testing.T, i *instance, s *session.Session) { i.manager.RevokeUser(t.Context(), "bob") }},
		{name: "a login meanwhile", due: true, status: 200,
			during: func(t *testing.T, i *instance, s *session.Session) { s.Login("bob") }},
		{name: "a renewal meanwhile", due: true, status: 200,
			during: func(t *testing.T, i *instance, s *session.Session) { s.Renew() }},
		{name: "the end of the idle timeout meanwhile", due: true, status: 200,
			during: func(t *testing.T, i *instance, s *session.Session) { time.Sleep(32 * time.Minute) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				former, next := cookie.NewMaster(), cookie.NewMaster()
				i := newInstance(t, store.NewMemory(nil), former, http.HandlerFunc(handler), &middleware.Options{Passive: []string{"/passive"}})
				server := sessiontest.NewServer(t, i.app)
				bob := server.Browser()
				server.SignIn(bob, i.sessions, "bob")
				i.rollOut(t, next, former)
				if c.due {
					time.Sleep(2 * time.Minute)
				}
				if during = nil; c.during != nil {
					during = func(r *http.Request) {
						// Another request of bob's, which is answered meanwhile.
						token := session.From(r.Context()).Token()
						other, err := i.manager.Load(t.Context(), token)
						if err != nil {
							t.Error(err)
						}
						c.during(t, i, other)
						if err := i.manager.Commit(t.Context(), other); err != nil {
							t.Error(err)
						}
					}
				}
				i.faults.Add(c.fault)
				if c.fault.Op == "" {
					i.faults.Clear()
				}
				resp, body := fetch(t, bob, ask(t, "POST", server.URL+"/"+c.path, c.header...))
				n, _ := cookiesOf(resp)
				if resp.StatusCode != c.status || (n == 1) != c.sealed || n > 1 {
					t.Errorf("%d %s with %q", resp.StatusCode, body, resp.Header["Set-Cookie"])
				}
				want := idOf(t, former)
				if c.sealed {
					want = idOf(t, next)
				}
				if got := keyOf(t, bob, "session"); got != want {
					t.Errorf("the browser's cookie is sealed by %s, want %s", got, want)
				}
			})
		})
	}
}

// What a process remembers of its own cookies is right while its keys are reloaded: a key that is revoked afterwards
// ends each of them that it has sealed.
func TestRevokedWhileSealing(t *testing.T) {
	one, two := cookie.NewMaster(), cookie.NewMaster()
	i := newInstance(t, store.NewMemory(nil), one+","+two, http.HandlerFunc(bell), nil)
	server := sessiontest.NewServer(t, i.app)
	stop := make(chan bool)
	var reloading sync.WaitGroup
	reloading.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				i.rollOut(t, two, one)
				i.rollOut(t, one, two)
				runtime.Gosched()
			}
		}
	})
	leaked, ended := idOf(t, one), 0
	var visitors []*http.Client
	for tried := 0; tried < 20_000 && (ended < 100 || len(visitors)-ended < 100); tried++ {
		v := server.Browser()
		server.Visit(v, i.sessions, func(s *session.Session) { visits.Set(s, 1) })
		if keyOf(t, v, "session") == leaked {
			ended++
		}
		visitors = append(visitors, v)
	}
	close(stop)
	reloading.Wait()
	i.rollOut(t, two, "revoked:"+one)
	if ended == 0 || ended == len(visitors) {
		t.Fatalf("%d of %d sealed under the revoked key: this shows nothing", ended, len(visitors))
	}
	browser := server.Browser() // one connection for all
	for _, v := range visitors {
		browser.Jar = v.Jar
		want := 200
		if keyOf(t, v, "session") == leaked {
			want = 401
		}
		if resp, body := fetch(t, browser, ask(t, "POST", server.URL)); resp.StatusCode != want {
			t.Errorf("%d %s, want %d", resp.StatusCode, body, want)
		}
	}
}
