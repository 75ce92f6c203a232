package column

import (
	"encoding/base64"
	"math"
	"strings"
	"testing"
	"time"

	"example.com/hardy/session"
)

func TestKey(t *testing.T) {
	good := base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("\xfb\xff", 16)))
	if k, ok := Key(good); !ok || ID(k) != good {
		t.Errorf("%q does not come back", good)
	}
	for _, id := range []string{"", good[:42], good + "A", good[:42] + "\n", "\n" + good[1:], good[:42] + "9", strings.Repeat("+", 43), strings.Repeat("=", 43)} {
		if _, ok := Key(id); ok {
			t.Errorf("%q is taken for an id", id)
		}
	}
}

func TestMoments(t *testing.T) {
	for _, at := range []time.Time{
		{}, time.Unix(0, 0), time.Unix(0, -1), time.Date(2026, 11, 21, 1, 2, 3, 999_999_999, time.UTC),
		time.Date(1678, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(2262, 1, 1, 0, 0, 0, 7, time.UTC),
	} {
		if got := Time(Nanos(at)); !got.Equal(at) {
			t.Errorf("%v comes back as %v", at, got)
		}
	}
	order := []time.Time{{}, time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(1677, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(0, 0),
		time.Date(2262, 4, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}
	for i := range order[1:] {
		if Nanos(order[i]) > Nanos(order[i+1]) {
			t.Errorf("%v comes after %v", order[i], order[i+1])
		}
	}
	if Nanos(order[0]) != math.MinInt64 {
		t.Error("the zero time is not the first moment")
	}
}

func TestDue(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	grace := int64(session.Grace/time.Second) + 1
	for name, c := range map[string]struct {
		r    session.Record
		want time.Time
	}{
		"live":                   {session.Record{Data: []byte{1}, Expires: at(10), Purge: at(99)}, at(10)},
		"purged before":          {session.Record{Data: []byte{1}, Expires: at(99), Purge: at(10)}, at(10)},
		"a tombstone":            {session.Record{Expires: at(10), Purge: at(99)}, at(99)},
		"kept for the grace":     {session.Record{Data: []byte{1}, Ended: "x", EndedAt: at(10), Expires: at(99), Purge: at(99)}, at(10 + grace)},
		"expired in the grace":   {session.Record{Data: []byte{1}, Ended: "x", EndedAt: at(10), Expires: at(12), Purge: at(99)}, at(12)},
		"a grace without an end": {session.Record{Data: []byte{1}, Ended: "x", EndedAt: at(math.MaxInt64 / 4), Expires: at(50), Purge: at(99)}, at(50)},
	} {
		if got := Time(Due(&c.r)); got.Sub(c.want).Abs() >= time.Second {
			t.Errorf("%s: due at %v, want %v", name, got.Unix(), c.want.Unix())
		}
	}
}
