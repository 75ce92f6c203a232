package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"example.com/hardy/session"
)

func raceChecks() []check {
	return []check{
		{name: "race create has one winner", run: func(s *suite) {
			user := newUser()
			for range 10 {
				r := newRecord(user)
				var won atomic.Int32
				each(6, func(int) {
					switch err := s.store.Create(s.ctx, r); {
					case err == nil:
						won.Add(1)
					case !errors.Is(err, session.ErrExists):
						s.Errorf("Create: %v", err)
					}
				})
				if n := won.Load(); n != 1 {
					s.Errorf("%d of 6 parallel Creates of one id succeeded", n)
				}
				s.wantStored(r)
			}
			if n := len(s.mustList(user)); n != 10 {
				s.Errorf("List shows %d records, 10 were created", n)
			}
		}},
		{name: "race replace has one winner a version", run: raceReplace},
		{name: "race touch never rewinds", run: func(s *suite) {
			r := s.create(newUser())
			each(6, func(i int) {
				for n := range 10 {
					d := time.Duration((n*7+i*13)%60) * time.Second
					if err := s.store.Touch(s.ctx, r.ID, r.Seen.Add(d), r.Expires.Add(d), r.Purge.Add(d)); err != nil {
						s.Errorf("Touch: %v", err)
						return
					}
					got, err := s.store.Load(s.ctx, r.ID)
					if err != nil {
						s.Errorf("Load: %v", err)
						return
					}
					if got.Seen.Before(r.Seen.Add(d)) || got.Expires.Before(r.Expires.Add(d)) || got.Purge.Before(r.Purge.Add(d)) {
						s.Errorf("a moment that was stored has moved back")
					}
				}
			})
		}},
		{name: "race nothing after end", run: func(s *suite) {
			for range 8 {
				raceEnd(s)
			}
		}},
		{name: "race the first end wins", run: func(s *suite) {
			reasons := []session.Reason{
				session.ReasonLogout, session.ReasonRevoked, session.ReasonEvicted, session.ReasonRotated, session.ReasonCorrupt,
			}
			for range 6 {
				r := s.create(newUser())
				var mu sync.Mutex
				var winners []session.Reason
				each(len(reasons), func(i int) {
					last, err := s.store.End(s.ctx, r.ID, newEnd(r, reasons[i]))
					if err != nil {
						s.Errorf("End: %v", err)
						return
					}
					if last.Ended == "" {
						mu.Lock()
						winners = append(winners, reasons[i])
						mu.Unlock()
					}
				})
				got, err := s.store.Load(s.ctx, r.ID)
				if err != nil {
					s.Fatalf("Load: %v", err)
				}
				if len(winners) != 1 || got.Ended != winners[0] {
					s.Errorf("ended as %q, Ends that were told to be the first: %q", got.Ended, winners)
				}
			}
		}},
		{name: "race list never misses a rotating session", run: raceList},
	}
}

// raceReplace lets several writers count a record up. Each success must be the only one of its version,
// and no version may be skipped.
func raceReplace(s *suite) {
	const writers, wins = 5, 10
	r := s.create(newUser())
	var mu sync.Mutex
	winner := make(map[uint64][]byte)
	each(writers, func(i int) {
		for won, tries := 0, 0; won < wins; tries++ {
			if tries > 100*writers*wins { // each refusal of one writer is a success of another
				s.Errorf("Replace goes on being refused")
				return
			}
			cur, err := s.store.Load(s.ctx, r.ID)
			if err != nil {
				s.Errorf("Load: %v", err)
				return
			}
			cur.Version++
			cur.Data = fmt.Appendf(nil, "writer %d, version %d", i, cur.Version)
			switch err := s.store.Replace(s.ctx, cur); {
			case err == nil:
				won++
				mu.Lock()
				if _, twice := winner[cur.Version]; twice {
					s.Errorf("version %d was stored twice", cur.Version)
				}
				winner[cur.Version] = cur.Data
				mu.Unlock()
			case !errors.Is(err, session.ErrConflict):
				s.Errorf("Replace: %v", err)
				return
			}
		}
	})
	got, err := s.store.Load(s.ctx, r.ID)
	if err != nil {
		s.Fatalf("Load: %v", err)
	}
	if want := uint64(writers*wins + 1); got.Version != want {
		s.Errorf("after %d successful Replaces the version is %d, want %d", writers*wins, got.Version, want)
	}
	if !bytes.Equal(got.Data, winner[got.Version]) {
		s.Errorf("the Data is %q, its version's winner wrote %q", got.Data, winner[got.Version])
	}
}

// raceEnd ends a record under writers. What begins after End has returned must see the end, and what End
// returned must be what was there last.
func raceEnd(s *suite) {
	r := s.create(newUser())
	var isOver atomic.Bool
	var stored sync.Map // version to Data
	stored.Store(r.Version, r.Data)
	var last session.Record

	replacer := func() {
		for range 1000 {
			over := isOver.Load()
			cur, err := s.store.Load(s.ctx, r.ID)
			if err != nil {
				s.Errorf("Load: %v", err)
				return
			}
			if over && cur.Ended == "" {
				s.Errorf("Load shows a record live that has ended")
			}
			n := later(cur, time.Millisecond)
			n.Data = n.Data[:min(len(n.Data), 100)]
			stored.Store(n.Version, n.Data)
			err = s.store.Replace(s.ctx, n)
			if over && err == nil {
				s.Errorf("Replace succeeded after End had returned")
			}
			if errors.Is(err, session.ErrNotFound) {
				if over {
					return
				}
				continue
			}
			if err != nil {
				s.Errorf("Replace: %v", err)
				return
			}
		}
	}
	toucher := func() {
		for i := range 1000 {
			over := isOver.Load()
			d := time.Duration(i) * time.Microsecond
			err := s.store.Touch(s.ctx, r.ID, r.Seen.Add(d), r.Expires.Add(d), r.Purge.Add(d))
			if over && err == nil {
				s.Errorf("Touch succeeded after End had returned")
			}
			if over || err != nil && !errors.Is(err, session.ErrNotFound) {
				if err != nil && !errors.Is(err, session.ErrNotFound) {
					s.Errorf("Touch: %v", err)
				}
				return
			}
		}
	}
	lister := func() {
		for range 1000 {
			over := isOver.Load()
			list, err := s.store.List(s.ctx, r.User)
			if err != nil {
				s.Errorf("List: %v", err)
				return
			}
			if over {
				if len(list) != 0 {
					s.Errorf("List shows a record after End has returned")
				}
				return
			}
		}
	}
	ender := func() {
		for range 3 { // let the others begin
			if _, err := s.store.Load(s.ctx, r.ID); err != nil {
				s.Errorf("Load: %v", err)
			}
			time.Sleep(200 * time.Microsecond)
		}
		var err error
		if last, err = s.store.End(s.ctx, r.ID, newEnd(r, session.ReasonRevoked)); err != nil {
			s.Errorf("End: %v", err)
		}
		isOver.Store(true)
	}
	roles := []func(){replacer, toucher, lister, ender}
	each(len(roles), func(i int) { roles[i]() })

	got, err := s.store.Load(s.ctx, r.ID)
	if err != nil {
		s.Fatalf("Load: %v", err)
	}
	if got.Ended != session.ReasonRevoked || len(got.Data) != 0 {
		s.Errorf("after all, Ended is %q and the Data has %d bytes", got.Ended, len(got.Data))
	}
	if got.Version != last.Version || last.Ended != "" {
		s.Errorf("End returned version %d (ended %q), the record stands at %d", last.Version, last.Ended, got.Version)
	}
	if data, _ := stored.Load(last.Version); data == nil || !bytes.Equal(data.([]byte), last.Data) {
		s.Errorf("the Data that End returned is not that of version %d", last.Version)
	}
}

// raceList rotates a session under a lister: create the successor, then end the predecessor. Whoever ends
// all sessions of a user relies on seeing one of the two.
func raceList(s *suite) {
	r := s.create(newUser())
	var done atomic.Bool
	each(3, func(i int) {
		if i > 0 {
			for !done.Load() {
				list, err := s.store.List(s.ctx, r.User)
				if err != nil {
					s.Errorf("List: %v", err)
					return
				}
				if len(list) == 0 {
					s.Errorf("List shows nothing while a session is rotated")
					return
				}
				for _, l := range list {
					if l.Handle != r.Handle || l.User != r.User || l.Ended != "" || len(l.Data) != 0 {
						s.Errorf("List shows a wrong record: ended %q", l.Ended)
					}
				}
			}
			return
		}
		defer done.Store(true)
		old := r
		for range 40 {
			next := old
			next.ID, next.Version = random(32), 1
			if err := s.store.Create(s.ctx, next); err != nil {
				s.Errorf("Create: %v", err)
				return
			}
			e := newEnd(old, session.ReasonRotated)
			e.Next, e.KeepData = next.ID, true
			if _, err := s.store.End(s.ctx, old.ID, e); err != nil {
				s.Errorf("End: %v", err)
				return
			}
			old = next
		}
	})
}
