package ratelimit

import "fmt"

// Check tells a program at its start whether keys of exactly these parts can be decided at this cost: nil, or
// the error that Take would give each of them (ErrNoKey, ErrCost). The terms of a Tier are not looked at.
func (l *Limiter) Check(have By, n int) error {
	if n < 0 {
		return costBelowZero(n)
	}
	for _, p := range l.policies {
		if p.lacks(have) {
			if p.Optional {
				continue
			}
			return p.noKey()
		}
		if p.Shared != nil || p.Tier != nil || p.Shadow {
			continue
		}
		if t := p.now.Load(); n > t.burst && t.burst > 0 && !t.Unlimited() {
			return p.costAbove(n, t.burst)
		}
	}
	return nil
}

// lacks says whether a key of these parts lacks one that the policy counts by.
func (p *policy) lacks(have By) bool {
	return p.Shared == nil && (p.By == 0 && have == 0 || p.By&byAll&^have != 0)
}

func (p *policy) noKey() error {
	return fmt.Errorf("%w: policy %q counts by %v; fill these parts of the Key, or set Optional", ErrNoKey, p.Name, p.By)
}

func (p *policy) costAbove(n, burst int) error {
	return fmt.Errorf("%w: it costs %d, the burst of policy %q is %d; raise the burst or split the cost", ErrCost, n, p.Name, burst)
}

func costBelowZero(n int) error {
	return fmt.Errorf("%w: %d units; use Refund to give back", ErrCost, n)
}
