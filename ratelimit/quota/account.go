package quota

import (
	"math"
	"time"
)

// account is what is known of one user and resource.
type account struct {
	own    *Quota    // by Set; nil: none
	used   int64     // in the period now
	period Period    // under which it was counted
	since  time.Time // when the calendar period began that used belongs to
	parts  []part    // of used, oldest first; only where the period is Sliding
	told   bool      // the soft threshold was told
}

// part is what was used of a sliding period within one 128th of it.
type part struct {
	first, last time.Time
	amount      int64
}

const resolution = 128

// roll brings the account to now: what is past does not count any more. Where usage was counted under
// another period (a Set, another tier, a changed default), what is left of it counts as used now.
func (a *account) roll(q Quota, now time.Time) {
	if !a.period.same(q.Period) {
		a.forget(a.period, now)
		a.period, a.parts, a.since = q.Period, nil, time.Time{}
		switch {
		case q.Period.kind == sliding && a.used > 0:
			a.parts = []part{{now, now, a.used}}
		case q.Period.calendaric():
			a.since, _ = q.Period.calendar(now)
		}
	}
	if a.forget(q.Period, now) {
		a.told = false
	} else {
		a.calm(q)
	}
}

// forget drops the usage that is past, and says whether a new calendar period has begun. What was noted for
// a moment further ahead than a whole period was noted by a clock that was wrong, and counts as used now.
func (a *account) forget(p Period, now time.Time) (begun bool) {
	switch p.kind {
	case sliding:
		if n := len(a.parts); n > 0 && a.parts[n-1].last.After(now.Add(p.length())) {
			a.parts = []part{{now, now, a.used}}
		}
		past := 0
		for past < len(a.parts) && !a.parts[past].end(p).After(now) {
			a.used -= a.parts[past].amount
			past++
		}
		a.parts = a.parts[past:]
	case day, month:
		start, end := p.calendar(now)
		if a.since.After(end) {
			a.since = start
		}
		if start.After(a.since) {
			a.since, a.used = start, 0
			return true
		}
	}
	return false
}

// calm makes the soft threshold be told again, where no new period does.
func (a *account) calm(q Quota) {
	if _, clear := q.soft(a.used); clear && !q.Period.calendaric() {
		a.told = false
	}
}

// end is when the part does not count any more.
func (p part) end(in Period) time.Time { return p.last.Add(in.length()) }

// add records an amount that was admitted.
func (a *account) add(q Quota, now time.Time, amount int64) {
	a.used += amount
	if q.Period.kind != sliding || amount == 0 {
		return
	}
	if n := len(a.parts); n > 0 {
		last := &a.parts[n-1]
		if now.Before(last.last) {
			now = last.last // the clock went back; parts stay in order
		}
		if now.Sub(last.first) < q.Period.length()/resolution {
			last.last = now
			last.amount += amount
			return
		}
	}
	a.parts = append(a.parts, part{now, now, amount})
}

// remove gives an amount back, what was used last first, and says how much there was to give.
func (a *account) remove(amount int64) int64 {
	amount = min(amount, a.used)
	a.used -= amount
	left := amount
	for n := len(a.parts) - 1; n >= 0 && left > 0; n-- {
		last := &a.parts[n]
		if last.amount > left {
			last.amount -= left
			break
		}
		left -= last.amount
		a.parts = a.parts[:n]
	}
	return amount
}

// fits says whether the amount may be used, under an account that was rolled.
func (a *account) fits(q Quota, amount int64) bool {
	if amount > math.MaxInt64-a.used {
		return false
	}
	return q.Limit == Unlimited || amount == 0 || a.used+amount <= q.Limit
}

// retryAt is when it would fit.
func (a *account) retryAt(q Quota, amount int64) time.Time {
	if amount > q.Limit || q.Period.kind == gauge {
		return time.Time{}
	}
	if q.Period.kind != sliding {
		_, end := q.Period.calendar(a.since)
		return end
	}
	used := a.used
	for _, p := range a.parts {
		if used -= p.amount; used+amount <= q.Limit {
			return p.end(q.Period)
		}
	}
	return time.Time{}
}

func (a *account) usage(q Quota) Usage {
	u := Usage{Used: a.used, Limit: q.Limit, Left: Unlimited, Period: q.Period, ResetsAt: a.resetsAt(q)}
	if q.Limit != Unlimited {
		u.Left = max(q.Limit-a.used, 0)
	}
	if q.Limit > 0 {
		u.Percent = float64(a.used) * 100 / float64(q.Limit)
	}
	return u
}

// resetsAt is when nothing of what is used counts any more; zero: nothing does now, or it does for ever.
func (a *account) resetsAt(q Quota) time.Time {
	switch n := len(a.parts); {
	case q.Period.calendaric():
		_, end := q.Period.calendar(a.since)
		return end
	case n > 0:
		return a.parts[n-1].end(q.Period)
	}
	return time.Time{}
}

// until is when a store may forget the account; zero: never. A day is added where the calendar decides, so
// that a clock that was corrected by less finds its period.
func (a *account) until(q Quota) time.Time {
	switch {
	case a.own != nil:
		return time.Time{}
	case q.Period.calendaric():
		return a.resetsAt(q).Add(24 * time.Hour)
	}
	return a.resetsAt(q)
}
