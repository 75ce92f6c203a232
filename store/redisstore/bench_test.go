package redisstore

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/hardy/internal/servers"
)

// BenchmarkStore is what one call costs, by 1 and by 32 callers that each have sessions of their own, under the
// manager's deadline. Every call is checked.
func BenchmarkStore(b *testing.B) {
	url := servers.SharedRedis(b).URL()
	stores := map[string]*Store{"plain": open(b, url, nil), "cache": open(b, url, &Options{Cache: 64 << 20})}
	for _, callers := range []int{1, 32} {
		for _, name := range []string{"plain", "cache"} {
			s := stores[name]
			for _, what := range []string{"load", "count", "touch"} {
				b.Run(fmt.Sprintf("%s/%s/%d", what, name, callers), func(b *testing.B) { calls(b, s, what, callers) })
			}
		}
	}
}

func calls(b *testing.B, s *Store, what string, callers int) {
	const own = 16
	var n atomic.Int64
	var ready, wg sync.WaitGroup
	ready.Add(callers)
	begin := make(chan struct{})
	for range callers {
		wg.Go(func() {
			ids := make([]string, own)
			for i := range ids {
				r := fresh("")
				if err := s.Create(b.Context(), r); err != nil {
					b.Error(err)
				}
				ids[i] = r.ID
			}
			ready.Done()
			<-begin
			for turn := 0; n.Add(1) <= int64(b.N); turn++ {
				ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
				r, err := s.Load(ctx, ids[turn%own])
				switch {
				case err != nil:
				case what == "count":
					err = s.Replace(ctx, next(r))
				case what == "touch":
					r = next(r)
					err = s.Touch(ctx, r.ID, r.Seen, r.Expires, r.Purge)
				}
				cancel()
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	ready.Wait()
	b.ReportAllocs()
	b.ResetTimer()
	close(begin)
	wg.Wait()
}
