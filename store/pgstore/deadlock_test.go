package pgstore

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"example.com/hardy/internal/faultproxy"
	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
)

// TestNobodyWaitsInACircle: processes whose groups write the same sessions in any order, evict, end and sweep, never wait
// for each other until the server breaks the circle, after a second.
func TestNobodyWaitsInACircle(t *testing.T) {
	t.Parallel()
	p := servers.StartPostgres(t)
	var stores []*Store
	for range 3 {
		stores = append(stores, open(t, p.URL(), nil))
	}
	var records []session.Record
	for range 40 {
		r := newRecord("ann")
		mustCreate(t, stores[0], r)
		records = append(records, r)
	}
	ctx, began := t.Context(), time.Now()
	var wg sync.WaitGroup
	for _, s := range stores {
		for worker := range 16 {
			wg.Go(func() {
				for time.Since(began) < 3*time.Second {
					r := records[rand.IntN(len(records))]
					var err error
					switch {
					case worker < 7:
						if r, err = s.Load(ctx, r.ID); err == nil {
							err = s.Replace(ctx, later(r))
						}
					case worker < 13:
						err = s.Touch(ctx, r.ID, r.Seen, r.Expires, r.Purge)
					case worker < 14:
						_, err = s.CreateWithin(ctx, newRecord("ann"), len(records)-1, true)
					case worker < 15:
						fresh := newRecord("ann")
						if err = s.Create(ctx, fresh); err == nil {
							_, err = s.End(ctx, fresh.ID, session.End{Reason: session.ReasonLogout, At: fresh.Seen})
						}
					default:
						_, _, err = s.Sweep(ctx, time.Now(), 10)
					}
					if err != nil && !answer(err) {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	for _, s := range stores {
		must(t, s.Close()) // the server's statistics are told then
	}
	until(t, "the statistics are there", func() bool {
		return p.SQL("SELECT xact_commit > 100 FROM pg_stat_database WHERE datname = current_database()") == "t"
	})
	if n := p.SQL("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"); n != "0" {
		t.Errorf("%s circles were broken by the server", n)
	}
}

// TestGroupsLockInOneOrder, whatever the order in which their callers came: those of two processes that replace the same
// sessions do not wait for each other in a circle.
func TestGroupsLockInOneOrder(t *testing.T) {
	t.Parallel()
	p := servers.StartPostgres(t)
	var stores [2]*Store
	var networks [2]*faultproxy.Proxy
	for i := range stores {
		networks[i] = faultproxy.Start(t, p.Addr)
		stores[i] = open(t, p.URLAt(networks[i].Addr), nil)
	}
	var records []session.Record
	for range 200 {
		r := newRecord("")
		mustCreate(t, stores[0], r)
		records = append(records, r)
	}
	for range 6 {
		var wg sync.WaitGroup
		for i, s := range stores {
			networks[i].Hold(true)
			for range flights { // who comes next waits
				wg.Go(func() { s.Replace(t.Context(), newRecord("")) })
			}
			until(t, "the way is taken", func() bool {
				s.replaces.mu.Lock()
				defer s.replaces.mu.Unlock()
				return s.replaces.onward == flights
			})
			for n := range records {
				r := records[n]
				if i == 1 {
					r = records[len(records)-1-n]
				}
				wg.Go(func() {
					if err := s.Replace(t.Context(), later(r)); err != nil && !answer(err) {
						t.Error(err)
					}
				})
				for waitingIn(&s.replaces) <= n && !t.Failed() {
					runtime.Gosched()
				}
			}
		}
		for _, network := range networks {
			network.Heal()
		}
		wg.Wait()
		for n := range records {
			r, err := stores[0].Load(t.Context(), records[n].ID)
			must(t, err)
			records[n] = r
		}
	}
	for _, s := range stores {
		must(t, s.Close())
	}
	until(t, "the statistics are there", func() bool {
		return p.SQL("SELECT xact_commit > 100 FROM pg_stat_database WHERE datname = current_database()") == "t"
	})
	if n := p.SQL("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"); n != "0" {
		t.Errorf("%s circles were broken by the server", n)
	}
}
