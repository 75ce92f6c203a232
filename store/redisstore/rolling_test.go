package redisstore

import (
	"errors"
	"testing"
	"time"

	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
	"example.com/hardy/store/storetest"
)

const extension = "EXTENDED" // what the next Hardy writes behind the head

// nextHardy is a Store whose records have eight bytes more in their head: the migration of this test.
func nextHardy(t *testing.T, url string) *Store {
	s := open(t, url, nil)
	next := texts()
	const extend = `
local function extend(v)
  return string.sub(v, 1, 1) .. string.char(string.byte(v, 2) + 8) .. string.sub(v, 3, 97) .. 'EXTENDED' .. string.sub(v, 98)
end
`
	next["create"] = extend + "ARGV[3] = extend(ARGV[3])\n" + next["create"]
	next["admit"] = extend + `
local old = redis.call('GET', KEYS[1])
if old and string.byte(old, 2) == 97 then
  redis.call('SET', KEYS[1], extend(old), 'KEEPTTL')
end
` + next["admit"]
	s.scripts = compile(next)
	return s
}

// TestRollingUpgrade: this Hardy and the next one work side by side, in any order, on records of
// either.
func TestRollingUpgrade(t *testing.T) {
	storetest.Run(t, func(t *testing.T) session.Store {
		url := servers.SharedRedis(t).URL()
		return &pair{two: [2]*Store{open(t, url, nil), nextHardy(t, url)}}
	})
}

// TestOlderHardyKeepsWhatItDoesNotKnow: what the next one has added outlives every write of this one.
func TestOlderHardyKeepsWhatItDoesNotKnow(t *testing.T) {
	ctx := t.Context()
	server := servers.SharedRedis(t)
	old, newer := open(t, server.URL(), nil), nextHardy(t, server.URL())
	r, evicting := fresh("ann"), fresh("ann")
	must(t, newer.Create(ctx, r))
	if _, err := newer.CreateWithin(ctx, evicting, 5, true); err != nil {
		t.Fatal(err)
	}
	kept := func(after, id string) {
		t.Helper()
		v, err := newer.client.Do(ctx, newer.client.B().Get().Key(newer.record(id)).Build()).ToString()
		must(t, err)
		if v[1] != 105 || v[97:105] != extension {
			t.Errorf("after %s the record is %q", after, v)
		}
	}
	kept("Create", r.ID)
	kept("CreateWithin", evicting.ID)
	n := next(r)
	n.Data, n.Meta = []byte("other data"), []byte("other meta")
	must(t, old.Replace(ctx, n))
	kept("Replace", r.ID)
	must(t, old.Touch(ctx, r.ID, n.Seen.Add(1), n.Expires.Add(1), n.Purge.Add(1)))
	kept("Touch", r.ID)
	_, err := old.End(ctx, r.ID, session.End{Reason: session.ReasonRotated, At: n.Seen, Purge: n.Purge, Next: evicting.ID, KeepData: true})
	must(t, err)
	kept("End", r.ID)
	for more := true; more; {
		if _, more, err = old.Sweep(ctx, n.Seen.Add(2*session.Grace), 100); err != nil {
			t.Fatal(err)
		}
	}
	kept("Sweep", r.ID)
	if got, err := old.Load(ctx, r.ID); err != nil || got.Ended != session.ReasonRotated || got.Next != evicting.ID || got.Data != nil || got.User != "ann" {
		t.Errorf("in the end it is %+v, %v", got, err)
	}
}

// TestNewerFormat: a record in a form that this Hardy does not know is refused by name, and left alone.
func TestNewerFormat(t *testing.T) {
	ctx := t.Context()
	server := servers.SharedRedis(t)
	s := open(t, server.URL(), nil)
	r := fresh("ann")
	must(t, s.Create(ctx, r))
	server.CLI("setrange", s.record(r.ID), "0", "\x02")
	before := server.CLI("get", s.record(r.ID))
	_, loaded := s.Load(ctx, r.ID)
	_, ended := s.End(ctx, r.ID, session.End{Reason: session.ReasonLogout, At: r.Seen})
	_, listed := s.List(ctx, "ann")
	_, capped := s.CreateWithin(ctx, fresh("ann"), 1, true)
	for what, err := range map[string]error{
		"Load": loaded, "End": ended, "List": listed, "CreateWithin": capped, "Replace": s.Replace(ctx, next(r)),
		"Touch": s.Touch(ctx, r.ID, r.Seen, r.Expires, r.Purge),
	} {
		wantFault(t, what, err, "newer Hardy", "update this program")
	}
	if err := s.Create(ctx, r); !errors.Is(err, session.ErrExists) {
		t.Errorf("Create over it: %v", err)
	}
	for more, err := true, error(nil); more; {
		if _, more, err = s.Sweep(ctx, r.Purge.Add(time.Hour), 100); err != nil {
			t.Fatal(err)
		}
	}
	if after := server.CLI("get", s.record(r.ID)); after != before {
		t.Errorf("it was %q and is %q", before, after)
	}
}
