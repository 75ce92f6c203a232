package quota

import (
	"testing"
	"time"
)

func TestCalendarPeriods(t *testing.T) {
	for _, c := range []struct {
		period     string
		at         string
		start, end string
	}{
		{"day UTC", "2026-11-21T12:00:00Z", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"},
		{"day Europe/Berlin", "2026-11-21T23:30:00Z", "2026-11-22T00:00:00+01:00", "2026-11-23T00:00:00+01:00"},
		{"day Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"},  // 23 h
		{"day Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00"},  // 25 h
		{"day America/Havana", "2025-03-09T12:00:00Z", "2025-03-09T01:00:00-04:00", "2025-03-10T00:00:00-04:00"}, // no 0:00
		{"day America/Havana", "2025-03-08T12:00:00Z", "2025-03-08T00:00:00-05:00", "2025-03-09T01:00:00-04:00"},
		{"day America/Havana", "2025-11-02T12:00:00Z", "2025-11-02T00:00:00-04:00", "2025-11-03T00:00:00-05:00"}, // 0:00 twice
		{"day America/Havana", "2025-11-02T04:30:00Z", "2025-11-02T00:00:00-04:00", "2025-11-03T00:00:00-05:00"},
		{"day America/Havana", "2025-11-02T05:30:00Z", "2025-11-02T00:00:00-04:00", "2025-11-03T00:00:00-05:00"},
		{"month UTC", "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
		{"month UTC", "2028-02-29T00:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"},
		{"month Europe/Berlin", "2026-10-31T23:30:00Z", "2026-11-01T00:00:00+01:00", "2026-12-01T00:00:00+01:00"},
	} {
		p, err := ParsePeriod(c.period)
		if err != nil {
			t.Fatal(err)
		}
		at, _ := time.Parse(time.RFC3339, c.at)
		start, end := p.calendar(at)
		if s, e := start.Format(time.RFC3339), end.Format(time.RFC3339); s != c.start || e != c.end {
			t.Errorf("%s at %s: %s to %s, want %s to %s", c.period, c.at, s, e, c.start, c.end)
		}
		if start.After(at) || !end.After(at) {
			t.Errorf("%s: %s is not in its own period", c.period, c.at)
		}
	}
}

func TestPeriodText(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []Period{{}, Sliding(90 * time.Second), Day(nil), Day(berlin), Month(berlin), Gauge()} {
		back, err := ParsePeriod(p.String())
		if err != nil || !back.same(p) {
			t.Errorf("%v: %v, %v", p, back, err)
		}
	}
	for _, s := range []string{"", "day", "day Nowhere/Else", "sliding", "sliding -1h", "gauge x", "year UTC"} {
		if p, err := ParsePeriod(s); err == nil && s != "day" {
			t.Errorf("%q is %v", s, p)
		}
	}
}

// The clock going back does not give a new period; and what a clock that was wrong has noted for a far future
// counts as used now, so that it does not count for ever.
func TestClockGoingBack(t *testing.T) {
	noon := time.Date(2026, 11, 21, 0, 30, 0, 0, time.UTC)
	day, month, hour := Quota{Limit: 5, Period: Day(nil)}, Quota{Limit: 5, Period: Month(nil)}, Quota{Limit: 5}
	for _, back := range []time.Duration{time.Second, time.Minute, time.Hour, 48 * time.Hour, 90 * 24 * time.Hour, 80 * 365 * 24 * time.Hour} {
		for _, q := range []Quota{day, month, hour} {
			var a account
			a.roll(q, noon)
			a.add(q, noon, 3)
			a.add(q, noon, 2)
			past := noon.Add(-back)
			a.roll(q, past)
			if a.fits(q, 1) {
				t.Errorf("%v, %v back: %d are used", q.Period, back, a.used)
			}
			if reset := a.resetsAt(q); !reset.After(past) || reset.Sub(past) > 63*24*time.Hour {
				t.Errorf("%v, %v back: resets at %v", q.Period, back, reset)
			}
			stored, err := decode(a.encode(), time.LoadLocation)
			if err != nil {
				t.Fatal(err)
			}
			stored.roll(q, past.AddDate(0, 2, 1))
			if stored.used != 0 {
				t.Errorf("%v, %v back: two months later %d are used", q.Period, back, stored.used)
			}
		}
	}
}
