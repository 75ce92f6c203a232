package quota

import (
	"testing"
	"testing/synctest"
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

func TestCalendarQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // begins on 2000-01-01, 0:00 UTC
		l, ctx := mustLedger(t, nil), t.Context()
		mustSet(t, l, "ann", "calls", Quota{Limit: 5, Period: Day(nil)})
		mustSet(t, l, "ann", "tokens", Quota{Limit: 5, Period: Month(nil)})
		time.Sleep(23 * time.Hour)
		l.Consume(ctx, "ann", "calls", 5)
		l.Consume(ctx, "ann", "tokens", 5)
		if u := used(t, l, "ann", "calls"); time.Until(u.ResetsAt) != time.Hour || u.Seconds() != 86400 {
			t.Errorf("%+v", u)
		}
		time.Sleep(time.Hour)
		if u := used(t, l, "ann", "calls"); u.Used != 0 {
			t.Errorf("the next day: %+v", u)
		}
		if err := l.Consume(ctx, "ann", "calls", 5); err != nil {
			t.Error(err)
		}
		if err := l.Consume(ctx, "ann", "tokens", 1); err == nil {
			t.Error("it is still January")
		}
		time.Sleep(30 * 24 * time.Hour)
		if u := used(t, l, "ann", "tokens"); u.Used != 0 || u.Seconds() != 29*86400 {
			t.Errorf("February 2000: %+v, %v s", u, u.Seconds())
		}
	})
}

// The clock going back does not give a new period.
func TestClockGoingBack(t *testing.T) {
	noon := time.Date(2026, 11, 21, 0, 30, 0, 0, time.UTC)
	day, hour := Quota{Limit: 5, Period: Day(nil)}, Quota{Limit: 5}
	var d, h Account
	d.roll(day, noon)
	d.add(day, noon, 5)
	h.roll(hour, noon)
	h.add(hour, noon, 5)
	for _, back := range []time.Duration{time.Minute, time.Hour, 48 * time.Hour} {
		d.roll(day, noon.Add(-back))
		h.roll(hour, noon.Add(-back))
		if d.fits(day, 1) || h.fits(hour, 1) {
			t.Errorf("%v back: %d, %d used", back, d.Used, h.Used)
		}
	}
}
