package ratelimit

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/hardy/ratelimit/internal/gcra"

	"golang.org/x/time/rate"
)

// bucket drives the table's own arithmetic with a clock of the test's choosing; a Limiter reads its own.
type bucket struct {
	terms gcra.Terms
	s     shard
	full  int64
}

func newBucket(t testing.TB, limit Limit, burst int) *bucket {
	terms, err := gcra.New(float64(limit), int64(burst), 0)
	if err != nil {
		t.Fatal(err)
	}
	return &bucket{terms: terms}
}

func (b *bucket) allow(at time.Duration, n int) bool {
	var p place
	p.hold(&b.s.mu, &b.s.last, []int64{b.full}, gcra.Of(at), 1)
	level := b.terms.Level(gcra.Ticks(b.full), p.now)
	if n > b.terms.Left(0) || !b.terms.Fits(level, b.terms.Cost(n)) {
		return false
	}
	b.full = int64(p.now + level + b.terms.Cost(n))
	return true
}

// Where both can reckon exactly (rates and steps of powers of two), every decision is x/time's.
func TestOracleExact(t *testing.T) {
	const step = 1953125 * time.Nanosecond // 1/512 s
	rnd := rand.New(rand.NewPCG(1, 1))
	admitted, refused := 0, 0
	for range 200 {
		limit, burst := Limit(int(1)<<rnd.IntN(9)), 1+rnd.IntN(50)
		ours, oracle := newBucket(t, limit, burst), rate.NewLimiter(limit, burst)
		start, at := time.Unix(1_800_000_000, 0), time.Duration(0)
		for range 10_000 {
			at += time.Duration(rnd.IntN(4)*rnd.IntN(60)) * step
			n := rnd.IntN(burst + 2)
			got, want := ours.allow(at, n), oracle.AllowN(start.Add(at), n)
			if got != want {
				t.Fatalf("limit %v, burst %d, %v: %d units: %v, x/time says %v", limit, burst, at, n, got, want)
			}
			if got {
				admitted++
			} else {
				refused++
			}
		}
	}
	if admitted < 100_000 || refused < 100_000 {
		t.Errorf("%d admitted, %d refused: the test does not try both", admitted, refused)
	}
}

// At any other rate, decisions are x/time's except within a hair of the boundary, where its float64 and
// our ticks round apart; there the two begin anew.
func TestOracleAnyRate(t *testing.T) {
	rnd := rand.New(rand.NewPCG(2, 2))
	steps, close := 0, 0
	for range 300 {
		limit, burst := Limit(0.001+1000*rnd.Float64()*rnd.Float64()), 1+rnd.IntN(100)
		start, at := time.Unix(1_800_000_000, 0), time.Duration(0)
		ours, oracle := newBucket(t, limit, burst), rate.NewLimiter(limit, burst)
		for range 5_000 {
			at += time.Duration(rnd.Float64() * float64(burst) / float64(limit) * 1e9 / 4)
			n := rnd.IntN(burst/3 + 2)
			left := oracle.TokensAt(start.Add(at)) - float64(n)
			got, want := ours.allow(at, n), oracle.AllowN(start.Add(at), n)
			steps++
			if got == want {
				continue
			}
			if left > 1e-4 || left < -1e-4 {
				t.Fatalf("limit %v, burst %d, %v: %d units: %v, x/time says %v with %g to spare", limit, burst, at, n, got, want, left)
			}
			close++
			ours, oracle = newBucket(t, limit, burst), rate.NewLimiter(limit, burst)
		}
	}
	if close > steps/1000 {
		t.Errorf("%d of %d decisions were too close to judge", close, steps)
	}
}

// golang/go#65508: x/time counts time twice when a clock reading is older than the one before.
func TestGo65508ClockJumpsBackAndForth(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 3))
	for range 100 {
		limit, burst := Limit(1+rnd.IntN(1000)), 1+rnd.IntN(20)
		b := newBucket(t, limit, burst)
		var high time.Duration
		admitted := 0
		for range 10_000 {
			at := high + time.Duration(rnd.Int64N(2e9)) - 1500*time.Millisecond
			if at < 0 {
				at = 0
			}
			high = max(high, at)
			if b.allow(at, 1) {
				admitted++
			}
		}
		if most := float64(burst) + float64(limit)*high.Seconds(); float64(admitted) > most {
			t.Fatalf("limit %v, burst %d: %d admitted in %v, at most %v", limit, burst, admitted, high, most)
		}
	}
}

// golang/go#71360: under contention x/time was exceeded up to 5000-fold.
func TestGo71360ManyGoroutinesNeverAbove(t *testing.T) {
	const limit, burst = 20_000, 50
	l := MustNew(nil, Policy{Name: "p", Limit: limit, Burst: burst})
	key := Key{User: "ann"}
	var admitted atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for range 64 {
		wg.Go(func() {
			for time.Since(began) < 300*time.Millisecond {
				for range 20 {
					if l.Allow(key) {
						admitted.Add(1)
					}
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	most := burst + limit*took.Seconds()
	if got := float64(admitted.Load()); got > most || got <= burst {
		t.Errorf("%v admitted in %v, at most %v", got, took, most)
	}
}
