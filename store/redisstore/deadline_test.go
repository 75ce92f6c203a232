package redisstore

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"example.com/hardy/internal/faultproxy"
	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
)

// TestReturnsAtTheDeadline: whatever is silent, the server or the network, on connections that are there or have to
// be made, for a few callers or for more than the client queues: each call returns when its context ends. The client's
// own limits are set so far off that they can't be what ends a call.
func TestReturnsAtTheDeadline(t *testing.T) {
	slow := func(o *rueidis.ClientOption) {
		o.Dialer.Timeout, o.Dialer.KeepAlive, o.ConnWriteTimeout = time.Minute, time.Minute, time.Minute
	}
	silences := map[string]func(*servers.Redis, *faultproxy.Proxy) (end func()){
		"paused": func(r *servers.Redis, _ *faultproxy.Proxy) func() { r.Pause(); return r.Resume },
		"held":   func(_ *servers.Redis, p *faultproxy.Proxy) func() { p.Hold(true); return p.Heal },
		"cut": func(_ *servers.Redis, p *faultproxy.Proxy) func() {
			p.Hold(true)
			p.Cut()
			return p.Heal
		},
	}
	for _, cache := range []int{0, 1 << 20} {
		for name, silence := range silences {
			t.Run(fmt.Sprintf("%s, cache %d", name, cache), func(t *testing.T) {
				server := servers.StartRedis(t)
				proxy := faultproxy.Start(t, server.Addr)
				s := open(t, "redis://"+proxy.Addr, &Options{Cache: cache, Configure: slow})
				r := fresh("ann")
				must(t, s.Create(t.Context(), r))
				end := silence(server, proxy)
				for _, callers := range []int{1, 20, 3000} {
					silentCalls(t, s, r, callers)
				}
				end()
				proxy.Cut() // else the client waits for the answers of a minute ago
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				for {
					if _, err := s.Load(ctx, r.ID); err == nil {
						break
					}
					if ctx.Err() != nil {
						t.Fatal("the store does not recover")
					}
				}
			})
		}
	}
}

func silentCalls(t *testing.T, s *Store, r session.Record, callers int) {
	t.Helper()
	const limit, slack = 300 * time.Millisecond, 15 * time.Second
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			begin := time.Now()
			var err error
			switch i % 5 {
			case 0:
				_, err = s.Load(ctx, newID())
			case 1:
				err = s.Touch(ctx, r.ID, r.Seen, r.Expires, r.Purge)
			case 2:
				_, err = s.List(ctx, "ann")
			case 3:
				err = s.Create(ctx, fresh("bob"))
			case 4:
				_, err = s.CreateWithin(ctx, fresh("bob"), 3, true)
			}
			if took := time.Since(begin); took > limit+slack {
				t.Errorf("call %d of %d took %v", i%5, callers, took)
			}
			if answer(err) {
				t.Errorf("call %d of %d: %v", i%5, callers, err)
			}
		})
	}
	wg.Wait()
}
