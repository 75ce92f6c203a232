package ratelimit

import (
	"context"
	"math"

	"example.com/hardy/ratelimit/internal/gcra"
)

// Allow takes one unit and says whether the key may go on. What cannot be decided (see Take) is refused.
func (l *Limiter) Allow(key Key) bool { return l.AllowN(key, 1) }

// AllowN is Allow for n units: all of them or none. It allocates nothing, unless the key is new.
func (l *Limiter) AllowN(key Key, n int) bool {
	if l.lone != nil {
		if ok, decided := l.allowLone(&key, n); decided {
			return ok
		}
	}
	var d decision
	return l.decide(&d, &key, n, false) == nil && d.Allowed
}

// Take takes n units from every policy, or none from any, and says how each stands. With n 0 it only
// asks; that is refused while a bucket is in debt. The cost is often a function of the request.
//
// The error says that there is no decision, and then the result refuses: ErrNoKey, ErrCost, or
// ErrPolicy for a Tier that makes no sense. The context is there for limiters that ask another machine,
// which have the same method; this one decides at once and does not look at it.
func (l *Limiter) Take(ctx context.Context, key Key, n int) (Result, error) {
	var d decision
	err := l.decide(&d, &key, n, false)
	return d.Result, err
}

// Peek says how the key stands; it takes nothing, and Trace is not told. Allowed says whether no bucket is in
// debt; a key that Take would answer with an error has no standings.
func (l *Limiter) Peek(key Key) Result {
	d := decision{quiet: true}
	l.decide(&d, &key, 0, false)
	return d.Result
}

// allowLone is decide for the commonest case, one plain policy, without the bookkeeping of several. What
// is out of the ordinary is left undecided.
func (l *Limiter) allowLone(k *Key, n int) (ok, decided bool) {
	p := l.lone
	t, have := p.now.Load(), k.parts()
	if n < 0 || n > t.burst || t.Unlimited() || p.By&byAll&^have != 0 || p.By == 0 && have == 0 {
		return false, false
	}
	var at place
	l.lock(&at, &l.groups[0], k)
	full := &at.full[0]
	level, cost := t.Level(gcra.Ticks(*full), at.now), t.Cost(n)
	if ok = t.Fits(level, cost); ok {
		*full = int64(at.now + level + cost)
	}
	at.mu.Unlock()
	return ok, true
}

// A decision under way.
type decision struct {
	Result
	places [MaxPolicies]place // by group
	asked  uint8              // the groups that have a say, as bits
	held   *Reservation       // the one it is made for, or nil
	quiet  bool               // nobody is told
}

// decide is Allow, Take, Reserve and, with ahead, Wait: then the units are taken even if they must be
// waited for, and RetryAfter says how long.
func (l *Limiter) decide(d *decision, k *Key, n int, ahead bool) error {
	if l.opt.Exempt != nil && l.opt.Exempt(*k) {
		d.Allowed, d.Exempt = true, true
		l.tell(d, k, n)
		return nil
	}
	if err := l.prepare(d, k, n); err != nil {
		d.Result = Result{}
		if !d.quiet {
			l.failed(k, err)
		}
		return err
	}
	for g := range l.groups {
		if d.asked&(1<<g) != 0 {
			l.lock(&d.places[g], &l.groups[g], k)
		}
	}
	d.weigh(n, ahead)
	if d.Allowed && l.shared != nil {
		l.askShared(d, n)
	}
	if d.Allowed {
		l.commit(d, n)
	}
	for g := range l.groups {
		if mu := d.places[g].mu; mu != nil {
			mu.Unlock()
		}
	}
	d.sum()
	l.tell(d, k, n)
	return nil
}

// prepare makes the cells: which policies have a say, on what terms, and whether the cost can pass at all.
func (l *Limiter) prepare(d *decision, k *Key, n int) error {
	if n < 0 {
		return costBelowZero(n)
	}
	have := k.parts()
	for _, p := range l.policies {
		if p.lacks(have) {
			if p.Optional {
				continue
			}
			return p.noKey()
		}
		c := &d.cells[d.n]
		*c = cell{policy: p}
		if err := c.setTerms(k); err != nil {
			return err
		}
		if n > c.burst && c.burst > 0 && !c.Unlimited() {
			if !p.Shadow {
				return p.costAbove(n, c.burst)
			}
			c.violated, c.wait = true, math.MaxInt64
		}
		if p.Shared == nil {
			d.asked |= 1 << p.group
		}
		d.n++
	}
	return nil
}

func (c *cell) setTerms(k *Key) error {
	p := c.policy
	switch {
	case p.Shared != nil:
		t, err := p.terms(p.Shared.Limit(), p.Shared.Burst())
		c.terms = t
		return err
	case p.Tier != nil:
		tier := p.Tier(k.only(p.By))
		t, err := p.terms(tier.Limit, tier.Burst)
		c.terms = t
		return err
	}
	c.terms = *p.now.Load()
	return nil
}

// weigh judges each policy by its timestamp, and all together.
func (d *decision) weigh(n int, ahead bool) {
	d.Allowed = true
	for i := range d.n {
		c := &d.cells[i]
		if c.policy.Shared != nil || c.Unlimited() {
			continue
		}
		at := &d.places[c.policy.group]
		c.overflow, c.id = at.overflow, at.fp
		c.level = at.level(c)
		if c.wait != 0 {
			continue // a cost above the burst of a shadow policy
		}
		cost := c.Cost(n)
		c.wait = c.Wait(c.level, cost)
		if ahead && !c.policy.Shadow && c.burst > 0 {
			// Others may wait for the same bucket under other keys. What a bucket cannot keep account of is
			// not set aside: then the wait is for that.
			if past := c.level + cost - c.Deepest(); past > 0 {
				c.wait, c.violated, d.Allowed = past, true, false
			}
			continue
		}
		if c.wait > 0 {
			c.violated = true
			d.Allowed = d.Allowed && c.policy.Shadow
		}
	}
}

// commit takes the units.
func (l *Limiter) commit(d *decision, n int) {
	for i := range d.n {
		c := &d.cells[i]
		if c.violated || c.policy.Shared != nil || c.Unlimited() {
			continue
		}
		at := &d.places[c.policy.group]
		c.level += c.Cost(n)
		at.full[c.policy.slot] = int64(at.now + c.level)
		if d.held != nil {
			d.held.returned[i] = l.groups[c.policy.group].table.returns(at.fp, at.overflow)[c.policy.slot].Load()
		}
	}
}

// sum says when all that refused, or has to be waited for, will be past.
func (d *decision) sum() {
	for i := range d.n {
		c := &d.cells[i]
		switch {
		case c.refuses():
			d.RetryAfter = max(d.RetryAfter, c.retry())
		case d.Allowed && !c.violated:
			d.RetryAfter = max(d.RetryAfter, c.wait.Duration()) // ahead
		}
	}
}

func (l *Limiter) failed(k *Key, err error) {
	if tr := l.opt.Trace; tr != nil && tr.Failed != nil {
		tr.Failed(*k, err)
	}
}

func (l *Limiter) tell(d *decision, k *Key, n int) {
	tr := l.opt.Trace
	if tr == nil || d.quiet {
		return
	}
	for g := range l.groups {
		at := &d.places[g]
		if at.wide != 0 && tr.Widened != nil {
			network, _ := widened(k.Addr, int(at.wide))
			tr.Widened(*k, network)
		}
		if at.overflow && tr.Overflow != nil {
			tr.Overflow(*k, l.groups[g].by)
		}
	}
	for i := range d.n {
		c := &d.cells[i]
		near := c.Window - c.Window/5 // a fifth is left
		if tr.Near != nil && d.Allowed && !c.violated && c.level > near && c.level-c.Cost(n) <= near {
			tr.Near(*k, d.At(i))
		}
	}
	if tr.Decision != nil {
		tr.Decision(*k, d.Result)
	}
}
