package middleware_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/ratelimit"
	"example.com/hardy/session"
	"example.com/hardy/session/lease"
	"example.com/hardy/store"
)

// floodSite is an application with the limits of docs/limits.md and docs/multi-user.md: by address and user, on sign-ins,
// on sessions, on workers and on what a log holds.
type floodSite struct {
	m       *session.Manager
	workers *lease.Pool[int]
	talk    session.Log[string]
	url     string
}

func newFloodSite(t *testing.T) *floodSite {
	site := &floodSite{
		m:       session.NewManager(store.NewMemory(nil), &session.Options{Logger: slog.New(slog.DiscardHandler), MaxPerUser: 5, StoreTimeout: time.Minute}),
		workers: lease.NewPool(lease.PoolOptions[int]{Make: func(context.Context) (int, error) { return 0, nil }, Timeout: time.Minute}),
		talk:    session.NewLog[string]("talk", nil),
	}
	running, stop := context.WithCancel(context.Background())
	var runs sync.WaitGroup
	runs.Go(func() { site.m.Run(running) })
	runs.Go(func() { site.workers.Run(running) })
	t.Cleanup(func() { stop(); runs.Wait() })

	limiter := func(name string, limit ratelimit.Limit, burst int, by ratelimit.By) *ratelimit.Limiter {
		return ratelimit.MustNew(nil, ratelimit.Policy{Name: name, Limit: limit, Burst: burst, By: by, Optional: by == ratelimit.ByUser})
	}
	signIns := limiter("sign-ins", ratelimit.Per(10, time.Second), 20, ratelimit.ByAddr)
	mux := http.NewServeMux()
	mux.Handle("POST /login", middleware.RateLimit(signIns, middleware.ByIP, nil)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session.From(r.Context()).Login(r.FormValue("user"))
	})))
	mux.HandleFunc("POST /work", site.work)
	keys := cookie.DevKeys("bell")
	server := httptest.NewServer(middleware.Chain(mux,
		middleware.RateLimit(limiter("address", ratelimit.Per(200, time.Second), 400, ratelimit.ByAddr), middleware.ByIP, nil),
		middleware.Sessions(site.m, keys, &middleware.Options{AllowDevKeys: true, Aware: []string{"POST /login"}}),
		middleware.RateLimit(limiter("user", ratelimit.Per(100, time.Second), 200, ratelimit.ByUser), middleware.ByUser, nil)))
	t.Cleanup(server.Close)
	site.url = server.URL
	return site
}

// work takes a worker for as long as the client wants, and remembers what was said.
func (site *floodSite) work(w http.ResponseWriter, r *http.Request) {
	s := session.From(r.Context())
	l, err := site.workers.Acquire(r.Context(), s)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer l.Release()
	text, _ := io.ReadAll(r.Body)
	if err := site.talk.Append(r.Context(), s, string(text)); errors.Is(err, session.ErrTooLarge) {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	} else if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	takes, _ := time.ParseDuration(r.FormValue("takes"))
	select {
	case <-time.After(takes):
	case <-s.Context().Done(): // the worker is gone
	}
}

// floodClient is a browser at an address of its own.
type floodClient struct {
	http   http.Client
	url    string
	cookie string
}

func (site *floodSite) at(ip string) *floodClient {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	return &floodClient{url: site.url, http: http.Client{Transport: &http.Transport{DialContext: dialer.DialContext}}}
}

func (c *floodClient) post(path, body string) (status int, err error) {
	r, err := http.NewRequest("POST", c.url+path, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	if c.cookie != "" && !strings.HasPrefix(path, "/login") {
		r.Header.Set("Cookie", c.cookie)
	}
	got, err := c.http.Do(r)
	if err != nil {
		return 0, err
	}
	defer got.Body.Close()
	io.Copy(io.Discard, got.Body)
	if set, _, _ := strings.Cut(got.Header.Get("Set-Cookie"), ";"); set != "" {
		c.cookie = set
	}
	return got.StatusCode, nil
}

// Agent guide, 1: one user exhausts nothing for others. Eve floods requests, workers, log and sign-ins from 16
// connections, and meets each limit; ann, who works at her own pace, meets none. What it does to the time that ann's
// requests take is measured in bench: go run . -multiuser.
func TestAgentGuideOneUserFloods(t *testing.T) {
	if l, err := net.Listen("tcp", "127.0.0.2:0"); err != nil {
		t.Skip("SKIPPED: this machine has one loopback address only, and the limit by address would be ann's too: ", err)
	} else {
		l.Close()
	}
	site := newFloodSite(t)
	ann := site.at("127.0.0.1")
	if status, err := ann.post("/login?user=ann", ""); status != http.StatusOK {
		t.Fatal(status, err)
	}

	var met [600]atomic.Int64 // eve's answers, by status
	flood, calm := context.WithCancel(t.Context())
	var eves sync.WaitGroup
	for range 16 {
		eves.Go(func() {
			eve := site.at("127.0.0.2")
			for n := 0; flood.Err() == nil; n++ {
				path, body := "/work?takes=2ms", "a message of some length, as people write them"
				switch {
				case n%10 == 0:
					path, body = "/login?user=eve", "" // one more session
				case n%10 == 3:
					path = "/work?takes=200ms"
				case n%10 == 6:
					body = strings.Repeat("long ", 10_000)
				}
				status, err := eve.post(path, body)
				if err != nil {
					t.Error(err)
					return
				}
				met[status].Add(1)
			}
		})
	}
	flooded := func() bool {
		return met[http.StatusTooManyRequests].Load() >= 500 && met[http.StatusRequestEntityTooLarge].Load() > 0 && met[http.StatusOK].Load() > 0
	}
	const atLeast = 150
	deadline := time.Now().Add(time.Minute)
	held := 0
	for n := 0; n < atLeast || !flooded(); n++ {
		if status, err := ann.post("/work?takes=2ms", "ann's"); status != http.StatusOK {
			t.Errorf("ann's request %d: %d %v", n, status, err)
			break
		}
		eves := 0
		for _, w := range site.workers.Stats().Workers {
			if w.User == "eve" {
				eves++
			}
		}
		if held = max(held, eves); time.Now().After(deadline) {
			t.Error("the flood was none")
			break
		}
		time.Sleep(10 * time.Millisecond) // below what one user may
	}
	calm()
	eves.Wait()
	t.Logf("eve was served %d times, refused %d times, and held %d workers at the most; her long messages were refused %d times",
		met[http.StatusOK].Load(), met[http.StatusTooManyRequests].Load(), held, met[http.StatusRequestEntityTooLarge].Load())
	if held > 5 {
		t.Errorf("eve held %d of 10 workers", held)
	}
	for user, most := range map[string]int{"eve": 5, "ann": 1} {
		if list, err := site.m.List(t.Context(), user); err != nil || len(list) == 0 || len(list) > most {
			t.Errorf("%s has %d sessions, %v", user, len(list), err)
		}
	}
}
