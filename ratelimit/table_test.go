package ratelimit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// whole is an error for a table with an entry that is there twice, in no bin of its own, or miscounted.
func (t *table) whole() error {
	for n := range t.shards {
		s := &t.shards[n]
		s.mu.Lock()
		defer s.mu.Unlock()
		used, seen := 0, make(map[int64]bool)
		for i := 0; i < len(s.words); i += t.stride {
			fp := s.words[i]
			if fp == 0 {
				continue
			}
			used++
			if seen[fp] {
				return fmt.Errorf("shard %d: an entry is there twice", n)
			}
			seen[fp] = true
			if t.shard(uint64(fp)) != s || s.find(uint64(fp), t.stride) != i {
				return fmt.Errorf("shard %d: an entry is where nobody finds it", n)
			}
		}
		if used != int(s.used) || used > t.perShard {
			return fmt.Errorf("shard %d: %d entries, %d counted, at most %d", n, used, s.used, t.perShard)
		}
	}
	return nil
}

type visit struct{ Key, N, Pause int }

// Whatever keys come in whatever order, while time passes: the table stays whole, and who is kept has what the
// model says.
func TestPropertyTableStaysWhole(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		keep := rapid.IntRange(1, 300).Draw(rt, "keep")
		visits := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) visit {
			return visit{rapid.IntRange(0, 400).Draw(t, "key"), rapid.IntRange(0, 4).Draw(t, "n"), rapid.IntRange(0, 3).Draw(t, "pause")}
		}), 200, 600).Draw(rt, "visits")
		var wrong error
		synctest.Test(t, func(*testing.T) { wrong = runVisits(keep, visits) })
		if wrong != nil {
			rt.Fatal(wrong)
		}
	})
}

func runVisits(keep int, visits []visit) error {
	l := MustNew(&Options{MaxKeys: keep, Overflow: 2}, Policy{Name: "p", Limit: 1, Burst: 4}, Policy{Name: "q", Limit: 2, Burst: 4})
	full := make(map[int]time.Time) // of those in the table: when the first bucket is full
	for _, v := range visits {
		time.Sleep(time.Duration(v.Pause) * 100 * time.Millisecond)
		res, err := l.Take(context.Background(), Key{Name: strconv.Itoa(v.Key)}, v.N)
		if err != nil {
			return err
		}
		now := time.Now()
		if res.At(0).Overflow {
			if full[v.Key].After(now) {
				return fmt.Errorf("key %d has lost its place", v.Key)
			}
			continue
		}
		after := max(full[v.Key].Sub(now), 0) + time.Duration(v.N)*time.Second
		fits := after <= 4*time.Second
		if res.Allowed != fits {
			return fmt.Errorf("key %d: %v, want %v", v.Key, res.Allowed, fits)
		}
		if fits {
			full[v.Key] = now.Add(after)
		}
	}
	return l.groups[0].table.whole()
}

// All methods at once, on keys that come and go in a table that is too small: nothing breaks, and no lock is
// left behind.
func TestEverythingAtOnce(t *testing.T) {
	rounds := 20_000
	if testing.Short() || raceDetector {
		rounds = 3000
	}
	l := MustNew(&Options{MaxKeys: 100, Overflow: 3, Trace: &Trace{
		Decision: func(k Key, _ Result) {}, Overflow: func(Key, By) {}, Near: func(Key, Standing) {}, Failed: func(Key, error) {},
	}},
		Policy{Name: "fast", Limit: 1e6, Burst: 5}, Policy{Name: "slow", Limit: 1000, Burst: 7, By: ByUser},
		Policy{Name: "all", Limit: 1e5, Burst: 100, By: Everyone}, Policy{Name: "address", Limit: 1e4, Burst: 9, By: ByAddr, Optional: true})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(g), 7))
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			for range rounds {
				key := Key{User: strconv.Itoa(rnd.IntN(400)), Addr: address(rnd.Uint64N(300))}
				n := rnd.IntN(5)
				switch rnd.IntN(9) {
				case 0, 1:
					l.AllowN(key, n)
				case 2:
					if r, _, _ := l.Reserve(ctx, key, n); r != nil {
						r.Settle(rnd.IntN(12))
					}
				case 3:
					l.Penalize(key, n)
				case 4:
					l.Refund(key, n)
				case 5:
					l.SetLimit("slow", Limit(1+rnd.IntN(2000)), 5+rnd.IntN(9))
				case 6:
					soon, stop := context.WithTimeout(ctx, time.Duration(rnd.IntN(300))*time.Microsecond)
					l.Wait(soon, key, n)
					stop()
				case 7:
					l.Peek(key)
				default:
					l.Stats()
				}
			}
		})
	}
	wg.Wait()
	for i := range l.groups {
		if err := l.groups[i].table.whole(); err != nil {
			t.Error(err)
		}
	}
	if len(l.waits.byKey) != 0 {
		t.Error("a queue is left")
	}
}
