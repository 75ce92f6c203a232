package quota

import (
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func load(t testing.TB, zone string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(zone)
	if err != nil {
		t.Skip("no time zones on this machine:", err)
	}
	return z
}

// Stored accounts are read for ever: vectors are added, never changed.
func TestAccountVectors(t *testing.T) {
	berlin := load(t, "Europe/Berlin")
	at := time.Date(2026, 11, 21, 15, 4, 5, 678, time.UTC)
	for name, v := range map[string]struct {
		a    account
		want string
	}{
		"a day": {
			account{used: 300, period: Day(nil), since: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)},
			"01 04 ac02 07 646179 20 555443 80fc86b00d 00 00",
		},
		"a gauge of one's own, told": {
			account{own: &Quota{Limit: 500, Period: Gauge(), Soft: 80}, used: 450, period: Gauge(), told: true},
			"01 03 e807 50 05 6761756765 c203 05 6761756765 00",
		},
		"no limit, a month": {
			account{own: &Quota{Limit: Unlimited, Period: Month(berlin)}, used: 1<<63 - 1, period: Month(berlin), since: time.Date(2026, 11, 1, 0, 0, 0, 0, berlin)},
			"01 05 01 00 13 6d6f6e746820 4575726f70652f4265726c696e ffffffffffffffff7f 13 6d6f6e746820 4575726f70652f4265726c696e e0cbb3ae0d 00 00",
		},
		"an hour in two parts": {
			account{used: 7, period: Sliding(0), parts: []part{{at, at.Add(time.Second), 5}, {at.Add(30 * time.Second), at.Add(30 * time.Second), 2}}},
			"01 00 07 0e 736c6964696e6720 3168306d3073 02 cacb8db00d a605 00 8094ebdc03 05 80c4a3846c 00 02",
		},
	} {
		if got := hex.EncodeToString(v.a.encode()); got != strings.ReplaceAll(v.want, " ", "") {
			t.Errorf("%s: %s", name, got)
		}
		b, err := hex.DecodeString(strings.ReplaceAll(v.want, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		a, err := decode(b, time.LoadLocation)
		if err != nil || !equal(a, v.a) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
		for n := 1; n < len(b); n++ {
			if a, err := decode(b[:n], time.LoadLocation); !errors.Is(err, errForm) {
				t.Errorf("%s, cut to %d bytes: %+v, %v", name, n, a, err)
			}
		}
	}
	for what, form := range map[string]string{
		"a later version": "02 00 00 05 6761756765 00", "an unknown flag": "01 08 00 05 6761756765 00", "something behind": "01 00 00 05 6761756765 00 00",
		"no period": "01 00 00 05 6761756766 00", "no zone": "01 00 00 07 646179 20 555458 00", "a sum that is none": "01 00 03 05 6761756765 01 00 00 00 00 02",
		"a limit below -1": "01 01 03 00 05 6761756765 00 05 6761756765 00", "used is negative": "01 00 ffffffffffffffffff01 05 6761756765 00",
		"more parts than bytes": "01 00 03 05 6761756765 ffffffff7f 00 00 00 00 02",
	} {
		b, err := hex.DecodeString(strings.ReplaceAll(form, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if a, err := decode(b, time.LoadLocation); !errors.Is(err, errForm) {
			t.Errorf("%s: %+v, %v", what, a, err)
		}
	}
	if a, err := decode(nil, nil); err != nil || a.encode() != nil {
		t.Errorf("nothing: %+v, %v", a, err)
	}
}

func equal(a, b account) bool {
	if len(a.parts) != len(b.parts) || !a.since.Equal(b.since) || a.used != b.used || a.told != b.told || !a.period.same(b.period) || (a.own == nil) != (b.own == nil) {
		return false
	}
	for i := range a.parts {
		if p, q := a.parts[i], b.parts[i]; !p.first.Equal(q.first) || !p.last.Equal(q.last) || p.amount != q.amount {
			return false
		}
	}
	return a.own == nil || a.own.Limit == b.own.Limit && a.own.Soft == b.own.Soft && a.own.Period.same(b.own.Period)
}

// Whatever happens to an account, stored and read again it goes on as if it had not been stored.
func TestPropertyStoredAccountsGoOn(t *testing.T) {
	berlin := load(t, "Europe/Berlin")
	periods := []Period{{}, Sliding(time.Second), Sliding(1000 * time.Hour), Day(nil), Day(berlin), Month(berlin), Gauge()}
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(rapid.Int64Range(0, 250_000_000_000).Draw(t, "start"), 0)
		var kept, stored account
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			q := Quota{Limit: rapid.Int64Range(-1, 100).Draw(t, "limit"), Soft: rapid.IntRange(0, 100).Draw(t, "soft"), Period: rapid.SampledFrom(periods).Draw(t, "period")}
			if rapid.IntRange(0, 9).Draw(t, "set") == 0 {
				kept.own, stored.own = &q, &q
			}
			now = now.Add(time.Duration(rapid.Int64Range(-1e12, 1e13).Draw(t, "pause")))
			amount := rapid.Int64Range(0, 30).Draw(t, "amount")
			refund := rapid.Bool().Draw(t, "refund")
			for _, a := range []*account{&kept, &stored} {
				a.roll(q, now)
				switch {
				case refund:
					a.remove(amount)
				case a.fits(q, amount):
					a.add(q, now, amount)
				}
				a.told = a.told || a.used > 50
			}
			if kept.used < 0 {
				t.Fatalf("%d are used", kept.used)
			}
			var err error
			if stored, err = decode(stored.encode(), time.LoadLocation); err != nil {
				t.Fatal(err)
			}
			if stored.encode() == nil {
				kept = account{own: kept.own} // what says nothing may be forgotten
			}
			if !equal(kept, stored) {
				t.Fatalf("%+v\n%+v", kept, stored)
			}
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add((&account{used: 3, period: Gauge()}).encode())
	f.Add((&account{used: 7, period: Sliding(0), parts: []part{{time.Unix(1, 2), time.Unix(3, 4), 7}}}).encode())
	f.Add((&account{own: &Quota{Limit: 5, Period: Day(nil), Soft: 7}, period: Day(nil), since: time.Unix(86400, 0)}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := decode(b, time.LoadLocation)
		if err != nil {
			return
		}
		again, err := decode(a.encode(), time.LoadLocation)
		if err != nil || a.encode() != nil && !equal(a, again) && !reflect.DeepEqual(a, again) {
			t.Errorf("%x: %+v, read again %+v, %v", b, a, again, err)
		}
	})
}
