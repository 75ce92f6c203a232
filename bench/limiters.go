package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/didip/tollbooth/v7"
	"github.com/go-chi/httprate"
	"github.com/sethvargo/go-limiter/memorystore"
	"github.com/throttled/throttled/v2"
	"github.com/throttled/throttled/v2/store/memstore"
	ulule "github.com/ulule/limiter/v3"
	"github.com/ulule/limiter/v3/drivers/store/memory"
	"golang.org/x/time/rate"

	"example.com/hardy/ratelimit"
)

// terms are what a contestant is to grant each key: a burst at once, and as many an hour.
type terms struct {
	burst int
	keys  int // that will come
}

const hour = time.Hour

// limiter decides for a key: the same question to all of them.
type limiter func(key string) (bool, error)

const (
	loneName  = "x/time, one limiter"
	mapName   = "x/time in a mutex map"
	rateName  = "httprate"
	sethName  = "go-limiter"
	ululeName = "ulule"
	throtName = "throttled"
	tollName  = "tollbooth"
)

// lone looks nothing up: the floor.
func lone(t terms) limiter {
	l := rate.NewLimiter(rate.Limit(float64(t.burst)/hour.Seconds()), t.burst)
	return func(string) (bool, error) { return l.Allow(), nil }
}

// mutexMap is what most programs have.
func mutexMap(t terms) limiter {
	var mu sync.Mutex
	all := map[string]*rate.Limiter{}
	return func(key string) (bool, error) {
		mu.Lock()
		l := all[key]
		if l == nil {
			l = rate.NewLimiter(rate.Limit(float64(t.burst)/hour.Seconds()), t.burst)
			all[key] = l
		}
		mu.Unlock()
		return l.Allow(), nil
	}
}

// newHTTPRate does what httprate's handler does around its counter, without fields: it has no call of its
// own for a decision without a response.
func newHTTPRate(t terms) limiter {
	counter := httprate.NewLocalLimitCounter(hour)
	l := httprate.NewRateLimiter(t.burst, hour, httprate.WithLimitCounter(counter))
	var mu sync.Mutex
	return func(key string) (bool, error) {
		window := time.Now().UTC().Truncate(hour)
		mu.Lock()
		defer mu.Unlock()
		_, used, err := l.Status(key)
		if err != nil || int(used)+1 > t.burst {
			return false, err
		}
		return true, counter.Increment(key, window)
	}
}

func newGoLimiter(t terms) limiter {
	store, err := memorystore.New(&memorystore.Config{Tokens: uint64(t.burst), Interval: hour})
	must(err)
	ctx := context.Background()
	return func(key string) (bool, error) {
		_, _, _, ok, err := store.Take(ctx, key)
		return ok, err
	}
}

func newUlule(t terms) limiter {
	l := ulule.New(memory.NewStore(), ulule.Rate{Period: hour, Limit: int64(t.burst)})
	ctx := context.Background()
	return func(key string) (bool, error) {
		c, err := l.Get(ctx, key)
		return !c.Reached, err
	}
}

func newThrottled(t terms) limiter {
	store, err := memstore.NewCtx(2 * t.keys) // 0 would be without a bound
	must(err)
	l, err := throttled.NewGCRARateLimiterCtx(store, throttled.RateQuota{MaxRate: throttled.PerHour(t.burst), MaxBurst: t.burst - 1})
	must(err)
	ctx := context.Background()
	return func(key string) (bool, error) {
		limited, _, err := l.RateLimitCtx(ctx, key, 1)
		return !limited, err
	}
}

func newTollbooth(t terms) limiter {
	l := tollbooth.NewLimiter(float64(t.burst)/hour.Seconds(), nil).SetBurst(t.burst)
	return func(key string) (bool, error) { return !l.LimitReached(key), nil }
}

func newHardyLimiter(t terms) limiter {
	l := ratelimit.MustNew(&ratelimit.Options{MaxKeys: max(1000, t.keys*11/10)},
		ratelimit.Policy{Name: "p", Limit: ratelimit.Per(t.burst, hour), Burst: t.burst})
	return func(key string) (bool, error) { return l.Allow(ratelimit.Key{Name: key}), nil }
}

// decisions is the job of asking a limiter.
type decisions struct {
	name    string
	allow   limiter
	burst   int
	keys    []string
	workers []*asker
	refused bool // every call but the first burst should be
	size_   int
}

// asker is one goroutine's count. It lies alone in its cache lines.
type asker struct {
	random                *rand.Rand
	calls, passed, failed int
	_                     [128]byte
}

func decide(name string, open func(terms) limiter, keys func(*config) []string, burst int, refused bool) entry {
	return entry{name, func(c *config) (job, error) {
		all := keys(c)
		d := &decisions{name: name, burst: burst, keys: all, refused: refused}
		for w := range c.workers {
			d.workers = append(d.workers, &asker{random: rand.New(rand.NewPCG(1, uint64(w)))})
		}
		before := heap()
		d.allow = open(terms{burst: burst, keys: len(all)})
		for _, key := range all {
			// A request brings a string of its own: a limiter that keeps it keeps it alive.
			if ok, err := d.allow(strings.Clone(key)); err != nil || !ok {
				return nil, fmt.Errorf("the first call for %s: %v, %v", key, ok, err)
			}
		}
		if len(all) > 1 {
			d.size_ = int((heap() - before) / float64(len(all)))
		}
		if refused {
			for range burst {
				d.allow(all[0])
			}
		}
		return d, nil
	}}
}

func (d *decisions) do(worker, n int) {
	w := d.workers[worker]
	one := len(d.keys) == 1
	key := d.keys[0]
	passed, failed := 0, 0
	for range n {
		if !one {
			key = d.keys[w.random.IntN(len(d.keys))]
		}
		ok, err := d.allow(key)
		if err != nil {
			failed++
		} else if ok {
			passed++
		}
	}
	w.calls += n
	w.passed += passed
	w.failed += failed
}

// size is the bytes of a key.
func (d *decisions) size() int { return d.size_ }

func (d *decisions) check() error {
	calls, passed, failed := d.counts()
	want := calls - failed
	if d.refused {
		want = 0
	}
	// While the row runs a bucket refills by some units.
	if refilled := passed - want; refilled < 0 || refilled > d.burst {
		return fmt.Errorf("of %d calls %d were admitted, want %d", calls, passed, want)
	}
	// Only a peer may be forgiven that it does not decide: see failures.
	if failed > 0 && d.name != throtName {
		return fmt.Errorf("%d of %d calls ended with an error", failed, calls)
	}
	return nil
}

func (d *decisions) counts() (calls, passed, failed int) {
	for _, w := range d.workers {
		calls += w.calls
		passed += w.passed
		failed += w.failed
	}
	return
}
