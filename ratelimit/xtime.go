package ratelimit

import (
	"context"
	"time"

	"example.com/hardy/ratelimit/internal/gcra"

	"golang.org/x/time/rate"
)

// FromRate makes a policy of a limiter of golang.org/x/time/rate, with its own bucket: one for all keys,
// shared with whoever else uses that limiter, its limit and burst being whatever they are at the moment.
// A Limiter takes one such policy, and asks it last. Mind that x/time counts time twice when its callers
// disagree about the clock (golang/go#65508), and that Refund and Settle cannot give back to it.
//
// For a bucket a key on the same terms write Policy{Limit: l.Limit(), Burst: l.Burst()}.
func FromRate(name string, l *rate.Limiter) Policy {
	return Policy{Name: name, Limit: l.Limit(), Burst: l.Burst(), Shared: l}
}

// askShared asks the bucket of x/time, which comes last because it cannot be put back.
func (l *Limiter) askShared(d *decision, n int) {
	for i := range d.n {
		c := &d.cells[i]
		if c.policy != l.shared {
			continue
		}
		now := time.Now()
		c.violated = !c.policy.Shared.AllowN(now, n)
		if !c.Unlimited() {
			tokens := c.policy.Shared.TokensAt(now)
			c.level = gcra.Ticks((float64(c.burst) - tokens) * float64(c.Interval))
			if c.violated {
				c.wait = max(c.Wait(c.level, c.Cost(n)), 1)
			}
		}
		d.Allowed = !c.refuses()
	}
}

// Bound is a Limiter for one key, with the methods of *rate.Limiter that other packages ask for.
type Bound struct {
	l   *Limiter
	key Key
}

// For binds the limiter to a key, to be used where a *rate.Limiter's methods are expected:
//
//	client.Limiter = limits.For(ratelimit.Key{Name: "upstream"}) // an interface{ Wait(context.Context) error }
func (l *Limiter) For(key Key) *Bound { return &Bound{l, key} }

// Allow reports whether one unit may be taken now, and takes it.
func (b *Bound) Allow() bool { return b.l.AllowN(b.key, 1) }

// AllowN is Allow for n units. The moment is ignored: the limiter reads its own clock, under its lock.
func (b *Bound) AllowN(_ time.Time, n int) bool { return b.l.AllowN(b.key, n) }

// Wait blocks until one unit may be taken, and takes it.
func (b *Bound) Wait(ctx context.Context) error { return b.l.Wait(ctx, b.key, 1) }

// WaitN is Wait for n units.
func (b *Bound) WaitN(ctx context.Context, n int) error { return b.l.Wait(ctx, b.key, n) }

// Limit of the policy that is tightest at the moment; Inf where none has a say.
func (b *Bound) Limit() Limit {
	if st, ok := b.tightest(); ok {
		return st.Limit
	}
	return Inf
}

// Burst of the policy that is tightest at the moment.
func (b *Bound) Burst() int {
	st, _ := b.tightest()
	return st.Burst
}

// Tokens is how many units can be taken now, whole ones.
func (b *Bound) Tokens() float64 {
	st, _ := b.tightest()
	return float64(st.Remaining)
}

func (b *Bound) tightest() (Standing, bool) {
	res := b.l.Peek(b.key)
	return res.Tightest()
}
