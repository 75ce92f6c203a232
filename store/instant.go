package store

import (
	"math"
	"time"
)

// instant is a moment in 8 bytes: nanoseconds since 1970, which reach from 1677 to 2262. What lies
// outside is moved to the nearer end; the zero time.Time has a value of its own, before all others.
type instant int64

const (
	noInstant instant = math.MinInt64
	earliest  instant = math.MinInt64 + 1
	latest    instant = math.MaxInt64
)

func instantOf(t time.Time) instant {
	const edge = math.MaxInt64 / int64(time.Second)
	switch s := t.Unix(); {
	case s < edge && s > -edge:
		return instant(t.UnixNano())
	case t.IsZero():
		return noInstant
	case s < 0:
		return earliest
	default:
		return latest
	}
}

func (i instant) time() time.Time {
	if i == noInstant {
		return time.Time{}
	}
	return time.Unix(0, int64(i))
}

// add stops at either end of time instead of running over it.
func (i instant) add(d time.Duration) instant {
	switch {
	case d > 0 && i > latest-instant(d):
		return latest
	case d < 0 && i < earliest-instant(d):
		return earliest
	}
	return i + instant(d)
}
