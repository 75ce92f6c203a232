package redisstore

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
)

// TestScriptFlush: whatever the server forgets of scripts, nobody notices.
func TestScriptFlush(t *testing.T) {
	ctx := t.Context()
	server := servers.StartRedis(t)
	s := open(t, server.URL(), nil)
	done := make(chan bool)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			r := fresh("ann")
			if err := s.Create(ctx, r); err != nil {
				t.Error(err)
				return
			}
			for {
				select {
				case <-done:
					if _, err := s.End(ctx, r.ID, session.End{Reason: session.ReasonLogout, At: r.Seen}); err != nil {
						t.Errorf("End: %v", err)
					}
					return
				default:
				}
				r = next(r)
				if err := s.Replace(ctx, r); err != nil {
					t.Errorf("Replace: %v", err)
					return
				}
			}
		})
	}
	for range 30 {
		server.CLI("script", "flush")
	}
	close(done)
	wg.Wait()
}

// TestSentinel: a store that knows the Sentinels writes to the primary, and goes on by itself with the one that they
// name when it is gone. What its replica had is there.
func TestSentinel(t *testing.T) {
	ctx := t.Context()
	set := servers.StartSentinel(t, user(names, commands, cacheRights, []string{sentinelRight}))
	addrs := set.Addrs()
	s := open(t, "redis://hardy:secret@"+addrs[0]+"?addr="+strings.Join(addrs[1:], "&addr=")+"&master_set="+set.Name, &Options{Cache: 1 << 20})
	r, ended := fresh("ann"), fresh("ann")
	for _, r := range []session.Record{r, ended} {
		must(t, s.Create(ctx, r))
	}
	_, err := s.End(ctx, ended.ID, session.End{Reason: session.ReasonRevoked, At: r.Seen, Purge: r.Purge})
	must(t, err)
	news, stop := watching(t, s)
	defer stop()
	heard(t, news)
	set.Primary.CLI("wait", "1", "10000") // redis-cli's own connection: all that came before is on the replica
	eventually(t, "the replica has all", func() bool {
		return strings.Contains(set.Replica.CLI("info", "keyspace"), "keys=") &&
			set.Replica.CLI("dbsize") == set.Primary.CLI("dbsize")
	})
	set.Primary.Kill()
	died := time.Now()
	eventually(t, "a new primary is written to", func() bool {
		limited, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		began := time.Now()
		n := next(r)
		err := s.Replace(limited, n)
		if took := time.Since(began); took > 2*time.Second+slack {
			t.Errorf("a call took %v", took)
		}
		return err == nil || errors.Is(err, session.ErrConflict) // an answer was lost
	})
	t.Logf("written to again %v after the primary died", time.Since(died).Round(time.Millisecond))
	if got, err := s.Load(ctx, ended.ID); got.Ended != session.ReasonRevoked || err != nil {
		t.Errorf("what had ended reads as ended %q, %v", got.Ended, err)
	}
	if e := heard(t, news); e != (session.Ended{}) {
		t.Errorf("the news after it is %+v, want the empty one", e)
	}
	id := endOne(t, s)
	e := heard(t, news)
	for e == (session.Ended{}) { // it may have taken two attempts to listen again
		e = heard(t, news)
	}
	if e.ID != id {
		t.Errorf("the news is %+v, want the end of %s", e, id)
	}
}

// TestReshard: slots go to another node while their sessions are written to, and nobody notices.
func TestReshard(t *testing.T) {
	ctx := t.Context()
	cluster := servers.StartCluster(t)
	s := open(t, clusterURL(cluster), nil)
	done := make(chan bool)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			all := make([]session.Record, 200)
			for i := range all {
				all[i] = fresh("ann-" + newID())
				if err := s.Create(ctx, all[i]); err != nil {
					t.Error(err)
					return
				}
			}
			for {
				select {
				case <-done:
					return
				default:
				}
				i := rand.IntN(len(all))
				limited, cancel := context.WithTimeout(ctx, 20*time.Second)
				n := next(all[i])
				err := s.Replace(limited, n)
				if err == nil {
					all[i] = n
					var got session.Record
					if got, err = s.Load(limited, n.ID); got.Version != n.Version {
						t.Errorf("version %d, want %d", got.Version, n.Version)
					}
				}
				cancel()
				if err != nil {
					t.Errorf("while slots move: %v", err)
					return
				}
			}
		})
	}
	for i := range 3 {
		if err := cluster.Reshard(cluster.Nodes[i], cluster.Nodes[(i+1)%3], 700); err != nil {
			t.Error(err)
		}
	}
	close(done)
	wg.Wait()
}

// TestCreatesSweepInPassing: a program that never sweeps is bounded by its traffic, and what Redis forgets by
// itself leaves nothing behind.
func TestCreatesSweepInPassing(t *testing.T) {
	ctx := t.Context()
	s := open(t, servers.SharedRedis(t).URL(), nil)
	inOne := func() session.Record { // all in one bucket
		r := fresh("")
		r.ID = "ab" + r.ID[2:]
		return r
	}
	now := time.Now()
	for range 200 {
		r := inOne()
		r.Seen = now.Add(-2 * time.Hour)
		r.Expires, r.Purge = r.Seen.Add(30*time.Minute), now.Add(time.Hour)
		must(t, s.Create(ctx, r))
		r = inOne()
		r.Seen, r.Expires, r.Purge = now.Add(-3*time.Hour), now.Add(-2*time.Hour), now.Add(-time.Hour)
		must(t, s.Create(ctx, r)) // Redis forgets it at once
	}
	for range 200 {
		must(t, s.Create(ctx, inOne()))
	}
	data, gone := 0, 0
	page, _, err := s.Scan(ctx, "", 1000)
	must(t, err)
	for _, r := range page {
		if r.Expires.Before(now) && r.Data != nil {
			data++
		}
	}
	n, err := s.Count(ctx)
	must(t, err)
	gone = n - len(page)
	if len(page) != 400 || data != 0 || gone != 0 {
		t.Errorf("%d records are left, %d expired ones with Data, %d entries of what is gone; want 400, 0, 0", len(page), data, gone)
	}
}

// TestSweepLooksOnce: a record that lives is looked at again only when it may have died.
func TestSweepLooksOnce(t *testing.T) {
	ctx := t.Context()
	s := open(t, servers.SharedRedis(t).URL(), nil)
	r := fresh("ann")
	must(t, s.Create(ctx, r))
	later := r.Expires.Add(time.Hour)
	must(t, s.Touch(ctx, r.ID, r.Seen, later, r.Purge))
	n := 0
	for prefix, _ := s.bucket(n); prefix+r.ID[2:] != s.record(r.ID); prefix, _ = s.bucket(n) {
		n++
	}
	const ms = time.Millisecond
	for i, c := range []struct {
		now  time.Time
		want [3]int64
	}{
		{r.Expires.Add(-ms), [3]int64{}},
		{r.Expires.Add(ms), [3]int64{1, 0, 0}},
		{r.Expires.Add(ms), [3]int64{}},
		{later.Add(ms), [3]int64{1, 1, 0}},
		{r.Purge.Add(-ms), [3]int64{}},
		{r.Purge.Add(ms), [3]int64{1, 0, 1}},
		{r.Purge.Add(ms), [3]int64{}},
	} {
		got, err := s.sweepBucket(ctx, n, nanos(c.now)/int64(ms), 10)
		if err != nil || got != c.want {
			t.Errorf("step %d looked at, blanked and forgot %v, %v; want %v", i, got, err, c.want)
		}
	}
}

// TestReservationRunsOut: the process of a login dies before the login is complete. Until its reservation runs
// out it counts; nobody is served with it; then it is gone, and the login answers that it was given up.
func TestReservationRunsOut(t *testing.T) {
	ctx := t.Context()
	s := open(t, servers.SharedRedis(t).URL(), nil)
	dead := fresh("ann")
	must(t, s.reserve(ctx, &dead))
	if _, err := s.enter(ctx, &dead, 1, true); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(ctx, dead.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Load of a reservation: %v", err)
	}
	if err := s.Create(ctx, dead); !errors.Is(err, session.ErrExists) {
		t.Errorf("Create of a reserved id: %v", err)
	}
	if err := s.Replace(ctx, next(dead)); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Replace of a reservation: %v", err)
	}
	if err := s.Touch(ctx, dead.ID, dead.Seen, dead.Expires, dead.Purge); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Touch of a reservation: %v", err)
	}
	if list, err := s.List(ctx, "ann"); len(list) != 0 || err != nil {
		t.Errorf("List shows %d, %v", len(list), err)
	}
	if _, err := s.CreateWithin(ctx, fresh("ann"), 1, false); !errors.Is(err, session.ErrCapped) {
		t.Errorf("a login beside a reservation: %v", err)
	}
	ttl, err := s.client.Do(ctx, s.client.B().Pttl().Key(s.record(dead.ID)).Build()).AsInt64()
	if err != nil || ttl <= 0 || ttl > reservation {
		t.Errorf("it runs out in %d ms, %v", ttl, err)
	}
	must(t, s.client.Do(ctx, s.client.B().Pexpire().Key(s.record(dead.ID)).Milliseconds(0).Build()).Error()) // it runs out
	if _, err := s.CreateWithin(ctx, fresh("ann"), 1, false); err != nil {
		t.Errorf("a login after it: %v", err)
	}

	// One that is slower than its reservation is not admitted any more.
	slow := fresh("bob")
	must(t, s.reserve(ctx, &slow))
	must(t, s.client.Do(ctx, s.client.B().Pexpire().Key(s.record(slow.ID)).Milliseconds(0).Build()).Error())
	if err := s.admit(ctx, &slow); !errors.Is(err, errTooSlow) {
		t.Errorf("a late admission: %v", err)
	}
	if _, err := s.Load(ctx, slow.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Load after it: %v", err)
	}

	// One that another login has evicted before it was admitted has been a session for no time.
	r := fresh("eve")
	must(t, s.reserve(ctx, &r))
	if _, err := s.enter(ctx, &r, 1, true); err != nil {
		t.Fatal(err)
	}
	evicted, err := s.CreateWithin(ctx, fresh("eve"), 1, true)
	if err != nil || len(evicted) != 1 || evicted[0].ID != r.ID || evicted[0].Ended != "" {
		t.Errorf("a login beyond a reservation evicts %+v, %v", evicted, err)
	}
	must(t, s.admit(ctx, &r))
	if got, err := s.Load(ctx, r.ID); got.Ended != session.ReasonEvicted || err != nil {
		t.Errorf("it has ended as %q, %v", got.Ended, err)
	}
	if list, err := s.List(ctx, "eve"); len(list) != 1 || err != nil {
		t.Errorf("List shows %d, %v", len(list), err)
	}
}

// TestOddInput, by way of the manager: a session of 64 KiB and a byte, and a user of 10 kB.
func TestOddInput(t *testing.T) {
	ctx := t.Context()
	s := open(t, servers.SharedRedis(t).URL(), nil)
	m := quiet(s, 2)
	v := visitor{t: t, m: m}
	v.request(countUp)
	big := strings.Repeat("x", 64<<10+1)
	visit, err := m.Load(ctx, v.token)
	must(t, err)
	if err = remark.Set(visit, big); err == nil {
		err = m.Commit(ctx, visit)
	}
	if !errors.Is(err, session.ErrTooLarge) {
		t.Errorf("a value of 64 KiB and a byte: %v", err)
	}
	v.request(func(s *session.Session) error {
		if n := count.Get(s); n != 1 {
			t.Errorf("after it the count is %d", n)
		}
		return remark.Set(s, big[:60<<10])
	})
	v.request(func(s *session.Session) error {
		if got := remark.Get(s); len(got) != 60<<10 {
			t.Errorf("%d bytes came back", len(got))
		}
		return nil
	})

	user := strings.Repeat("ann\x00'\"\\{}*", 1000)
	visit, err = m.Load(ctx, v.token)
	must(t, err)
	if err := visit.Login(user); err == nil || len(err.Error()) > 500 {
		t.Errorf("Login of a user of 10 kB: %v", err)
	}
	// The store takes even that.
	var last session.Record
	for i := range 3 {
		last = fresh(user)
		last.Created = last.Created.Add(time.Duration(i))
		if _, err := s.CreateWithin(ctx, last, 2, true); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.Load(ctx, last.ID); got.User != user || err != nil {
		t.Errorf("a user of 10 kB comes back with %d bytes, %v", len(got.User), err)
	}
	if list, err := s.List(ctx, user); err != nil || len(list) != 2 || list[0].User != user {
		t.Errorf("%d sessions of a user of 10 kB, within a cap of 2: %v", len(list), err)
	}
	if other, err := s.List(ctx, user[:len(user)-1]); len(other) != 0 || err != nil {
		t.Errorf("a user of another name has %d sessions, %v", len(other), err)
	}
}
