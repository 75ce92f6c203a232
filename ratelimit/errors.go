package ratelimit

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

var (
	// ErrPolicy: the limits make no sense; the message says which and how to mend it.
	ErrPolicy = errors.New("ratelimit: invalid policy")
	// ErrNoKey: the key lacks the parts that a policy counts by. The call is refused, never unlimited.
	ErrNoKey = errors.New("ratelimit: the key is empty or lacks a part that the policy counts by")
	// ErrCost: the cost is negative or above the burst, so it could never pass. (Above the burst of a
	// Shadow policy it only counts as violated.)
	ErrCost = errors.New("ratelimit: the cost can never be admitted")
	// ErrLimited is what every *LimitedError matches.
	ErrLimited = errors.New("ratelimit: too many requests")
	// ErrDeadline: Wait would end after the context's deadline, so it did not begin.
	ErrDeadline = errors.New("ratelimit: the wait would exceed the context's deadline")
	// ErrSettled: the reservation was settled or cancelled before.
	ErrSettled = errors.New("ratelimit: the reservation was settled before")
	// ErrLate: the reservation was settled after it had expired. What was not used is not given back;
	// what was used beyond it is charged.
	ErrLate = errors.New("ratelimit: the reservation had expired")
)

// LimitedError says that a policy refused. Result.Err makes one.
type LimitedError struct {
	Violated   []string      // the policies that refused
	RetryAfter time.Duration // when the same cost would pass; Never where it would not
}

func (e *LimitedError) Error() string {
	names := strings.Join(e.Violated, ", ")
	if e.RetryAfter == Never {
		return "ratelimit: refused by " + names
	}
	return fmt.Sprintf("ratelimit: refused by %s; retry after %v", names, e.RetryAfter)
}

// Is makes every LimitedError match ErrLimited.
func (e *LimitedError) Is(target error) bool { return target == ErrLimited }
