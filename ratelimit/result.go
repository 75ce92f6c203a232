package ratelimit

import (
	"iter"
	"math"
	"time"

	"example.com/hardy/ratelimit/internal/gcra"
)

// Never is the RetryAfter of what no waiting admits (a policy with Burst 0).
const Never time.Duration = math.MaxInt64

// Result is what was decided, and how each policy stands after it. It is a plain value of some 700
// bytes: making one allocates nothing.
type Result struct {
	Allowed bool
	// Exempt: the key is on the allow list; nothing was counted.
	Exempt bool
	// RetryAfter is 0 where allowed, else when the same cost would pass if nobody takes anything until
	// then; Never where it would not.
	RetryAfter time.Duration

	n     int
	cells [MaxPolicies]cell
}

// A cell is one policy's part of a decision, in the arithmetic's terms; Standing says it in the caller's.
type cell struct {
	policy *policy
	terms
	level    gcra.Ticks // after the decision
	wait     gcra.Ticks // until the cost fits
	id       uint64     // of the bucket
	violated bool
	overflow bool
}

// Standing is how one policy stands.
type Standing struct {
	Policy    string
	Limit     Limit
	Burst     int
	Remaining int           // units that could be taken now; 0 also while in debt
	Reset     time.Duration // until the bucket is full
	// RetryAfter is when the refused cost would pass this policy; 0 where it was not violated.
	RetryAfter time.Duration
	Violated   bool
	Shadow     bool // then Violated refused nothing
	Overflow   bool // counted in a bucket that is shared while the table is full
}

// Len is how many policies had a say. Optional ones for which the key has no part are not among them.
func (r *Result) Len() int { return r.n }

// At is the standing of the i-th policy, in the order they were given.
func (r *Result) At(i int) Standing {
	c := &r.cells[:r.n][i]
	return Standing{
		Policy: c.policy.Name, Limit: c.limit, Burst: c.burst,
		Remaining: c.remaining(), Reset: c.level.Duration(), RetryAfter: c.retry(),
		Violated: c.violated, Shadow: c.policy.Shadow, Overflow: c.overflow,
	}
}

// Policies ranges over the standings.
func (r *Result) Policies() iter.Seq[Standing] {
	return func(yield func(Standing) bool) {
		for i := range r.n {
			if !yield(r.At(i)) {
				return
			}
		}
	}
}

// Tightest is the standing that a client should mind: of the violated ones that with the longest wait,
// else that with the smallest part of its burst left. ok is false where no policy had a say.
func (r *Result) Tightest() (st Standing, ok bool) {
	best := -1
	for i := range r.n {
		if c := &r.cells[i]; !c.policy.Shadow && (best < 0 || c.tighter(&r.cells[best])) {
			best = i
		}
	}
	if best < 0 {
		return Standing{}, false
	}
	return r.At(best), true
}

// Err is nil where allowed, else a *LimitedError.
func (r *Result) Err() error {
	if r.Allowed {
		return nil
	}
	e := &LimitedError{RetryAfter: r.RetryAfter}
	for i := range r.n {
		if c := &r.cells[i]; c.refuses() {
			e.Violated = append(e.Violated, c.policy.Name)
		}
	}
	return e
}

// RetrySeconds is RetryAfter for a Retry-After header: whole seconds, rounded up, at least 1; 0 where
// there is none to be sent (allowed, or Never).
func (r *Result) RetrySeconds() int64 {
	if r.Allowed || r.RetryAfter == Never {
		return 0
	}
	return max(1, seconds(r.RetryAfter))
}

func (c *cell) refuses() bool { return c.violated && !c.policy.Shadow }

func (c *cell) remaining() int {
	if left := c.Left(c.level); !c.Unlimited() {
		return left
	}
	return math.MaxInt
}

func (c *cell) retry() time.Duration {
	switch {
	case !c.violated:
		return 0
	case c.burst == 0 || c.wait == math.MaxInt64:
		return Never
	}
	return max(c.wait.Duration(), 1)
}

func (c *cell) tighter(than *cell) bool {
	if c.violated != than.violated {
		return c.violated
	}
	if c.violated {
		return c.wait > than.wait
	}
	return c.part() < than.part()
}

// part of the burst that is left.
func (c *cell) part() float64 {
	if c.Window == 0 {
		return math.Inf(1)
	}
	return 1 - float64(c.level)/float64(c.Window)
}

// seconds rounds up.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
