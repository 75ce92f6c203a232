package storetest

import (
	"time"

	"example.com/hardy/session"
)

func scannerChecks() []check {
	all := []check{
		{name: "scanner shows every record whole", run: func(s *suite) {
			want := make(map[string]session.Record)
			for i := range 23 {
				r := s.create([]string{"", newUser()}[i%2])
				if i%5 == 0 {
					e := newEnd(r, session.ReasonRotated)
					e.KeepData = i%10 == 0
					s.mustEnd(r.ID, e)
					r = ended(r, e)
				}
				want[r.ID] = r
			}
			expired := newRecord(newUser())
			expired.Seen, expired.Expires = expired.Seen.Add(-3*time.Hour), expired.Seen.Add(-2*time.Hour)
			s.mustCreate(expired)
			want[expired.ID] = expired
			for _, limit := range []int{1, 4, 1000} {
				s.wantScanned(limit, want)
			}
			n, err := s.store.(session.Scanner).Count(s.ctx)
			if err != nil || n < len(want)/2 {
				s.Errorf("Count is %d (error %v) over %d records; it may be an estimate, but not this far off", n, err, len(want))
			}
		}},
		{name: "scanner misses nothing under writes", run: func(s *suite) {
			want := make(map[string]session.Record)
			for range 20 {
				r := s.create(newUser())
				want[r.ID] = r
			}
			seen := make(map[string]bool)
			cursor := ""
			for range 10_000 {
				page, next, err := s.store.(session.Scanner).Scan(s.ctx, cursor, 3)
				if err != nil {
					s.Fatalf("Scan: %v", err)
				}
				for _, r := range page {
					seen[r.ID] = true
				}
				for _, r := range want { // one of them is written, one comes, between any two pages
					r = later(r, time.Second)
					s.mustReplace(r)
					want[r.ID] = r
					break
				}
				s.create(newUser())
				if cursor = next; cursor == "" || len(seen) > 2000 {
					break
				}
			}
			for id := range want {
				if !seen[id] {
					s.Errorf("Scan missed a record that was there all along")
				}
			}
		}},
	}
	for i := range all {
		all[i].has = is[session.Scanner]
	}
	return all
}

// wantScanned reads all pages and checks that each record of want is among them. Others may be there: the
// engine may be shared.
func (s *suite) wantScanned(limit int, want map[string]session.Record) {
	s.Helper()
	seen := make(map[string]bool)
	cursor := ""
	for range 1_000_000 {
		page, next, err := s.store.(session.Scanner).Scan(s.ctx, cursor, limit)
		if err != nil {
			s.Fatalf("Scan: %v", err)
		}
		if len(page) > limit {
			s.Errorf("a page of at most %d holds %d records", limit, len(page))
		}
		for _, r := range page {
			if w, ok := want[r.ID]; ok {
				if len(r.Data) == 0 && !w.Expires.After(time.Now()) {
					w.Data = nil
				}
				s.wantSame("Scan", r, w)
				seen[r.ID] = true
			}
		}
		if next == "" {
			break
		}
		if next == cursor && len(page) == 0 {
			s.Fatalf("Scan stands still")
		}
		cursor = next
	}
	if len(seen) != len(want) {
		s.Errorf("Scan in pages of %d showed %d of %d records", limit, len(seen), len(want))
	}
}

func importerChecks() []check {
	all := []check{
		{name: "importer inserts a record as it is", run: func(s *suite) {
			im := s.store.(session.Importer)
			live := newRecord(newUser())
			live.Version = 41
			dead := newRecord(live.User)
			dead = ended(dead, newEnd(dead, session.ReasonLogout))
			rotated := newRecord(live.User)
			kept := newEnd(rotated, session.ReasonRotated)
			kept.KeepData = true
			rotated = ended(rotated, kept)
			expired := newRecord("")
			expired.Seen, expired.Expires = expired.Seen.Add(-3*time.Hour), expired.Seen.Add(-2*time.Hour)
			expired.Purge = expired.Expires.Add(session.Tombstone)
			all := []session.Record{live, dead, rotated, expired}
			for _, r := range all {
				if err := im.Import(s.ctx, r); err != nil {
					s.Fatalf("Import: %v", err)
				}
				if r.ID == expired.ID {
					s.wantStoredButData(r)
				} else {
					s.wantStored(r)
				}
			}
			s.wantListed(live.User, live)

			// It lives on like any other.
			n := later(live, time.Minute)
			s.mustReplace(n)
			s.wantStored(n)
			s.wantErr("Replace of an imported tombstone", s.store.Replace(s.ctx, later(dead, time.Second)), session.ErrNotFound)
			e := newEnd(n, session.ReasonLogout)
			s.wantSame("End", s.mustEnd(n.ID, e), n)
			s.wantListed(live.User)
		}},
		{name: "importer refuses an id that is there", run: func(s *suite) {
			im := s.store.(session.Importer)
			r := s.create(newUser())
			other := newRecord(newUser())
			other.ID, other.Version = r.ID, 9
			s.wantErr("Import over a live record", im.Import(s.ctx, other), session.ErrExists)
			s.wantStored(r)
			e := newEnd(r, session.ReasonLogout)
			s.mustEnd(r.ID, e)
			s.wantErr("Import over an ended record", im.Import(s.ctx, other), session.ErrExists)
			s.wantStored(ended(r, e))
			s.wantListed(other.User)
		}},
	}
	for i := range all {
		all[i].has = is[session.Importer]
	}
	return all
}
