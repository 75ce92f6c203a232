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
	zones     zones
}

// New makes a Ledger on a store. The error wraps ErrQuota or ErrName.
func New(store Store, opt *Options) (*Ledger, error) {
	l := &Ledger{store: store, resources: make(map[string]Resource)}
	if opt != nil {
		l.opt = *opt
	}
	for _, r := range l.opt.Resources {
		if err := checkNames(r.Name); err != nil {
			return nil, fmt.Errorf("resource %q: %w", r.Name, err)
		}
		if _, twice := l.resources[r.Name]; twice {
			return nil, fmt.Errorf("%w: resource %q is listed twice", ErrQuota, r.Name)
		}
		if r.Decimals < 0 || r.Decimals > 9 {
			return nil, fmt.Errorf("%w: resource %q has %d decimals; 0 to 9", ErrQuota, r.Name, r.Decimals)
		}
		if r.Default != nil {
			if err := l.check(*r.Default); err != nil {
				return nil, fmt.Errorf("resource %q: %w", r.Name, err)
			}
			own := *r.Default
			r.Default = &own
		}
		l.resources[r.Name] = r
	}
	return l, nil
}

func (l *Ledger) check(q Quota) error {
	if err := q.check(); err != nil {
		return err
	}
	return l.zones.check(q.Period)
}

// Check says whether Consume would admit the amount now, with the same errors. It records nothing, so by the
// time of a Consume the answer may be another.
func (l *Ledger) Check(ctx context.Context, user, resource string, amount int64) error {
	if err := checkRequest(user, resource, amount); err != nil {
		return err
	}
	accounts, err := l.store.Accounts(ctx, user)
	if err != nil {
		return err
	}
	a, q, ok, err := l.open(accounts[resource], user, resource, time.Now())
	if err != nil || !ok {
		return err
	}
	return l.judge(&a, q, user, resource, amount)
}

// Consume records that the user uses the amount, or refuses it with an *ExceededError and records
// nothing. Other errors: ErrAmount, ErrName, ErrQuota from a Tier, and the store's; after one of the store the
// amount may have been recorded.
func (l *Ledger) Consume(ctx context.Context, user, resource string, amount int64) error {
	var soft *Usage
	err := l.change(ctx, user, resource, amount, func(a *account, q Quota, now time.Time) error {
		soft = nil
		if err := l.judge(a, q, user, resource, amount); err != nil {
			return err
		}
		a.add(q, now, amount)
		if reached, _ := q.soft(a.used); reached && !a.told {
			a.told = true
			u := l.line(user, resource, a, q)
			soft = &u
		}
		return nil
	})
	if err == nil && soft != nil && l.opt.OnSoft != nil {
		l.opt.OnSoft(*soft)
	}
	return err
}

// Refund takes back what was consumed: all of the amount, or as much as is on record. For a Gauge it is
// how usage goes down.
func (l *Ledger) Refund(ctx context.Context, user, resource string, amount int64) error {
	return l.change(ctx, user, resource, amount, func(a *account, q Quota, _ time.Time) error {
		if a.remove(amount) == 0 {
			return errKeep
		}
		a.calm(q)
		return nil
	})
}

func checkRequest(user, resource string, amount int64) error {
	if amount < 0 {
		return fmt.Errorf("%w: %d is negative; Refund takes back", ErrAmount, amount)
	}
	return checkNames(user, resource)
}

// judge is nil for an amount that may be used, else the error that says why not.
func (l *Ledger) judge(a *account, q Quota, user, resource string, amount int64) error {
	switch {
	case a.fits(q, amount):
		return nil
	case amount > math.MaxInt64-a.used:
		return fmt.Errorf("%w: %d and %d do not fit into 64 bits", ErrAmount, a.used, amount)
	}
	return &ExceededError{User: user, Resource: resource, Used: a.used, Amount: amount, Limit: q.Limit,
		Left: max(q.Limit-a.used, 0), RetryAt: a.retryAt(q, amount), decimals: l.resources[resource].Decimals}
}

// change calls f with the account as it stands now and stores what f made of it; without a quota it does
// nothing.
func (l *Ledger) change(ctx context.Context, user, resource string, amount int64, f func(*account, Quota, time.Time) error) error {
	if err := checkRequest(user, resource, amount); err != nil {
		return err
	}
	err := l.store.Update(ctx, user, resource, func(b []byte) ([]byte, time.Time, error) {
		now := time.Now()
		a, q, ok, err := l.open(b, user, resource, now)
		if err == nil && !ok {
			err = errKeep
		}
		if err == nil {
			err = f(&a, q, now)
		}
		if err != nil {
			return nil, time.Time{}, err
		}
		return a.encode(), a.until(q), nil
	})
	if errors.Is(err, errKeep) {
		return nil
	}
	return err
}

// open reads an account and brings it to now. ok is false where no quota holds.
func (l *Ledger) open(b []byte, user, resource string, now time.Time) (a account, q Quota, ok bool, err error) {
	if a, err = decode(b, l.zones.load); err != nil {
		return a, q, false, fmt.Errorf("the account of %q for %q: %w", user, resource, err)
	}
	if q, ok, err = l.quota(&a, user, resource); ok {
		a.roll(q, now)
	}
	return a, q, ok, err
}

// Set gives the user a quota of their own, nil takes it away. What is used already stays used; where no quota
// is left, it is forgotten.
func (l *Ledger) Set(ctx context.Context, user, resource string, q *Quota) error {
	if err := checkNames(user, resource); err != nil {
		return err
	}
	if q != nil {
		if err := l.check(*q); err != nil {
			return err
		}
		own := *q
		q = &own
	}
	return l.store.Update(ctx, user, resource, func(b []byte) ([]byte, time.Time, error) {
		now := time.Now()
		a, _, _, err := l.open(b, user, resource, now)
		if err != nil {
			return nil, time.Time{}, err
		}
		a.own = q
		after, ok, err := l.quota(&a, user, resource)
		if err != nil || !ok {
			return nil, time.Time{}, err
		}
		a.roll(after, now)
		if reached, _ := after.soft(a.used); !reached {
			a.told = false
		}
		return a.encode(), a.until(after), nil
	})
}

// Report is the user's usage of every resource that has a quota for them, by name.
func (l *Ledger) Report(ctx context.Context, user string) ([]Usage, error) {
	if err := checkNames(user); err != nil {
		return nil, err
	}
	accounts, err := l.store.Accounts(ctx, user)
	if err != nil {
		return nil, err
	}
	for name := range l.resources {
		if _, ok := accounts[name]; !ok {
			accounts[name] = nil
		}
	}
	now := time.Now()
	var report []Usage
	for resource, b := range accounts {
		a, q, ok, err := l.open(b, user, resource, now)
		if err != nil {
			return nil, err
		}
		if ok {
			report = append(report, l.line(user, resource, &a, q))
		}
	}
	slices.SortFunc(report, func(a, b Usage) int { return strings.Compare(a.Resource, b.Resource) })
	return report, nil
}

func (l *Ledger) line(user, resource string, a *account, q Quota) Usage {
	u := a.usage(q)
	u.User, u.Resource, u.decimals = user, resource, l.resources[resource].Decimals
	return u
}

// quota is the one that holds: the user's own, else that of the tier, else the resource's.
func (l *Ledger) quota(a *account, user, resource string) (q Quota, ok bool, err error) {
	if a.own != nil {
		return *a.own, true, nil
	}
	if l.opt.Tier != nil {
		if q, ok := l.opt.Tier(user, resource); ok {
			if err := l.check(q); err != nil {
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
