package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"example.com/hardy/session"
	"example.com/hardy/store"
)

// A million anonymous sessions with one value of 200 bytes each, made through each library's manager: what
// they take, and how long one has to wait for a session that is alive while those that expired are swept.

const (
	valueBytes = 200
	live       = 4096 // sessions that do not expire; they are the ones that are loaded
)

// crowd is one library's million.
type crowd struct {
	name   string
	bytes  float64 // a session
	sweeps []sweep
}

// sweep is one pass over a million sessions with callers beside it.
type sweep struct {
	what          string
	took          time.Duration
	loads         int
	p50, p999, at time.Duration // at: the longest
}

func measureMillion(c *config) ([]crowd, []verdict, error) {
	ours, err := hardyMillion(c)
	if err != nil {
		return nil, nil, fmt.Errorf("a million of Hardy's sessions: %w", err)
	}
	theirs, err := scsMillion(c)
	if err != nil {
		return nil, nil, fmt.Errorf("a million of scs's sessions: %w", err)
	}
	ratio := ours.bytes / theirs.bytes
	verdicts := []verdict{
		verdict{
			what: "1 M sessions: bytes beside scs", asked: "≤ 1.1 ×",
			got: fmt.Sprintf("%.2f × (%.0f of %.0f)", ratio, ours.bytes, theirs.bytes),
		}.when(ratio <= 1.1),
	}
	for _, s := range ours.sweeps {
		verdicts = append(verdicts, verdict{
			what: "1 M sessions: p99.9 of Load, " + s.what, asked: "< 1 ms",
			got: microseconds(s.p999),
		}.when(s.p999 < time.Millisecond))
	}
	return []crowd{ours, theirs}, verdicts, nil
}

// heap returns the bytes that can be reached.
func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// fill makes the sessions on all cores and returns the bytes that each takes.
func fill(c *config, one func() error) (float64, error) {
	before := heap()
	errs := make([]error, c.workers)
	var wg sync.WaitGroup
	for w := range c.workers {
		wg.Go(func() {
			for range (c.million + w) / c.workers {
				if errs[w] = one(); errs[w] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return (heap() - before) / float64(c.million), errors.Join(errs...)
}

// loadWhile loads, by one caller a core, until pass returns.
func loadWhile(c *config, what string, pass func() error, load func(i int) error) (sweep, error) {
	var done atomic.Bool
	var wg, begun sync.WaitGroup
	begun.Add(c.workers)
	waits := make([][]time.Duration, c.workers)
	errs := make([]error, c.workers)
	for w := range c.workers {
		wg.Go(func() {
			mine := make([]time.Duration, 0, 1<<22)
			begun.Done()
			for i := w; !done.Load() || len(mine) == 0; i += c.workers {
				begin := time.Now()
				if err := load(i % live); err != nil {
					errs[w] = err
					break
				}
				if took := time.Since(begin); len(mine) < cap(mine) {
					mine = append(mine, took)
				}
			}
			waits[w] = mine
		})
	}
	begun.Wait()
	start := time.Now()
	err := pass()
	took := time.Since(start)
	done.Store(true)
	wg.Wait()
	if err := errors.Join(append(errs, err)...); err != nil {
		return sweep{}, err
	}
	all := slices.Concat(waits...)
	slices.Sort(all)
	return sweep{what, took, len(all), all[len(all)/2], all[len(all)*999/1000], all[len(all)-1]}, nil
}

func hardyMillion(c *config) (crowd, error) {
	ctx := context.Background()
	memory := store.NewMemory(nil)
	manager := session.NewManager(memory, nil)
	value := session.NewKey[[]byte]("value")
	birth := func(m *session.Manager) (*session.Token, error) {
		s := m.New()
		if err := value.Set(s, random(valueBytes)); err != nil {
			return nil, err
		}
		if err := m.Commit(ctx, s); err != nil {
			return nil, err
		}
		t := s.Token()
		return t, nil
	}
	result := crowd{name: "Hardy"}
	var err error
	result.bytes, err = fill(c, func() error { _, err := birth(manager); return err })
	if err != nil {
		return result, err
	}
	// The store is told the time by who sweeps it. Sessions of another manager outlive all that comes.
	lasting := session.NewManager(memory, &session.Options{Idle: 300 * 24 * time.Hour, Lifetime: session.MaxLifetime})
	tokens := make([]*session.Token, live)
	for i := range tokens {
		if tokens[i], err = birth(lasting); err != nil {
			return result, err
		}
	}
	load := func(i int) error {
		s, err := lasting.Load(ctx, tokens[i])
		if err == nil && len(value.Get(s)) != valueBytes {
			err = errors.New("a live session lost its value")
		}
		return err
	}
	for _, pass := range []struct {
		what string
		now  time.Time
	}{
		{"while all expire", time.Now().Add(time.Hour)},
		{"while all are forgotten", time.Now().Add(48 * time.Hour)},
	} {
		var swept session.Swept
		s, err := loadWhile(c, pass.what, func() error {
			for more := true; more; {
				step, again, err := memory.Sweep(ctx, pass.now, 256) // as Manager.Run does
				if err != nil {
					return err
				}
				more = again
				swept.Blanked += step.Blanked
				swept.Forgotten += step.Forgotten
			}
			return nil
		}, load)
		if err != nil {
			return result, err
		}
		if swept.Blanked+swept.Forgotten != c.million {
			return result, fmt.Errorf("%s the sweep did %+v", pass.what, swept)
		}
		result.sweeps = append(result.sweeps, s)
	}
	if n, _ := memory.Count(ctx); n != live {
		return result, fmt.Errorf("%d records are left, want %d", n, live)
	}
	return result, nil
}

func scsMillion(c *config) (crowd, error) {
	ctx := context.Background()
	m := scs.New()
	birth := func() (string, error) {
		ctx, err := m.Load(ctx, "")
		if err != nil {
			return "", err
		}
		m.Put(ctx, "value", random(valueBytes))
		token, _, err := m.Commit(ctx)
		return token, err
	}
	result := crowd{name: "scs"}
	before := memstore.NewWithCleanupInterval(0)
	m.Store = before
	var err error
	result.bytes, err = fill(c, func() error { _, err := birth(); return err })
	if err != nil {
		return result, err
	}
	// memstore reads the clock and sweeps when its ticker says so: put the sessions into one whose ticker
	// comes soon, a little after all but the live ones have expired.
	all, err := before.All()
	if err != nil {
		return result, err
	}
	if len(all) != c.million {
		return result, fmt.Errorf("%d sessions were made, %d are there", c.million, len(all))
	}
	before = nil
	until := time.Second + time.Duration(len(all))*5*time.Microsecond
	soon := time.Now().Add(until)
	store := memstore.NewWithCleanupInterval(until + time.Second)
	m.Store = store
	for token, b := range all {
		if err := store.Commit(token, b, soon); err != nil {
			return result, err
		}
	}
	clear(all)
	tokens := make([]string, live)
	for i := range tokens {
		if tokens[i], err = birth(); err != nil {
			return result, err
		}
	}
	load := func(i int) error {
		ctx, err := m.Load(ctx, tokens[i])
		if err == nil && len(m.GetBytes(ctx, "value")) != valueBytes {
			err = errors.New("a live session lost its value")
		}
		return err
	}
	if time.Now().After(soon) {
		return result, errors.New("this machine is too slow or too busy to have memstore sweep when it should")
	}
	time.Sleep(time.Until(soon) + 800*time.Millisecond)
	s, err := loadWhile(c, "around the pass in which all are deleted", func() error {
		time.Sleep(1200 * time.Millisecond)
		return nil
	}, load)
	if err != nil {
		return result, err
	}
	store.StopCleanup()
	if left, _ := store.All(); len(left) != live {
		return result, fmt.Errorf("%d sessions are left, want %d", len(left), live)
	}
	s.took = 0 // it does not tell
	result.sweeps = append(result.sweeps, s)
	return result, nil
}

func microseconds(d time.Duration) string {
	switch us := float64(d) / 1e3; {
	case us < 10:
		return fmt.Sprintf("%.1f µs", us)
	case us < 1000:
		return fmt.Sprintf("%.0f µs", us)
	default:
		return fmt.Sprintf("%.1f ms", us/1000)
	}
}
