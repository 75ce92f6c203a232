package middleware_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
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
	"example.com/hardy/store"
)

// TestInterleavings sends two to four requests that begin with one session, over HTTP, and lets their store
// calls happen in a random order, one at a time: at each step the test picks which of the waiting calls
// goes on. Afterwards it asks what every token that was ever handed out opens, and checks that
//
//   - no end is undone: after an acknowledged logout, reset or revocation, or after the idle timeout, nothing
//     that the session held is to be seen under any token, and no old token opens anything;
//   - no acknowledged write is lost, but to such an end;
//   - no request ends or overwrites a session that it was not sent with;
//   - no answer sets or clears the cookie but those that gave cause, and none is a 5xx.
func TestInterleavings(t *testing.T) {
	rounds := 100_000
	if raceDetector {
		rounds = 4_000
	}
	if testing.Short() {
		rounds = 2_000
	}
	const batch = 500
	seen := map[string]int{}
	for first := 0; first < rounds && !t.Failed(); first += batch {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			for round := first; round < first+batch && !t.Failed(); round++ {
				w.round(uint64(round), seen)
			}
		})
	}
	for _, kind := range slices.Sorted(maps.Keys(seen)) {
		t.Logf("%6d × %s", seen[kind], kind)
	}
	for _, must := range []string{"write 200", "write 401", "write 409", "update 200", "update 401", "login 200", "logout 200", "renew 200", "revoke 200", "page 200", "reset 200", "idle"} {
		if seen[must] < 10 {
			t.Errorf("%q happened %d times only: the test does not reach what it is for", must, seen[must])
		}
	}
}

// world is a server whose store calls wait until the test lets them go on.
type world struct {
	t       *testing.T
	server  *sessiontest.Server
	client  *http.Client
	manager *session.Manager

	mu      sync.Mutex
	holding bool
	parked  []chan struct{}
}

func newWorld(t *testing.T) *world {
	w := &world{t: t}
	faults := sessiontest.NewFaults(store.NewMemory(nil))
	faults.Add(sessiontest.Fault{Before: func(sessiontest.Call) { w.wait() }})
	w.manager = session.NewManager(faults, &session.Options{Logger: slog.New(slog.DiscardHandler)})
	value := session.NewKey[string]
	counter := session.NewKey[int]("counter")
	fail := func(w http.ResponseWriter, err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusTeapot)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /write", func(w http.ResponseWriter, r *http.Request) {
		value(r.FormValue("key")).Set(session.From(r.Context()), r.FormValue("key"))
	})
	mux.HandleFunc("POST /update", func(w http.ResponseWriter, r *http.Request) {
		counter.Update(r.Context(), session.From(r.Context()), func(n int) int { return n + 1 })
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		fail(w, s.Login("ann"))
		fail(w, value(r.FormValue("key")).Set(s, r.FormValue("key")))
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) { fail(w, session.From(r.Context()).Logout()) })
	mux.HandleFunc("POST /renew", func(w http.ResponseWriter, r *http.Request) { session.From(r.Context()).Renew() })
	mux.HandleFunc("POST /reset", func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		fail(w, s.Reset())
		fail(w, value(r.FormValue("key")).Set(s, r.FormValue("key")))
	})
	mux.HandleFunc("GET /page", func(w http.ResponseWriter, r *http.Request) {
		value(r.FormValue("key")).Set(session.From(r.Context()), r.FormValue("key"))
	})
	mux.HandleFunc("GET /probe", func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		view := probe{Old: s.Err() == session.ErrRotated, User: s.User(), Keys: s.Keys(), Counter: counter.Get(s)}
		json.NewEncoder(w).Encode(view)
	})
	mux.HandleFunc("POST /begin", func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		if r.FormValue("user") != "" {
			fail(w, s.Login(r.FormValue("user")))
		}
		fail(w, value("canary").Set(s, "canary"))
	})
	slow := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.wait() // the handler takes its time, too
		mux.ServeHTTP(rw, r)
	})
	w.server = sessiontest.NewServer(t, middleware.Sessions(w.manager, cookie.DevKeys("race"), &middleware.Options{
		Aware: []string{"POST /login", "POST /logout", "POST /reset"}, InsecureHTTP: true,
	})(slow))
	w.server.URL = strings.Replace(w.server.URL, "https:", "http:", 1)
	w.client = w.server.Browser()
	w.client.Jar = nil
	return w
}

type probe struct {
	Status  int
	Old     bool
	User    string
	Keys    []string
	Counter int
}

func (p probe) live() bool { return p.Status == 200 && !p.Old }

func (w *world) wait() {
	w.mu.Lock()
	if !w.holding {
		w.mu.Unlock()
		return
	}
	turn := make(chan struct{})
	w.parked = append(w.parked, turn)
	w.mu.Unlock()
	<-turn
}

func (w *world) hold(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.holding = on
}

// step lets one of the waiting calls go on and says whether there was one.
func (w *world) step(rng *rand.Rand) bool {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.parked) == 0 {
		return false
	}
	i := rng.IntN(len(w.parked))
	turn := w.parked[i]
	w.parked = slices.Delete(w.parked, i, i+1)
	close(turn)
	return true
}

// act is one request, or the operator's revocation, and its answer.
type act struct {
	kind   string
	key    string // what it writes
	status int
	set    string // the cookie that the answer set
	clear  bool
}

func (w *world) send(a *act, token string) {
	method, path := http.MethodPost, "/"+a.kind
	if a.kind == "page" || a.kind == "probe" {
		method = http.MethodGet
	}
	r, _ := http.NewRequest(method, w.server.URL+path+"?key="+a.key, nil)
	if token != "" {
		r.Header.Set("Cookie", "race-session="+token)
	}
	r.Header.Set("Sec-Fetch-Mode", map[bool]string{true: "navigate", false: "cors"}[a.kind == "page"])
	answer, err := w.client.Do(r)
	if err != nil {
		w.t.Errorf("%s: %v", a.kind, err)
		return
	}
	io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	a.status = answer.StatusCode
	for _, c := range answer.Cookies() {
		a.set, a.clear = c.Value, c.MaxAge < 0
	}
}

func (w *world) probe(token string) (p probe) {
	r, _ := http.NewRequest(http.MethodGet, w.server.URL+"/probe", nil)
	r.Header.Set("Cookie", "race-session="+token)
	r.Header.Set("Sec-Fetch-Mode", "cors")
	answer, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	json.NewDecoder(answer.Body).Decode(&p)
	io.Copy(io.Discard, answer.Body)
	p.Status = answer.StatusCode
	return p
}

func (w *world) round(seed uint64, seen map[string]int) {
	rng := rand.New(rand.NewPCG(seed, 0))
	user := []string{"", "ann"}[rng.IntN(2)]
	w.manager.RevokeUser(context.Background(), "ann") // of the round before
	w.hold(false)
	r, _ := http.NewRequest(http.MethodPost, w.server.URL+"/begin?user="+user, nil)
	begun, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	io.Copy(io.Discard, begun.Body)
	begun.Body.Close()
	token := begun.Cookies()[0].Value
	var handle string
	if user != "" {
		list, _ := w.manager.List(context.Background(), user)
		handle = list[0].Handle
	}
	if rng.IntN(2) == 0 {
		time.Sleep(2 * time.Minute) // a Touch is due
	}

	kinds := []string{"write", "write", "update", "update", "login", "logout", "renew", "page", "reset"}
	if user != "" {
		kinds = append(kinds, "revoke")
	}
	acts := make([]*act, 2+rng.IntN(3))
	for i := range acts {
		acts[i] = &act{kind: kinds[rng.IntN(len(kinds))], key: "k" + strconv.Itoa(i)}
	}
	idleAt := -1
	if rng.IntN(5) == 0 {
		idleAt = rng.IntN(8)
	}

	w.hold(true)
	var all sync.WaitGroup
	for _, a := range acts {
		all.Go(func() {
			if a.kind != "revoke" {
				w.send(a, token)
				return
			}
			var err error
			if rng := rand.New(rand.NewPCG(seed, 1)); rng.IntN(2) == 0 {
				err = w.manager.Revoke(context.Background(), user, handle)
			} else {
				_, err = w.manager.RevokeUser(context.Background(), user)
			}
			if a.status = 200; err != nil {
				a.status = 404
			}
		})
	}
	idled, done := false, make(chan struct{})
	go func() { all.Wait(); close(done) }()
	for step := 0; ; step++ {
		if !w.step(rng) {
			select {
			case <-done:
			case <-time.After(time.Millisecond): // somebody gives way
				continue
			}
			break
		}
		if step == idleAt {
			synctest.Wait()
			time.Sleep(32 * time.Minute)
			seen["idle"]++
			idled = true
		}
	}
	w.hold(false)
	w.judge(seed, user, token, acts, idled, seen)
}

func (w *world) judge(seed uint64, user, token string, acts []*act, idled bool, seen map[string]int) {
	var story []string
	tokens := []string{token}
	ended, logins, renews := idled, 0, 0
	for _, a := range acts {
		seen[fmt.Sprintf("%s %d", a.kind, a.status)]++
		story = append(story, fmt.Sprintf("%s(%s) %d set=%v clear=%v", a.kind, a.key, a.status, a.set != "", a.clear))
		if a.set != "" {
			tokens = append(tokens, a.set)
		}
		switch a.kind {
		case "logout", "reset", "revoke":
			ended = ended || a.status == 200
		case "login":
			logins++
		case "renew":
			renews++
		}
	}
	wrong := func(format string, args ...any) {
		w.t.Helper()
		w.t.Errorf("round %d, user %q, idled %v: %s\n\t%s", seed, user, idled, fmt.Sprintf(format, args...), strings.Join(story, "\n\t"))
	}

	probes := map[string]probe{}
	var live []probe
	for _, t := range tokens {
		p := w.probe(t)
		probes[t] = p
		if p.live() {
			live = append(live, p)
		}
	}
	for _, a := range acts {
		switch {
		case a.status == 503 && idled: // half an hour passed in the middle of a store call
		case a.status >= 500 || a.status == http.StatusTeapot:
			wrong("%s answered %d", a.kind, a.status)
		case (a.kind == "write" || a.kind == "update") && (a.set != "" || a.clear):
			wrong("%s wrote the cookie", a.kind)
		case a.status != 200 && (a.set != "" || a.clear):
			wrong("a refused %s wrote the cookie", a.kind)
		case (a.kind == "login" || a.kind == "logout" || a.kind == "reset") && a.status != 200:
			wrong("%s answered %d", a.kind, a.status)
		}
	}
	if ended {
		if probes[token].Status != http.StatusUnauthorized {
			wrong("the first token opens something after the end: %+v", probes[token])
		}
		// A Login beside a Renew of an anonymous session keeps what both held, and a logout that comes with
		// the token before both can follow the Renew only: nobody was signed in under it.
		beside := user == "" && logins > 0 && renews > 0
		for _, p := range live {
			if slices.Contains(p.Keys, "canary") && !(beside && p.User == "ann") {
				wrong("what the session held is to be seen after its end: %+v", p)
			}
		}
	} else {
		holds := func(key string) bool {
			return slices.ContainsFunc(live, func(p probe) bool { return slices.Contains(p.Keys, key) })
		}
		if !holds("canary") {
			wrong("the first value is gone: %+v", live)
		}
		for _, a := range acts {
			if a.status == 200 && a.kind != "update" && a.kind != "renew" && !holds(a.key) {
				wrong("the acknowledged write of %s is lost: %+v", a.key, live)
			}
		}
		// A Login that meets a rotation keeps its own session beside the other: so a double click
		// signs in whichever answer the browser takes.
		if logins == 0 || logins == 1 && renews == 0 {
			want := 0
			for _, a := range acts {
				if a.kind == "update" && a.status == 200 {
					want++
				}
			}
			if got := slices.MaxFunc(live, func(a, b probe) int { return a.Counter - b.Counter }); got.Counter != want {
				wrong("counted %d of %d acknowledged updates: %+v", got.Counter, want, live)
			}
			if len(live) != 1 {
				wrong("%d live sessions: %+v", len(live), live)
			}
		} else if len(live) > logins+min(renews, 1) {
			wrong("%d live sessions after %d logins: %+v", len(live), logins, live)
		}
	}
	// A session that began anew is nobody else's.
	for _, a := range acts {
		fresh := a.status == 200 && a.set != "" && (a.kind == "reset" || a.kind == "page")
		if p := probes[a.set]; fresh && !idled && (!p.live() || !slices.Equal(p.Keys, []string{a.key}) || p.User != "") {
			wrong("the session that %s(%s) began was changed by a request that did not carry it: %+v", a.kind, a.key, p)
		}
	}
}
