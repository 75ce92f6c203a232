package ratelimit

import "net/netip"

// Trace is a set of functions that a Limiter or a Concurrency calls as things happen, each nil unless
// wanted; none costs anything then. They are called by the goroutine that asked, with no lock held, and
// may use the limiter. A slow one slows the caller.
type Trace struct {
	// Decision: every answer of Allow, AllowN, Take, Reserve and Wait. Shadow policies that would have
	// refused are in it, as Standing.Violated.
	Decision func(Key, Result)
	// Near: an admitted call brought a policy below a fifth of its burst; told at the crossing only.
	Near func(Key, Standing)
	// Overflow: the table was full, and the key was counted in a shared bucket.
	Overflow func(Key, By)
	// Widened: the table was crowded, and an IPv6 key that it did not hold was counted by a wider network.
	Widened func(Key, netip.Prefix)
	// Failed: the call was refused because it could not be decided (ErrNoKey, ErrCost, a Tier that makes
	// no sense).
	Failed func(Key, error)
	// Busy: a Concurrency refused, with its error.
	Busy func(Key, error)
}
