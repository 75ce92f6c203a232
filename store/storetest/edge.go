package storetest

import (
	"context"
	"math"
	"strings"
	"time"
	"unsafe"

	"example.com/hardy/session"
)

func edgeChecks() []check {
	return []check{
		{name: "11 moments keep their nanoseconds and may be anywhere", run: func(s *suite) {
			r := newRecord(newUser())
			r.Created = time.Date(2001, 2, 3, 4, 5, 6, 999_999_999, time.FixedZone("east", 3*3600))
			r.AuthTime = time.Unix(0, 1)
			r.Seen = time.Now() // with a monotonic reading
			r.Deadline = time.Date(2199, 12, 31, 23, 59, 59, 1, time.UTC)
			r.Expires = time.Date(2199, 12, 31, 23, 59, 58, 999_999_999, time.UTC)
			r.Purge = time.Date(2200, 1, 1, 0, 0, 0, 7, time.UTC)
			r.Idle = math.MaxInt64 / 4
			s.mustCreate(r)
			s.wantStored(r)
			zero := newRecord("")
			zero.AuthTime, zero.EndedAt = time.Time{}, time.Time{}
			s.mustCreate(zero)
			got, err := s.store.Load(s.ctx, zero.ID)
			if err != nil {
				s.Fatalf("Load: %v", err)
			}
			if !got.AuthTime.IsZero() || !got.EndedAt.IsZero() {
				s.Errorf("a zero moment is no longer zero: AuthTime %v, EndedAt %v", got.AuthTime, got.EndedAt)
			}
		}},
		{name: "11 who sweeps in passing leaves room for clocks that differ", run: func(s *suite) {
			r := s.create(newUser())
			for range 64 { // by a clock by which r has expired
				n := newRecord("")
				n.Seen = r.Expires.Add(session.SweepLag - time.Second)
				n.Expires, n.Purge = n.Seen.Add(n.Idle), n.Seen.Add(n.Idle+session.Tombstone)
				s.mustCreate(n)
			}
			n := r
			n.Seen, n.Expires, n.Purge = r.Expires.Add(-1), r.Expires.Add(r.Idle), r.Purge.Add(r.Idle)
			s.touch(n) // by a clock by which it has not
			s.wantStored(n)
		}},
		{name: "11 no clock but the caller's", run: func(s *suite) {
			// The record is long expired for the wall, not for its caller, and the other way about.
			past := newRecord(newUser())
			past.Created, past.Seen = past.Created.Add(-20*time.Hour), past.Seen.Add(-20*time.Hour)
			past.Expires, past.Purge = past.Seen.Add(30*time.Minute), past.Seen.Add(30*time.Minute+session.Tombstone)
			s.mustCreate(past)
			n := later(past, time.Minute)
			if err := s.store.Replace(s.ctx, n); err != nil {
				s.Errorf("Replace of a record that is live at the Seen it was given: %v", err)
			}
			seen := n.Seen.Add(time.Minute)
			if err := s.store.Touch(s.ctx, n.ID, seen, n.Expires, n.Purge); err != nil {
				s.Errorf("Touch of a record that is live at the Seen it was given: %v", err)
			}
			future := s.create(newUser())
			err := s.store.Touch(s.ctx, future.ID, future.Expires.Add(1), future.Expires.Add(2), future.Purge)
			s.wantErr("Touch of a record that is expired at the Seen it was given", err, session.ErrNotFound)
		}},
		{name: "12 a context that is done", run: doneContext},
		{name: "13 the caller's strings and records are its own", run: func(s *suite) {
			// Whoever takes names out of a buffer that is used again must not change what is stored.
			r := newRecord(newUser())
			want := r
			scratch := []byte(r.ID + r.Handle + r.User)
			cut := func(n int) string {
				part := unsafe.String(&scratch[0], n)
				scratch = scratch[n:]
				return part
			}
			whole := scratch
			r.ID, r.Handle, r.User = cut(len(want.ID)), cut(len(want.Handle)), cut(len(want.User))
			s.mustCreate(r)
			for i := range whole {
				whole[i] = 'x'
			}
			s.wantStored(want)
			s.wantListed(want.User, want)

			e := newEnd(want, session.ReasonRotated)
			e.KeepData = true
			e.Reason = session.Reason(strings.Clone(string(e.Reason)))
			s.mustEnd(want.ID, e)
			s.wantStored(ended(want, e))
		}},
		{name: "13 what is returned is the caller's", run: func(s *suite) {
			r := s.create(newUser())
			spoil := func(r *session.Record) {
				r.ID, r.Handle, r.User, r.Data, r.Meta, r.Version = "x", "x", "x", nil, nil, 99
				r.Seen, r.Expires, r.Purge, r.Ended = time.Time{}, time.Time{}, time.Time{}, session.ReasonLogout
			}
			got, err := s.store.Load(s.ctx, r.ID)
			if err != nil {
				s.Fatalf("Load: %v", err)
			}
			_ = append(got.Data, "spoiled"...) // must not reach what lies behind it in the store
			_ = append(got.Meta, "spoiled"...)
			spoil(&got)
			list := s.mustList(r.User)
			for i := range list {
				spoil(&list[i])
			}
			s.wantStored(r)
			s.wantListed(r.User, r)
			n := later(r, time.Second)
			arg := n
			s.mustReplace(arg)
			spoil(&arg)
			s.wantStored(n)
		}},
		{name: "13 a returned record does not move", run: func(s *suite) {
			r := s.create(newUser())
			loaded, err := s.store.Load(s.ctx, r.ID)
			if err != nil {
				s.Fatalf("Load: %v", err)
			}
			listed := s.mustList(r.User)
			n := later(r, time.Minute)
			s.mustReplace(n)
			last := s.mustEnd(r.ID, newEnd(n, session.ReasonLogout))
			s.wantSame("Load, before a Replace and an End,", loaded, r)
			s.wantSame("End", last, n)
			r.Data = nil
			for _, l := range listed {
				s.wantSame("List, before a Replace and an End,", l, r)
			}
		}},
	}
}

// doneContext checks rule 12 for every operation that the store has.
func doneContext(s *suite) {
	r := s.create(newUser())
	fresh := newRecord(newUser())
	cancelled, cancel := context.WithCancel(s.ctx)
	cancel()
	late, cancel := context.WithDeadline(s.ctx, time.Now().Add(-time.Hour))
	defer cancel()
	for _, ctx := range []context.Context{cancelled, late} {
		want := ctx.Err()
		s.wantErr("Create", s.store.Create(ctx, fresh), want)
		_, err := s.store.Load(ctx, r.ID)
		s.wantErr("Load", err, want)
		s.wantErr("Replace", s.store.Replace(ctx, later(r, time.Minute)), want)
		s.wantErr("Touch", s.store.Touch(ctx, r.ID, r.Seen.Add(1), r.Expires.Add(1), r.Purge.Add(1)), want)
		_, err = s.store.End(ctx, r.ID, newEnd(r, session.ReasonLogout))
		s.wantErr("End", err, want)
		_, err = s.store.List(ctx, r.User)
		s.wantErr("List", err, want)
		if c, ok := s.store.(session.Capper); ok {
			other := fresh
			other.User = r.User
			_, err := c.CreateWithin(ctx, other, 1, true)
			s.wantErr("CreateWithin", err, want)
		}
		if sc, ok := s.store.(session.Scanner); ok {
			_, _, err := sc.Scan(ctx, "", 10)
			s.wantErr("Scan", err, want)
			_, err = sc.Count(ctx)
			s.wantErr("Count", err, want)
		}
		if im, ok := s.store.(session.Importer); ok {
			s.wantErr("Import", im.Import(ctx, fresh), want)
		}
		if w, ok := s.store.(session.Watcher); ok {
			s.wantErr("Watch", w.Watch(ctx, func(session.Ended) {}), want)
		}
		if sw, ok := s.store.(session.Sweeper); ok {
			_, _, err := sw.Sweep(ctx, r.Purge.Add(time.Hour), 1000)
			s.wantErr("Sweep", err, want)
		}
	}
	s.wantStored(r)
	s.wantListed(r.User, r)
	s.wantAbsent(fresh.ID)
	s.wantListed(fresh.User)
}
