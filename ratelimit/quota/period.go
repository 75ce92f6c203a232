package quota

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Period is the span in which a Quota's limit may be used. The zero value is Sliding(time.Hour).
type Period struct {
	kind kind
	span time.Duration
	zone *time.Location
}

type kind uint8

const (
	sliding kind = iota
	day
	month
	gauge
)

// Sliding is any span of that length: what was used longer ago does not count any more. Usage is kept
// at a resolution of span/128: it may count that much longer, never shorter. A span of 0 or less is an
// hour.
func Sliding(span time.Duration) Period { return Period{kind: sliding, span: span} }

// Day is the calendar day in the zone (nil: UTC), 23 or 25 hours long where clocks are changed. The zone is
// one of time.LoadLocation, because accounts are stored with its name.
func Day(zone *time.Location) Period { return Period{kind: day, zone: zone} }

// Month is the calendar month in the zone (nil: UTC), as for Day.
func Month(zone *time.Location) Period { return Period{kind: month, zone: zone} }

// Gauge is no period: what is used counts until it is given back by Refund. For storage.
func Gauge() Period { return Period{kind: gauge} }

func (p Period) calendaric() bool { return p.kind == day || p.kind == month }

func (p Period) location() *time.Location {
	if p.zone == nil {
		return time.UTC
	}
	return p.zone
}

func (p Period) length() time.Duration {
	if p.span <= 0 {
		return time.Hour
	}
	return p.span
}

// calendar is the period that t lies in: from start until end. Only for Day and Month.
func (p Period) calendar(t time.Time) (start, end time.Time) {
	y, m, d := t.In(p.location()).Date()
	if p.kind == month {
		return p.midnight(y, m, 1), p.midnight(y, m+1, 1)
	}
	return p.midnight(y, m, d), p.midnight(y, m, d+1)
}

// midnight is the first moment of a day: not 0:00 where clocks go forward then, and the first of two where
// they go back to it.
func (p Period) midnight(y int, m time.Month, d int) time.Time {
	t, noon := time.Date(y, m, d, 0, 0, 0, 0, p.location()), time.Date(y, m, d, 12, 0, 0, 0, p.location())
	if t.Day() != noon.Day() {
		_, t = t.ZoneBounds() // it fell into the day before
	}
	if before := t.Add(-1); before.Day() == noon.Day() {
		_, was := before.Zone()
		_, is := t.Zone()
		t = t.Add(-time.Duration(was-is) * time.Second)
	}
	return t
}

// Seconds is the period's length at t: 0 for a Gauge.
func (p Period) Seconds(t time.Time) float64 {
	switch p.kind {
	case gauge:
		return 0
	case sliding:
		return p.length().Seconds()
	}
	start, end := p.calendar(t)
	return end.Sub(start).Seconds()
}

// String is the period's form in stores and reports: "sliding 1h0m0s", "day Europe/Berlin", "gauge".
func (p Period) String() string {
	switch p.kind {
	case day:
		return "day " + p.location().String()
	case month:
		return "month " + p.location().String()
	case gauge:
		return "gauge"
	}
	return "sliding " + p.length().String()
}

// ParsePeriod reads what String wrote.
func ParsePeriod(s string) (Period, error) { return parsePeriod(s, time.LoadLocation) }

func parsePeriod(s string, load func(zone string) (*time.Location, error)) (Period, error) {
	name, arg, _ := strings.Cut(s, " ")
	switch name {
	case "gauge":
		if arg == "" {
			return Gauge(), nil
		}
	case "sliding":
		if span, err := time.ParseDuration(arg); err == nil && span > 0 {
			return Sliding(span), nil
		}
	case "day", "month":
		zone, err := load(arg)
		if err != nil {
			return Period{}, fmt.Errorf("quota: period %q: %w", s, err)
		}
		if name == "day" {
			return Day(zone), nil
		}
		return Month(zone), nil
	}
	return Period{}, fmt.Errorf("%w: %q; write it like %q, %q, %q or %q", errPeriod, s,
		"sliding 1h", "day Europe/Berlin", "month UTC", "gauge")
}

var errPeriod = errors.New("quota: not a period")

// zones are those that were loaded, by name: to load one reads a file.
type zones struct{ byName sync.Map }

func (z *zones) load(name string) (*time.Location, error) {
	if zone, ok := z.byName.Load(name); ok {
		return zone.(*time.Location), nil
	}
	zone, err := time.LoadLocation(name)
	if err == nil {
		z.byName.Store(name, zone)
	}
	return zone, err
}

// check says whether the period's zone can be found again by its name, which is what is stored of it.
func (z *zones) check(p Period) error {
	if !p.calendaric() || p.zone == nil {
		return nil
	}
	zone, err := z.load(p.zone.String())
	if err != nil {
		return fmt.Errorf("%w: %w; take a zone of time.LoadLocation", ErrQuota, err)
	}
	now := time.Now()
	for _, t := range [...]time.Time{now, now.AddDate(0, 6, 0)} {
		_, a := t.In(p.zone).Zone()
		_, b := t.In(zone).Zone()
		if a != b {
			return fmt.Errorf("%w: the zone %v is not the one of that name; take one of time.LoadLocation", ErrQuota, p.zone)
		}
	}
	return nil
}

// same says whether usage counted under one continues under the other.
func (p Period) same(q Period) bool {
	return p.kind == q.kind && (p.kind != sliding || p.length() == q.length()) &&
		(p.zone == q.zone || p.location().String() == q.location().String())
}
