package quota

import (
	"errors"
	"fmt"
	"strings"
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

// Day is the calendar day in the zone (nil: UTC), 23 or 25 hours long where clocks are changed.
func Day(zone *time.Location) Period { return Period{kind: day, zone: zone} }

// Month is the calendar month in the zone (nil: UTC).
func Month(zone *time.Location) Period { return Period{kind: month, zone: zone} }

// Gauge is no period: what is used counts until it is given back by Refund. For storage.
func Gauge() Period { return Period{kind: gauge} }

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
func ParsePeriod(s string) (Period, error) {
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
		zone, err := time.LoadLocation(arg)
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

// same says whether usage counted under one continues under the other.
func (p Period) same(q Period) bool {
	return p.kind == q.kind && (p.kind != sliding || p.length() == q.length()) &&
		(p.zone == q.zone || p.location().String() == q.location().String())
}
