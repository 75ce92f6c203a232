// Package gcra is the arithmetic of a token bucket that is kept as one timestamp (the generic cell rate
// algorithm): the moment at which the bucket will be full again. A bucket that is full now and one that
// was never touched are the same thing, so forgetting it changes no decision.
//
// The timestamp only moves forward when units are taken, whatever the clock does; that is what keeps the
// bound (in any span admitted ≤ burst + rate × span) without trusting the order of clock readings.
package gcra

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Ticks is a span or a moment in eighths of a nanosecond: fine enough for some 10 million units a second
// at 0.1 %, wide enough for 36 years of MaxWindow and uptime together.
type Ticks int64

const (
	perNano   = 8
	perSecond = perNano * 1e9
)

// MaxWindow is the longest time that a bucket may take from empty to full.
const MaxWindow = 10 * 365 * 24 * time.Hour

// MaxRate is the highest finite rate, in units a second: one unit a tick.
const MaxRate = perSecond

// MaxUnits is the largest burst, the largest Integer of a structured field (RFC 9651).
const MaxUnits = 999_999_999_999_999

// Of converts a duration; it saturates.
func Of(d time.Duration) Ticks {
	if d > math.MaxInt64/perNano {
		return math.MaxInt64
	}
	return Ticks(d) * perNano
}

// Sum saturates; neither is negative.
func Sum(a, b Ticks) Ticks {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// Duration rounds up, so that who waits for it never comes too early.
func (t Ticks) Duration() time.Duration {
	if t <= 0 {
		return 0
	}
	return time.Duration((t-1)/perNano + 1)
}

// Terms are a rate and a burst in ticks. Interval 0 is no limit at all; Window 0 with an Interval
// refuses everything.
type Terms struct {
	Interval Ticks // what one unit costs
	Window   Ticks // what the whole burst costs: from empty to full
	Debt     Ticks // how far beyond empty a charge may push
}

// New turns a rate in units a second, a burst and a debt in units into Terms.
//
// The interval is rounded up to a whole tick (never down: the limiter may run slower than asked, by
// 1/8 ns a unit, not faster), and the burst is that many whole intervals, so that it can be used unit
// by unit to the last one.
func New(rate float64, burst, debt int64) (Terms, error) {
	switch {
	case math.IsNaN(rate):
		return Terms{}, errors.New("the limit is not a number")
	case rate < 0:
		return Terms{}, fmt.Errorf("the limit %v is negative", rate)
	case burst < 0:
		return Terms{}, fmt.Errorf("the burst %d is negative", burst)
	case rate == math.MaxFloat64 || math.IsInf(rate, 1): // rate.Inf of x/time
		return Terms{}, nil
	case burst == 0:
		return Terms{Interval: 1}, nil
	case burst > MaxUnits || debt > MaxUnits:
		return Terms{}, fmt.Errorf("a burst or debt above %d; count in larger units", int64(MaxUnits))
	case rate == 0:
		return Terms{}, errors.New("the limit is 0 but the burst is not: such a bucket never refills; set Burst 0 to refuse everything, or use ratelimit/quota for an amount that is granted once")
	case rate > MaxRate:
		return Terms{}, fmt.Errorf("the limit %v is above %v units a second; count in larger units, or use Inf", rate, float64(MaxRate))
	}
	interval := perSecond / rate
	if whole := math.Round(interval); math.Abs(interval-whole) <= interval*0x1p-50 {
		interval = whole // 1/60 a second is one a minute, not one in 60.0000000001 s
	}
	interval = math.Ceil(interval)
	longest := float64(Of(MaxWindow))
	if interval*float64(burst) > longest || interval*float64(max(debt, 0)) > longest {
		return Terms{}, fmt.Errorf("a burst of %d and a debt of %d at %v a second take longer than %v to refill", burst, debt, rate, MaxWindow)
	}
	t := Terms{Interval: Ticks(interval), Window: Ticks(interval) * Ticks(burst)}
	t.Debt = t.Interval * Ticks(max(debt, 0))
	return t, nil
}

// Unlimited says that these terms admit everything and keep no state.
func (t Terms) Unlimited() bool { return t.Interval == 0 }

// Cost of n units, n at most the burst.
func (t Terms) Cost(n int) Ticks { return t.Interval * Ticks(n) }

// Level is how far the bucket at moment full is from full at now: 0 is full, Window is empty, more is
// debt. A timestamp further away than these terms can account for (they were longer when it was
// written) counts as their own worst.
func (t Terms) Level(full, now Ticks) Ticks {
	return min(max(full-now, 0), t.Deepest())
}

// Deepest is the level beyond which nothing is kept account of.
func (t Terms) Deepest() Ticks { return t.Window + max(t.Window, t.Debt) }

// Fits says whether the cost can be taken at that level.
func (t Terms) Fits(level, cost Ticks) bool { return level+cost <= t.Window }

// Wait is how long until the cost can be taken from that level.
func (t Terms) Wait(level, cost Ticks) Ticks { return max(level+cost-t.Window, 0) }

// Charge is the level after a cost that is not asked but owed: it stops at the debt's bound.
func (t Terms) Charge(level, cost Ticks) Ticks {
	return max(level, min(level+cost, t.Window+t.Debt))
}

// Left is how many units can be taken at that level.
func (t Terms) Left(level Ticks) int {
	if t.Interval == 0 {
		return math.MaxInt
	}
	return int(max(t.Window-level, 0) / t.Interval)
}

// Owed is the cost of units that may be more than the burst; it stops where Charge would anyway.
func (t Terms) Owed(n int) Ticks {
	if t.Interval > 0 && Ticks(n) > t.Deepest()/t.Interval {
		return t.Deepest()
	}
	return t.Cost(n)
}

// Back is how much of the cost of a former grant may be given back now. after is where the grant left the
// bucket's timestamp, and returned what was given back to that bucket since.
//
// The grant stands for the span of that length which ends at after, or, now that others have been given
// back, as much earlier. What of it has passed has refilled already, or would have been lost to a full
// bucket; giving that too would admit twice. What has not passed can be given: whatever was taken later
// stands behind it. So the bound holds for what was really used.
func Back(cost, after, returned, now Ticks) Ticks {
	return max(0, min(cost, after-returned-now))
}
