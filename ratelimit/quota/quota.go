package quota

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Unlimited, as a Quota's Limit, refuses nothing and records what is used.
const Unlimited int64 = -1

// Quota is what a user may use of a resource.
type Quota struct {
	Limit  int64  // in units of the resource; 0: nothing; Unlimited
	Period Period // the zero value: any hour (Sliding)
	// Soft is the percentage of Limit from which on Options.OnSoft is told, once a period; for Sliding and
	// Gauge, once until usage has fallen below half of that. 0: never.
	Soft int
}

func (q Quota) check() error {
	switch {
	case q.Limit < Unlimited:
		return fmt.Errorf("%w: the limit %d is negative; Unlimited is -1", ErrQuota, q.Limit)
	case q.Soft < 0 || q.Soft > 100:
		return fmt.Errorf("%w: Soft is %d; it is a percentage", ErrQuota, q.Soft)
	case q.Period.kind > gauge:
		return fmt.Errorf("%w: no such period", ErrQuota)
	}
	return nil
}

// soft says whether that usage has reached the threshold, and whether it is clear of it again.
func (q Quota) soft(used int64) (reached, clear bool) {
	if q.Soft == 0 || q.Limit <= 0 {
		return false, true
	}
	part := float64(used) * 100 / float64(q.Limit)
	return part >= float64(q.Soft), part < float64(q.Soft)/2
}

// Resource is something that is counted.
type Resource struct {
	Name string // "api_calls", "tokens", "storage_mb", "compute_seconds"
	// Decimals is how many decimal places of what Name says a unit is: with 3, compute_seconds are counted
	// in milliseconds, and 1500 is printed as 1.5. 0 to 9.
	Decimals int
	// Default is for users without a quota of their own. nil: they may use the resource freely.
	Default *Quota
}

// Usage is a line of a Report.
type Usage struct {
	User     string
	Resource string
	Used     int64   // in units of the resource
	Limit    int64   // or Unlimited
	Left     int64   // 0 where more is used than a later limit allows; Unlimited
	Percent  float64 // of the limit; 0 where that is 0 or Unlimited
	Period   Period
	// ResetsAt is when nothing of Used counts any more; zero for a Gauge, and where nothing is used in a
	// Sliding period.
	ResetsAt time.Time
	decimals int
}

// Seconds is the length of the period in which the usage was made.
func (u Usage) Seconds() float64 {
	if u.Period.calendaric() {
		return u.Period.Seconds(u.ResetsAt.Add(-1))
	}
	return u.Period.Seconds(time.Time{})
}

// Decimal writes an amount of units in what the resource's name says: 1500 of compute_seconds with 3 Decimals are
// "1.5".
func (u Usage) Decimal(units int64) string { return decimal(units, u.decimals) }

// String is like "api_calls: 25/100 (25 %)".
func (u Usage) String() string {
	if u.Limit == Unlimited {
		return fmt.Sprintf("%s: %s", u.Resource, decimal(u.Used, u.decimals))
	}
	return fmt.Sprintf("%s: %s/%s (%.0f %%)", u.Resource, decimal(u.Used, u.decimals), decimal(u.Limit, u.decimals), u.Percent)
}

var (
	// ErrExceeded is what every *ExceededError matches.
	ErrExceeded = errors.New("quota exceeded")
	// ErrAmount: an amount is negative, or so large that the sum cannot be kept.
	ErrAmount = errors.New("quota: invalid amount")
	// ErrQuota: a quota or resource makes no sense; the message says which and why.
	ErrQuota = errors.New("quota: invalid quota")
	// ErrName: the user or the resource is empty, longer than 1,024 bytes, not UTF-8, or holds a NUL.
	ErrName = errors.New("quota: user and resource have 1 to 1,024 bytes of UTF-8 without NUL")
)

const maxName = 1024

func checkNames(names ...string) error {
	for _, name := range names {
		if name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.Contains(name, "\x00") {
			return ErrName
		}
	}
	return nil
}

// ExceededError says that an amount would pass the limit.
type ExceededError struct {
	User, Resource string
	Used           int64 // before
	Amount         int64 // that was asked for
	Limit          int64
	Left           int64 // what could be used now
	// RetryAt is when the amount would fit if nothing else is used until then; zero where no waiting
	// helps: the amount is above the limit, or it is a Gauge.
	RetryAt  time.Time
	decimals int
}

// Error is like "quota exceeded for api_calls: 101/100".
func (e *ExceededError) Error() string {
	return fmt.Sprintf("quota exceeded for %s: %s/%s", e.Resource, decimal(e.Used+e.Amount, e.decimals), decimal(e.Limit, e.decimals))
}

// Is makes every ExceededError match ErrExceeded.
func (e *ExceededError) Is(target error) bool { return target == ErrExceeded }

// decimal writes an amount of units in what they are parts of: 1500 with 3 decimals is 1.5.
func decimal(n int64, decimals int) string {
	s := strconv.FormatInt(n, 10)
	if decimals == 0 {
		return s
	}
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	if pad := decimals + 1 - len(s); pad > 0 {
		s = strings.Repeat("0", pad) + s
	}
	whole, part := s[:len(s)-decimals], strings.TrimRight(s[len(s)-decimals:], "0")
	if part == "" {
		return sign + whole
	}
	return sign + whole + "." + part
}
