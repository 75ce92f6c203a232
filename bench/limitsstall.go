package main

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"example.com/hardy/ratelimit"
)

// What a single call takes while many keys come and go.

const stallName = "stalls"

// longestCall is the bar: one call in ten thousand may take longer.
const longestCall = time.Millisecond

// calls are how long each of many took, sorted.
type calls []time.Duration

func (c calls) at(part float64) time.Duration { return c[int(part*float64(len(c)-1))] }

// oneCallerACore times n calls, which as many goroutines as there are cores share, and as many that can't stall,
// in turns: what other programs take of the cores falls on both alike.
func oneCallerACore(c *config, n int, call, control func(i int)) (took, other calls) {
	took, other = make(calls, n), make(calls, n)
	timed := func(into *time.Duration, call func(int), i int) {
		began := time.Now()
		call(i)
		*into = time.Since(began)
	}
	var wg sync.WaitGroup
	for w := range c.workers {
		wg.Go(func() {
			for i := w * n / c.workers; i < (w+1)*n/c.workers; i++ {
				timed(&took[i], call, i)
				timed(&other[i], control, i)
			}
		})
	}
	wg.Wait()
	slices.Sort(took)
	slices.Sort(other)
	return took, other
}

// measureStalls fills a limiter with a million keys, and lets a million others come once these are stale, three
// times over.
func measureStalls(c *config) (sheet, verdict, error) {
	keys := networks(c)
	refill := time.Duration(c.million) * time.Microsecond // longer than it takes to come
	l := ratelimit.MustNew(&ratelimit.Options{MaxKeys: c.million}, ratelimit.Policy{Name: "p", Limit: ratelimit.Every(refill), Burst: 2})
	hot := ratelimit.MustNew(nil, ratelimit.Policy{Name: "p", Limit: 1, Burst: 1})
	control := func(int) {
		for range 6 { // about as long
			hot.Allow(ratelimit.Key{Name: "one"})
		}
	}
	s := sheet{head: []string{fmt.Sprintf("one call in %d goroutines, while %d keys come", c.workers, len(keys)), "p50", "p99.99", "longest", "keys kept", "MB"}}
	lines := func(what string, took, other calls) {
		st := l.Stats()
		s.lines = append(s.lines,
			[]string{what, took.at(0.5).String(), took.at(0.9999).String(), took.at(1).String(),
				fmt.Sprint(st.Keys), fmt.Sprintf("%.1f of %.1f", float64(st.Bytes)/1e6, float64(l.MaxBytes())/1e6)},
			[]string{"calls in between that can't stall", other.at(0.5).String(), other.at(0.9999).String(), other.at(1).String(), "", ""})
	}
	took, other := oneCallerACore(c, len(keys), func(i int) { l.Allow(ratelimit.Key{Name: keys[i]}) }, control)
	lines("Hardy, its table grows", took, other)
	v := verdict{what: fmt.Sprintf("a call while %d stale keys go, one caller a core: p99.99", len(keys)), asked: fmt.Sprintf("≤ %v", longestCall), mark: short}
	best, beside := time.Hour, time.Hour
	for round := range 3 {
		time.Sleep(2*refill + refill/10) // all are stale
		route := fmt.Sprint(round)
		took, other := oneCallerACore(c, len(keys), func(i int) { l.Allow(ratelimit.Key{Name: keys[i], Route: route}) }, control)
		overflow := 0
		for _, key := range keys {
			if res := l.Peek(ratelimit.Key{Name: key, Route: route}); res.At(0).Overflow {
				overflow++
			}
		}
		if st := l.Stats(); st.Keys > c.million || st.Bytes > l.MaxBytes() || overflow > len(keys)/5 {
			return s, v, fmt.Errorf("%d keys, %d bytes, %d in overflow buckets: the stale ones did not go", st.Keys, st.Bytes, overflow)
		}
		lines("Hardy, as many stale ones go", took, other)
		if p := took.at(0.9999); p < best {
			best, beside = p, other.at(0.9999)
		}
	}
	v.got = fmt.Sprintf("%v (of calls that can't stall %v)", best.Round(time.Microsecond), beside.Round(time.Microsecond))
	switch {
	case best <= longestCall:
		v.mark = pass
	case best <= 4*beside:
		v.mark = notRun // others keep the cores
	}
	return s, v, nil
}
