package redisstore

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"example.com/hardy/internal/faultproxy"
	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
)

// TestCachedLoadMakesNoRoundTrip, but one each second, which proves that the connection delivers.
func TestCachedLoadMakesNoRoundTrip(t *testing.T) {
	ctx := t.Context()
	proxy := faultproxy.Start(t, servers.SharedRedis(t).Addr)
	s := open(t, "redis://"+proxy.Addr, &Options{Cache: 1 << 20})
	r := fresh("ann")
	must(t, s.Create(ctx, r))
	if _, err := s.Load(ctx, r.ID); err != nil {
		t.Fatal(err)
	}
	before, begin := proxy.Count().RoundTrips, time.Now()
	for range 1000 {
		got, err := s.Load(ctx, r.ID)
		if err != nil || got.Version != 1 || string(got.Data) != string(r.Data) {
			t.Fatalf("version %d, %v", got.Version, err)
		}
	}
	// The client pings twice a second.
	if n, most := proxy.Count().RoundTrips-before, 1+3*int(1+time.Since(begin)/time.Second); n > most {
		t.Errorf("1,000 reads of one session made %d round trips, want at most %d", n, most)
	}
}

// TestCacheSeesOwnWritesAtOnce, whatever other goroutines read meanwhile.
func TestCacheSeesOwnWritesAtOnce(t *testing.T) {
	ctx := t.Context()
	s := open(t, servers.SharedRedis(t).URL(), &Options{Cache: 1 << 20})
	r := fresh("ann")
	must(t, s.Create(ctx, r))
	id, done := r.ID, make(chan bool)
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for last := uint64(0); ; {
				select {
				case <-done:
					return
				default:
				}
				got, err := s.Load(ctx, id)
				if err != nil || got.Version < last {
					t.Errorf("version %d after %d, %v", got.Version, last, err)
					return
				}
				last = got.Version
				time.Sleep(10 * time.Microsecond)
			}
		})
	}
	for range 500 {
		r = next(r)
		must(t, s.Replace(ctx, r))
		got, err := s.Load(ctx, r.ID)
		if err != nil || got.Version != r.Version || !got.Seen.Equal(r.Seen) {
			t.Fatalf("version %d after version %d was stored, %v", got.Version, r.Version, err)
		}
		r.Seen, r.Expires = r.Seen.Add(time.Microsecond), r.Expires.Add(time.Microsecond)
		must(t, s.Touch(ctx, r.ID, r.Seen, r.Expires, r.Purge))
		if got, err = s.Load(ctx, r.ID); err != nil || !got.Seen.Equal(r.Seen) {
			t.Fatalf("Seen is %v after a Touch to %v, %v", got.Seen, r.Seen, err)
		}
	}
	close(done)
	readers.Wait()
	if _, err := s.End(ctx, r.ID, session.End{Reason: session.ReasonLogout, At: r.Seen, Purge: r.Purge}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Load(ctx, r.ID); got.Ended != session.ReasonLogout || err != nil {
		t.Errorf("after its end a session reads as ended %q, %v", got.Ended, err)
	}
}

// TestCacheSeesEndsOnOtherNodes: as soon as the server's message comes.
func TestCacheSeesEndsOnOtherNodes(t *testing.T) {
	ctx := t.Context()
	url := servers.SharedRedis(t).URL()
	here, there := open(t, url, &Options{Cache: 1 << 20}), open(t, url, nil)
	var took []time.Duration
	for range 100 {
		r := fresh("ann")
		must(t, here.Create(ctx, r))
		for range 3 {
			_, err := here.Load(ctx, r.ID)
			must(t, err)
		}
		_, err := there.End(ctx, r.ID, session.End{Reason: session.ReasonRevoked, At: r.Seen, Purge: r.Purge})
		must(t, err)
		took = append(took, untilEnded(t, here, r.ID))
	}
	slices.Sort(took)
	t.Logf("an end is seen after %v in the median, %v at p99, %v at most", took[50], took[98], took[99])
	if took[99] > deafAfter+slack {
		t.Errorf("an end was seen after %v", took[99])
	}
}

// slack is what a busy machine may take on top of what is promised.
const slack = 15 * time.Second

// untilEnded returns how long a session goes on being read as live, and checks that from then on it is not. A read
// that fails is no live session.
func untilEnded(t *testing.T, s *Store, id string) time.Duration {
	t.Helper()
	begin := time.Now()
	live := time.Duration(0)
	for over := false; ; time.Sleep(50 * time.Microsecond) {
		asked := time.Since(begin)
		got, err := s.Load(t.Context(), id)
		switch {
		case err == nil && got.Ended == "":
			if over {
				t.Fatal("an ended session reads as live again")
			}
			live = asked
		case over && asked > live+20*time.Millisecond:
			return live
		default:
			over = true
		}
		if asked > deafAfter+slack {
			return asked
		}
	}
}

// TestCacheBehindAHalfOpenConnection: the connection is open and delivers nothing. No session that was ended is
// read as live for more than 2 s. The client's own pings are put off, so that it is the cache that keeps the promise.
func TestCacheBehindAHalfOpenConnection(t *testing.T) {
	for name, silence := range map[string]func(*faultproxy.Proxy){
		"frozen":      func(p *faultproxy.Proxy) { p.Freeze() },
		"half-closed": func(p *faultproxy.Proxy) { p.HalfClose() },
		"delayed":     func(p *faultproxy.Proxy) { p.Delay(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			server := servers.StartRedis(t)
			proxy := faultproxy.Start(t, server.Addr)
			here := open(t, "redis://"+proxy.Addr, &Options{Cache: 1 << 20, Configure: func(o *rueidis.ClientOption) {
				o.Dialer.KeepAlive = time.Minute
			}})
			there := open(t, server.URL(), nil)
			r := fresh("ann")
			must(t, here.Create(ctx, r))
			for range 3 {
				_, err := here.Load(ctx, r.ID)
				must(t, err)
			}
			silence(proxy)
			_, err := there.End(ctx, r.ID, session.End{Reason: session.ReasonRevoked, At: r.Seen, Purge: r.Purge})
			must(t, err)
			ended := time.Now()
			for time.Since(ended) < deafAfter+time.Second {
				limited, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
				asked := time.Since(ended)
				got, err := here.Load(limited, r.ID)
				cancel()
				if err == nil && got.Ended == "" && asked > deafAfter {
					t.Fatalf("a session reads as live %v after its end", asked)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
}

// TestCacheIsBounded: it keeps to its bytes, what was read lately stays, and what it no longer has is read again.
func TestCacheIsBounded(t *testing.T) {
	ctx := t.Context()
	const most = 200_000
	s := open(t, servers.SharedRedis(t).URL(), &Options{Cache: most})
	hot := fresh("")
	must(t, s.Create(ctx, hot))
	all := make([]session.Record, 400)
	for i := range all {
		all[i] = fresh("")
		must(t, s.Create(ctx, all[i]))
	}
	for range 3 {
		for _, i := range rand.Perm(len(all)) {
			for _, r := range []session.Record{all[i], hot} {
				got, err := s.Load(ctx, r.ID)
				if err != nil || string(got.Data) != string(r.Data) {
					t.Fatalf("a wrong record, %v", err)
				}
			}
			if s.cache.size > most || s.cache.size < 0 {
				t.Fatalf("the cache holds %d bytes", s.cache.size)
			}
		}
	}
	if n := s.cache.queue.Len(); n < 50 || n > most/entryCost {
		t.Errorf("%d records are held in %d bytes", n, most)
	}
	for _, f := range s.cache.feeds {
		if e := f.entries[s.record(hot.ID)]; len(f.entries) > 0 && (e == nil || e.place == nil) {
			t.Error("what is read most is not held")
		}
	}
	for i := range all {
		must(t, s.Touch(ctx, all[i].ID, all[i].Seen, all[i].Expires, all[i].Purge))
	}
	s.cache.forget(s.record(hot.ID))
	if s.cache.size != 0 || s.cache.queue.Len() != 0 {
		t.Errorf("of records that were all written, %d are held, in %d bytes", s.cache.queue.Len(), s.cache.size)
	}
	for _, f := range s.cache.feeds {
		if len(f.entries) != 0 {
			t.Errorf("%d entries are left", len(f.entries))
		}
	}
}

// TestCacheIsEmptiedWithItsConnection, and by FLUSHALL.
func TestCacheIsEmptiedWithItsConnection(t *testing.T) {
	ctx := t.Context()
	server := servers.StartRedis(t)
	proxy := faultproxy.Start(t, server.Addr)
	s := open(t, "redis://"+proxy.Addr, &Options{Cache: 1 << 20})
	r := fresh("ann")
	must(t, s.Create(ctx, r))
	load := func() {
		t.Helper()
		_, err := s.Load(ctx, r.ID)
		must(t, err)
	}
	held := func() int {
		s.cache.mu.RLock()
		defer s.cache.mu.RUnlock()
		return s.cache.size
	}
	load()
	if held() == 0 {
		t.Fatal("nothing is held")
	}
	proxy.Cut()
	eventually(t, "the cache is empty after a cut", func() bool { return held() == 0 })
	load()
	if held() == 0 {
		t.Fatal("nothing is held on the new connection")
	}
	server.CLI("flushall")
	eventually(t, "the cache is empty after FLUSHALL", func() bool { return held() == 0 })
	if _, err := s.Load(ctx, r.ID); err != session.ErrNotFound {
		t.Errorf("Load after FLUSHALL: %v", err)
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for begin := time.Now(); !is(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > slack {
			t.Fatal("not so: " + what)
		}
	}
}
