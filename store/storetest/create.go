package storetest

import (
	"strings"
	"time"

	"example.com/hardy/session"
)

func createChecks() []check {
	return []check{
		{name: "1 create inserts", run: func(s *suite) {
			r := s.create(newUser())
			s.wantStored(r)
		}},
		{name: "1 create refuses an id that is there", run: func(s *suite) {
			live, other := s.create(newUser()), newRecord(newUser())
			other.ID = live.ID
			s.wantErr("Create over a live record", s.store.Create(s.ctx, other), session.ErrExists)
			s.wantStored(live)
			s.wantListed(other.User)

			e := newEnd(live, session.ReasonLogout)
			s.mustEnd(live.ID, e)
			s.wantErr("Create over an ended record", s.store.Create(s.ctx, other), session.ErrExists)
			s.wantStored(ended(live, e))
		}},
		{name: "1 only create brings an id into being", run: func(s *suite) {
			r := newRecord(newUser())
			s.wantErr("Replace of version 1", s.store.Replace(s.ctx, r), session.ErrNotFound)
			r.Version = 0
			s.wantErr("Replace of version 0", s.store.Replace(s.ctx, r), session.ErrNotFound)
			r.Version = 2
			s.wantErr("Replace of version 2", s.store.Replace(s.ctx, r), session.ErrNotFound)
			s.wantErr("Touch", s.store.Touch(s.ctx, r.ID, r.Seen, r.Expires, r.Purge), session.ErrNotFound)
			_, err := s.store.End(s.ctx, r.ID, newEnd(r, session.ReasonRevoked))
			s.wantErr("End", err, session.ErrNotFound)
			s.wantAbsent(r.ID)
			s.wantListed(r.User)
		}},
		{name: "2 load returns every field", run: func(s *suite) {
			plain := newRecord("")
			plain.Meta, plain.Idle = nil, 0
			big := newRecord(newUser())
			big.Data = randomBytes(64 << 10)
			empty := newRecord(newUser())
			empty.Data, empty.Meta = []byte{}, []byte{}
			none := newRecord(newUser())
			none.Data = nil
			zeros := newRecord(newUser())
			zeros.Data, zeros.Meta = make([]byte, 300), []byte{0, '\'', '"', 0xff, '\\', '\n', 0}
			for _, r := range []session.Record{plain, big, empty, none, zeros} {
				s.mustCreate(r)
			}
			for _, r := range []session.Record{plain, big, empty, none, zeros} {
				s.wantStored(r)
			}
		}},
		{name: "2 load returns nothing for what is not there", run: func(s *suite) {
			s.create(newUser())
			s.wantAbsent(random(32))
		}},
		{name: "2 load returns expired and ended records until purge", run: func(s *suite) {
			expired := newRecord(newUser())
			expired.Seen = expired.Seen.Add(-23 * time.Hour)
			expired.Created = expired.Seen.Add(-time.Hour)
			expired.Expires = expired.Seen.Add(time.Hour)
			expired.Purge = expired.Expires.Add(session.Tombstone)
			s.mustCreate(expired)
			s.wantStored(expired)

			r := s.create(newUser())
			e := newEnd(r, session.ReasonRotated)
			s.mustEnd(r.ID, e)
			s.wantStored(ended(r, e))
		}},
		{name: "2 load judges no purge wrongly", run: func(s *suite) {
			// Past its Purge a record is there or not; anything else is wrong.
			r := newRecord(newUser())
			r.Created, r.Seen = r.Created.Add(-72*time.Hour), r.Seen.Add(-72*time.Hour)
			r.Expires, r.Deadline, r.Purge = r.Seen.Add(time.Hour), r.Seen.Add(2*time.Hour), r.Seen.Add(25*time.Hour)
			s.mustCreate(r)
			if _, err := s.store.Load(s.ctx, r.ID); err == nil {
				s.wantStoredButData(r)
			} else {
				s.wantErr("Load of a record past its Purge", err, session.ErrNotFound)
			}
			for _, l := range s.mustList(r.User) {
				r.Data = nil
				s.wantSame("List", l, r)
			}
		}},
		{name: "2 odd names come back", run: func(s *suite) {
			for _, name := range []string{
				"ünï-ćødé 名前 🔑", `quo'te"s; DROP TABLE x;--`, `back\slash %_*?[a]`, " leading and trailing ",
				"new\nline\ttab", "a:b:c", "a/b/../c", strings.Repeat("k", 1024), "ANN@Example.COM",
			} {
				r := newRecord(name + random(9))
				if len(name) == 1024 {
					r.User = name[:1012] + random(9)
				}
				s.mustCreate(r)
				s.wantStored(r)
				s.wantListed(r.User, r)
				s.wantListed(strings.ToLower(r.User) + "x")
			}
		}},
		{name: "2 names that differ little are different users", run: func(s *suite) {
			base := newUser()
			var all []session.Record
			for _, user := range []string{base, strings.ToUpper(base), base + " ", " " + base, base + "\x00", base + "%", base + ":"} {
				if user == base+"\x00" {
					continue // text columns of several engines refuse NUL; the contract does not ask for it
				}
				all = append(all, s.create(user))
			}
			for _, r := range all {
				s.wantListed(r.User, r)
			}
		}},
	}
}
