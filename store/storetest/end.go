package storetest

import (
	"time"

	"example.com/hardy/session"
)

func endChecks() []check {
	return []check{
		{name: "6 end returns the record as it stood", run: func(s *suite) {
			r := s.create(newUser())
			r = later(r, time.Minute)
			s.mustReplace(r)
			e := newEnd(r, session.ReasonRotated)
			s.wantSame("End", s.mustEnd(r.ID, e), r)
			s.wantStored(ended(r, e))
		}},
		{name: "6 end is unconditional", run: func(s *suite) {
			r := s.create(newUser())
			e := newEnd(r, session.ReasonLogout)
			e.At = r.Expires.Add(time.Hour) // expired by then
			e.Purge = r.Purge.Add(time.Hour)
			last := s.mustEnd(r.ID, e)
			s.wantSame("End of an expired record", last, r)
			s.wantStoredButData(ended(r, e))
			s.wantListed(r.User)

			anonymous := s.create("")
			for range 5 {
				anonymous = later(anonymous, time.Second)
				s.mustReplace(anonymous)
			}
			e = newEnd(anonymous, session.ReasonCorrupt)
			s.wantSame("End of version 6", s.mustEnd(anonymous.ID, e), anonymous)
			s.wantStored(ended(anonymous, e))

			_, err := s.store.End(s.ctx, random(32), e)
			s.wantErr("End of what is not there", err, session.ErrNotFound)
		}},
		{name: "6 the first end wins", run: func(s *suite) {
			r := s.create(newUser())
			first := newEnd(r, session.ReasonRotated)
			s.mustEnd(r.ID, first)
			want := ended(r, first)
			for _, reason := range []session.Reason{session.ReasonRevoked, session.ReasonRotated, session.ReasonLogout} {
				second := newEnd(r, reason)
				second.At = first.At.Add(time.Hour)
				second.Purge = first.Purge.Add(24 * time.Hour)
				s.wantSame("a second End", s.mustEnd(r.ID, second), want)
				s.wantStored(want)
			}
		}},
		{name: "6 a second end leaves the data that the first kept", run: func(s *suite) {
			r := s.create(newUser())
			first := newEnd(r, session.ReasonRotated)
			first.KeepData = true
			s.mustEnd(r.ID, first)
			second := newEnd(r, session.ReasonLogout)
			s.wantSame("a second End", s.mustEnd(r.ID, second), ended(r, first))
			s.wantStored(ended(r, first))
		}},
		{name: "5 end never moves purge back", run: func(s *suite) {
			r := s.create(newUser())
			e := newEnd(r, session.ReasonLogout)
			e.Purge = r.Purge.Add(-time.Hour)
			s.mustEnd(r.ID, e)
			s.wantStored(ended(r, e))

			r = s.create(newUser())
			e = newEnd(r, session.ReasonLogout)
			e.Purge = r.Purge.Add(time.Hour + 1)
			s.mustEnd(r.ID, e)
			want := ended(r, e)
			if !want.Purge.Equal(e.Purge) {
				s.Fatalf("the test is wrong: Purge is not the end's")
			}
			s.wantStored(want)
		}},
		{name: "7 an ended record loses its data", run: func(s *suite) {
			for _, user := range []string{newUser(), ""} {
				r := s.create(user)
				e := newEnd(r, session.ReasonLogout)
				s.mustEnd(r.ID, e)
				got, err := s.store.Load(s.ctx, r.ID)
				if err != nil {
					s.Fatalf("Load: %v", err)
				}
				if len(got.Data) != 0 {
					s.Errorf("an ended record holds %d bytes of Data", len(got.Data))
				}
			}
		}},
		{name: "7 keep data", run: func(s *suite) {
			r := s.create(newUser())
			e := newEnd(r, session.ReasonRotated)
			e.KeepData = true
			s.mustEnd(r.ID, e)
			got, err := s.store.Load(s.ctx, r.ID)
			if err != nil {
				s.Fatalf("Load: %v", err)
			}
			s.wantSame("Load", got, ended(r, e))
		}},
		{name: "8 nothing makes an ended record live again", run: func(s *suite) {
			r := s.create(newUser())
			n := later(r, time.Second)
			s.mustReplace(n)
			e := newEnd(n, session.ReasonRevoked)
			s.mustEnd(r.ID, e)
			want := ended(n, e)
			s.wantErr("Replace", s.store.Replace(s.ctx, later(n, time.Second)), session.ErrNotFound)
			s.wantErr("Replace of the same version", s.store.Replace(s.ctx, n), session.ErrNotFound)
			s.wantErr("Touch", s.store.Touch(s.ctx, r.ID, n.Seen.Add(1), n.Expires.Add(1), n.Purge.Add(1)), session.ErrNotFound)
			s.wantErr("Create", s.store.Create(s.ctx, r), session.ErrExists)
			if im, ok := s.store.(session.Importer); ok {
				s.wantErr("Import", im.Import(s.ctx, later(n, time.Second)), session.ErrExists)
			}
			if c, ok := s.store.(session.Capper); ok {
				_, err := c.CreateWithin(s.ctx, r, 5, true)
				s.wantErr("CreateWithin", err, session.ErrExists)
			}
			s.wantSame("a second End", s.mustEnd(r.ID, newEnd(n, session.ReasonLogout)), want)
			s.wantStored(want)
			s.wantListed(r.User)
		}},
	}
}
