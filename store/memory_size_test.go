package store_test

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/hardy/session"
	"example.com/hardy/store"
)

// heap returns the bytes that are reachable.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// fill creates n records and returns the bytes that they take.
func fill(t testing.TB, m *store.Memory, n int, user func(i int) string) int64 {
	before := heap()
	for i := range n {
		must(t, m.Create(t.Context(), record(i, user(i), 246)))
	}
	return heap() - before
}

func anonymous(int) string { return "" }

// sweep sweeps whole rounds at now.
func sweep(t testing.TB, m *store.Memory, now time.Time) (total session.Swept) {
	for more := true; more; {
		var s session.Swept
		var err error
		s, more, err = m.Sweep(t.Context(), now, 1000)
		must(t, err)
		total.Blanked += s.Blanked
		total.Forgotten += s.Forgotten
	}
	return total
}

// TestMemoryBytes bounds what a session takes and what stays when all are gone. The bound is 1.1 times what
// scs's memstore takes for a session of the same content.
func TestMemoryBytes(t *testing.T) {
	n := 200_000
	if testing.Short() || raceEnabled {
		n = 20_000
	}
	tests := []struct {
		name string
		user func(int) string
		most int64 // bytes a session
	}{
		{"anonymous", anonymous, 450},
		{"a user each", func(i int) string { return fmt.Sprintf("user-%d@example.com", i) }, 750},
		{"few users", func(i int) string { return fmt.Sprintf("user-%d@example.com", i%10) }, 650},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := store.NewMemory(nil)
			full := fill(t, m, n, tt.user)
			t.Logf("%d bytes a session", full/int64(n))
			if full/int64(n) > tt.most && !raceEnabled {
				t.Errorf("a session takes %d bytes, want at most %d", full/int64(n), tt.most)
			}

			idle := heap()
			if s := sweep(t, m, epoch.Add(time.Hour)); s.Blanked != n || s.Forgotten != 0 {
				t.Errorf("after an hour the sweep did %+v, want the Data of %d dropped", s, n)
			}
			if gave := idle - heap(); gave < int64(n)*246 {
				t.Errorf("dropping the Data of %d sessions gave %d bytes back", n, gave)
			}

			idle = heap()
			if s := sweep(t, m, epoch.Add(48*time.Hour)); s.Forgotten != n {
				t.Errorf("after two days the sweep did %+v, want %d forgotten", s, n)
			}
			// All that the store held is gone: what is left of it is a twentieth at most.
			if left := full - (idle - heap()) - int64(n)*246; left > full/20 {
				t.Errorf("%d of %d bytes are left", left, full)
			}
			if c, _ := m.Count(t.Context()); c != 0 {
				t.Errorf("Count is %d", c)
			}
			runtime.KeepAlive(m)
		})
	}
}

// TestMemoryBoundedByTraffic: without any Sweep, what dies is forgotten by the writes that follow it.
func TestMemoryBoundedByTraffic(t *testing.T) {
	m := store.NewMemory(nil)
	n, most := 200_000, 0
	if testing.Short() || raceEnabled {
		n = 60_000
	}
	for i := range n {
		r := record(i, []string{"", "ann"}[i%2], 10)
		now := epoch.Add(time.Duration(i) * time.Minute) // some 1,500 records within their 25 hours
		r.Created, r.Seen, r.Expires = now, now, now.Add(31*time.Minute)
		r.Purge = r.Expires.Add(session.Tombstone)
		must(t, m.Create(t.Context(), r))
		c, _ := m.Count(t.Context())
		most = max(most, c)
	}
	// 2,048 shards are each swept by the writes into them alone, so several a shard may wait.
	if most > 12_000 {
		t.Errorf("at most %d records were held at once", most)
	}
	list, err := m.List(t.Context(), "ann")
	if c, _ := m.Count(t.Context()); err != nil || len(list) > c {
		t.Errorf("the index lists %d records of %d", len(list), c)
	}
}

// TestMemorySweepDoesNotBlock bounds what a Load waits while a million records are swept. What else the machine
// does is not the sweep's, and falls as often on Loads beside a goroutine that is busy with nothing;
// BenchmarkMemoryLoadWhileSweeping measures.
func TestMemorySweepDoesNotBlock(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("it takes a million records")
	}
	m := store.NewMemory(nil)
	fill(t, m, 1_000_000, anonymous)
	p999 := func(waits []time.Duration) time.Duration { return waits[len(waits)*999/1000] }
	for _, now := range []time.Time{epoch.Add(time.Hour), epoch.Add(48 * time.Hour)} {
		begin := time.Now()
		waits := loadWhile(t, m, func() { sweep(t, m, now) })
		took := time.Since(begin)
		beside := loadWhile(t, m, func() {
			for begin := time.Now(); time.Since(begin) < took; {
			}
		})
		t.Logf("%d Loads: p99.9 %v, beside an idle store %v; longest %v", len(waits), p999(waits), p999(beside), waits[len(waits)-1])
		if p := p999(waits); p > 5*time.Millisecond && p > 4*p999(beside) {
			t.Errorf("p99.9 of Load is %v while a million records are swept, and %v while none is", p, p999(beside))
		}
	}
}

// loadWhile works under one caller a core, and returns how long each Load took, sorted.
func loadWhile(t testing.TB, m *store.Memory, work func()) []time.Duration {
	ids := make([]string, 4096)
	for i := range ids {
		ids[i] = record(i*37, "", 0).ID
	}
	ctx := t.Context()
	waits := make([][]time.Duration, runtime.GOMAXPROCS(0))
	var done atomic.Bool
	var callers sync.WaitGroup
	for c := range waits {
		waits[c] = make([]time.Duration, 0, 1<<21)
		callers.Go(func() {
			for i := c; !done.Load(); i++ {
				begin := time.Now()
				m.Load(ctx, ids[i%len(ids)])
				waits[c] = append(waits[c], time.Since(begin))
			}
		})
	}
	work()
	done.Store(true)
	callers.Wait()
	all := slices.Concat(waits...)
	slices.Sort(all)
	return all
}
