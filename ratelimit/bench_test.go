package ratelimit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// The hot key bounds what the lock, the clock and the arithmetic cost; x/time's one limiter, which looks
// nothing up, is the measure (it must not be slower than that).

func BenchmarkHotKey(b *testing.B) {
	key := Key{User: "ann"}
	ours := MustNew(nil, Policy{Name: "p", Limit: 1e6, Burst: 1000})
	peer := rate.NewLimiter(1e6, 1000)
	for _, c := range []struct {
		name  string
		allow func() bool
	}{
		{"hardy", func() bool { return ours.Allow(key) }},
		{"xtime", func() bool { return peer.Allow() }},
	} {
		b.Run(c.name+"/serial", func(b *testing.B) {
			admitted := 0
			for b.Loop() {
				if c.allow() {
					admitted++
				}
			}
			bounded(b, admitted)
		})
		b.Run(c.name+"/crowd", func(b *testing.B) {
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					c.allow()
				}
			})
		})
		b.Run(c.name+"/parallel", func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					c.allow()
				}
			})
		})
	}
}

// bounded checks that the limiter limited: a million a second and the burst.
func bounded(b *testing.B, admitted int) {
	if most := 1000 + int(b.Elapsed().Seconds()*1e6) + 1; admitted == 0 || b.N > 2000 && admitted > most {
		b.Errorf("%d admitted of %d, at most %d", admitted, b.N, most)
	}
}

// A million keys bound what the memory's distance costs.
func BenchmarkMillionKeys(b *testing.B) {
	l, keys := million(b, 1)
	b.Run("serial", func(b *testing.B) {
		r := rand.New(rand.NewPCG(1, 2))
		for b.Loop() {
			l.Allow(keys[r.IntN(len(keys))])
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			r := rand.New(rand.NewPCG(rand.Uint64(), 2))
			for pb.Next() {
				l.Allow(keys[r.IntN(len(keys))])
			}
		})
	})
	if st := l.Stats(); st.Keys < len(keys)*99/100 {
		b.Errorf("only %d keys are kept", st.Keys)
	}
}

func million(tb testing.TB, policies int) (*Limiter, []Key) {
	const n = 1_000_000
	var list []Policy
	for i := range policies {
		list = append(list, Policy{Name: fmt.Sprint("p", i), Limit: Every(time.Hour), Burst: 1 << 10})
	}
	l := MustNew(&Options{MaxKeys: n * 11 / 10}, list...)
	keys := make([]Key, n)
	for i := range keys {
		keys[i] = Key{User: fmt.Sprintf("user%08d", i)}
		l.Allow(keys[i])
	}
	return l, keys
}

// One to three policies, on one key and on several, through Take.
func BenchmarkTake(b *testing.B) {
	burst := Policy{Name: "burst", Limit: 1e9, Burst: 1e6}
	daily := Policy{Name: "daily", Limit: 1e9, Burst: 1e6}
	user := Policy{Name: "user", Limit: 1e9, Burst: 1e6, By: ByUser}
	route := Policy{Name: "route", Limit: 1e9, Burst: 1e6, By: ByRoute}
	for _, c := range []struct {
		name string
		list []Policy
	}{
		{"one", []Policy{burst}},
		{"two, one key", []Policy{burst, daily}},
		{"three, three keys", []Policy{burst, user, route}},
	} {
		l := MustNew(nil, c.list...)
		key := Key{User: "ann", Route: "GET /"}
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if res, err := l.Take(context.Background(), key, 1); err != nil || !res.Allowed {
					b.Fatal(res, err)
				}
			}
		})
	}
}
