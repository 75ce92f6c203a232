package cluster

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/session"
	"example.com/hardy/store"
	"example.com/hardy/store/sqlitestore"
	"example.com/hardy/store/storetest/linear"
	"github.com/anishathalye/porcupine"
)

// TestRequestsAreLinearizable sends whole requests of eight clients, all with one session, to three managers on one store
// while the network to it fails, and looks for an order that explains the answers: counts are exact, two values set
// together are seen together, and after a sign-out nothing is served. What was answered by 503 may have happened
// or not; nothing else is forgiven. HARDY_SOAK makes it 2,000 histories for each store, or as many as fit into four
// minutes.
func TestRequestsAreLinearizable(t *testing.T) {
	for _, c := range []struct {
		name string
		open func(t *testing.T) linear.Engine
	}{
		{"memory", func(*testing.T) linear.Engine {
			m := store.NewMemory(nil)
			return linear.Engine{Stores: []session.Store{m, m, m}}
		}},
		{"sqlite", func(t *testing.T) linear.Engine {
			var e linear.Engine
			path := filepath.Join(t.TempDir(), "sessions.db")
			for range 3 {
				s, err := sqlitestore.Open(t.Context(), path, nil)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { s.Close() })
				e.Stores = append(e.Stores, s)
			}
			return e
		}},
	} {
		t.Run(c.name, func(t *testing.T) { requests(t, c.open(t)) })
	}
}

func requests(t *testing.T, e linear.Engine) {
	most, limit := 50, time.Hour
	if os.Getenv("HARDY_SOAK") != "" {
		most, limit = 2000, 4*time.Minute
	}
	o := newOffice(t, e)
	began := time.Now()
	n := 0
	for ; n < most && time.Since(began) < limit; n++ {
		seed := rand.Uint64()
		if bad := o.history(seed); bad != "" {
			t.Fatalf("history %d (seed %d): %s", n+1, seed, bad)
		}
	}
	if n < most {
		t.Logf("NOT RUN: %d of %d histories did not fit into %v", most-n, most, limit)
	}
	t.Logf("%d histories of requests in %v: %d requests, %d faults, answers by status %v", n,
		time.Since(began).Round(time.Millisecond), o.requests, o.faults, o.statuses)
	if len(e.Faults) > 0 && o.faults == 0 {
		t.Error("no fault happened")
	}
}

// office is three servers on one engine.
type office struct {
	t       *testing.T
	engine  linear.Engine
	servers []string
	client  *http.Client

	mu       sync.Mutex
	requests int
	faults   int
	statuses map[int]int
}

func newOffice(t *testing.T, e linear.Engine) *office {
	o := &office{t: t, engine: e, client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}, statuses: make(map[int]int)}
	keys, err := cookie.NewKeys(t.Context(), master(cookie.NewMaster()), appName)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range e.Stores {
		m := session.NewManager(s, &session.Options{StoreTimeout: 300 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
		server := httptest.NewServer(desk(m, keys))
		t.Cleanup(server.Close)
		o.servers = append(o.servers, server.URL)
	}
	t.Cleanup(o.client.CloseIdleConnections)
	return o
}

// did is a request and its answer.
type did struct {
	path   string // "/": a read
	out    outcome
	n      int    // /add: what it answered
	all    values // "/": what it answered
	client int
	from   int64
	to     int64
}

const endless = int64(1) << 62

// history lets clients send what they like and returns what can't be explained.
func (o *office) history(seed uint64) string {
	first := &visitor{client: o.client}
	for { // the store may still feel the last history's faults
		a, err := first.send(o.servers[0], "POST", "/set/0?key=a&key=b&key=c")
		if err != nil {
			return err.Error()
		}
		if a.status == http.StatusOK {
			break
		}
		if out, err := a.outcome(); err != nil || out != unsure {
			return fmt.Sprintf("a first request: %d, %v", a.status, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	const clients, each = 8, 7
	var (
		begun  atomic.Int64
		faulty atomic.Bool
		mu     sync.Mutex
		all    []did
		bad    string
		wg     sync.WaitGroup
	)
	start := time.Now()
	for c := range clients {
		rng := rand.New(rand.NewPCG(seed, uint64(c)))
		v := &visitor{client: o.client, cookie: first.cookie}
		wg.Go(func() {
			for i := range each {
				begun.Add(1)
				d := o.one(v, o.servers[(c+i)%len(o.servers)], pick(rng, c*100+i+1), start)
				d.client = c
				mu.Lock()
				if d.bad != "" {
					bad = d.bad
				}
				if d.out != unsure || d.path != "/" {
					all = append(all, d.did)
				}
				mu.Unlock()
				for d.out == unsure && faulty.Load() {
					time.Sleep(2 * time.Millisecond)
				}
			}
		})
	}
	if len(o.engine.Faults) > 0 {
		rng := rand.New(rand.NewPCG(seed, clients))
		at := rng.Int64N(clients * each * 2 / 3)
		for begun.Load() < at {
			time.Sleep(100 * time.Microsecond)
		}
		heal := o.engine.Faults[rng.IntN(len(o.engine.Faults))]()
		faulty.Store(true)
		time.Sleep(time.Duration(rng.Int64N(int64(20 * time.Millisecond))))
		heal()
		faulty.Store(false)
		o.faults++
	}
	wg.Wait()
	if bad != "" {
		return bad
	}
	// What was acknowledged is there for each server, once all are well again.
	for c, server := range o.servers {
		for {
			d := o.one(first, server, "/", start)
			if d.bad != "" {
				return d.bad
			}
			if d.out != unsure {
				d.client = clients + c
				all = append(all, d.did)
				break
			}
			if time.Since(start) > time.Minute {
				return "a server does not recover within a minute"
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	return explain(all)
}

// pick chooses a request; n is a number that no other one sets.
func pick(rng *rand.Rand, n int) string {
	switch p := rng.IntN(100); {
	case p < 30:
		return "/"
	case p < 55:
		return "/add/a"
	case p < 70:
		return fmt.Sprintf("/set/%d?key=b", n)
	case p < 80:
		return fmt.Sprintf("/set/%d?key=c", n)
	case p < 99:
		return fmt.Sprintf("/set/%d?key=b&key=c", n)
	}
	return "/logout"
}

type judged struct {
	did
	bad string
}

func (o *office) one(v *visitor, server, path string, start time.Time) (d judged) {
	method := "POST"
	if path == "/" {
		method = "GET"
	}
	d.path = path
	had := v.cookie
	d.from = int64(time.Since(start))
	a, err := v.send(server, method, path)
	d.to = int64(time.Since(start))
	v.cookie = had
	o.mu.Lock()
	o.requests++
	o.statuses[a.status]++
	o.mu.Unlock()
	if err != nil {
		d.bad = fmt.Sprintf("%s %s: %v", method, path, err)
		return d
	}
	if d.out, err = a.outcome(); err != nil {
		d.bad = fmt.Sprintf("%s %s: %v", method, path, err)
		return d
	}
	if set := a.header.Get("Set-Cookie"); set != "" && path != "/logout" {
		d.bad = fmt.Sprintf("%s %s sets a cookie", method, path)
		return d
	}
	switch {
	case d.out == unsure:
		d.to = endless
	case d.out == served && path == "/":
		d.all, err = a.values()
	case d.out == served && strings.HasPrefix(path, "/add"):
		d.n, err = a.number()
	}
	if err != nil {
		d.bad = fmt.Sprintf("%s %s: %v in %.100q", method, path, err, a.body)
	}
	return d
}

// state is the session that all requests came with.
type state struct {
	values
	gone bool
}

// explain looks for an order of the requests and describes them where there is none.
func explain(all []did) string {
	operations := make([]porcupine.Operation, 0, len(all))
	for _, d := range all {
		operations = append(operations, porcupine.Operation{ClientId: d.client, Input: d.path, Output: d, Call: d.from, Return: d.to})
	}
	model := porcupine.Model{
		Init: func() any { return state{} },
		Step: func(s, _, output any) (bool, any) { return step(s.(state), output.(did)) },
	}
	result := porcupine.CheckOperationsTimeout(model, operations, time.Minute)
	if result == porcupine.Ok {
		return ""
	}
	slices.SortFunc(all, func(a, b did) int { return int(a.from - b.from) })
	var b strings.Builder
	fmt.Fprintf(&b, "%v:\n", result)
	for _, d := range all {
		fmt.Fprintf(&b, "client %d %10v to %10v  %-20s %v: %d %+v\n", d.client, time.Duration(d.from), time.Duration(d.to), d.path, d.out, d.n, d.all)
	}
	return b.String()
}

// step is what requests do to a session.
func step(s state, d did) (bool, any) {
	if d.out == ended {
		return s.gone, s
	}
	if s.gone { // a sign-out that began before the end of another one is content with it
		return d.out == unsure || d.path == "/logout", s
	}
	switch {
	case d.path == "/":
		return d.all == s.values, s
	case d.path == "/add/a":
		s.A++
		return d.out == unsure || d.n == s.A, s
	case d.path == "/logout":
		s.gone = true
		return true, s
	}
	var n int
	var keys string
	fmt.Sscanf(d.path, "/set/%d?%s", &n, &keys)
	if strings.Contains(keys, "key=b") {
		s.B = n
	}
	if strings.Contains(keys, "key=c") {
		s.C = n
	}
	return true, s
}

// TestExplainFindsLies: answers that no order explains are found.
func TestExplainFindsLies(t *testing.T) {
	add := func(n int, from, to int64) did { return did{path: "/add/a", n: n, from: from, to: to} }
	read := func(v values, from, to int64) did { return did{path: "/", all: v, from: from, to: to} }
	for _, c := range []struct {
		name string
		all  []did
		fine bool
	}{
		{"counts one after the other", []did{add(1, 0, 1), add(2, 2, 3), read(values{A: 2}, 4, 5)}, true},
		{"a count twice", []did{add(1, 0, 5), add(1, 1, 6)}, false},
		{"a read of the past", []did{add(1, 0, 1), read(values{}, 2, 3)}, false},
		{"half of a pair", []did{{path: "/set/7?key=b&key=c", to: 9}, read(values{B: 7}, 1, 2)}, false},
		{"a pair", []did{{path: "/set/7?key=b&key=c", to: 9}, read(values{B: 7, C: 7}, 1, 2)}, true},
		{"served after the end", []did{{path: "/logout", to: 1}, read(values{}, 2, 3)}, false},
		{"refused before the end", []did{{path: "/", out: ended, to: 1}, {path: "/logout", from: 2, to: 3}}, false},
		{"a 503 that happened late", []did{{path: "/add/a", out: unsure, to: endless}, read(values{}, 1, 2), read(values{A: 1}, 3, 4)}, true},
		{"a 503 that never happened", []did{{path: "/add/a", out: unsure, to: endless}, read(values{}, 1, 2)}, true},
		{"a 503 that happened twice", []did{{path: "/add/a", out: unsure, to: endless}, read(values{A: 2}, 1, 2)}, false},
	} {
		if got := explain(c.all); (got == "") != c.fine {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}
