package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/session/lease"
	"example.com/hardy/store"
)

// Rows of what many users need: go run . -multiuser.

const (
	bareName      = "nothing set up"
	equippedName  = "all set up, none used"
	eachSession   = "one a session"
	eachUser      = "one a user"
	logAppend     = "Log.Append"
	valueUpdate   = "Key.Update of the list"
	valueSet      = "Key.Set of the list"
	logEntries    = 100
	logSessions   = 128
	heldSessions  = 100 // others that stream and lease while requests use none of it
	mostOfNothing = 1.05
	mostOfEach    = 200 * time.Nanosecond
)

// What is compared differs by nanoseconds. Rounds that are short and many take turns so fast that what else the machine
// does falls on few of them, and medians leave these out.
const (
	multiUserSpan   = 2 * time.Millisecond
	multiUserRounds = 200
	instances       = 8 // of each contestant
)

var silent = slog.New(slog.DiscardHandler)

func multiUserRows() []row {
	unused := func(name string, t task) row {
		var both [2]several // set up by turns, so that none has the better part of the memory
		contestant := func(which int, name string) entry {
			return entry{name, func(c *config) (job, error) {
				if both[which].jobs == nil {
					if err := t.pairs(c, &both); err != nil {
						return nil, err
					}
				}
				return &both[which], nil
			}}
		}
		return row{
			even:    true,
			name:    name,
			entries: []entry{contestant(0, bareName), contestant(1, equippedName)},
			bars:    []bar{costsNothing(equippedName, bareName)},
		}
	}
	return []row{
		unused("untouched", untouched), unused("read one int", readOne), unused("count", countOne),
		{
			name:    "Each.Get, warm",
			even:    true,
			entries: []entry{eachEntry(eachSession, nil), eachEntry(eachUser, &lease.EachOptions{PerUser: true})},
			bars:    []bar{takes(eachSession, mostOfEach), takes(eachUser, mostOfEach), allocations(eachSession, 0), allocations(eachUser, 0)},
		},
		{
			name:    fmt.Sprintf("append to a list of %d", logEntries),
			even:    true,
			entries: []entry{logEntry(valueUpdate, appendByUpdate), logEntry(valueSet, appendBySet), logEntry(logAppend, appendToLog)},
			bars:    []bar{faster(logAppend, valueUpdate, 1, 0), faster(logAppend, valueSet, 1, 0)},
		},
	}
}

// pairs sets up several of each kind.
func (t task) pairs(c *config, both *[2]several) error {
	open := [2]func(*config) *hardy{func(*config) *hardy { return newHardy() }, equipped}
	both[0].next, both[1].next = make([]int, c.workers), make([]int, c.workers)
	for i := range 2 * instances {
		which := (i + i/2) % 2 // 0 1, 1 0, 0 1 …
		s := open[which](c)
		j, err := visitEach(c, s.site, t.of(s.site), c.few/instances, t.others, t.verify)
		if err != nil {
			return err
		}
		both[which].jobs = append(both[which].jobs, j)
	}
	return nil
}

// several take turns: where one of them lies in memory, and how its maps are seeded, makes more of a difference than what
// is asked here.
type several struct {
	jobs []job
	next []int // of each worker
}

func (s *several) do(worker, n int) {
	s.jobs[s.next[worker]%len(s.jobs)].do(worker, n)
	s.next[worker]++
}

func (s *several) check() error {
	for _, j := range s.jobs {
		if err := j.check(); err != nil {
			return err
		}
	}
	return nil
}

// equipped is Hardy with a cap, an assurance level, Run, and leases and streams of other sessions.
func equipped(c *config) *hardy {
	memory := store.NewMemory(nil)
	h := hardyWith(memory, memory, &session.Options{MaxPerUser: 5, AAL: session.AAL2, Logger: silent})
	count := h.sessions
	h.sessions = func() int { return count() - heldSessions }

	ctx, cancel := context.WithCancel(context.Background())
	c.ends = append(c.ends, cancel)
	workers := lease.NewPool(lease.PoolOptions[int]{Make: func(context.Context) (int, error) { return 0, nil }})
	clients := lease.NewEach(func(context.Context, *session.Session) (int, error) { return 0, nil }, nil, nil)
	go h.manager.Run(ctx)
	go workers.Run(ctx)
	for i := range heldSessions {
		s := h.manager.New()
		must(s.Login(fmt.Sprint("user ", i)))
		must(h.manager.Commit(ctx, s))
		_, err := clients.Get(ctx, s)
		must(err)
		_ = s.Context()
	}
	return h
}

// leases is a job that gets the value of one session after the other.
type leases struct {
	each    *lease.Each[*int]
	workers []leaser
}

type leaser struct {
	sessions []*session.Session
	want     []*int
	next     int
	wrong    int
}

func eachEntry(name string, o *lease.EachOptions) entry {
	return entry{name, func(c *config) (job, error) {
		ctx := context.Background()
		m := session.NewManager(store.NewMemory(nil), &session.Options{Logger: silent})
		l := &leases{each: lease.NewEach(func(context.Context, *session.Session) (*int, error) { return new(int), nil }, nil, o)}
		for w := range c.workers {
			var own leaser
			for i := range c.few / c.workers {
				s := m.New()
				must(s.Login(fmt.Sprint("user ", w, " ", i)))
				must(m.Commit(ctx, s))
				v, err := l.each.Get(ctx, s)
				must(err)
				own.sessions, own.want = append(own.sessions, s), append(own.want, v)
			}
			l.workers = append(l.workers, own)
		}
		return l, nil
	}}
}

func (l *leases) do(worker, n int) {
	w := &l.workers[worker]
	for range n {
		v, err := l.each.Get(context.Background(), w.sessions[w.next])
		if err != nil || v != w.want[w.next] {
			w.wrong++
		}
		if w.next++; w.next == len(w.sessions) {
			w.next = 0
		}
	}
}

func (l *leases) check() error {
	sum := 0
	for _, w := range l.workers {
		if sum += len(w.sessions); w.wrong > 0 {
			return fmt.Errorf("%d values were those of other sessions", w.wrong)
		}
	}
	if n := l.each.Len(); n != sum {
		return fmt.Errorf("%d values for %d sessions", n, sum)
	}
	return nil
}

// said is an entry of the lists.
type said struct {
	N    int64  `cbor:"n"`
	Text string `cbor:"text"`
}

const saying = "A message of some length, as people write them."

// list is one way to keep the last entries.
type list struct {
	add func(ctx context.Context, s *session.Session, v said) error
	all func(s *session.Session) []session.Entry[said]
}

func appendToLog() list {
	l := session.NewLog[said]("list", nil)
	return list{l.Append, l.All}
}

func appendByUpdate() list {
	key := session.NewKey[[]session.Entry[said]]("list")
	return list{func(ctx context.Context, s *session.Session, v said) error {
		_, err := key.Update(ctx, s, func(all []session.Entry[said]) []session.Entry[said] { return appended(all, v) })
		return err
	}, key.Get}
}

func appendBySet() list {
	key := session.NewKey[[]session.Entry[said]]("list")
	return list{func(_ context.Context, s *session.Session, v said) error { return key.Set(s, appended(key.Get(s), v)) }, key.Get}
}

func appended(all []session.Entry[said], v said) []session.Entry[said] {
	all = append(all, session.Entry[said]{At: time.Now(), Value: v})
	return all[max(0, len(all)-logEntries):]
}

// logEntry is a request that appends, of sessions whose list is full.
func logEntry(name string, open func() list) entry {
	return entry{name, func(c *config) (job, error) {
		h, l := newHardy(), open()
		sessions := middleware.Sessions(h.manager, h.keys, nil)
		var spoken atomic.Int64
		wrap := func(f func(w http.ResponseWriter, r *http.Request, s *session.Session)) http.Handler {
			return sessions(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f(w, r, session.From(r.Context())) }))
		}
		say := wrap(func(w http.ResponseWriter, r *http.Request, s *session.Session) {
			must(l.add(r.Context(), s, newSaid(spoken.Add(1))))
			w.Write(bodies[0])
		})
		show := wrap(func(w http.ResponseWriter, r *http.Request, s *session.Session) {
			must(json.NewEncoder(w).Encode(l.all(s)))
		})
		j, err := visitEach(c, h.site, say, logSessions, 0, func(r *requests) error { return keptTheLast(r, show, &spoken) })
		if err != nil {
			return nil, err
		}
		for w := range c.workers {
			j.do(w, logEntries*len(j.(*requests).workers[w].visitors)) // fill the lists
		}
		return j, nil
	}}
}

func newSaid(n int64) said { return said{n, saying} }

// keptTheLast: each list holds as many as it may, ascending, and what is appended now is its last.
func keptTheLast(r *requests, show http.Handler, spoken *atomic.Int64) error {
	for _, w := range r.workers {
		for i := range w.visitors {
			v := &w.visitors[i]
			w.visit(r.handler, v)
			w.sink.keep = true
			w.visit(show, v)
			w.sink.keep = false
			var all []session.Entry[said]
			if err := json.Unmarshal(w.sink.body, &all); err != nil {
				return err
			}
			if len(all) != logEntries || all[logEntries-1].Value != newSaid(spoken.Load()) {
				return fmt.Errorf("a list holds %d entries, the last of them %v", len(all), all[max(0, len(all)-1)])
			}
			for i := 1; i < len(all); i++ {
				if all[i].Value.N <= all[i-1].Value.N || all[i].At.Before(all[i-1].At) {
					return fmt.Errorf("a list is out of order: %v", all)
				}
			}
		}
	}
	return nil
}

// costsNothing asks that who takes no longer than than, and allocates no more.
func costsNothing(who, than string) bar {
	return func(r *result) verdict {
		v := verdict{what: fmt.Sprintf("%s, %s: beside %s", r.row.name, who, than), asked: fmt.Sprintf("≤ %g ×, no allocation more", mostOfNothing)}
		v = v.judge(r, who, than, mostOfNothing, 0, func(w, t *figures, m mode) float64 { return w.times(t, m) }, func(a, b float64) bool { return a <= b })
		if v.mark == notRun {
			return v
		}
		more := r.figures[who].allocs - r.figures[than].allocs
		if v.got += fmt.Sprintf(", %+.1f", more); more >= 0.5 {
			v.mark = short
		}
		return v
	}
}

// takes asks for at most so long a task, whoever else calls. It judges the rounds' lower quarter: other programs can only
// add.
func takes(who string, most time.Duration) bar {
	return func(r *result) verdict {
		v := verdict{what: fmt.Sprintf("%s, %s", r.row.name, who), asked: fmt.Sprintf("≤ %v", most), got: "–", mark: notRun}
		f := r.figures[who]
		if f == nil {
			return v
		}
		got := [modes]float64{serial: lowerQuarter(f.rounds[serial]), parallel: lowerQuarter(f.rounds[parallel])}
		v.got = fmt.Sprintf("%.0f · %.0f ns", got[serial], got[parallel])
		return v.when(max(got[serial], got[parallel]) <= float64(most))
	}
}

func lowerQuarter(rounds []float64) float64 {
	return slices.Sorted(slices.Values(rounds))[len(rounds)/4]
}
