package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"sync"
	"time"
)

// row is one task and who is timed at it.
type row struct {
	name    string
	entries []entry
	bars    []bar
	serial  bool // only one caller: there is nothing to contend for
	even    bool // all do equally many tasks in a slice, so that what a slice itself costs falls on them alike
}

// entry is one contestant at the task of a row.
type entry struct {
	name string
	make func(c *config) (job, error)
}

// job is work that is ready to be timed.
type job interface {
	// do does the task n times as the given worker; workers run at the same moment.
	do(worker, n int)
	// check says whether all that was asked of do was done. It is called once, at the end.
	check() error
}

// sized is a job whose product has a size that a row compares.
type sized interface{ size() int }

// errSkip: what the job needs is not on this machine.
var errSkip = errors.New("not to be had here")

type mode int

const (
	serial mode = iota
	parallel
	modes
)

func (m mode) String() string { return [...]string{"serial", "parallel"}[m] }

// figures are what was measured of one entry.
type figures struct {
	rounds [modes][]float64 // ns a task, wall time, of each round; parallel: of all workers together
	ns     [modes]float64   // their median
	allocs float64          // a task
	bytes  float64          // allocated, a task
	size   int
	failed float64 // the part of the calls that ended with an error
}

// config is how much is done.
type config struct {
	workers int
	rounds  int
	span    time.Duration // of one contestant in one mode in one round
	few     int           // sessions of rows where Hardy's cache holds all of them
	many    int           // sessions of rows where it holds none of those that come next
	million int
	ballast int    // MB of live heap beside the sessions, as a server has: see the package comment
	profile string // file for a CPU profile of the rounds; of several rows the last one's stays

	limits   bool // the rows of the limiters, in place of those of sessions
	once     sync.Once
	networks []string // see networks

	sqlite bool   // the rows of the stores on SQLite, in place of those of sessions
	dir    string // for their files

	multiUser bool // the rows of what many users need, in place of those of sessions

	postgres string // the server for the rows of the stores on PostgreSQL, in place of those of sessions
	redis    string // the same for Redis

	ends []func()
}

// end lets go of what the jobs held.
func (c *config) end() {
	for _, f := range slices.Backward(c.ends) {
		f()
	}
	c.ends = nil
}

type result struct {
	row     *row
	figures map[string]*figures
	skipped map[string]error
}

// measure runs a row. An error means that a contestant did not do its work: then no figure counts.
func (r *row) measure(c *config) (*result, error) {
	res := &result{row: r, figures: map[string]*figures{}, skipped: map[string]error{}}
	var timings []*timing
	for _, e := range r.entries {
		j, err := e.make(c)
		if errors.Is(err, errSkip) {
			res.skipped[e.name] = err
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %w", r.name, e.name, err)
		}
		timings = append(timings, &timing{name: e.name, job: j})
	}
	last := parallel
	if r.serial {
		last = serial
	}
	for _, t := range timings {
		t.calibrate(c, last)
	}
	if r.even {
		r.level(c, timings, last)
	}
	if c.profile != "" {
		f, err := os.Create(c.profile)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return nil, err
		}
	}
	for range c.rounds {
		for m := serial; m <= last; m++ {
			runtime.GC()
			for range slicesOfRound {
				for _, t := range timings {
					t.time(c, m)
				}
				slices.Reverse(timings)
			}
			for _, t := range timings {
				t.close(m)
			}
		}
	}
	pprof.StopCPUProfile()
	for _, t := range timings {
		if err := t.job.check(); err != nil {
			return nil, fmt.Errorf("%s, %s: the work was not done: %w", r.name, t.name, err)
		}
		if s, ok := t.job.(sized); ok {
			t.size = s.size()
		}
		if d, ok := t.job.(*decisions); ok {
			calls, _, failed := d.counts()
			t.failed = float64(failed) / float64(calls)
		}
		res.figures[t.name] = &t.figures
	}
	return res, nil
}

// level gives all entries as many tasks as the fastest of some tries does in a slice.
func (r *row) level(c *config, timings []*timing, last mode) {
	var most [modes]int
	for range 4 {
		for _, t := range timings {
			for m := range modes {
				most[m] = max(most[m], t.n[m])
			}
			t.calibrate(c, last)
		}
	}
	for _, t := range timings {
		t.n = most
	}
}

// slicesOfRound is how often the contestants take turns in one round: what else this machine does meanwhile
// falls on all of them.
const slicesOfRound = 5

// timing collects the rounds of one entry.
type timing struct {
	name string
	job  job
	n    [modes]int // tasks of one slice

	took   time.Duration // in this round, so far
	tasks  int
	memory runtime.MemStats // Mallocs and TotalAlloc: of this round, so far

	figures
}

// calibrate finds how many tasks fill a slice, and warms everything up.
func (t *timing) calibrate(c *config, last mode) {
	slice := c.span / slicesOfRound
	for m := serial; m <= last; m++ {
		n := 16
		for {
			took := t.run(c, m, n)
			if took >= slice/2 || n >= 1<<30 {
				t.n[m] = max(1, int(float64(n)*float64(slice)/float64(max(took, 1))))
				break
			}
			n *= 2
		}
	}
}

// time times one slice.
func (t *timing) time(c *config, m mode) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	took := t.run(c, m, t.n[m])
	runtime.ReadMemStats(&after)
	t.took += took
	t.tasks += t.n[m]
	t.memory.Mallocs += after.Mallocs - before.Mallocs
	t.memory.TotalAlloc += after.TotalAlloc - before.TotalAlloc
}

// close ends a round.
func (t *timing) close(m mode) {
	n := float64(t.tasks)
	t.rounds[m] = append(t.rounds[m], float64(t.took)/n)
	t.ns[m] = median(t.rounds[m])
	if m == serial {
		t.allocs, t.bytes = float64(t.memory.Mallocs)/n, float64(t.memory.TotalAlloc)/n
	}
	t.took, t.tasks, t.memory = 0, 0, runtime.MemStats{}
}

// turns is how many tasks a lone caller does as one worker before it goes on as the next: all workers'
// visitors come round at the same pace, whoever calls.
const turns = 16

func (t *timing) run(c *config, m mode, n int) time.Duration {
	start := time.Now()
	if m == serial {
		for i := 0; n > 0; i++ {
			step := min(n, turns)
			t.job.do(i%c.workers, step)
			n -= step
		}
		return time.Since(start)
	}
	var wg sync.WaitGroup
	for w := range c.workers {
		share := (n + w) / c.workers
		wg.Go(func() { t.job.do(w, share) })
	}
	wg.Wait()
	return time.Since(start)
}

// times returns how many times as long as other's a task took, in each mode: the median of the rounds' ratios.
// Two timings of one round meet the same weather.
func (f *figures) times(other *figures, m mode) float64 {
	ratios := make([]float64, len(f.rounds[m]))
	for i := range ratios {
		ratios[i] = f.rounds[m][i] / other.rounds[m][i]
	}
	return median(ratios)
}

// median of an even number is the mean of the two in the middle.
func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
