package middleware_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/session/lease"
	"example.com/hardy/store"
)

// isolated is an application that does something at random in each request, under a canary of the user's own, and
// answers with all that the request could see.
type isolated struct {
	m       *session.Manager
	clients *lease.Each[*string]
	shared  *lease.Each[*string]
	workers *lease.Pool[*string]
	ops     map[string]func(*isolatedVisit) any
	names   []string
}

type isolatedVisit struct {
	*isolated
	r      *http.Request
	s      *session.Session
	jar    *cookie.Jar
	canary string
	sealed []byte // what the browser sent back of an earlier Seal
	saw    []any
	made   []byte // by Seal
}

var (
	isolatedValue  = session.NewKey[string]("value")
	isolatedLog    = session.NewLog[string]("log", &session.LogOptions{Max: 5})
	isolatedCookie = cookie.NewKey[string]("value")
)

// newIsolated lists every public call of a session, its keys, logs and leases, and of jars.
func newIsolated(m *session.Manager) *isolated {
	app := &isolated{m: m}
	own := func(_ context.Context, s *session.Session) (*string, error) {
		c := "canary of " + s.User() + "."
		return &c, nil
	}
	app.clients = lease.NewEach(own, nil, nil)
	app.shared = lease.NewEach(own, nil, &lease.EachOptions{PerUser: true})
	app.workers = lease.NewPool(lease.PoolOptions[*string]{
		Make:  func(context.Context) (*string, error) { return new(string), nil },
		Reset: func(_ context.Context, w *string) error { *w = ""; return nil },
	})
	with := func(f func(v *isolatedVisit) any) func(*isolatedVisit) any { return f }
	hold := func(v *isolatedVisit, give func(*lease.Lease[*string])) any {
		l, err := app.workers.Acquire(v.r.Context(), v.s)
		if err != nil {
			return err
		}
		saw := *l.Value()
		*l.Value() = v.canary
		give(l)
		return saw
	}
	app.ops = map[string]func(*isolatedVisit) any{
		"Session.User":          with(func(v *isolatedVisit) any { return v.s.User() }),
		"Session.Authenticated": with(func(v *isolatedVisit) any { return v.s.Authenticated() }),
		"Session.AuthTime":      with(func(v *isolatedVisit) any { return v.s.AuthTime() }),
		"Session.Handle":        with(func(v *isolatedVisit) any { return v.s.Handle() }),
		"Session.Created":       with(func(v *isolatedVisit) any { return v.s.Created() }),
		"Session.Seen":          with(func(v *isolatedVisit) any { return v.s.Seen() }),
		"Session.Expires":       with(func(v *isolatedVisit) any { return v.s.Expires() }),
		"Session.Deadline":      with(func(v *isolatedVisit) any { return v.s.Deadline() }),
		"Session.Meta":          with(func(v *isolatedVisit) any { return v.s.Meta() }),
		"Session.SetMeta":       with(func(v *isolatedVisit) any { return v.s.SetMeta("note", v.canary) }),
		"Session.Keys":          with(func(v *isolatedVisit) any { return v.s.Keys() }),
		"Session.Err":           with(func(v *isolatedVisit) any { return v.s.Err() }),
		"Session.Ended":         with(func(v *isolatedVisit) any { return v.s.Ended() }),
		"Session.Token":         with(func(v *isolatedVisit) any { return v.s.Token() }),
		"Session.MaxAge":        with(func(v *isolatedVisit) any { return v.s.MaxAge() }),
		"Session.Save":          with(func(v *isolatedVisit) any { return v.s.Save(v.r.Context()) }),
		"Session.Reload":        with(func(v *isolatedVisit) any { return v.s.Reload(v.r.Context()) }),
		"Session.Clear":         with(func(v *isolatedVisit) any { return v.s.Clear() }),
		"Session.Renew":         with(func(v *isolatedVisit) any { return v.s.Renew() }),
		"Session.Remember":      with(func(v *isolatedVisit) any { return v.s.Remember(time.Hour) }),
		"Session.Locked":        with(func(v *isolatedVisit) any { user, _ := v.s.Locked(); return user }),
		"Session.Unlock":        with(func(v *isolatedVisit) any { return v.s.Unlock() }),
		"Session.Context":       with(func(v *isolatedVisit) any { return v.s.Context().Err() }),
		"Session.KeepAlive":     with(func(v *isolatedVisit) any { return v.s.KeepAlive(v.r.Context()) }),
		"Session.OnEnd":         with(func(v *isolatedVisit) any { _, err := v.s.OnEnd(func(error) {}); return err }),
		"Session.Seal":          with(func(v *isolatedVisit) any { b, err := v.s.Seal([]byte(v.canary)); v.made = b; return err }),
		"Session.Open": with(func(v *isolatedVisit) any {
			b, err := v.s.Open(v.sealed)
			return []any{string(b), err}
		}),
		"Session.Logout": with(func(v *isolatedVisit) any { return v.s.Logout() }),
		"Session.Reset":  with(func(v *isolatedVisit) any { return v.s.Reset() }),
		"Session.Login":  with(func(v *isolatedVisit) any { return v.s.Login(v.s.User()) }), // the same user again
		"Session.Format": with(func(v *isolatedVisit) any { return fmt.Sprintf("%v", v.s) }),
		"Key.Name":       with(func(v *isolatedVisit) any { return isolatedValue.Name() }),
		"Key.Get":        with(func(v *isolatedVisit) any { return isolatedValue.Get(v.s) }),
		"Key.GetOr":      with(func(v *isolatedVisit) any { return isolatedValue.GetOr(v.s, "none") }),
		"Key.Lookup":     with(func(v *isolatedVisit) any { got, _ := isolatedValue.Lookup(v.s); return got }),
		"Key.Set":        with(func(v *isolatedVisit) any { return isolatedValue.Set(v.s, v.canary) }),
		"Key.Delete":     with(func(v *isolatedVisit) any { _, err := isolatedValue.Delete(v.s); return err }),
		"Key.Take":       with(func(v *isolatedVisit) any { got, _ := isolatedValue.Take(v.s); return got }),
		"Key.Update": with(func(v *isolatedVisit) any {
			var saw string
			got, err := isolatedValue.Update(v.r.Context(), v.s, func(old string) string { saw = old; return v.canary })
			return []any{saw, got, err}
		}),
		"Log.Append":             with(func(v *isolatedVisit) any { return isolatedLog.Append(v.r.Context(), v.s, v.canary) }),
		"Log.All":                with(func(v *isolatedVisit) any { return isolatedLog.All(v.s) }),
		"Log.Last":               with(func(v *isolatedVisit) any { return isolatedLog.Last(v.s, 2) }),
		"Log.Len":                with(func(v *isolatedVisit) any { return isolatedLog.Len(v.s) }),
		"Log.Clear":              with(func(v *isolatedVisit) any { return isolatedLog.Clear(v.r.Context(), v.s) }),
		"Each.Get":               with(func(v *isolatedVisit) any { return pointed(app.clients.Get(v.r.Context(), v.s)) }),
		"Each.Get, for the user": with(func(v *isolatedVisit) any { return pointed(app.shared.Get(v.r.Context(), v.s)) }),
		"Each.Len":               with(func(v *isolatedVisit) any { return app.clients.Len() }),
		"Pool.Acquire":           with(func(v *isolatedVisit) any { return hold(v, (*lease.Lease[*string]).Release) }),
		"Lease.Release":          with(func(v *isolatedVisit) any { return hold(v, func(l *lease.Lease[*string]) { l.Release(); l.Release() }) }),
		"Lease.Discard":          with(func(v *isolatedVisit) any { return hold(v, (*lease.Lease[*string]).Discard) }),
		"Lease.Value":            with(func(v *isolatedVisit) any { return hold(v, (*lease.Lease[*string]).Release) }),
		"Jar.Keys":               with(func(v *isolatedVisit) any { return v.jar.Keys() }),
		"Jar.Clear":              with(func(v *isolatedVisit) any { return v.jar.Clear() }),
		"Jar.SetFor":             with(func(v *isolatedVisit) any { return v.jar.SetFor(time.Hour, isolatedCookie.Value("jar")) }),
		"Manager.List": with(func(v *isolatedVisit) any {
			list, err := app.m.List(v.r.Context(), v.s.User())
			return []any{list, err}
		}),
		"Manager.RevokeOthers": with(func(v *isolatedVisit) any { _, err := app.m.RevokeOthers(v.r.Context(), v.s); return err }),
		"Manager.RevokeUser":   with(func(v *isolatedVisit) any { _, err := app.m.RevokeUser(v.r.Context(), v.s.User()); return err }),
	}
	app.names = slices.Sorted(maps.Keys(app.ops))
	return app
}

func pointed(p *string, err error) any {
	if err != nil {
		return err
	}
	return *p
}

var canaries = regexp.MustCompile(`canary of [^.]*\.`)

// ServeHTTP does one thing, or signs in, and tells everything.
func (app *isolated) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := &isolatedVisit{isolated: app, r: r, s: session.From(r.Context()), jar: cookie.Local(r.Context()), sealed: []byte(r.Header.Get("X-Sealed"))}
	if user := r.FormValue("login"); user != "" {
		v.s.Login(user)
		return
	}
	v.canary = "canary of " + v.s.User() + "."
	user := v.s.User()
	v.saw = append(v.saw, v.ops[r.FormValue("do")](v))
	for _, look := range []string{"Session.User", "Session.Meta", "Key.Get", "Log.All", "Session.Open", "Each.Get", "Each.Get, for the user", "Pool.Acquire", "Manager.List"} {
		v.saw = append(v.saw, v.ops[look](v))
	}
	if v.made != nil {
		w.Header().Set("X-Sealed", string(v.made))
	}
	json.NewEncoder(w).Encode(isolatedAnswer{user, v.s.User(), canaries.FindAllString(fmt.Sprintf("%+v", v.saw), -1)})
}

type isolatedAnswer struct {
	Was, Is  string
	Canaries []string
}

// 50 users make 20 requests each at once, from two browsers a user, at random over all public calls: what one has put
// anywhere no other one ever sees, nor the next user of a browser.
func TestIsolation(t *testing.T) {
	m := session.NewManager(store.NewMemory(nil), &session.Options{Logger: slog.New(slog.DiscardHandler), MaxPerUser: 3, StoreTimeout: time.Minute})
	running, stop := context.WithCancel(t.Context())
	defer stop()
	go m.Run(running)
	app := newIsolated(m)
	go app.workers.Run(running)
	// What prints, which TestAttackTokenInLogs looks at, and what the middleware calls.
	exempt := []string{"Format", "String", "LogValue", "MarshalText", "Commit", "Changed", "Touched"}
	for of, methods := range map[string]reflect.Type{
		"Session": reflect.TypeFor[*session.Session](), "Key": reflect.TypeFor[session.Key[int]](), "Log": reflect.TypeFor[session.Log[int]](),
		"Each": reflect.TypeFor[*lease.Each[int]](), "Lease": reflect.TypeFor[*lease.Lease[int]](), "Jar": reflect.TypeFor[*cookie.Jar](),
	} {
		for method := range methods.Methods() {
			if app.ops[of+"."+method.Name] == nil && !slices.Contains(exempt, method.Name) {
				t.Errorf("%s.%s is not among what is done", of, method.Name)
			}
		}
	}
	keys := cookie.DevKeys("bell")
	h := middleware.Chain(app, middleware.Cookies(keys, nil), middleware.Sessions(m, keys, &middleware.Options{AllowDevKeys: true, Aware: []string{"/login"}}))

	const users, requests = 50, 20
	var all sync.WaitGroup
	var mu sync.Mutex
	seen, done := 0, map[string]int{}
	for user := range users {
		for browser := range 2 {
			rng := rand.New(rand.NewPCG(uint64(user), uint64(browser)))
			all.Go(func() {
				b := &isolatedBrowser{h: h}
				name := fmt.Sprint("user", user)
				b.send("/login?login="+name, "")
				sealed := ""
				for n := range requests {
					if n == requests/2 && browser == 1 { // somebody else takes over
						name = fmt.Sprint("user", (user+7)%users)
						b.send("/login?login="+name, "")
					}
					do := app.names[rng.IntN(len(app.names))]
					got := b.send("/?do="+strings.ReplaceAll(do, " ", "+"), sealed)
					if got.Code != 200 { // the session has ended: by its own doing, or its other browser's
						b.send("/login?login="+name, "")
						continue
					}
					if s := got.Header().Get("X-Sealed"); s != "" {
						sealed = s
					}
					var a isolatedAnswer
					if err := json.Unmarshal(got.Body.Bytes(), &a); err != nil {
						t.Error(err)
					}
					if a.Was != name && a.Was != "" || a.Is != name && a.Is != "" {
						t.Errorf("%s is served as %q, %q", name, a.Was, a.Is)
					}
					for _, c := range a.Canaries {
						if c != "canary of "+a.Was+"." && c != "canary of "+a.Is+"." && c != "canary of ." {
							t.Errorf("%s sees the %s", name, c)
						}
					}
					mu.Lock()
					seen += len(a.Canaries)
					done[do]++
					mu.Unlock()
					if a.Is == "" {
						b.send("/login?login="+name, "")
					}
				}
			})
		}
	}
	all.Wait()
	if seen < 1000 || len(done) < len(app.ops)/2 {
		t.Errorf("%d canaries were seen, by %d of %d calls: that shows little", seen, len(done), len(app.ops))
	}
	t.Logf("%d canaries were seen by their own users", seen)
}

// isolatedBrowser keeps what it is told to.
type isolatedBrowser struct {
	h   http.Handler
	jar map[string]string
}

func (b *isolatedBrowser) send(path, sealed string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, nil)
	for name, value := range b.jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	r.Header.Set("X-Sealed", sealed)
	w := httptest.NewRecorder()
	b.h.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if b.jar == nil {
			b.jar = map[string]string{}
		}
		if b.jar[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.jar, c.Name)
		}
	}
	return w
}
