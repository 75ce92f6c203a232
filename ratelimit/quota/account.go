package quota

import (
	"math"
	"time"
)

// Account is what a store keeps for one user and resource. Only this package reads its meaning; a store
// keeps all of it or nothing.
type Account struct {
	Quota *Quota    // the user's own, by Set; nil: none
	Since time.Time // when the calendar period began that Used belongs to
	Used  int64
	Parts []Part    // of Used, oldest first; only where the period is Sliding
	Told  bool      // the soft threshold was told
	Until time.Time // without a Quota, a store may forget the account after this; zero: never
}

// Part is what was used of a sliding period within one 128th of it.
type Part struct {
	First, Last time.Time
	Amount      int64
}

const resolution = 128

// roll brings the account to now: what is past does not count any more.
func (a *Account) roll(q Quota, now time.Time) {
	switch q.Period.kind {
	case sliding:
		gone := 0
		for gone < len(a.Parts) && !a.Parts[gone].Last.Add(q.Period.length()).After(now) {
			a.Used -= a.Parts[gone].Amount
			gone++
		}
		if gone > 0 {
			a.Parts = append(a.Parts[:0:0], a.Parts[gone:]...)
		}
	case day, month:
		if start, _ := q.Period.calendar(now); start.After(a.Since) {
			a.Since, a.Used, a.Told = start, 0, false
		}
		return
	}
	if _, clear := q.soft(a.Used); clear {
		a.Told = false
	}
}

// add records an amount that was admitted.
func (a *Account) add(q Quota, now time.Time, amount int64) {
	a.Used += amount
	if q.Period.kind != sliding || amount == 0 {
		return
	}
	if n := len(a.Parts); n > 0 {
		last := a.Parts[n-1]
		if now.Before(last.Last) {
			now = last.Last // the clock went back; parts stay in order
		}
		if now.Sub(last.First) < q.Period.length()/resolution {
			last.Last, last.Amount = now, last.Amount+amount
			a.Parts = append(a.Parts[:n-1:n-1], last)
			return
		}
	}
	a.Parts = append(a.Parts[:len(a.Parts):len(a.Parts)], Part{now, now, amount})
}

// remove gives an amount back, what was used last first, and says how much there was to give.
func (a *Account) remove(amount int64) int64 {
	amount = min(amount, a.Used)
	a.Used -= amount
	a.Parts = append([]Part(nil), a.Parts...)
	for left := amount; left > 0 && len(a.Parts) > 0; {
		last := &a.Parts[len(a.Parts)-1]
		part := min(left, last.Amount)
		last.Amount -= part
		left -= part
		if last.Amount == 0 {
			a.Parts = a.Parts[:len(a.Parts)-1]
		}
	}
	return amount
}

// move carries usage over to another period: what was used so far counts as used now.
func (a *Account) move(from, to Quota, now time.Time) {
	if from.Period.same(to.Period) {
		return
	}
	a.Parts, a.Since = nil, time.Time{}
	switch {
	case to.Period.kind == sliding && a.Used > 0:
		a.Parts = []Part{{now, now, a.Used}}
	case to.Period.kind != sliding && to.Period.kind != gauge:
		a.Since, _ = to.Period.calendar(now)
	}
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
			return p.Last.Add(q.Period.length())
		}
	}
	return time.Time{}
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
	case len(a.Parts) > 0:
		u.ResetsAt = a.Parts[len(a.Parts)-1].Last.Add(q.Period.length())
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
	case len(a.Parts) > 0:
		return a.Parts[len(a.Parts)-1].Last.Add(q.Period.length())
	}
	return a.Until
}

// empty says that nothing is lost with the account.
func (a *Account) empty() bool { return a.Quota == nil && a.Used == 0 && len(a.Parts) == 0 && !a.Told }
