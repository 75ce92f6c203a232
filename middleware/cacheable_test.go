package middleware_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
)

// A crawler that makes 10,000 requests without a cookie to pages that set nothing costs the store nothing, and its
// answers are as cacheable as without the middleware.
func TestCrawler(t *testing.T) {
	f := newOffice(t, false, nil)
	f.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, rung) })
	const crawlers, each = 4, 2_500
	var all sync.WaitGroup
	for range crawlers {
		all.Go(func() {
			crawler := f.server.Browser()
			crawler.Jar = nil
			for i := range each {
				r, _ := http.NewRequest("GET", f.server.URL+"/"+strconv.Itoa(i), nil)
				resp, err := crawler.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				h := resp.Header
				if resp.StatusCode != 200 || string(body) != rung || h["Set-Cookie"] != nil || h["Cache-Control"] != nil || strings.Join(h["Vary"], ",") != "Origin" {
					t.Errorf("request %d: %d %v", i, resp.StatusCode, h) // Vary: Origin is the application's own
					return
				}
			}
		})
	}
	all.Wait()
	if n := f.faults.Calls(""); n != 0 || f.alive(t) != 0 {
		t.Errorf("%d calls of the store, %d records", n, f.alive(t))
	}
}

// What an answer says to caches follows from what its handler did: looked at nothing, read, or gave a cookie. The
// handler's own Cache-Control stands unless a cookie goes out or it lets shared caches keep the answer.
func TestCacheControl(t *testing.T) {
	type do = func(w http.ResponseWriter, r *http.Request)
	own := func(r *http.Request) *session.Session { return session.From(r.Context()) }
	jar := func(r *http.Request) *cookie.Jar { return cookie.Local(r.Context()) }
	const (
		nothing = iota // looked at
		touched
		cooked // a Set-Cookie goes out
	)
	handlers := []struct {
		name       string
		do         do
		new, known int // for a new visitor, and for one with a session and a jar
	}{
		{"nothing", func(w http.ResponseWriter, r *http.Request) {}, nothing, nothing},
		{"Peek", func(w http.ResponseWriter, r *http.Request) { session.Peek(r.Context()) }, nothing, nothing},
		{"From", func(w http.ResponseWriter, r *http.Request) { own(r); jar(r) }, nothing, nothing},
		{"Get", func(w http.ResponseWriter, r *http.Request) { visits.Get(own(r)) }, touched, touched},
		{"User", func(w http.ResponseWriter, r *http.Request) { own(r).User() }, touched, touched},
		{"Err", func(w http.ResponseWriter, r *http.Request) { own(r).Err() }, touched, touched},
		{"Ended", func(w http.ResponseWriter, r *http.Request) { own(r).Ended() }, touched, touched},
		{"Handle", func(w http.ResponseWriter, r *http.Request) { own(r).Handle() }, touched, touched},
		{"Keys", func(w http.ResponseWriter, r *http.Request) { own(r).Keys() }, touched, touched},
		{"Meta", func(w http.ResponseWriter, r *http.Request) { own(r).Meta() }, touched, touched},
		{"Expires", func(w http.ResponseWriter, r *http.Request) { own(r).Expires() }, touched, touched},
		{"Take", func(w http.ResponseWriter, r *http.Request) { afterward.Take(own(r)) }, touched, touched},
		{"Delete", func(w http.ResponseWriter, r *http.Request) { afterward.Delete(own(r)) }, touched, touched},
		{"Set", func(w http.ResponseWriter, r *http.Request) { visits.Set(own(r), 1) }, cooked, touched},
		{"Set refused", func(w http.ResponseWriter, r *http.Request) { afterward.Set(own(r), strings.Repeat("x", 1<<20)) }, touched, touched},
		{"Update", func(w http.ResponseWriter, r *http.Request) {
			visits.Update(r.Context(), own(r), func(n int) int { return n + 1 })
		}, cooked, touched},
		{"Clear", func(w http.ResponseWriter, r *http.Request) { own(r).Clear() }, touched, touched},
		{"Login", func(w http.ResponseWriter, r *http.Request) { own(r).Login("ann") }, cooked, cooked},
		{"Renew", func(w http.ResponseWriter, r *http.Request) { own(r).Renew() }, touched, cooked},
		{"Logout", func(w http.ResponseWriter, r *http.Request) { own(r).Logout() }, touched, cooked},
		{"a jar read", func(w http.ResponseWriter, r *http.Request) { nick.Get(jar(r)) }, touched, touched},
		{"a jar set", func(w http.ResponseWriter, r *http.Request) { nick.Set(jar(r), "Ann") }, cooked, cooked},
		{"a jar's keys", func(w http.ResponseWriter, r *http.Request) { jar(r).Keys() }, touched, touched},
		{"a jar cleared", func(w http.ResponseWriter, r *http.Request) { jar(r).Clear() }, touched, cooked},
	}
	const hardys = "private, no-store"
	controls := []struct{ own, whenTouched string }{
		{"", hardys},
		{"max-age=60", "max-age=60"},
		{"private, max-age=60", "private, max-age=60"},
		{"no-cache", "no-cache"},
		{"no-store", "no-store"},
		{"public", hardys},
		{"public, max-age=60", hardys},
		{"max-age=60, Public", hardys},
		{"max-age=60,PUBLIC", hardys},
		{"s-maxage=60", hardys},
		{"max-age=1, S-MaxAge = 60", hardys},
		{"immutable, max-age=600", "immutable, max-age=600"},
	}
	for _, inside := range []bool{false, true} {
		f := newOffice(t, inside, nil)
		browser := f.server.Browser()
		for i, h := range handlers {
			for j, c := range controls {
				f.mux.HandleFunc(fmt.Sprintf("/%d/%d", i, j), cacheable(h.do, c.own))
			}
		}
		for i, h := range handlers {
			for j, c := range controls {
				for _, known := range []bool{false, true} {
					bob := &http.Client{Transport: browser.Transport} // one connection for all
					did := h.new
					if known {
						did = h.known
						bob.Jar, _ = cookiejar.New(nil)
						f.server.Visit(bob, f.filled, func(s *session.Session) { visits.Set(s, 1) })
					}
					resp, _ := fetch(t, bob, ask(t, "POST", fmt.Sprintf("%s/%d/%d", f.server.URL, i, j)))
					name := fmt.Sprintf("inside %v, known %v, %s, %q", inside, known, h.name, c.own)
					cc, vary := strings.Join(resp.Header["Cache-Control"], " | "), strings.Join(resp.Header["Vary"], " | ")
					want, wantVary := c.whenTouched, "Origin | Cookie"
					switch did {
					case nothing:
						want, wantVary = c.own, "Origin"
					case cooked:
						want = hardys
					}
					if cc != want || vary != wantVary || (len(resp.Cookies()) > 0) != (did == cooked) {
						t.Errorf("%s: Cache-Control %q, want %q; Vary %q, want %q; %d cookies", name, cc, want, vary, wantVary, len(resp.Cookies()))
					}
				}
			}
		}
	}
}

// cacheable answers after do, with a Cache-Control of its own.
func cacheable(do func(http.ResponseWriter, *http.Request), own string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if own != "" {
			w.Header().Set("Cache-Control", own)
		}
		do(w, r)
		w.Write([]byte(rung))
	}
}

// filled is the application's middleware for a Visit that puts something into the jar, too.
func (f *office) filled(next http.Handler) http.Handler {
	return f.jars(f.sessions(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nick.Set(cookie.Local(r.Context()), "Bob")
		next.ServeHTTP(w, r)
	})))
}

// The Vary of a handler is kept and not repeated.
func TestVary(t *testing.T) {
	for own, want := range map[string]string{
		"": "Cookie", "Cookie": "Cookie", "cookie": "cookie", "*": "*", "Accept": "Accept | Cookie",
		"Accept, COOKIE": "Accept, COOKIE", "X-Cookie": "X-Cookie | Cookie",
	} {
		shop := newShop(t)
		server := sessiontest.NewServer(t, shop.jars(shop.sessions(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if own != "" {
				w.Header().Set("Vary", own)
			}
			visits.Get(session.From(r.Context()))
			nick.Get(cookie.Local(r.Context()))
		}))))
		resp, _ := fetch(t, server.Browser(), ask(t, "GET", server.URL))
		if got := strings.Join(resp.Header["Vary"], " | "); got != want {
			t.Errorf("%q becomes %q, want %q", own, got, want)
		}
	}
	// Under a header carrier it is that header which the answer varies by.
	shop := newShop(t)
	api := middleware.Sessions(shop.manager, shop.keys, &middleware.Options{Carrier: middleware.Header("X-Session"), Aware: []string{"/"}})
	server := sessiontest.NewServer(t, api(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { visits.Get(session.From(r.Context())) })))
	if resp, _ := fetch(t, server.Browser(), ask(t, "GET", server.URL)); resp.Header.Get("Vary") != "X-Session" {
		t.Errorf("header carrier: Vary %q", resp.Header["Vary"])
	}
}

// sharedCache is a shared cache in front of an application: as RFC 9111 allows, and as greedy as it allows. It keeps
// whatever is not forbidden, answers with a Set-Cookie too (§7.3), for a minute where nothing says how long, and
// asks again with the validators that it has (§4.3).
type sharedCache struct {
	next http.Handler
	mu   sync.Mutex
	kept map[string][]*keptAnswer
	hits int
}

type keptAnswer struct {
	request http.Header
	vary    []string
	status  int
	header  http.Header
	body    []byte
	until   time.Time
}

func list(h http.Header, name string) (all []string) {
	for _, line := range h[name] {
		for part := range strings.SplitSeq(line, ",") {
			all = append(all, strings.ToLower(strings.TrimSpace(part)))
		}
	}
	return all
}

func (a *keptAnswer) matches(r *http.Request) bool {
	for _, name := range a.vary {
		if !slices.Equal(a.request.Values(name), r.Header.Values(name)) {
			return false
		}
	}
	return true
}

type recorded struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorded) Header() http.Header { return w.header }
func (w *recorded) WriteHeader(code int) {
	if w.status == 0 {
		w.status = code
	}
}
func (w *recorded) Write(b []byte) (int, error) {
	w.WriteHeader(200)
	return w.body.Write(b)
}

func (c *sharedCache) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		c.mu.Lock()
		delete(c.kept, r.URL.Path) // §4.4
		c.mu.Unlock()
		c.next.ServeHTTP(w, r)
		return
	}
	c.mu.Lock()
	var stale *keptAnswer
	for _, a := range c.kept[r.URL.Path] {
		if !a.matches(r) {
			continue
		}
		if time.Now().Before(a.until) && !slices.Contains(list(a.header, "Cache-Control"), "no-cache") {
			c.hits++
			c.mu.Unlock()
			send(w, a.status, a.header, a.body)
			return
		}
		stale = a
	}
	c.mu.Unlock()

	own := r.Header.Get("If-None-Match")
	if etag := ""; stale != nil && own == "" {
		if etag = stale.header.Get("Etag"); etag != "" {
			r.Header.Set("If-None-Match", etag)
		}
	}
	asked := r.Header.Clone()
	got := &recorded{header: http.Header{}}
	c.next.ServeHTTP(got, r)
	got.WriteHeader(200)
	if got.status == http.StatusNotModified && stale != nil && own == "" {
		c.mu.Lock()
		header := stale.header.Clone()
		for name, values := range got.header { // §4.3.4
			header[name] = values
		}
		forbidden := slices.Contains(list(header, "Cache-Control"), "no-store") || slices.Contains(list(header, "Cache-Control"), "private")
		if !forbidden {
			c.hits++
			stale.header = header
			stale.until = time.Now().Add(life(header))
		}
		c.mu.Unlock()
		send(w, stale.status, header, stale.body)
		return
	}
	control := list(got.header, "Cache-Control")
	vary := list(got.header, "Vary")
	if got.status == 200 && !slices.Contains(control, "no-store") && !slices.Contains(control, "private") && !slices.Contains(vary, "*") {
		c.mu.Lock()
		c.kept[r.URL.Path] = append(c.kept[r.URL.Path], &keptAnswer{
			asked, vary, got.status, got.header.Clone(), got.body.Bytes(), time.Now().Add(life(got.header))})
		c.mu.Unlock()
	}
	send(w, got.status, got.header, got.body.Bytes())
}

func life(h http.Header) time.Duration {
	until := time.Minute
	for _, name := range []string{"max-age=", "s-maxage="} { // the second overrides
		for _, directive := range list(h, "Cache-Control") {
			if text, ok := strings.CutPrefix(directive, name); ok {
				if n, err := strconv.Atoi(text); err == nil {
					until = time.Duration(n) * time.Second
				}
			}
		}
	}
	return until
}

func send(w http.ResponseWriter, status int, h http.Header, body []byte) {
	for name, values := range h {
		w.Header()[name] = values
	}
	w.WriteHeader(status)
	w.Write(body)
}

// Behind a greedy shared cache no visitor ever sees another's name or gets another's cookie, whatever the handlers
// say of caching, while pages that look at nobody are served from it.
func TestSharedCache(t *testing.T) {
	if mixed, hits := throughCache(t, false); mixed > 0 || hits < 100 {
		t.Errorf("%d answers mixed up, %d served from the cache", mixed, hits)
	}
}

// Without the middleware's fields the same cache mixes visitors up: the test above would see it.
func TestSharedCacheWouldMix(t *testing.T) {
	if mixed, _ := throughCache(t, true); mixed < 10 {
		t.Errorf("only %d answers mixed up", mixed)
	}
}

// stripped takes the fields away that keep answers out of shared caches.
type stripped struct{ http.ResponseWriter }

func (w stripped) WriteHeader(code int) {
	w.Header().Del("Cache-Control")
	w.Header().Del("Vary")
	w.ResponseWriter.WriteHeader(code)
}

func (w stripped) Write(b []byte) (int, error) {
	w.WriteHeader(200)
	return w.ResponseWriter.Write(b)
}

func throughCache(t *testing.T, strip bool) (mixed, hits int) {
	synctest.Test(t, func(t *testing.T) {
		f := newOffice(t, false, nil)
		who := session.NewKey[string]("who")
		name := func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, who.Get(session.From(r.Context()))) }
		for path, control := range map[string]string{"/me": "", "/me/public": "public, max-age=60", "/me/s": "s-maxage=60", "/me/max": "max-age=60", "/me/no": "no-cache"} {
			f.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
				if control != "" {
					w.Header().Set("Cache-Control", control)
				}
				name(w, r)
			})
		}
		f.mux.HandleFunc("/me/etag", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Etag", `"the same for all"`)
			w.Header().Set("Cache-Control", "max-age=1")
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(who.Get(session.From(r.Context()))))
		})
		f.mux.HandleFunc("/me/late", func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			fmt.Fprint(w, "nobody")
		})
		f.mux.HandleFunc("/jar", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, nick.Get(cookie.Local(r.Context()))) })
		f.mux.HandleFunc("/static", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "static") })
		f.mux.HandleFunc("/set", func(w http.ResponseWriter, r *http.Request) { // a GET that changes: not good, but it happens
			if err := who.Set(session.From(r.Context()), r.URL.RawQuery); err != nil {
				t.Error(err)
			}
			nick.Set(cookie.Local(r.Context()), r.URL.RawQuery)
			fmt.Fprint(w, r.URL.RawQuery)
		})
		f.mux.HandleFunc("/renew", func(w http.ResponseWriter, r *http.Request) {
			s := session.From(r.Context())
			s.Renew()
			fmt.Fprint(w, who.Get(s))
		})
		f.mux.HandleFunc("/logout", func(w http.ResponseWriter, r *http.Request) {
			s := session.From(r.Context())
			before := who.Get(s)
			s.Logout()
			cookie.Local(r.Context()).Clear()
			fmt.Fprint(w, before)
		})
		app := f.jars(f.sessions(f.mux))
		cache := &sharedCache{kept: map[string][]*keptAnswer{}, next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strip {
				w = stripped{w}
			}
			app.ServeHTTP(w, r)
		})}
		server := sessiontest.NewServer(t, cache)

		rng := rand.New(rand.NewPCG(1, 2))
		paths := []string{"/me", "/me/public", "/me/s", "/me/max", "/me/no", "/me/etag", "/me/late", "/jar", "/static", "/set", "/renew", "/logout"}
		visitors := make([]*http.Client, 6)
		is := make([]string, len(visitors)) // what each visitor's session must say
		for i := range visitors {
			visitors[i] = server.Browser()
		}
		for range 3_000 {
			i := rng.IntN(len(visitors))
			path := paths[rng.IntN(len(paths))]
			want := is[i]
			switch path {
			case "/static":
				want = "static"
			case "/me/late":
				want = "nobody"
			case "/logout":
				if rng.IntN(3) > 0 {
					continue
				}
				is[i] = ""
			case "/set":
				is[i] = fmt.Sprintf("visitor-%d-%d", i, rng.IntN(1000))
				want, path = is[i], "/set?"+is[i]
			}
			resp, body := fetch(t, visitors[i], ask(t, "GET", server.URL+path))
			if body != want {
				if mixed++; !strip && mixed < 10 {
					t.Errorf("visitor %d at %s: %d %q, want %q", i, path, resp.StatusCode, body, want)
				}
				is[i] = body
			}
			time.Sleep(time.Duration(rng.IntN(3000)) * time.Millisecond)
		}
		hits = cache.hits
	})
	return mixed, hits
}
