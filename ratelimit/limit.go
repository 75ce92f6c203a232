package ratelimit

import (
	"time"

	"golang.org/x/time/rate"
)

// Limit is a rate in units a second: the type of golang.org/x/time/rate, with its meaning.
type Limit = rate.Limit

// Inf is no limit: whatever the burst, everything is admitted and nothing is kept.
const Inf = rate.Inf

// Every is one unit in each span. (x/time's: a span of 0 or less is Inf.)
func Every(span time.Duration) Limit { return rate.Every(span) }

// Per is n units in each span: Per(100, time.Minute). A span of 0 or less is Inf, as in Every.
func Per(n int, span time.Duration) Limit {
	if span <= 0 {
		return Inf
	}
	return Limit(float64(n) / span.Seconds())
}
