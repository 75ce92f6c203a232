package pgstore

import (
	"bytes"
	"strings"
	"testing"

	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
)

// TestOddInput: what PostgreSQL's text would refuse or cut comes back whole, and what the columns of text refuse is refused
// before anything is stored.
func TestOddInput(t *testing.T) {
	t.Parallel()
	s := open(t, servers.SharedPostgres(t).URL(), nil)
	long := strings.Repeat("q'uo\"te\\s\x00; DROP TABLE hardy_sessions;--\xff", 300) // 11 kB
	for name, r := range map[string]session.Record{
		"a record of 64 KiB and one byte": {Data: random(64<<10 + 1), User: "ann"},
		"a record of 5 MB":                {Data: random(5 << 20), Meta: random(1 << 20), User: "ann"},
		"a user of 11 kB with NULs":       {Data: random(9), User: long},
		"a user that is a NUL":            {Data: random(9), User: "\x00"},
		"a user like that of SQL":         {Data: random(9), User: "'); DELETE FROM hardy_sessions;--"},
	} {
		t.Run(name, func(t *testing.T) {
			whole := newRecord(r.User)
			whole.Data, whole.Meta = r.Data, r.Meta
			mustCreate(t, s, whole)
			same := func(when string, got session.Record, err error, data []byte) {
				t.Helper()
				if err != nil || got.User != whole.User || !bytes.Equal(got.Data, data) || !bytes.Equal(got.Meta, whole.Meta) {
					t.Errorf("%s: user of %d bytes, %d of data, %d of meta (%v)", when, len(got.User), len(got.Data), len(got.Meta), err)
				}
			}
			got, err := s.Load(t.Context(), whole.ID)
			same("Load", got, err, whole.Data)
			whole = later(whole)
			must(t, s.Replace(t.Context(), whole))
			got, err = s.Load(t.Context(), whole.ID)
			same("Load of what was replaced", got, err, whole.Data)
			list, err := s.List(t.Context(), r.User)
			found := session.Record{}
			for _, l := range list {
				if l.ID == whole.ID {
					found = l
				}
			}
			same("List", found, err, nil)
			next := newRecord(r.User)
			gone, err := s.CreateWithin(t.Context(), next, 1, true)
			if err != nil || len(gone) == 0 {
				t.Fatalf("CreateWithin: %d evicted, %v", len(gone), err)
			}
			last, err := s.End(t.Context(), next.ID, session.End{Reason: session.ReasonLogout, At: next.Seen})
			if err != nil || last.User != r.User {
				t.Errorf("End: user of %d bytes, %v", len(last.User), err)
			}
		})
	}
	for name, change := range map[string]func(*session.Record){
		"Handle": func(r *session.Record) { r.Handle = "a\x00b" },
		"Ended":  func(r *session.Record) { r.Ended = "\xff" },
		"Next":   func(r *session.Record) { r.Next = "\xc3(" },
		"the id": func(r *session.Record) { r.ID = "token" },
	} {
		r := newRecord("ann")
		id := r.ID
		change(&r)
		if err := s.Import(t.Context(), r); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("an odd %s: %v", name, err)
		}
		if _, err := s.Load(t.Context(), id); err != session.ErrNotFound {
			t.Errorf("after an odd %s: %v", name, err)
		}
	}
	r := newRecord("ann")
	mustCreate(t, s, r)
	if _, err := s.End(t.Context(), r.ID, session.End{Reason: "a\x00b", At: r.Seen}); err == nil || !strings.Contains(err.Error(), "NUL") {
		t.Errorf("an odd reason: %v", err)
	}
	if got, err := s.Load(t.Context(), r.ID); err != nil || got.Ended != "" {
		t.Errorf("after an odd reason it has ended as %q (%v)", got.Ended, err)
	}
}
