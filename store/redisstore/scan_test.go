package redisstore

import (
	"context"
	"testing"
	"time"

	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
)

// inOneBucket is fresh, with an id that begins as all from here do.
func inOneBucket(user string) session.Record {
	r := fresh(user)
	r.ID = "AA" + r.ID[2:]
	return r
}

// TestScanMissesNothing of a bucket that is too large for one answer, whatever sizes of pages are asked for, and while
// what was returned is forgotten.
func TestScanMissesNothing(t *testing.T) {
	ctx := t.Context()
	for name, c := range map[string]struct {
		limit  func(page int) int
		forget bool
	}{
		"pages of 10":                         {func(int) int { return 10 }, false},
		"pages of 10 and 100 by turns":        {func(n int) int { return 10 + 90*(n%2) }, false},
		"pages of 10, and what was seen goes": {func(int) int { return 10 }, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, servers.SharedRedis(t).URL(), nil)
			missing := map[string]bool{}
			for range 1000 {
				r := inOneBucket("")
				must(t, s.Create(ctx, r))
				missing[r.ID] = true
			}
			cursor := ""
			for n := 0; n == 0 || cursor != ""; n++ {
				page, next, err := s.Scan(ctx, cursor, c.limit(n))
				must(t, err)
				if len(page) > c.limit(n) {
					t.Fatalf("a page of %d, at most %d were asked for", len(page), c.limit(n))
				}
				for _, r := range page {
					delete(missing, r.ID)
					if c.forget { // as a sweep does after its Purge
						prefix, rest := s.bucketOf(r.ID)
						must(t, s.client.Do(ctx, s.client.B().Del().Key(prefix+rest).Build()).Error())
						must(t, s.client.Do(ctx, s.client.B().Zrem().Key(dueOf(prefix)).Member(rest).Build()).Error())
					}
				}
				cursor = next
			}
			if len(missing) > 0 {
				t.Errorf("%d of 1,000 records were there from the first page to the last and on none", len(missing))
			}
		})
	}
}

// TestDueLivesAsLongAsItsRecords: a scan, a count and a sweep find records by it alone.
func TestDueLivesAsLongAsItsRecords(t *testing.T) {
	ctx := t.Context()
	s := open(t, servers.SharedRedis(t).URL(), nil)
	want := func(after string, id string) {
		t.Helper()
		end := func(key string) int64 {
			ms, err := s.client.Do(ctx, s.client.B().Pexpiretime().Key(key).Build()).AsInt64()
			must(t, err)
			return ms
		}
		prefix, rest := s.bucketOf(id)
		if due, record := end(dueOf(prefix)), end(prefix+rest); due < record {
			t.Errorf("after %s the due goes %v before the record", after, time.Duration(record-due)*time.Millisecond)
		}
	}
	now := time.Now()
	a, b := inOneBucket("ann"), inOneBucket("ann")
	must(t, s.Create(ctx, a))
	want("Create", a.ID)
	b.Deadline = now.Add(500 * time.Hour)
	b.Purge = b.Deadline
	must(t, s.Create(ctx, b))
	want("a Create with a longer Deadline", b.ID)
	a = next(a)
	a.Deadline = now.Add(900 * time.Hour)
	a.Purge = a.Deadline
	must(t, s.Replace(ctx, a))
	want("Replace", a.ID)
	must(t, s.Touch(ctx, a.ID, a.Seen, a.Expires, now.Add(2000*time.Hour)))
	want("Touch", a.ID)
	old := fresh("ann")
	old.Deadline = now.Add(-20 * time.Hour)
	old.Expires, old.Purge = old.Deadline, old.Deadline.Add(session.Tombstone)
	must(t, s.Create(ctx, old))
	_, err := s.End(ctx, old.ID, session.End{Reason: session.ReasonRevoked, At: now, Purge: now.Add(session.Tombstone)})
	must(t, err)
	want("End of what had expired", old.ID)
}

// TestEntriesStayUntilTheirOwnEnd: another one's Create takes none out of the index before (rule 10).
func TestEntriesStayUntilTheirOwnEnd(t *testing.T) {
	ctx := t.Context()
	s := open(t, servers.SharedRedis(t).URL(), nil)
	expired := fresh("ann")
	expired.Deadline = time.Now().Add(-time.Hour)
	expired.Expires, expired.Purge = expired.Deadline, time.Now().Add(time.Hour)
	must(t, s.Create(ctx, expired))
	must(t, s.Create(ctx, fresh("ann")))
	if list, err := s.List(ctx, "ann"); err != nil || len(list) != 2 {
		t.Errorf("List shows %d, %v; want the expired one too", len(list), err)
	}
}

// TestALoginGivenUpLeavesNoReservation, where its time is over in the middle.
func TestALoginGivenUpLeavesNoReservation(t *testing.T) {
	s := open(t, servers.SharedRedis(t).URL(), nil)
	r := fresh("ann")
	must(t, s.reserve(t.Context(), &r))
	over, cancel := context.WithCancel(t.Context())
	cancel()
	s.withdraw(over, r.ID)
	if n, err := s.client.Do(t.Context(), s.client.B().Exists().Key(s.record(r.ID)).Build()).AsInt64(); n != 0 || err != nil {
		t.Errorf("%d reservations are left, %v", n, err)
	}
}
