package quota

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Options of a Ledger. nil is the defaults.
type Options struct {
	// Resources need to be listed only for their Decimals and Default.
	Resources []Resource
	// Tier is the quota of a user who has none of their own by Set; ok false leaves it to the resource's
	// Default. It is called at every decision, perhaps with a lock held: look something up, and do not call
	// the ledger. nil: none.
	Tier func(user, resource string) (q Quota, ok bool)
	// OnSoft is told when a user's usage reaches the quota's Soft percentage, once. It is called by the
	// goroutine that consumed, after the usage is stored. nil: nobody.
	OnSoft func(Usage)
}

// Ledger decides and records. It is safe for concurrent use.
type Ledger struct {
	store     Store
	opt       Options
	resources map[string]Resource
}

// New makes a Ledger on a store. The error wraps ErrQuota.
func New(store Store, opt *Options) (*Ledger, error) {
	l := &Ledger{store: store, resources: make(map[string]Resource)}
	if opt != nil {
		l.opt = *opt
	}
	for _, r := range l.opt.Resources {
		if _, twice := l.resources[r.Name]; twice || r.Name == "" {
			return nil, fmt.Errorf("%w: resource %q is listed twice or has no name", ErrQuota, r.Name)
		}
		if r.Decimals < 0 || r.Decimals > 9 {
			return nil, fmt.Errorf("%w: resource %q has %d decimals; 0 to 9", ErrQuota, r.Name, r.Decimals)
		}
		if r.Default != nil {
			if err := r.Default.check(); err != nil {
				return nil, fmt.Errorf("resource %q: %w", r.Name, err)
			}
		}
		l.resources[r.Name] = r
	}
	return l, nil
}

// Check says whether Consume would admit the amount now. It records nothing, so by the time of a Consume
// the answer may be another.
func (l *Ledger) Check(ctx context.Context, user, resource string, amount int64) error {
	_, err := l.take(ctx, user, resource, amount, false)
	return err
}

// Consume records that the user uses the amount, or refuses it with an *ExceededError and records
// nothing. Other errors: ErrAmount, ErrName, ErrQuota from a Tier, and the store's.
func (l *Ledger) Consume(ctx context.Context, user, resource string, amount int64) error {
	soft, err := l.take(ctx, user, resource, amount, true)
	if soft != nil && l.opt.OnSoft != nil {
		l.opt.OnSoft(*soft)
	}
	return err
}

func (l *Ledger) take(ctx context.Context, user, resource string, amount int64, record bool) (soft *Usage, err error) {
	err = l.update(ctx, user, resource, amount, func(a *Account, q Quota, now time.Time) error {
		soft = nil
		if !a.fits(q, amount) {
			if amount > math.MaxInt64-a.Used {
				return fmt.Errorf("%w: %d and %d do not fit into 64 bits", ErrAmount, a.Used, amount)
			}
			return &ExceededError{User: user, Resource: resource, Used: a.Used, Amount: amount, Limit: q.Limit,
				Left: max(q.Limit-a.Used, 0), RetryAt: a.retryAt(q, amount), decimals: l.resources[resource].Decimals}
		}
		if !record {
			return errKeep
		}
		a.add(q, now, amount)
		if reached, _ := q.soft(a.Used); reached && !a.Told {
			a.Told = true
			u := l.line(user, resource, a, q)
			soft = &u
		}
		return nil
	})
	if err != nil {
		soft = nil
	}
	return soft, err
}

// Refund takes back what was consumed: all of the amount, or as much as is on record. For a Gauge it is
// how usage goes down.
func (l *Ledger) Refund(ctx context.Context, user, resource string, amount int64) error {
	return l.update(ctx, user, resource, amount, func(a *Account, q Quota, now time.Time) error {
		if a.remove(amount) == 0 {
			return errKeep
		}
		if q.Period.kind == sliding || q.Period.kind == gauge {
			if _, clear := q.soft(a.Used); clear {
				a.Told = false
			}
		}
		return nil
	})
}

// update calls f with the account, rolled to now, and the quota that holds; without a quota, not at all.
func (l *Ledger) update(ctx context.Context, user, resource string, amount int64, f func(*Account, Quota, time.Time) error) error {
	if user == "" || resource == "" {
		return ErrName
	}
	if amount < 0 {
		return fmt.Errorf("%w: %d is negative; Refund takes back", ErrAmount, amount)
	}
	err := l.store.Update(ctx, user, resource, func(a *Account) error {
		q, ok, err := l.quota(a, user, resource)
		if err != nil {
			return err
		}
		if !ok {
			return errKeep
		}
		now := time.Now()
		a.roll(q, now)
		if err := f(a, q, now); err != nil {
			return err
		}
		a.Until = a.until(q)
		return nil
	})
	if errors.Is(err, errKeep) {
		return nil
	}
	return err
}

// Set gives the user a quota of their own, nil takes it away. What is used already stays used.
func (l *Ledger) Set(ctx context.Context, user, resource string, q *Quota) error {
	if user == "" || resource == "" {
		return ErrName
	}
	if q != nil {
		if err := q.check(); err != nil {
			return err
		}
		own := *q
		q = &own
	}
	return l.store.Update(ctx, user, resource, func(a *Account) error {
		now := time.Now()
		before, had, err := l.quota(a, user, resource)
		if err != nil {
			return err
		}
		if had {
			a.roll(before, now)
		}
		a.Quota = q
		after, has, err := l.quota(a, user, resource)
		if err != nil {
			return err
		}
		switch {
		case has:
			a.roll(after, now)
		default:
			*a = Account{}
		}
		if reached, _ := after.soft(a.Used); !reached {
			a.Told = false
		}
		if has {
			a.Until = a.until(after)
		}
		return nil
	})
}

// Report is the user's usage of every resource that has a quota for them, by name.
func (l *Ledger) Report(ctx context.Context, user string) ([]Usage, error) {
	if user == "" {
		return nil, ErrName
	}
	accounts, err := l.store.Accounts(ctx, user)
	if err != nil {
		return nil, err
	}
	for name := range l.resources {
		if _, ok := accounts[name]; !ok {
			accounts[name] = Account{}
		}
	}
	now := time.Now()
	var report []Usage
	for resource, a := range accounts {
		q, ok, err := l.quota(&a, user, resource)
		if err != nil {
			return nil, err
		}
		if ok {
			a.roll(q, now)
			report = append(report, l.line(user, resource, &a, q))
		}
	}
	slices.SortFunc(report, func(a, b Usage) int { return strings.Compare(a.Resource, b.Resource) })
	return report, nil
}

func (l *Ledger) line(user, resource string, a *Account, q Quota) Usage {
	u := a.usage(q)
	u.User, u.Resource, u.decimals = user, resource, l.resources[resource].Decimals
	return u
}

// quota is the one that holds: the user's own, else that of the tier, else the resource's.
func (l *Ledger) quota(a *Account, user, resource string) (q Quota, ok bool, err error) {
	if a.Quota != nil {
		return *a.Quota, true, nil
	}
	if l.opt.Tier != nil {
		if q, ok := l.opt.Tier(user, resource); ok {
			if err := q.check(); err != nil {
				return Quota{}, false, fmt.Errorf("the tier of %q for %q: %w", user, resource, err)
			}
			return q, true, nil
		}
	}
	if d := l.resources[resource].Default; d != nil {
		return *d, true, nil
	}
	return Quota{}, false, nil
}
