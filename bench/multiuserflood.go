package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.com/hardy/middleware"
	"example.com/hardy/ratelimit"
	"example.com/hardy/session"
	"example.com/hardy/session/lease"
	"example.com/hardy/store"
)

// What one user who floods an application costs another one: three processes, as they are in the field. The server has the
// protections of docs/limits.md and docs/multi-user.md. Ann, measured in this process, is one person: a request each 5 ms,
// one at a time. Eve floods from a process of her own and another address, at the lowest priority, because what her
// own machine has to compute would not be computed by the server.
//
// Nothing that refuses costs nothing: net/http reads each request before anybody can refuse it. So the same flood comes a
// second time against a handler outside of Hardy, that answers 429 at once: what that does to Ann is the price of two
// cores, and the rest is Hardy's.

const (
	floodName    = "one user floods"
	floodClients = 16
	floodRounds  = 6
	floodPace    = 5 * time.Millisecond // of Ann's requests
	floodWork    = 2 * time.Millisecond // what a worker takes
	floodRate    = 2000                 // Eve's requests a second where she is paced: ten times what one user may
	mostOfFlood  = 2.0
)

const (
	quietly      = "Ann alone"
	pacedFlood   = "2,000 requests/s"
	pacedControl = "2,000 requests/s, refused outside of Hardy"
	fullFlood    = "as fast as she can"
	fullControl  = "as fast as she can, refused outside of Hardy"
)

// playPart is main of the other two processes: the server, or Eve. They end with their standard input.
func playPart(part string) {
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	name, arg, _ := strings.Cut(part, " ")
	switch name {
	case "server":
		serveFlood(ended)
	case "eve":
		flood(arg, ended)
	default:
		fmt.Fprintf(os.Stderr, "bench: no part %q\n", part)
		os.Exit(1)
	}
}

// floodTold is what the server tells at its end.
type floodTold struct {
	EvesSessions, AnnsSessions int
	EvesLog                    int // the most entries that she was ever shown
	Held                       int // the most workers that Eve held at once
	// Of all of Ann's requests, p99: Hardy's two calls, and a sleep of floodWork, which is the runtime's.
	Acquire, Append, Sleep time.Duration
}

// floodApp is an application for agents, with its limits.
type floodApp struct {
	told    floodTold
	mu      sync.Mutex
	m       *session.Manager
	workers *lease.Pool[int]
	talk    session.Log[string]

	acquire, append, sleep calls // of Ann's
}

func newFloodApp() (*floodApp, http.Handler) {
	a := &floodApp{
		m:       session.NewManager(store.NewMemory(nil), &session.Options{MaxPerUser: 5, Logger: silent}),
		workers: lease.NewPool(lease.PoolOptions[int]{Make: func(context.Context) (int, error) { return 0, nil }}),
		talk:    session.NewLog[string]("talk", nil),
	}
	mux := http.NewServeMux()
	signIns := ratelimit.MustNew(nil, ratelimit.Policy{Name: "sign-in", Limit: ratelimit.Per(20, time.Second), Burst: 20})
	mux.Handle("POST /login", middleware.RateLimit(signIns, middleware.ByIP, nil)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		must(session.From(r.Context()).Login(r.FormValue("user")))
	})))
	mux.HandleFunc("POST /work", func(w http.ResponseWriter, r *http.Request) {
		a.work(w, r, "A message of some length, as people write them.", floodWork)
	})
	mux.HandleFunc("POST /hold", func(w http.ResponseWriter, r *http.Request) {
		a.work(w, r, strings.Repeat("long ", 2000), 50*floodWork)
	})
	keys := newKeys()
	perAddress := ratelimit.MustNew(nil, ratelimit.Policy{Name: "address", Limit: ratelimit.Per(400, time.Second), Burst: 800})
	perUser := ratelimit.MustNew(nil, ratelimit.Policy{Name: "user", Limit: ratelimit.Per(200, time.Second), Burst: 400, By: ratelimit.ByUser, Optional: true})
	app := middleware.Chain(mux,
		middleware.RateLimit(perAddress, middleware.ByIP, nil),
		middleware.Sessions(a.m, keys, &middleware.Options{Aware: []string{"POST /login"}}),
		middleware.RateLimit(perUser, middleware.ByUser, nil))
	all := http.NewServeMux()
	all.Handle("/", app)
	all.HandleFunc("/bare/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusTooManyRequests)
		io.WriteString(w, `{"type":"hardy/1/too-many-requests","title":"Too many requests","status":429}`)
	})
	return a, all
}

// work is a request to a worker: it takes one, keeps it busy, and remembers what was said.
func (a *floodApp) work(w http.ResponseWriter, r *http.Request, text string, takes time.Duration) {
	s := session.From(r.Context())
	user := s.User()
	if user == "" {
		http.Error(w, "sign in", http.StatusForbidden)
		return
	}
	began := time.Now()
	l, err := a.workers.Acquire(r.Context(), s)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer l.Release()
	acquired := time.Now()
	if user == "eve" {
		a.note(a.talk.Len(s))
	}
	if err := a.talk.Append(r.Context(), s, text); err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	appended := time.Now()
	time.Sleep(takes)
	if user == "ann" {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.acquire = append(a.acquire, acquired.Sub(began))
		a.append = append(a.append, appended.Sub(acquired))
		a.sleep = append(a.sleep, time.Since(appended))
	}
}

// note keeps the most that Eve ever had.
func (a *floodApp) note(entries int) {
	held := 0
	for _, w := range a.workers.Stats().Workers {
		if w.User == "eve" {
			held++
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.told.Held, a.told.EvesLog = max(a.told.Held, held), max(a.told.EvesLog, entries)
}

// serveFlood prints where the server listens, and at the end what has become of the sessions.
func serveFlood(ended <-chan struct{}) {
	ballast := make([]byte, 64<<20) // as in the rows: see the package comment
	defer runtime.KeepAlive(ballast)
	a, h := newFloodApp()
	ctx, cancel := context.WithCancel(context.Background())
	go a.m.Run(ctx)
	go a.workers.Run(ctx)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	server := &http.Server{Handler: h}
	go server.Serve(listener)
	fmt.Println(listener.Addr())
	<-ended
	for user, n := range map[string]*int{"eve": &a.told.EvesSessions, "ann": &a.told.AnnsSessions} {
		list, err := a.m.List(ctx, user)
		must(err)
		*n = len(list)
	}
	for of, p99 := range map[*calls]*time.Duration{&a.acquire: &a.told.Acquire, &a.append: &a.told.Append, &a.sleep: &a.told.Sleep} {
		slices.Sort(*of)
		*p99 = of.at(0.99)
	}
	must(json.NewEncoder(os.Stdout).Encode(a.told))
	server.Close()
	cancel()
}

// from is a client whose address is ip.
func from(ip string) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	return &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: floodClients, MaxConnsPerHost: 4 * floodClients}}
}

// post sends one request with a cookie, and returns the one that came with the answer.
func post(c *http.Client, url, with string) (status int, set string, err error) {
	r, err := http.NewRequest("POST", url, nil)
	if err != nil {
		return 0, "", err
	}
	if with != "" {
		r.Header.Set("Cookie", with)
	}
	resp, err := c.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	set, _, _ = strings.Cut(resp.Header.Get("Set-Cookie"), ";")
	return resp.StatusCode, set, nil
}

const (
	annsAddress = "127.0.0.1"
	evesAddress = "127.0.0.2"
)

// floodDone is what Eve tells at her end.
type floodDone struct{ Served, Refused, Failed int64 }

// flood is Eve: sign-ins, work, and work that is long and says much, through 16 connections. plan is "url per-second", 0
// for no pause.
func flood(plan string, ended <-chan struct{}) {
	var url string
	var rate float64
	if _, err := fmt.Sscan(plan, &url, &rate); err != nil {
		panic(err)
	}
	client := from(evesAddress)
	ctx, cancel := context.WithCancel(context.Background())
	var done floodDone
	var all sync.WaitGroup
	for range floodClients {
		all.Go(func() {
			cookie := ""
			for n := 0; ctx.Err() == nil; n++ {
				var status int
				var set string
				var err error
				switch {
				case n%10 == 0:
					status, set, err = post(client, url+"/login?user=eve", "")
				case n%10 == 5:
					status, _, err = post(client, url+"/hold", cookie)
				default:
					status, _, err = post(client, url+"/work", cookie)
				}
				if set != "" {
					cookie = set
				}
				switch {
				case err != nil:
					atomic.AddInt64(&done.Failed, 1)
				case status == http.StatusOK:
					atomic.AddInt64(&done.Served, 1)
				default:
					atomic.AddInt64(&done.Refused, 1)
				}
				if rate > 0 {
					time.Sleep(time.Duration(floodClients / rate * float64(time.Second)))
				}
			}
		})
	}
	fmt.Println("floods")
	<-ended
	cancel()
	all.Wait()
	must(json.NewEncoder(os.Stdout).Encode(done))
}

// process is one of the other two.
type process struct {
	cmd *exec.Cmd
	in  io.Closer
	out *bufio.Reader
}

// start starts this program in another part, and returns what it says first.
func start(part string, last bool) (*process, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	args := []string{self, "-part", part}
	if last {
		args = append([]string{"nice", "-n", "19"}, args...)
	}
	p := &process{cmd: exec.Command(args[0], args[1:]...)}
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, "", err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, "", err
	}
	p.in, p.out = in, bufio.NewReader(out)
	first, err := p.out.ReadString('\n')
	return p, strings.TrimSpace(first), err
}

// end ends it, and reads what it tells.
func (p *process) end(told any) error {
	p.in.Close()
	return errors.Join(json.NewDecoder(p.out).Decode(told), p.cmd.Wait())
}

// ann is the user who must not notice.
type ann struct {
	client *http.Client
	url    string
	cookie string
}

// slice sends n requests and returns how long each took, sorted. A refusal is an error: then no figure counts.
func (a *ann) slice(n int) (calls, error) {
	took := make(calls, n)
	next := time.Now()
	for i := range took {
		time.Sleep(time.Until(next))
		next = time.Now().Add(floodPace)
		began := time.Now()
		status, _, err := post(a.client, a.url+"/work", a.cookie)
		if err != nil || status != http.StatusOK {
			return nil, fmt.Errorf("request %d of Ann's was answered %d %v", i, status, err)
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return took, nil
}

// measureFlood lets Ann work alone and beside each kind of flood, by turns.
func measureFlood(c *config) (s sheet, verdicts []verdict, err error) {
	if runtime.GOOS != "linux" {
		return s, nil, fmt.Errorf("%w: %s has no address but 127.0.0.1 to flood from", errSkip, runtime.GOOS)
	}
	server, addr, err := start("server", false)
	if err != nil {
		return s, nil, err
	}
	defer server.cmd.Process.Kill()
	a := &ann{client: from(annsAddress), url: "http://" + addr}
	var status int
	if status, a.cookie, err = post(a.client, a.url+"/login?user=ann", ""); err != nil || a.cookie == "" {
		return s, nil, fmt.Errorf("sign-in of Ann: %d %v", status, err)
	}
	type weather struct {
		name, path string
		rate       int
		p50, p99   []float64 // ms, of each round
		ratios     []float64 // p99 beside that of the round's quiet slice
		done       floodDone
		span       time.Duration
	}
	kinds := []*weather{
		{name: quietly}, {name: pacedFlood, rate: floodRate}, {name: pacedControl, path: "/bare", rate: floodRate},
		{name: fullFlood}, {name: fullControl, path: "/bare"},
	}
	rounds := min(c.rounds, floodRounds)
	n := 40 * rounds
	if _, err := a.slice(n); err != nil {
		return s, nil, err
	}
	for range rounds {
		for i, k := range kinds {
			var eve *process
			if i > 0 {
				if eve, _, err = start(fmt.Sprintf("eve %s%s %d", a.url, k.path, k.rate), true); err != nil {
					return s, nil, err
				}
				time.Sleep(300 * time.Millisecond) // what she may at first is used up
			}
			began := time.Now()
			took, err := a.slice(n)
			if eve != nil {
				var done floodDone
				if gone := eve.end(&done); err == nil {
					err = gone
				}
				k.span += time.Since(began) + 300*time.Millisecond
				k.done.Served, k.done.Refused, k.done.Failed = k.done.Served+done.Served, k.done.Refused+done.Refused, k.done.Failed+done.Failed
			}
			if err != nil {
				return s, nil, fmt.Errorf("%s: %w", k.name, err)
			}
			k.p50, k.p99 = append(k.p50, took.at(0.5).Seconds()*1e3), append(k.p99, took.at(0.99).Seconds()*1e3)
			k.ratios = append(k.ratios, k.p99[len(k.p99)-1]/kinds[0].p99[len(k.p99)-1])
		}
	}
	var told floodTold
	if err := server.end(&told); err != nil {
		return s, nil, err
	}
	s.head = []string{fmt.Sprintf("%s; Ann's %d requests in each of %d rounds", floodName, n, rounds), "Ann refused", "p50 ms", "p99 ms (low–high)", "p99 beside alone", "Eve, requests/s", "served", "refused"}
	for _, k := range kinds {
		line := []string{k.name, "0", fmt.Sprintf("%.2f", median(k.p50)), fmt.Sprintf("%.2f (%.2f–%.2f)", median(k.p99), slices.Min(k.p99), slices.Max(k.p99)),
			fmt.Sprintf("%.2f ×", median(k.ratios)), "", "", ""}
		if k.span > 0 {
			line[5] = fmt.Sprintf("%.0f", float64(k.done.Served+k.done.Refused+k.done.Failed)/k.span.Seconds())
			line[6], line[7] = fmt.Sprint(k.done.Served), fmt.Sprint(k.done.Refused)
			if k.path == "" && k.done.Refused == 0 {
				return s, nil, fmt.Errorf("%s: nobody was refused", k.name)
			}
		}
		s.lines = append(s.lines, line)
	}
	s.lines = append(s.lines, []string{fmt.Sprintf("at the end: Eve has %d sessions, Ann %d; the most that Eve held of %d workers was %d; the most in her log %d",
		told.EvesSessions, told.AnnsSessions, lease.DefaultMax, told.Held, told.EvesLog), "", "", "", "", "", "", ""})
	s.lines = append(s.lines, []string{fmt.Sprintf("of all of Ann's requests, in the server, p99: Pool.Acquire %.2f ms, Log.Append %.2f ms, a sleep of %v %.2f ms",
		told.Acquire.Seconds()*1e3, told.Append.Seconds()*1e3, floodWork, told.Sleep.Seconds()*1e3), "", "", "", "", "", "", ""})
	if told.EvesSessions > 5 || told.AnnsSessions != 1 || told.Held > (lease.DefaultMax+1)/2 || told.EvesLog > 100 {
		return s, nil, fmt.Errorf("a bound did not hold: %+v", told)
	}
	for i := 1; i < len(kinds); i += 2 {
		k, control := kinds[i], kinds[i+1]
		v := verdict{what: fmt.Sprintf("Ann's p99 beside Eve's flood, %s", k.name), asked: fmt.Sprintf("≤ %g × alone", mostOfFlood)}
		v.got = fmt.Sprintf("%.2f × (refused outside of Hardy %.2f ×)", median(k.ratios), median(control.ratios))
		verdicts = append(verdicts, v.when(median(k.ratios) <= mostOfFlood))
	}
	return s, verdicts, nil
}
