package redisstore

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
)

func newID() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// fresh returns a record as the manager creates it.
func fresh(user string) session.Record {
	now := time.Now()
	r := session.Record{
		ID: newID(), Handle: newID()[:22], User: user, Data: make([]byte, 250), Version: 1, Created: now, Seen: now,
		Expires: now.Add(31 * time.Minute), Deadline: now.Add(24 * time.Hour), Purge: now.Add(25 * time.Hour), Idle: 30 * time.Minute,
	}
	rand.Read(r.Data)
	return r
}

// next is what a request that counts stores.
func next(r session.Record) session.Record {
	r.Version++
	r.Seen = time.Now()
	r.Expires, r.Purge = r.Seen.Add(31*time.Minute), r.Seen.Add(25*time.Hour)
	return r
}

const vectorID = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

func vectorMoment(s, ns int64) time.Time { return time.Unix(1_700_000_000+s, ns) }

// vectors are frozen: a Redis somewhere holds records like these. They are added to, never changed.
var vectors = []struct {
	name, hex string
	r         session.Record
}{
	{
		"live",
		"01 61 00 97979cfe362a0001 97979cfe362a0002 0006 00000006 0000000000000102 97979cfe362a0003 97979eaf46cda804 " +
			"9797ed43d81ca806 9797eb92c7790005 000001a3185c5000 97983a2758c80005 00000004 0000000000000000 0000 0000 " +
			"68616e646c65 616e6e00c3bc 6d657461 0001ff",
		session.Record{
			ID: vectorID, Handle: "handle", User: "ann\x00ü", Data: []byte{0, 1, 255}, Meta: []byte("meta"), Version: 258,
			Created: vectorMoment(0, 1), AuthTime: vectorMoment(0, 2), Seen: vectorMoment(0, 3), Expires: vectorMoment(1860, 4),
			Deadline: vectorMoment(86_400, 5), Purge: vectorMoment(88_260, 6), Idle: 30 * time.Minute,
		},
	},
	{
		"rotated",
		"01 61 00 97979cfe362a0001 0000000000000000 0001 00000000 0000000000000001 97979cfe362a0003 97979eaf46cda804 " +
			"9797ed43d81ca806 9797eb92c7790005 0000000000000000 97983a2758c80005 00000000 97979d0c2e715807 0007 002b " +
			"68 726f7461746564 41414543417751464267634943516f4c4441304f4478415245684d554652595847426b6147787764486838 6b657074",
		session.Record{
			ID: vectorID, Handle: "h", Data: []byte("kept"), Version: 1, Created: vectorMoment(0, 1), Seen: vectorMoment(0, 3),
			Expires: vectorMoment(1860, 4), Deadline: vectorMoment(86_400, 5), Purge: vectorMoment(88_260, 6),
			Ended: session.ReasonRotated, EndedAt: vectorMoment(60, 7), Next: vectorID,
		},
	},
}

func fromHex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	must(t, err)
	return b
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		want := fromHex(t, v.hex)
		got, err := encode(&v.r)
		must(t, err)
		if !bytes.Equal(got, want) {
			t.Errorf("%s is encoded as\n%x, want\n%x", v.name, got, want)
		}
		r, err := decode(vectorID, want)
		if err != nil || !reflect.DeepEqual(r, v.r) {
			t.Errorf("%s is decoded as\n%+v, %v; want\n%+v", v.name, r, err, v.r)
		}
	}
}

// TestWrongVectors: what is no record is none.
func TestWrongVectors(t *testing.T) {
	good := fromHex(t, vectors[0].hex)
	change := func(at int, b ...byte) []byte {
		v := bytes.Clone(good)
		copy(v[at:], b)
		return v
	}
	for name, c := range map[string]struct {
		v    []byte
		want error
	}{
		"empty":                      {nil, errDamaged},
		"another format":             {change(0, 2), errNewer},
		"a short head":               {good[:96], errDamaged},
		"a head said to be shorter":  {change(1, 96), errDamaged},
		"a head beyond the end":      {change(1, 255), errDamaged},
		"a cut user":                 {good[:100], errDamaged},
		"a handle beyond the end":    {change(19, 255, 255), errDamaged},
		"a user beyond the end":      {change(21, 255, 255, 255, 255), errDamaged},
		"meta beyond the end":        {change(81, 127, 255, 255, 255), errDamaged},
		"a reason beyond the end":    {change(93, 255, 255), errDamaged},
		"a successor beyond the end": {change(95, 255, 255), errDamaged},
	} {
		if r, err := decode(vectorID, c.v); err != c.want {
			t.Errorf("%s: %+v, %v; want %v", name, r, err, c.want)
		}
	}
	for what, r := range map[string]session.Record{
		"handle": {ID: vectorID, Handle: strings.Repeat("x", 65_536)},
		"reason": {ID: vectorID, Ended: session.Reason(strings.Repeat("x", 65_536))},
		"next":   {ID: vectorID, Next: strings.Repeat("x", 65_536)},
	} {
		if _, err := encode(&r); err == nil {
			t.Errorf("a %s of 64 KiB is taken", what)
		}
	}
}

// FuzzDecode: whatever lies in the server, reading it takes nothing from beyond its end, and what is read is
// written back so that it reads the same.
func FuzzDecode(f *testing.F) {
	for _, v := range vectors {
		f.Add(fromHex(f, v.hex))
		f.Add(fromHex(f, v.hex)[:97])
	}
	f.Fuzz(func(t *testing.T, v []byte) {
		r, err := decode(vectorID, v)
		if err != nil {
			return
		}
		if n := len(r.Handle) + len(r.User) + len(r.Meta) + len(r.Ended) + len(r.Next) + len(r.Data); n+int(v[1]) != len(v) {
			t.Fatalf("%d bytes of texts and %d of head are not the %d that there are", n, v[1], len(v))
		}
		first, err := encode(&r) // moments within the last second of time move to its end
		must(t, err)
		r, err = decode(vectorID, first)
		must(t, err)
		if second, err := encode(&r); err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%x was read as %+v and written as %x, %v", first, r, second, err)
		}
	})
}

// TestScriptsWriteWhatGoWrites: after each script the bytes are those that the record would be created with.
func TestScriptsWriteWhatGoWrites(t *testing.T) {
	ctx := t.Context()
	s := open(t, servers.SharedRedis(t).URL(), nil)
	same := func(what string, r session.Record) {
		t.Helper()
		got, err := s.client.Do(ctx, s.client.B().Get().Key(s.record(r.ID)).Build()).AsBytes()
		must(t, err)
		want, err := encode(&r)
		must(t, err)
		if !bytes.Equal(got, want) {
			t.Errorf("%s has written\n%x, want\n%x", what, got, want)
		}
		ttl, err := s.client.Do(ctx, s.client.B().Pexpiretime().Key(s.record(r.ID)).Build()).AsInt64()
		if err != nil || ttl != millis(r.Purge) {
			t.Errorf("after %s it lives until %d, %v; want %d", what, ttl, err, millis(r.Purge))
		}
	}
	r := fresh("ann")
	must(t, s.Create(ctx, r))
	same("Create", r)
	r = next(r)
	r.Data, r.Meta, r.Idle = []byte("data"), []byte("meta"), time.Hour
	must(t, s.Replace(ctx, r))
	same("Replace", r)
	r = next(r)
	r.Deadline = r.Deadline.Add(90 * 24 * time.Hour) // the index follows
	must(t, s.Replace(ctx, r))
	same("Replace with a longer Deadline", r)
	r.Seen, r.Expires, r.Purge = r.Seen.Add(1), r.Expires.Add(2), r.Purge.Add(3)
	must(t, s.Touch(ctx, r.ID, r.Seen, r.Expires, r.Purge))
	same("Touch", r)
	end := session.End{Reason: session.ReasonRotated, At: r.Seen.Add(5), Purge: r.Purge.Add(7), Next: newID(), KeepData: true}
	_, err := s.End(ctx, r.ID, end)
	must(t, err)
	r.Ended, r.EndedAt, r.Purge, r.Next = end.Reason, end.At, end.Purge, end.Next
	same("End", r)

	within := fresh("ann")
	if _, err := s.CreateWithin(ctx, within, 1, true); err != nil {
		t.Fatal(err)
	}
	same("CreateWithin", within)
	third := fresh("ann")
	evicted, err := s.CreateWithin(ctx, third, 1, true)
	if err != nil || len(evicted) != 1 {
		t.Fatalf("%d evicted, %v", len(evicted), err)
	}
	within.Ended, within.EndedAt, within.Data = session.ReasonEvicted, third.Seen, nil
	same("an eviction", within)
}

// TestIndexEntriesLiveLongEnough: an entry's end, and the index's, are Deadline + 24 h or later, and follow a longer
// Deadline before the record does.
func TestIndexEntriesLiveLongEnough(t *testing.T) {
	ctx := t.Context()
	s := open(t, servers.SharedRedis(t).URL(), nil)
	r := fresh("ann")
	must(t, s.Create(ctx, r))
	want := func(what string, until time.Time) {
		t.Helper()
		score, err := s.client.Do(ctx, s.client.B().Zscore().Key(s.index("ann")).Member(r.ID).Build()).AsFloat64()
		must(t, err)
		ttl, err := s.client.Do(ctx, s.client.B().Pexpiretime().Key(s.index("ann")).Build()).AsInt64()
		must(t, err)
		if int64(score) != millis(until) || ttl != millis(until) {
			t.Errorf("after %s the entry lives until %d, the index until %d, want %d", what, int64(score), ttl, millis(until))
		}
	}
	want("Create", r.Deadline.Add(session.Tombstone))
	n := next(r)
	n.Deadline = n.Deadline.Add(-time.Hour)
	must(t, s.Replace(ctx, n))
	want("a shorter Deadline", r.Deadline.Add(session.Tombstone))
	n = next(n)
	n.Deadline = n.Deadline.Add(30 * 24 * time.Hour)
	must(t, s.Replace(ctx, n))
	want("a longer Deadline", n.Deadline.Add(session.Tombstone))
	purge := n.Deadline.Add(48 * time.Hour)
	must(t, s.Touch(ctx, r.ID, n.Seen, n.Expires, purge))
	want("a Touch beyond the Deadline", purge)

	// A longer Deadline that is refused moves nothing.
	stale := n
	stale.Deadline = n.Deadline.Add(1000 * time.Hour)
	if err := s.Replace(ctx, stale); !errors.Is(err, session.ErrConflict) {
		t.Errorf("Replace of a stale version: %v", err)
	}
	want("a refused Replace", purge)
}
