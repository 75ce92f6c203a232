package storetest

import (
	"time"

	"example.com/hardy/session"
)

func sweeperChecks() []check {
	all := []check{
		{name: "sweeper drops the data of what expired", run: func(s *suite) {
			sw := s.store.(session.Sweeper)
			r, live := s.create(newUser()), s.create("")
			live.Expires = live.Expires.Add(time.Hour)
			s.touch(live)
			swept := s.sweepAll(sw, r.Expires.Add(time.Minute))
			want := r
			want.Data = nil
			s.wantStored(want)
			s.wantListed(r.User, want)
			s.wantStored(live)
			if swept.Blanked < 1 {
				s.Errorf("Sweep counted %d records that lost their Data", swept.Blanked)
			}
			s.mustReplace(later(live, time.Minute))
		}},
		{name: "sweeper leaves what lives", run: func(s *suite) {
			sw := s.store.(session.Sweeper)
			a, b := s.create(newUser()), s.create("")
			s.sweepAll(sw, a.Expires.Add(-time.Second))
			s.wantStored(a)
			s.wantStored(b)
			s.wantListed(a.User, a)
		}},
		{name: "sweeper keeps a rotated record's data for the grace", run: func(s *suite) {
			sw := s.store.(session.Sweeper)
			r := s.create(newUser())
			e := newEnd(r, session.ReasonRotated)
			e.KeepData = true
			s.mustEnd(r.ID, e)
			want := ended(r, e)
			s.sweepAll(sw, e.At.Add(session.Grace-time.Second))
			s.wantStored(want)
			s.sweepAll(sw, e.At.Add(session.Grace+time.Second))
			want.Data = nil
			s.wantStored(want)
		}},
		{name: "sweeper keeps tombstones until purge", run: func(s *suite) {
			sw := s.store.(session.Sweeper)
			r, other := s.create(newUser()), s.create(newUser())
			e := newEnd(r, session.ReasonLogout)
			s.mustEnd(r.ID, e)
			want := ended(r, e)
			other.Purge = r.Purge.Add(time.Hour)
			s.touch(other)
			s.sweepAll(sw, want.Purge.Add(-time.Second))
			s.wantStored(want)
			swept := s.sweepAll(sw, want.Purge.Add(time.Second))
			s.wantAbsent(r.ID)
			if swept.Forgotten < 1 {
				s.Errorf("Sweep counted %d records that it forgot", swept.Forgotten)
			}
			other.Data = nil // it has expired by then
			s.wantStored(other)
			s.wantListed(other.User, other)
			s.sweepAll(sw, other.Purge.Add(time.Second))
			s.wantAbsent(other.ID)
			s.wantListed(other.User)
		}},
		{name: "sweeper goes in steps and resumes", run: func(s *suite) {
			sw := s.store.(session.Sweeper)
			const n = 150
			var last session.Record
			for range n {
				last = s.create("")
			}
			var total session.Swept
			now := last.Expires.Add(time.Minute)
			for i := 0; ; i++ {
				step, more, err := sw.Sweep(s.ctx, now, 2)
				if err != nil {
					s.Fatalf("Sweep: %v", err)
				}
				if step.Blanked+step.Forgotten > 64 {
					s.Errorf("a step of 2 records swept %d", step.Blanked+step.Forgotten)
				}
				total.Blanked += step.Blanked
				if !more {
					break
				}
				if i > 1_000_000 {
					s.Fatalf("Sweep never finishes its round")
				}
			}
			total.Blanked += s.sweepAll(sw, now).Blanked
			if total.Blanked < n {
				s.Errorf("the steps dropped the Data of %d records, want %d", total.Blanked, n)
			}
			s.wantAgain(sw, now)
		}},
		{name: "race sweeper against writers", run: func(s *suite) {
			sw := s.store.(session.Sweeper)
			user := newUser()
			each(3, func(i int) {
				for range 15 {
					if i == 0 {
						if _, _, err := sw.Sweep(s.ctx, time.Now(), 50); err != nil {
							s.Errorf("Sweep: %v", err)
							return
						}
						continue
					}
					r := newRecord(user)
					n := later(r, time.Minute)
					if err := s.store.Create(s.ctx, r); err != nil {
						s.Errorf("Create: %v", err)
					} else if err := s.store.Replace(s.ctx, n); err != nil {
						s.Errorf("Replace: %v", err)
					} else {
						s.wantStored(n)
					}
				}
			})
			if n := len(s.mustList(user)); n != 30 {
				s.Errorf("List shows %d records, 30 were created", n)
			}
		}},
	}
	for i := range all {
		all[i].has = is[session.Sweeper]
	}
	return all
}

func (s *suite) touch(r session.Record) {
	s.Helper()
	if err := s.store.Touch(s.ctx, r.ID, r.Seen, r.Expires, r.Purge); err != nil {
		s.Fatalf("Touch: %v", err)
	}
}

// sweepAll sweeps a whole round at now, wherever the round before had stopped.
func (s *suite) sweepAll(sw session.Sweeper, now time.Time) (total session.Swept) {
	s.Helper()
	for range 2 {
		for steps := 0; ; steps++ {
			swept, more, err := sw.Sweep(s.ctx, now, 100)
			if err != nil {
				s.Fatalf("Sweep: %v", err)
			}
			total.Blanked += swept.Blanked
			total.Forgotten += swept.Forgotten
			if !more {
				break
			}
			if steps > 1_000_000 {
				s.Fatalf("Sweep never finishes its round")
			}
		}
	}
	return total
}

// wantAgain checks that a round after a round at the same moment begins anew and ends.
func (s *suite) wantAgain(sw session.Sweeper, now time.Time) {
	s.Helper()
	r := newRecord("")
	r.Purge = r.Seen.Add(time.Nanosecond) // long past at now
	s.mustCreate(r)
	s.sweepAll(sw, now)
	s.wantAbsent(r.ID)
}
