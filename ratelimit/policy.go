package ratelimit

import (
	"fmt"
	"sync/atomic"

	"example.com/hardy/ratelimit/internal/gcra"

	"golang.org/x/time/rate"
)

// Policy is one token bucket for each key: it holds at most Burst units, starts full, and refills at
// Limit units a second. What it admits in any span T is at most Burst + Limit × T.
//
//	{Name: "burst", Limit: ratelimit.Per(10, time.Second), Burst: 20}
//	{Name: "daily", Limit: ratelimit.Per(1000, 24*time.Hour), Burst: 1000, By: ratelimit.ByUser}
//
// Limit Inf admits everything. Burst 0 refuses everything. Limit 0 with a Burst is refused at
// construction: such a bucket would never refill.
type Policy struct {
	// Name is told to clients in the RateLimit fields and problem documents: printable ASCII, at most
	// 64 characters, unique in its Limiter.
	Name  string
	Limit Limit
	Burst int

	// By names the parts of the Key that this policy counts by; 0: all that the key has. A key that
	// lacks one of the named parts is refused with ErrNoKey, unless the policy is Optional.
	By By
	// Optional: a key without the parts of By is none of this policy's business. Mind that a visitor who
	// has not signed in then meets only the other policies, and if these are all Optional, none.
	Optional bool

	// Tier gives the terms for a key (reduced to the parts of By), in place of Limit and Burst: by what
	// the customer pays, say. nil: all have the same. It is called at every decision, by many goroutines
	// at once, so it looks something up in memory; it may not call the Limiter.
	Tier func(Key) Tier

	// Debt is how far below empty a bucket may be pushed, in units, by what was not asked beforehand:
	// Settle above what was reserved, and Penalize. 0: one Burst. Negative: not at all.
	Debt int

	// Shadow: the policy counts and is reported (Standing.Violated, Trace), but refuses nothing.
	Shadow bool

	// Unit is what is counted, as told to clients: "" and "requests" are requests, "content-bytes"
	// bytes. Other units are to be registered with IANA.
	Unit string
	// Partition tells clients an opaque name of the bucket (the field's pk parameter), so that they can
	// see which of their requests share one. It is a keyed hash and differs from process to process.
	Partition bool

	// Shared is a bucket kept by golang.org/x/time/rate, one for all keys, in place of the rest: see
	// FromRate.
	Shared *rate.Limiter
}

// Tier is what a policy grants to some of its keys.
type Tier struct {
	Limit Limit
	Burst int
}

// maxText bounds names and units, which are sent with every response.
const maxText = 64

type policy struct {
	Policy
	now   atomic.Pointer[terms] // changed by Limiter.SetLimit
	slot  int                   // which timestamp of an entry is its own
	group int
}

type terms struct {
	gcra.Terms
	limit   Limit
	burst   int
	changes int // how often SetLimit was called before
}

func (p *Policy) terms(limit Limit, burst int) (terms, error) {
	debt := p.Debt
	if debt == 0 {
		debt = burst
	}
	t, err := gcra.New(float64(limit), int64(burst), int64(debt))
	if err != nil {
		return terms{}, fmt.Errorf("%w: policy %q: %w", ErrPolicy, p.Name, err)
	}
	return terms{t, limit, burst, 0}, nil
}

func (p *Policy) check() error {
	if err := checkText("name", p.Name); err != nil || p.Name == "" {
		return fmt.Errorf("%w: policy %q: give it a Name of 1 to %d printable ASCII characters", ErrPolicy, p.Name, maxText)
	}
	if err := checkText("unit", p.Unit); err != nil {
		return fmt.Errorf("%w: policy %q: %w", ErrPolicy, p.Name, err)
	}
	if p.By >= Everyone<<1 || p.By&Everyone != 0 && p.By != Everyone {
		return fmt.Errorf("%w: policy %q: By is %d; Everyone stands alone, the others combine by |", ErrPolicy, p.Name, p.By)
	}
	return nil
}

func checkText(what, text string) error {
	if len(text) > maxText {
		return fmt.Errorf("the %s is longer than %d characters", what, maxText)
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return fmt.Errorf("the %s %q has a character that a field cannot carry", what, text)
		}
	}
	return nil
}
