package storetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"example.com/hardy/session"
)

func capperChecks() []check {
	all := []check{
		{name: "capper creates while there is room", run: func(s *suite) {
			user := newUser()
			var all []session.Record
			for range 3 {
				r := newRecord(user)
				s.wantEvicted(r, 3, true)
				s.wantStored(r)
				all = append(all, r)
			}
			s.wantListed(user, all...)
			other := newRecord(newUser())
			s.wantEvicted(other, 1, false)
			s.wantListed(other.User, other)
		}},
		{name: "capper evicts the oldest", run: func(s *suite) {
			all := s.aged(newUser(), 4)
			r := newRecord(all[0].User)
			s.wantEvicted(r, 2, true, all[0], all[1], all[2])
			s.wantListed(r.User, all[3], r)
			for _, e := range all[:3] {
				got, err := s.store.Load(s.ctx, e.ID)
				if err != nil {
					s.Fatalf("Load of an evicted record: %v", err)
				}
				want := e
				want.Ended, want.EndedAt, want.Data = session.ReasonEvicted, r.Seen, nil
				if got.Purge.After(want.Purge) {
					want.Purge = got.Purge
				}
				s.wantSame("Load of an evicted record", got, want)
			}
		}},
		{name: "capper evicts by id where created is the same", run: func(s *suite) {
			a, b, c := newRecord(newUser()), newRecord(""), newRecord("")
			b.User, c.User, b.Created, c.Created = a.User, a.User, a.Created, a.Created
			for a.ID > b.ID { // base64url does not sort as its bytes do; the text counts
				a.ID, b.ID = b.ID, a.ID
			}
			s.mustCreate(b)
			s.mustCreate(a)
			s.wantEvicted(c, 2, true, a)
			s.wantListed(a.User, b, c)
		}},
		{name: "capper without evict refuses", run: func(s *suite) {
			all := s.aged(newUser(), 2)
			r := newRecord(all[0].User)
			evicted, err := s.capper().CreateWithin(s.ctx, r, 2, false)
			s.wantErr("CreateWithin", err, session.ErrCapped)
			if len(evicted) != 0 {
				s.Errorf("CreateWithin without evict evicted %d records", len(evicted))
			}
			s.wantAbsent(r.ID)
			s.wantListed(r.User, all...)
		}},
		{name: "capper counts no expired records", run: func(s *suite) {
			all := s.aged(newUser(), 2)
			expired := newRecord(all[0].User)
			expired.Created, expired.Seen = all[0].Created.Add(-time.Hour), all[0].Seen.Add(-2*time.Hour)
			r := newRecord(expired.User)
			expired.Expires = r.Seen // expired at the very moment
			s.mustCreate(expired)
			s.wantEvicted(r, 3, false)
			s.wantListed(r.User, all[0], all[1], expired, r)
			s.wantStoredButData(expired)
		}},
		{name: "capper evicts no expired records", run: func(s *suite) {
			all := s.aged(newUser(), 2)
			expired := newRecord(all[0].User)
			expired.Created, expired.Seen = all[0].Created.Add(-time.Hour), all[0].Seen.Add(-2*time.Hour)
			expired.Expires = expired.Seen.Add(time.Hour)
			s.mustCreate(expired)
			r := newRecord(expired.User)
			s.wantEvicted(r, 2, true, all[0])
			s.wantListed(r.User, all[1], expired, r)
		}},
		{name: "capper counts no ended records", run: func(s *suite) {
			all := s.aged(newUser(), 2)
			s.mustEnd(all[1].ID, newEnd(all[1], session.ReasonLogout))
			r := newRecord(all[0].User)
			s.wantEvicted(r, 2, true)
			s.wantListed(r.User, all[0], r)
		}},
		{name: "capper spares records of the same handle", run: func(s *suite) {
			all := s.aged(newUser(), 3)
			r := newRecord(all[0].User)
			r.Handle = all[0].Handle // the oldest: what r replaces
			s.wantEvicted(r, 2, true, all[1])
			s.wantListed(r.User, all[0], all[2], r)
			again := newRecord(r.User)
			again.Handle = r.Handle
			s.wantEvicted(again, 2, false)
			s.wantListed(r.User, all[0], all[2], r, again)
		}},
		{name: "capper counts the records of one handle once", run: func(s *suite) {
			all := s.aged(newUser(), 3)
			next := newRecord(all[0].User) // all[1] is being rotated
			next.Handle, next.Created = all[1].Handle, all[1].Created
			s.mustCreate(next)
			r := newRecord(next.User)
			s.wantEvicted(r, 4, false)
			s.wantListed(r.User, all[0], all[1], next, all[2], r)
			again := newRecord(next.User)
			s.wantEvicted(again, 4, true, all[0])
			s.wantListed(r.User, all[1], next, all[2], r, again)
		}},
		{name: "capper evicts all records of a handle", run: func(s *suite) {
			all := s.aged(newUser(), 3)
			beside := newRecord(all[0].User) // the later answer to a double click
			beside.Handle = all[0].Handle
			s.mustCreate(beside)
			r := newRecord(beside.User)
			s.wantEvicted(r, 3, true, all[0], beside)
			s.wantListed(r.User, all[1], all[2], r)
		}},
		{name: "capper refuses an id that is there", run: func(s *suite) {
			all := s.aged(newUser(), 3)
			r := newRecord(all[0].User)
			r.ID = all[2].ID
			_, err := s.capper().CreateWithin(s.ctx, r, 1, true)
			s.wantErr("CreateWithin", err, session.ErrExists)
			s.wantListed(r.User, all...)
		}},
		{name: "race capper never above max", run: raceCapper},
		{name: "race capper without evict fills exactly", run: func(s *suite) {
			user := newUser()
			var made atomic.Int32
			each(8, func(int) {
				switch _, err := s.capper().CreateWithin(s.ctx, newRecord(user), 3, false); {
				case err == nil:
					made.Add(1)
				case !errors.Is(err, session.ErrCapped):
					s.Errorf("CreateWithin: %v", err)
				}
			})
			if n := made.Load(); n != 3 {
				s.Errorf("8 parallel CreateWithin of at most 3 made %d", n)
			}
			if n := len(s.mustList(user)); n != 3 {
				s.Errorf("List shows %d records, want 3", n)
			}
		}},
	}
	for i := range all {
		all[i].has = is[session.Capper]
	}
	return all
}

func (s *suite) capper() session.Capper { return s.store.(session.Capper) }

// aged creates n records of the user, the first one the oldest.
func (s *suite) aged(user string, n int) []session.Record {
	s.Helper()
	var all []session.Record
	for i := range n {
		r := newRecord(user)
		r.Created = r.Created.Add(time.Duration(i-n) * time.Minute)
		all = append(all, r)
	}
	for i := range all { // not in the order of their age
		s.mustCreate(all[(i+1)%n])
	}
	return all
}

// wantEvicted creates r within max and checks that exactly want was evicted for it, in any order.
func (s *suite) wantEvicted(r session.Record, max int, evict bool, want ...session.Record) {
	s.Helper()
	evicted, err := s.capper().CreateWithin(s.ctx, r, max, evict)
	if err != nil {
		s.Fatalf("CreateWithin: %v", err)
	}
	got := make(map[string]session.Record)
	for _, e := range evicted {
		got[e.ID] = e
	}
	for _, w := range want {
		if g, ok := got[w.ID]; ok {
			s.wantSame("CreateWithin (what it evicted)", g, w)
		} else {
			s.Errorf("CreateWithin did not evict the record created at %v", w.Created)
		}
		delete(got, w.ID)
	}
	for _, g := range got {
		s.Errorf("CreateWithin evicted a record that it must not, created at %v", g.Created)
	}
}

// raceCapper lets parallel logins of one user meet a cap.
func raceCapper(s *suite) {
	const logins, each1, max = 5, 5, 3
	user := newUser()
	var done atomic.Bool
	var mu sync.Mutex
	gone := make(map[string]bool)
	var watching sync.WaitGroup
	watching.Go(func() {
		for !done.Load() {
			list, err := s.store.List(s.ctx, user)
			if err != nil || len(list) > max {
				s.Errorf("List shows %d live records of at most %d (error %v)", len(list), max, err)
				return
			}
		}
	})
	each(logins, func(int) {
		for range each1 {
			evicted, err := s.capper().CreateWithin(s.ctx, newRecord(user), max, true)
			if err != nil {
				s.Errorf("CreateWithin: %v", err)
				return
			}
			mu.Lock()
			for _, e := range evicted {
				if gone[e.ID] || e.Ended != "" {
					s.Errorf("a record was evicted twice")
				}
				gone[e.ID] = true
			}
			mu.Unlock()
		}
	})
	done.Store(true)
	watching.Wait()
	if n := len(s.mustList(user)); n != max || len(gone) != logins*each1-max {
		s.Errorf("%d records are live and %d evicted, want %d and %d", n, len(gone), max, logins*each1-max)
	}
	for id := range gone {
		if got, err := s.store.Load(s.ctx, id); err == nil && got.Ended != session.ReasonEvicted {
			s.Errorf("an evicted record has ended as %q", got.Ended)
		}
	}
}
