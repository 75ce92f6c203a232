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

// oneCallerACore times n calls, which as many goroutines as there are cores share.
func oneCallerACore(c *config, n int, call func(i int)) calls {
	took := make(calls, n)
	var wg sync.WaitGroup
	for w := range c.workers {
		wg.Go(func() {
			for i := w * n / c.workers; i < (w+1)*n/c.workers; i++ {
				began := time.Now()
				call(i)
				took[i] = time.Since(began)
			}
		})
	}
	wg.Wait()
	slices.Sort(took)
	return took
}

// measureStalls fills a limiter with a million keys, and lets a million others come once these are stale, three
// times over. What other programs take of the cores is in every figure: hence the calls of a limiter that has one
// key and does nothing but decide.
func measureStalls(c *config) (sheet, verdict, error) {
	keys := networks(c)
	refill := time.Duration(c.million) * time.Microsecond // longer than it takes to come
	l := ratelimit.MustNew(&ratelimit.Options{MaxKeys: c.million}, ratelimit.Policy{Name: "p", Limit: ratelimit.Every(refill), Burst: 2})
	hot := ratelimit.MustNew(nil, ratelimit.Policy{Name: "p", Limit: 1, Burst: 1})
	nothing := func(int) {
		for range 6 {
			hot.Allow(ratelimit.Key{Name: "one"})
		}
	}
	s := sheet{head: []string{fmt.Sprintf("one call in %d goroutines, while %d keys come", c.workers, len(keys)), "p50", "p99.99", "longest", "keys kept", "MB"}}
	line := func(what string, took calls, more ...string) {
		s.lines = append(s.lines, slices.Concat([]string{what, took.at(0.5).String(), took.at(0.9999).String(), took.at(1).String()}, more))
	}
	kept := func() []string {
		st := l.Stats()
		return []string{fmt.Sprint(st.Keys), fmt.Sprintf("%.1f of %.1f", float64(st.Bytes)/1e6, float64(l.MaxBytes())/1e6)}
	}
	first := oneCallerACore(c, len(keys), func(i int) { l.Allow(ratelimit.Key{Name: keys[i]}) })
	line("Hardy, its table grows", first, kept()...)
	v := verdict{what: fmt.Sprintf("a call while %d stale keys go, one caller a core: p99.99", len(keys)), asked: fmt.Sprintf("≤ %v", longestCall)}
	best, quiet := time.Hour, time.Hour
	for round := range 3 {
		time.Sleep(2*refill + refill/10) // all are stale
		route := fmt.Sprint(round)
		took := oneCallerACore(c, len(keys), func(i int) { l.Allow(ratelimit.Key{Name: keys[i], Route: route}) })
		overflow := 0
		for _, key := range keys {
			if res := l.Peek(ratelimit.Key{Name: key, Route: route}); res.At(0).Overflow {
				overflow++
			}
		}
		if st := l.Stats(); st.Keys > c.million || st.Bytes > l.MaxBytes() || overflow > len(keys)/5 {
			return s, v, fmt.Errorf("%d keys, %d bytes, %d in overflow buckets: the stale ones did not go", st.Keys, st.Bytes, overflow)
		}
		line("Hardy, as many stale ones go", took, kept()...)
		control := oneCallerACore(c, len(keys), nothing)
		line("nothing comes: six decisions about one key", control, "", "")
		best, quiet = min(best, took.at(0.9999)), min(quiet, control.at(0.9999))
	}
	v.got = fmt.Sprintf("%v (of calls that do nothing %v)", best.Round(time.Microsecond), quiet.Round(time.Microsecond))
	switch {
	case best <= longestCall:
		v.mark = pass
	case quiet > longestCall/4:
		v.mark = notRun // others keep the cores
	default:
		v.mark = short
	}
	return s, v, nil
}
