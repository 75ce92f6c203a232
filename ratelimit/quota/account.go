package quota

import (
	"math"
	"time"
)

// Account is what a store keeps for one user and resource. Only this package reads its meaning; a store
// keeps all of it or nothing.
type Account struct {
	Quota  *Quota    // the user's own, by Set; nil: none
	Since  time.Time // when the calendar period began that Used belongs to
	Used   int64
	Period Period    // under which it was counted
	Parts  []Part    // of Used, oldest first, and
	Last   Part      // the current one; only where the period is Sliding
	Told   bool      // the soft threshold was told
	Until  time.Time // without a Quota, a store may forget the account after this; zero: never
}

// Part is what was used of a sliding period within one 128th of it.
type Part struct {
	First, Last time.Time
	Amount      int64
}

const resolution = 128

// roll brings the account to now: what is past does not count any more. Where usage was counted under
// another period (a Set, another tier, a changed default), what is left of it counts as used now.
func (a *Account) roll(q Quota, now time.Time) {
	if !a.Period.same(q.Period) {
		a.forget(a.Period, now)
		a.Period, a.Parts, a.Last, a.Since = q.Period, nil, Part{}, time.Time{}
		switch {
		case q.Period.kind == sliding && a.Used > 0:
			a.Last = Part{now, now, a.Used}
		case q.Period.kind == day || q.Period.kind == month:
			a.Since, _ = q.Period.calendar(now)
		}
	}
	if a.forget(q.Period, now) {
		a.Told = false
	} else if _, clear := q.soft(a.Used); clear && (q.Period.kind == sliding || q.Period.kind == gauge) {
		a.Told = false
	}
}

// forget drops the usage that is past, and says whether a new calendar period has begun.
func (a *Account) forget(p Period, now time.Time) (begun bool) {
	switch p.kind {
	case sliding:
		for len(a.Parts) > 0 && a.Parts[0].past(p, now) {
			a.Used -= a.Parts[0].Amount
			a.Parts = a.Parts[1:]
		}
		if a.Last.past(p, now) {
			a.Used -= a.Last.Amount
			a.Last = Part{}
		}
	case day, month:
		if start, _ := p.calendar(now); start.After(a.Since) {
			a.Since, a.Used = start, 0
			return true
		}
	}
	return false
}

func (p Part) past(in Period, now time.Time) bool { return !p.end(in).After(now) }

func (p Part) end(in Period) time.Time { return p.Last.Add(in.length()) }

// add records an amount that was admitted.
func (a *Account) add(q Quota, now time.Time, amount int64) {
	a.Used += amount
	if q.Period.kind != sliding || amount == 0 {
		return
	}
	if now.Before(a.Last.Last) {
		now = a.Last.Last // the clock went back; parts stay in order
	}
	if a.Last.Amount > 0 && now.Sub(a.Last.First) >= q.Period.length()/resolution {
		a.Parts = append(a.Parts, a.Last)
		a.Last = Part{}
	}
	if a.Last.Amount == 0 {
		a.Last.First = now
	}
	a.Last.Last = now
	a.Last.Amount += amount
}

// remove gives an amount back, what was used last first, and says how much there was to give.
func (a *Account) remove(amount int64) int64 {
	amount = min(amount, a.Used)
	a.Used -= amount
	left := amount
	for left > 0 && a.Last.Amount <= left && len(a.Parts) > 0 {
		left -= a.Last.Amount
		n := len(a.Parts) - 1
		a.Last, a.Parts = a.Parts[n], a.Parts[:n:n] // who still holds the longer slice keeps its elements
	}
	if a.Last.Amount -= left; a.Last.Amount <= 0 {
		a.Last = Part{}
	}
	return amount
}

// past says that a store may forget the account at now.
func (a *Account) past(now time.Time) bool {
	return a.Quota == nil && !a.Until.IsZero() && now.After(a.Until)
}

// fits says whether the amount may be used, under an account that was rolled.
func (a *Account) fits(q Quota, amount int64) bool {
	if amount > math.MaxInt64-a.Used {
		return false
	}
	return q.Limit == Unlimited || amount == 0 || a.Used+amount <= q.Limit
}

// retryAt is when it would fit.
func (a *Account) retryAt(q Quota, amount int64) time.Time {
	if amount > q.Limit || q.Period.kind == gauge {
		return time.Time{}
	}
	if q.Period.kind != sliding {
		_, end := q.Period.calendar(a.Since)
		return end
	}
	used := a.Used
	for _, p := range a.Parts {
		if used -= p.Amount; used+amount <= q.Limit {
			return p.end(q.Period)
		}
	}
	return a.Last.end(q.Period)
}

func (a *Account) usage(q Quota) Usage {
	u := Usage{Used: a.Used, Limit: q.Limit, Left: Unlimited, Period: q.Period}
	if q.Limit != Unlimited {
		u.Left = max(q.Limit-a.Used, 0)
	}
	if q.Limit > 0 {
		u.Percent = float64(a.Used) * 100 / float64(q.Limit)
	}
	switch {
	case q.Period.kind == day || q.Period.kind == month:
		_, u.ResetsAt = q.Period.calendar(a.Since)
	case a.Last.Amount > 0:
		u.ResetsAt = a.Last.end(q.Period)
	}
	return u
}

// until is when the account says no more than an absent one. A day is added where the calendar decides, so
// that a clock that was corrected by less finds its period.
func (a *Account) until(q Quota) time.Time {
	switch {
	case q.Period.kind == gauge:
		return time.Time{}
	case q.Period.kind != sliding:
		_, end := q.Period.calendar(a.Since)
		return end.Add(24 * time.Hour)
	}
	return a.Last.end(q.Period)
}

// empty says that nothing is lost with the account.
func (a *Account) empty() bool { return a.Quota == nil && a.Used == 0 && !a.Told }
