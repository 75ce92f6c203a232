package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// site is a contestant, running: handlers that share one store.
type site struct {
	// begin returns a handler that starts a session with n in it, and others values beside.
	begin func(n, others int) http.Handler
	ping  http.Handler // does not look at the session
	read  http.Handler // writes byte(n)
	count http.Handler // n++, and writes byte(n)
	show  http.Handler // writes n in digits; nil where there is nothing to show
	// sessions returns how many the store holds; nil where the client holds them.
	sessions func() int
}

// bodies has each byte as a body of one, so that no contestant pays for making it.
var bodies = func() (b [256][]byte) {
	for i := range b {
		b[i] = []byte{byte(i)}
	}
	return b
}()

// firstValue is the n of the i-th visitor. It is a letter, so that the floor can keep it in a cookie.
func firstValue(i int) int { return 'a' + i%26 }

// sink is a ResponseWriter that is nearly free.
type sink struct {
	header http.Header
	bad    int // answers that were not 200
	bytes  int
	sum    int    // of the first bytes of the answers
	keep   bool   // keep the body
	body   []byte // of the last answer
}

func (s *sink) Header() http.Header { return s.header }

func (s *sink) WriteHeader(code int) {
	if code != http.StatusOK {
		s.bad++
	}
}

func (s *sink) Write(b []byte) (int, error) {
	s.bytes += len(b)
	s.sum += int(b[0])
	if s.keep {
		s.body = append(s.body[:0], b...)
	}
	return len(b), nil
}

// visitor is a browser with one cookie.
type visitor struct {
	cookie string // as the Cookie header has it; "": none
	first  int
	visits int
}

// visit lets the handler answer one request of v.
func (w *worker) visit(h http.Handler, v *visitor) {
	*w.request = *w.template // gorilla/sessions puts its registry into the request
	if v.cookie != "" {
		w.cookie[0] = v.cookie
		w.request.Header = w.with
	} else {
		w.request.Header = w.without
	}
	clear(w.sink.header)
	h.ServeHTTP(&w.sink, w.request)
	if set := w.sink.header["Set-Cookie"]; len(set) > 0 {
		v.cookie, _, _ = strings.Cut(set[0], ";")
		w.set++
	}
}

// worker is one goroutine's visitors. It is a job's state, so it lies alone in its cache lines.
type worker struct {
	visitors          []visitor
	next              int
	hangUp            context.CancelFunc // nobody does
	template, request *http.Request
	with, without     http.Header
	cookie            []string // the line that with has
	sink              sink
	set               int // answers that set a cookie
	_                 [128]byte
}

func newWorker() *worker {
	ctx, hangUp := context.WithCancel(context.Background()) // as a server's can end: drivers watch it
	request, err := http.NewRequestWithContext(ctx, "GET", "https://bell.example/ring", nil)
	if err != nil {
		panic(err)
	}
	w := &worker{hangUp: hangUp, template: request, request: new(http.Request), cookie: []string{""}, sink: sink{header: http.Header{}}}
	w.without = http.Header{"Accept": {"text/html"}, "User-Agent": {"bench"}}
	w.with = w.without.Clone()
	w.with["Cookie"] = w.cookie
	return w
}

// requests is the job of answering visitors.
type requests struct {
	site    *site
	handler http.Handler
	workers []*worker
	// verify looks at the sum of what was done.
	verify func(*requests) error
}

// visitEach makes a job of as many visitors as said, each with a session that begins with others values beside n.
func visitEach(c *config, s *site, h http.Handler, visitors, others int, verify func(*requests) error) (job, error) {
	r := &requests{site: s, handler: h, verify: verify}
	share := (visitors + c.workers - 1) / c.workers
	for i := range c.workers {
		w := newWorker()
		w.visitors = make([]visitor, share)
		for j := range w.visitors {
			v := &w.visitors[j]
			v.first = firstValue(i*share + j)
			w.visit(s.begin(v.first, others), v)
			if v.cookie == "" || w.sink.bad > 0 {
				return nil, fmt.Errorf("a session did not begin")
			}
		}
		w.set, w.sink.sum, w.sink.bytes = 0, 0, 0
		r.workers = append(r.workers, w)
	}
	if s.sessions != nil && s.sessions() != share*c.workers {
		return nil, fmt.Errorf("%d sessions began, the store holds %d", share*c.workers, s.sessions())
	}
	return r, nil
}

// strangers makes a job of visitors without a cookie.
func strangers(c *config, s *site) (job, error) {
	r := &requests{site: s, handler: s.ping, verify: leftNothing}
	for range c.workers {
		w := newWorker()
		w.visitors = make([]visitor, 1)
		r.workers = append(r.workers, w)
	}
	return r, nil
}

func (r *requests) do(worker, n int) {
	w := r.workers[worker]
	for range n {
		v := &w.visitors[w.next]
		if w.next++; w.next == len(w.visitors) {
			w.next = 0
		}
		w.visit(r.handler, v)
		v.visits++
	}
}

func (r *requests) check() error {
	visits, bytes, bad := 0, 0, 0
	for _, w := range r.workers {
		for i := range w.visitors {
			visits += w.visitors[i].visits
		}
		bytes += w.sink.bytes
		bad += w.sink.bad
	}
	if bad > 0 || bytes != visits {
		return fmt.Errorf("%d requests: %d answers went wrong, %d bytes were written", visits, bad, bytes)
	}
	return r.verify(r)
}

// leftNothing: strangers who were served and left no session.
func leftNothing(r *requests) error {
	for _, w := range r.workers {
		if w.set > 0 {
			return fmt.Errorf("%d cookies were set", w.set)
		}
	}
	if r.site.sessions != nil && r.site.sessions() != 0 {
		return fmt.Errorf("the store holds %d sessions", r.site.sessions())
	}
	return nil
}

// readRight: each answer was the visitor's own value.
func readRight(r *requests) error {
	for _, w := range r.workers {
		want := 0
		for i := range w.visitors {
			want += w.visitors[i].visits * int(byte(w.visitors[i].first))
		}
		if w.sink.sum != want {
			return fmt.Errorf("the values that were read add up to %d, want %d", w.sink.sum, want)
		}
	}
	return nil
}

// stillThere: the value of each visitor is what it was.
func stillThere(r *requests) error { return r.showAll(func(v *visitor) int { return v.first }) }

// countedRight: each visitor's value grew by one for each visit.
func countedRight(r *requests) error {
	return r.showAll(func(v *visitor) int { return v.first + v.visits })
}

func (r *requests) showAll(want func(*visitor) int) error {
	for _, w := range r.workers {
		w.sink.keep = true
		for i := range w.visitors {
			v := &w.visitors[i]
			w.visit(r.site.show, v)
			if got, err := strconv.Atoi(string(w.sink.body)); err != nil || got != want(v) {
				return fmt.Errorf("after %d visits a session holds %q, want %d", v.visits, w.sink.body, want(v))
			}
		}
	}
	return nil
}
