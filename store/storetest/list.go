package storetest

import (
	"time"

	"example.com/hardy/session"
)

func listChecks() []check {
	return []check{
		{name: "9 list shows the user's records", run: func(s *suite) {
			ann, bob := newUser(), newUser()
			s.wantListed(ann)
			s.create("")
			var all []session.Record
			for i := range 5 {
				r := newRecord(ann)
				r.Created = r.Created.Add(time.Duration(-i) * time.Hour)
				s.mustCreate(r)
				all = append(all, r)
				s.wantListed(ann, all...)
			}
			other := s.create(bob)
			s.wantListed(bob, other)
			s.wantListed(ann, all...)
		}},
		{name: "9 list shows no data", run: func(s *suite) {
			r := s.create(newUser())
			s.mustReplace(later(r, time.Second))
			for _, l := range s.mustList(r.User) {
				if len(l.Data) != 0 {
					s.Errorf("List shows %d bytes of Data", len(l.Data))
				}
			}
		}},
		{name: "9 list shows no ended records", run: func(s *suite) {
			user := newUser()
			a, b := s.create(user), s.create(user)
			s.mustEnd(a.ID, newEnd(a, session.ReasonLogout))
			kept := newEnd(b, session.ReasonRotated)
			kept.KeepData = true
			c := s.create(user)
			s.mustEnd(b.ID, kept)
			for _, l := range s.mustList(user) {
				if l.Ended != "" || l.ID != c.ID {
					s.Errorf("List shows a record that ended (%q)", l.Ended)
				}
			}
			s.mustEnd(c.ID, newEnd(c, session.ReasonLogout))
			if n := len(s.mustList(user)); n != 0 {
				s.Errorf("List shows %d records of a user whose sessions have all ended", n)
			}
		}},
		{name: "9 list shows expired records", run: func(s *suite) {
			r := newRecord(newUser())
			r.Created, r.Seen, r.Expires = r.Created.Add(-3*time.Hour), r.Seen.Add(-3*time.Hour), r.Seen.Add(-2*time.Hour)
			r.Purge = r.Expires.Add(session.Tombstone)
			s.mustCreate(r)
			live := s.create(r.User)
			s.wantListed(r.User, r, live)
		}},
		{name: "9 an empty user has no list", run: func(s *suite) {
			s.create("")
			s.create("")
			s.wantListed("")
		}},
		{name: "10 list follows a longer deadline", run: func(s *suite) {
			// The index entry of a session that is remembered must not go when its first deadline has passed.
			r := s.create(newUser())
			n := later(r, time.Minute)
			n.Idle, n.Deadline = 0, r.Seen.Add(90*24*time.Hour)
			n.Expires, n.Purge = n.Deadline, n.Deadline.Add(session.Tombstone)
			s.mustReplace(n)
			if sw, ok := s.store.(session.Sweeper); ok {
				s.sweepAll(sw, r.Deadline.Add(session.Tombstone+time.Hour))
			}
			s.wantStored(n)
			s.wantListed(n.User, n)
		}},
	}
}
