package storetest

import (
	"time"

	"example.com/hardy/session"
)

func replaceChecks() []check {
	return []check{
		{name: "3 replace stores what it may", run: func(s *suite) {
			r := s.create(newUser())
			for range 3 {
				r = later(r, time.Minute+1)
				r.Idle += time.Second + 1
				r.Deadline = r.Deadline.Add(time.Hour + 1)
				s.mustReplace(r)
				s.wantStored(r)
			}
			s.wantListed(r.User, r)
			r = later(r, time.Minute)
			r.Data, r.Meta, r.Idle = nil, nil, 0
			s.mustReplace(r)
			s.wantStored(r)
			r = later(r, time.Minute)
			r.Data = randomBytes(64 << 10)
			s.mustReplace(r)
			s.wantStored(r)
		}},
		{name: "3 replace refuses another version", run: func(s *suite) {
			first := s.create(newUser())
			second := later(first, time.Minute)
			s.mustReplace(second)
			for _, version := range []uint64{0, 1, 2, 4, 100} {
				r := later(second, time.Minute)
				r.Version = version
				s.wantErr("Replace", s.store.Replace(s.ctx, r), session.ErrConflict)
				s.wantStored(second)
			}
		}},
		{name: "3 replace refuses an ended record", run: func(s *suite) {
			r := s.create(newUser())
			e := newEnd(r, session.ReasonLogout)
			s.mustEnd(r.ID, e)
			s.wantErr("Replace", s.store.Replace(s.ctx, later(r, time.Second)), session.ErrNotFound)
			other := later(r, time.Second)
			other.Version = 7
			s.wantErr("Replace of another version", s.store.Replace(s.ctx, other), session.ErrNotFound)
			s.wantStored(ended(r, e))
			s.wantListed(r.User)
		}},
		{name: "3 replace refuses an expired record", run: func(s *suite) {
			for _, past := range []time.Duration{0, 1, time.Minute} {
				r := s.create(newUser())
				n := later(r, time.Minute)
				n.Seen = r.Expires.Add(past)
				n.Expires = n.Seen.Add(time.Hour)
				s.wantErr("Replace of what expired "+past.String()+" before", s.store.Replace(s.ctx, n), session.ErrNotFound)
				n.Version = 9
				s.wantErr("the same under another version", s.store.Replace(s.ctx, n), session.ErrNotFound)
				s.wantStoredButData(r)
			}
			r := s.create(newUser())
			n := later(r, time.Minute)
			n.Seen = r.Expires.Add(-1)
			n.Expires = n.Seen.Add(time.Hour)
			s.mustReplace(n)
			s.wantStored(n)
		}},
		{name: "3 replace keeps who the record belongs to", run: func(s *suite) {
			r := s.create(newUser())
			n := later(r, time.Minute)
			want := n
			n.Handle, n.User = random(16), newUser()
			n.Created, n.AuthTime = n.Created.Add(time.Hour), n.AuthTime.Add(time.Hour)
			n.Ended, n.EndedAt, n.Next = session.ReasonRevoked, n.Seen, random(32)
			s.mustReplace(n)
			s.wantStored(want)
			s.wantListed(n.User)
			s.wantListed(r.User, want)

			anonymous := s.create("")
			n = later(anonymous, time.Minute)
			want = n
			n.User, n.AuthTime = newUser(), n.Seen
			s.mustReplace(n)
			s.wantStored(want)
			s.wantListed(n.User)
		}},
		{name: "5 replace never moves back", run: func(s *suite) {
			r := s.create(newUser())
			n := later(r, -time.Minute)
			s.mustReplace(n)
			n.Seen, n.Expires, n.Purge = r.Seen, r.Expires, r.Purge
			s.wantStored(n)

			// Each of the three on its own.
			for i := range 3 {
				m := later(n, time.Minute)
				back := m
				switch i {
				case 0:
					back.Seen, m.Seen = n.Seen.Add(-time.Second), n.Seen
				case 1:
					back.Expires, m.Expires = n.Expires.Add(-time.Second), n.Expires
				case 2:
					back.Purge, m.Purge = n.Purge.Add(-time.Second), n.Purge
				}
				s.mustReplace(back)
				s.wantStored(m)
				n = m
			}
			m := later(n, time.Minute)
			m.Deadline = m.Seen.Add(2 * time.Minute) // may be shortened; Expires may not
			m.Expires = m.Deadline
			s.mustReplace(m)
			m.Expires = n.Expires
			s.wantStored(m)
		}},
	}
}

func touchChecks() []check {
	return []check{
		{name: "4 touch moves three moments and nothing else", run: func(s *suite) {
			r := s.create(newUser())
			for range 2 {
				r.Seen, r.Expires, r.Purge = r.Seen.Add(time.Minute+1), r.Expires.Add(2*time.Minute+1), r.Purge.Add(3*time.Minute+1)
				if err := s.store.Touch(s.ctx, r.ID, r.Seen, r.Expires, r.Purge); err != nil {
					s.Fatalf("Touch: %v", err)
				}
				s.wantStored(r)
			}
			s.wantListed(r.User, r)
			n := later(r, time.Minute) // the version has not moved
			s.mustReplace(n)
			s.wantStored(n)
		}},
		{name: "4 touch refuses an ended record", run: func(s *suite) {
			r := s.create(newUser())
			e := newEnd(r, session.ReasonRevoked)
			s.mustEnd(r.ID, e)
			seen := r.Seen.Add(time.Second)
			s.wantErr("Touch", s.store.Touch(s.ctx, r.ID, seen, r.Expires.Add(time.Hour), r.Purge.Add(time.Hour)), session.ErrNotFound)
			s.wantStored(ended(r, e))
		}},
		{name: "4 touch refuses an expired record", run: func(s *suite) {
			r := s.create(newUser())
			for _, past := range []time.Duration{0, 1, time.Minute} {
				seen := r.Expires.Add(past)
				err := s.store.Touch(s.ctx, r.ID, seen, seen.Add(time.Hour), r.Purge.Add(time.Hour))
				s.wantErr("Touch of what expired "+past.String()+" before", err, session.ErrNotFound)
				s.wantStoredButData(r)
			}
			r = s.create(newUser())
			seen := r.Expires.Add(-1)
			r.Seen, r.Expires = seen, seen.Add(time.Hour)
			if err := s.store.Touch(s.ctx, r.ID, r.Seen, r.Expires, r.Purge); err != nil {
				s.Errorf("Touch a nanosecond before the record expires: %v", err)
			}
			s.wantStored(r)
		}},
		{name: "5 touch never moves back", run: func(s *suite) {
			r := s.create(newUser())
			if err := s.store.Touch(s.ctx, r.ID, r.Seen.Add(-time.Hour), r.Expires.Add(-time.Hour), r.Purge.Add(-time.Hour)); err != nil {
				s.Errorf("Touch with earlier moments: %v", err)
			}
			s.wantStored(r)
			for i := range 3 {
				seen, expires, purge := r.Seen.Add(time.Minute), r.Expires.Add(time.Minute), r.Purge.Add(time.Minute)
				want := r
				want.Seen, want.Expires, want.Purge = seen, expires, purge
				switch i {
				case 0:
					seen, want.Seen = r.Seen.Add(-1), r.Seen
				case 1:
					expires, want.Expires = r.Expires.Add(-1), r.Expires
				case 2:
					purge, want.Purge = r.Purge.Add(-1), r.Purge
				}
				if err := s.store.Touch(s.ctx, r.ID, seen, expires, purge); err != nil {
					s.Errorf("Touch: %v", err)
				}
				s.wantStored(want)
				r = want
			}
		}},
	}
}
