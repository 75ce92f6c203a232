package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/internal/faultproxy"
	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
	"example.com/hardy/store"
	"example.com/hardy/store/pgstore"
	"example.com/hardy/store/redisstore"
	"example.com/hardy/store/sqlitestore"
	"example.com/hardy/store/storetest/linear"
	"github.com/anishathalye/porcupine"
)

// TestRequestsAreLinearizable sends whole requests of eight clients, all with one session, to three managers on one store
// while the network to it fails, or another program holds the lock of its file, and looks for an order that explains the answers: counts are exact, two values set
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
			e.Faults = append(e.Faults, servers.LockSQLite(t, path))
			return e
		}},
		{"redis", func(t *testing.T) linear.Engine {
			r := servers.SharedRedis(t)
			return networked(t, r.Addr, func(proxy string) (session.Store, func(), error) {
				s, err := redisstore.Open(t.Context(), fmt.Sprintf("redis://%s/%d", proxy, r.DB), nil)
				return s, func() { s.Close() }, err
			})
		}},
		{"postgres", func(t *testing.T) linear.Engine {
			p := servers.SharedPostgres(t)
			return networked(t, p.Addr, func(proxy string) (session.Store, func(), error) {
				s, err := pgstore.Open(t.Context(), p.URLAt(proxy), nil)
				return s, func() { s.Close() }, err
			})
		}},
	} {
		t.Run(c.name, func(t *testing.T) { requests(t, c.open(t)) })
	}
}

// networked returns three stores on one server, each behind a proxy of its own.
func networked(t *testing.T, server string, open func(proxy string) (session.Store, func(), error)) linear.Engine {
	var e linear.Engine
	var proxies []*faultproxy.Proxy
	for range 3 {
		p := faultproxy.Start(t, server)
		s, stop, err := open(p.Addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
		e.Stores, proxies = append(e.Stores, s), append(proxies, p)
	}
	e.Faults = faultproxy.Faults(proxies...)
	return e
}

func requests(t *testing.T, e linear.Engine) {
	most, limit := 50, time.Hour
	if soak {
		most, limit = 2000, 4*time.Minute
	}
	o := newOffice(t, e)
	began := time.Now()
	n, open := 0, 0
	for ; n < most && time.Since(began) < limit; n++ {
		seed := rand.Uint64()
		switch bad := o.history(seed); {
		case bad == undecided:
			t.Logf("NOT RUN: %s", bad)
			if open++; open > most/10 {
				t.Fatal("too many of them")
			}
		case bad != "":
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

// TestRequestsOnWeakStoresAreCaught is the proof that the search bites.
func TestRequestsOnWeakStoresAreCaught(t *testing.T) {
	for name, weaken := range map[string]func(session.Store) session.Store{
		"no version check": func(s session.Store) session.Store { return forced{s} },
		"a memory in each process": func(s session.Store) session.Store {
			return &stale{Store: s, held: make(map[string]session.Record)}
		},
		"ends that come later": func(s session.Store) session.Store { return late{s} },
	} {
		t.Run(name, func(t *testing.T) {
			m := store.NewMemory(nil)
			o := newOffice(t, linear.Engine{Stores: []session.Store{weaken(m), weaken(m), weaken(m)}})
			for n := 1; n <= 500; n++ {
				if o.history(rand.Uint64()) != "" {
					t.Logf("caught in history %d", n)
					return
				}
			}
			t.Error("not caught in 500 histories")
		})
	}
}

// forced replaces whatever version is there.
type forced struct{ session.Store }

func (f forced) Replace(ctx context.Context, r session.Record) error {
	for {
		err := f.Store.Replace(ctx, r)
		if !errors.Is(err, session.ErrConflict) {
			return err
		}
		last, err := f.Store.Load(ctx, r.ID)
		if err != nil {
			return err
		}
		r.Version = last.Version + 1
	}
}

// stale answers Load from memory now and then.
type stale struct {
	session.Store
	mu   sync.Mutex
	held map[string]session.Record
}

func (s *stale) Load(ctx context.Context, id string) (session.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.held[id]; ok && rand.IntN(3) == 0 {
		return r, nil
	}
	r, err := s.Store.Load(ctx, id)
	if err == nil {
		s.held[id] = r
	}
	return r, err
}

// late ends a record a moment after it said so.
type late struct{ session.Store }

func (l late) End(ctx context.Context, id string, e session.End) (session.Record, error) {
	r, err := l.Store.Load(ctx, id)
	if err == nil {
		time.AfterFunc(time.Millisecond, func() { l.Store.End(context.WithoutCancel(ctx), id, e) })
	}
	return r, err
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
	patience := time.Minute // without faults a busy machine is no reason for an answer that says nothing
	if len(e.Faults) > 0 {
		patience = 300 * time.Millisecond
	}
	for _, s := range e.Stores {
		m := session.NewManager(s, &session.Options{StoreTimeout: patience, Logger: slog.New(slog.DiscardHandler)})
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
				if d.out == unsure {
					time.Sleep(3 * time.Millisecond) // let the client of the store find out, too
				}
				for d.out == unsure && faulty.Load() {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	if len(o.engine.Faults) > 0 {
		rng := rand.New(rand.NewPCG(seed, clients))
		at := int64(0)
		for range 2 {
			at += rng.Int64N(clients * each / 2)
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
	late int // counts without an answer that have happened
}

// undecided: so many requests may have happened, or not, that no order was found in time, nor that there is none.
const undecided = "a history with too many answers that say nothing, which could not be judged"

// explain looks for an order of the requests and describes them where there is none.
//
// Requests without an answer make the search long, so two things are said beforehand that change no result. One that set a
// number which nobody read is left out: where it happened, it was overwritten unseen. And counts without an answer
// happen in the order in which they were sent, as nobody can tell one from the other.
func explain(all []did) string {
	slices.SortFunc(all, func(a, b did) int { return cmp.Compare(a.from, b.from) })
	read := make(map[int]bool)
	for _, d := range all {
		read[d.all.B], read[d.all.C] = true, true
	}
	late := 0
	var operations []porcupine.Operation
	for _, d := range all {
		if d.out == unsure {
			if n, _ := d.sets(); strings.HasPrefix(d.path, "/set") && !read[n] {
				continue
			}
			if strings.HasPrefix(d.path, "/add") {
				d.n = late
				late++
			}
		}
		operations = append(operations, porcupine.Operation{ClientId: d.client, Input: d.path, Output: d, Call: d.from, Return: d.to})
	}
	model := porcupine.Model{
		Init: func() any { return state{} },
		Step: func(s, _, output any) (bool, any) { return step(s.(state), output.(did)) },
	}
	result := porcupine.CheckOperationsTimeout(model, operations, 20*time.Second)
	switch result {
	case porcupine.Ok:
		return ""
	case porcupine.Unknown:
		return undecided
	}
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
	case d.path == "/add/a" && d.out == unsure:
		s.A++
		s.late++
		return d.n == s.late-1, s
	case d.path == "/add/a":
		s.A++
		return d.n == s.A, s
	case d.path == "/logout":
		s.gone = true
		return true, s
	}
	n, keys := d.sets()
	if strings.Contains(keys, "key=b") {
		s.B = n
	}
	if strings.Contains(keys, "key=c") {
		s.C = n
	}
	return true, s
}

// sets returns what a request to /set sets, and the keys.
func (d did) sets() (n int, keys string) {
	fmt.Sscanf(d.path, "/set/%d?%s", &n, &keys)
	return n, keys
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
		{"two counts without an answer, one happened", []did{{path: "/add/a", out: unsure, to: endless}, {path: "/add/a", out: unsure, from: 1, to: endless}, read(values{A: 1}, 2, 3)}, true},
		{"a number set without an answer, read", []did{{path: "/set/5?key=b", out: unsure, to: endless}, read(values{B: 5}, 1, 2)}, true},
		{"a number set without an answer comes back", []did{{path: "/set/5?key=b", out: unsure, to: endless}, read(values{B: 5}, 1, 2), {path: "/set/6?key=b", from: 3, to: 4}, read(values{B: 5}, 5, 6)}, false},
		{"an acknowledged number is lost", []did{{path: "/set/5?key=b", to: 1}, read(values{}, 2, 3)}, false},
		{"a 503 that happened twice", []did{{path: "/add/a", out: unsure, to: endless}, read(values{A: 2}, 1, 2)}, false},
	} {
		if got := explain(c.all); (got == "") != c.fine {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}
