package store_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"example.com/hardy/store"
)

// sizes: one that fits the processor's caches and one that does not.
var sizes = []int{1_000, 1_000_000}

func benchmarkMemory(b *testing.B, run func(b *testing.B, m *store.Memory, ids []string)) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("records=%d", n), func(b *testing.B) {
			m := store.NewMemory(nil)
			ids := make([]string, n)
			for i := range ids {
				r := record(i, "", 246)
				ids[i] = r.ID
				must(b, m.Create(b.Context(), r))
			}
			b.ResetTimer()
			run(b, m, ids)
		})
	}
}

func BenchmarkMemoryLoad(b *testing.B) {
	benchmarkMemory(b, func(b *testing.B, m *store.Memory, ids []string) {
		b.ReportAllocs()
		ctx := b.Context()
		for i := 0; b.Loop(); i++ {
			if r, err := m.Load(ctx, ids[i*7919%len(ids)]); err != nil || len(r.Data) != 246 {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkMemoryLoadParallel(b *testing.B) {
	benchmarkMemory(b, func(b *testing.B, m *store.Memory, ids []string) {
		ctx := b.Context()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				if r, err := m.Load(ctx, ids[i*7919%len(ids)]); err != nil || len(r.Data) != 246 {
					b.Error(err)
				}
			}
		})
	})
}

func BenchmarkMemoryTouch(b *testing.B) {
	benchmarkMemory(b, func(b *testing.B, m *store.Memory, ids []string) {
		b.ReportAllocs()
		ctx := b.Context()
		r := record(0, "", 0)
		for i := 0; b.Loop(); i++ {
			if err := m.Touch(ctx, ids[i*7919%len(ids)], r.Seen, r.Expires, r.Purge); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkMemoryReplace(b *testing.B) {
	benchmarkMemory(b, func(b *testing.B, m *store.Memory, ids []string) {
		b.ReportAllocs()
		ctx := b.Context()
		versions := make([]uint64, len(ids))
		r := record(0, "", 0)
		for i := 0; b.Loop(); i++ {
			k := i * 7919 % len(ids)
			r.ID, r.Version, r.Data = ids[k], versions[k]+2, make([]byte, 246)
			if err := m.Replace(ctx, r); err != nil {
				b.Fatal(err)
			}
			versions[k]++
		}
	})
}

func BenchmarkMemoryReplaceParallel(b *testing.B) {
	benchmarkMemory(b, func(b *testing.B, m *store.Memory, ids []string) {
		ctx := b.Context()
		var part atomic.Int64
		b.RunParallel(func(pb *testing.PB) {
			mine := ids[int(part.Add(1)-1)%8*len(ids)/8:][:len(ids)/8]
			versions := make([]uint64, len(mine))
			r := record(0, "", 0)
			for i := 0; pb.Next(); i++ {
				k := i * 7919 % len(mine)
				if versions[k] == 0 {
					now, _ := m.Load(ctx, mine[k])
					versions[k] = now.Version
				}
				versions[k]++
				r.ID, r.Version, r.Data = mine[k], versions[k], make([]byte, 246)
				if err := m.Replace(ctx, r); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

// BenchmarkMemoryCreate grows an empty store, so that the tables' growth is part of it.
func BenchmarkMemoryCreate(b *testing.B) {
	for _, user := range []string{"", "ann"} {
		b.Run(fmt.Sprintf("user=%q", user), func(b *testing.B) {
			b.ReportAllocs()
			ctx := b.Context()
			m := store.NewMemory(nil)
			rs := record(0, user, 0)
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				r := record(i, "", 246)
				rs.ID, rs.Data = r.ID, r.Data
				b.StartTimer()
				if err := m.Create(ctx, rs); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMemoryLoadWhileSweeping(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		m := store.NewMemory(nil)
		fill(b, m, 1_000_000, anonymous)
		b.StartTimer()
		waits := loadWhile(b, m, func() { sweep(b, m, epoch.Add(time.Hour)) })
		b.ReportMetric(float64(waits[len(waits)*999/1000]), "p99.9-ns")
		b.ReportMetric(float64(waits[len(waits)-1]), "longest-ns")
	}
}
