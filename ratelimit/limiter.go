package ratelimit

import (
	"fmt"
	"time"

	"example.com/hardy/ratelimit/internal/gcra"
)

// MaxPolicies is how many policies a Limiter decides together.
const MaxPolicies = 8

const (
	defaultMaxKeys  = 1_000_000
	defaultOverflow = 64
)

// Options of a Limiter. The zero value, and nil, are the defaults.
type Options struct {
	// MaxKeys bounds the memory: how many keys are kept at once for each different By among the
	// policies. 0: 1,000,000, which takes at most 24 MB (24 bytes a key) for one policy, and 12 MB more for
	// each further policy of the same By; Limiter.MaxBytes says exactly. Memory grows as keys come and is
	// kept afterwards. The bound is spread over shards, so that a newcomer may meet a full shard from
	// about 95 % on.
	//
	// A key that is kept keeps its rights whatever else comes. Keys that are first seen while there is no
	// place share the Overflow buckets.
	MaxKeys int
	// Overflow is how many buckets keys share, by hash, while the table is full. They may be refused
	// early; together they are never admitted more than Overflow × (Burst + Limit × T). 0: 64.
	Overflow int
	// Exempt says which keys are not limited at all (see ExemptAddrs). nil: none.
	Exempt func(Key) bool
	// ReserveFor is how long a Reservation may be settled; see Reserve. 0: 5 minutes.
	ReserveFor time.Duration
	// Trace is told what happens. nil: nobody.
	Trace *Trace
}

// Limiter decides whether a key may go on, under one or several policies together: all of them admit,
// or nothing is taken from any. It is safe for use by many goroutines. It starts none, and needs no
// closing.
type Limiter struct {
	start    time.Time // of its clock, which is monotonic
	hash     hasher
	opt      Options
	policies []*policy
	groups   []group
	shared   *policy // the one with Shared, or nil
	lone     *policy // the only one, where nothing else has to be looked at
	waits    queues
}

// A group is the policies that count by the same parts of the key, so that one lookup serves them.
type group struct {
	by       By
	policies []*policy // in the order of their timestamps
	table    table
}

// New makes a Limiter of at least one policy. The error wraps ErrPolicy and says what to mend.
func New(opt *Options, policies ...Policy) (*Limiter, error) {
	l := &Limiter{start: time.Now(), hash: newHasher()}
	if opt != nil {
		l.opt = *opt
	}
	if l.opt.MaxKeys > 1<<32 {
		return nil, fmt.Errorf("%w: MaxKeys is %d; at most 4 billion", ErrPolicy, l.opt.MaxKeys)
	}
	if l.opt.MaxKeys < 0 || l.opt.Overflow < 0 || l.opt.ReserveFor < 0 {
		return nil, fmt.Errorf("%w: an option is negative", ErrPolicy)
	}
	if l.opt.MaxKeys == 0 {
		l.opt.MaxKeys = defaultMaxKeys
	}
	if l.opt.Overflow == 0 {
		l.opt.Overflow = defaultOverflow
	}
	if l.opt.ReserveFor == 0 {
		l.opt.ReserveFor = 5 * time.Minute
	}
	if len(policies) == 0 || len(policies) > MaxPolicies {
		return nil, fmt.Errorf("%w: %d policies; a Limiter takes 1 to %d", ErrPolicy, len(policies), MaxPolicies)
	}
	for _, p := range policies {
		if err := l.add(p); err != nil {
			return nil, err
		}
	}
	for i := range l.groups {
		g, keys := &l.groups[i], l.opt.MaxKeys
		if g.by == Everyone {
			keys = 1
		}
		g.table.init(keys, l.opt.Overflow, len(g.policies))
	}
	if p := l.policies[0]; len(policies) == 1 && !p.Shadow && p.Tier == nil && p.Shared == nil &&
		l.opt.Exempt == nil && l.opt.Trace == nil {
		l.lone = p
	}
	return l, nil
}

// MustNew is New for policies that are written in the program: it panics on an error.
func MustNew(opt *Options, policies ...Policy) *Limiter {
	l, err := New(opt, policies...)
	if err != nil {
		panic(err)
	}
	return l
}

func (l *Limiter) add(given Policy) error {
	if err := given.check(); err != nil {
		return err
	}
	for _, other := range l.policies {
		if other.Name == given.Name {
			return fmt.Errorf("%w: two policies are named %q; clients tell them apart by name", ErrPolicy, given.Name)
		}
	}
	p := &policy{Policy: given}
	l.policies = append(l.policies, p)
	if given.Shared != nil {
		if l.shared != nil {
			return fmt.Errorf("%w: policies %q and %q both have Shared; x/time buckets cannot be decided together", ErrPolicy, l.shared.Name, p.Name)
		}
		l.shared, p.group = p, -1
		return (&cell{policy: p}).setTerms(&Key{})
	}
	t, err := given.terms(given.Limit, given.Burst)
	if err != nil {
		return err
	}
	p.now.Store(&t)
	for i := range l.groups {
		if g := &l.groups[i]; g.by == given.By {
			p.group, p.slot = i, len(g.policies)
			g.policies = append(g.policies, p)
			return nil
		}
	}
	p.group = len(l.groups)
	l.groups = append(l.groups, group{by: given.By, policies: []*policy{p}})
	return nil
}

// SetLimit changes the terms of a policy while it is in use; those of a Tier are the function's own
// affair. The error wraps ErrPolicy; then nothing has changed.
//
// A key keeps the time until its bucket is full, at most that of the new terms: a key that had used half
// of a minute's burst has used half of the new one's, if that too takes a minute to refill.
func (l *Limiter) SetLimit(name string, limit Limit, burst int) error {
	for _, p := range l.policies {
		if p.Name != name {
			continue
		}
		if p.Shared != nil {
			return fmt.Errorf("%w: policy %q is kept by x/time; change it there", ErrPolicy, name)
		}
		t, err := p.terms(limit, burst)
		if err != nil {
			return err
		}
		for {
			old := p.now.Load()
			t.changes = old.changes + 1
			if p.now.CompareAndSwap(old, &t) {
				return nil
			}
		}
	}
	return fmt.Errorf("%w: no policy of this limiter is named %q", ErrPolicy, name)
}

// Names of the policies, in their order.
func (l *Limiter) Names() []string {
	names := make([]string, len(l.policies))
	for i, p := range l.policies {
		names[i] = p.Name
	}
	return names
}

func (l *Limiter) clock() gcra.Ticks { return gcra.Of(time.Since(l.start)) }
