package session

import (
	"errors"
	"fmt"
	"time"
)

// Reason says why a session ended. The texts are stored and sent; they do not change.
type Reason string

const (
	ReasonIdle     Reason = "idle"     // no request for longer than the idle timeout
	ReasonLifetime Reason = "lifetime" // the deadline has passed, however active it was
	ReasonLogout   Reason = "logout"   // Logout, or Reset of a live session
	ReasonRevoked  Reason = "revoked"  // ended by Revoke, RevokeUser or RevokeOthers, or its key was revoked
	ReasonEvicted  Reason = "evicted"  // made room for a newer session of the same user
	ReasonRotated  Reason = "rotated"  // replaced by a new token (Login, Renew), and the Grace is over
	ReasonCorrupt  Reason = "corrupt"  // its record did not open under its own token
	ReasonUnknown  Reason = "unknown"  // a genuine token whose record is gone
)

// ErrExpired is what every *ExpiredError matches: errors.Is(err, session.ErrExpired).
var ErrExpired = errors.New("session: ended")

// ErrRotated: the request came with a token that was replaced moments ago. It may read; a write is
// refused. The client repeats the request with the new token that it has by then (409, Retry-After: 1).
var ErrRotated = errors.New("session: the token was replaced moments ago; repeat the request")

// ExpiredError says that the session which the request came with has ended. It is never revived;
// Session.Reset and Session.Login start over.
type ExpiredError struct {
	Reason Reason
	Since  time.Time // when it ended; zero where that is unknown
}

func (e *ExpiredError) Error() string {
	if e.Since.IsZero() {
		return fmt.Sprintf("session: ended (%s)", e.Reason)
	}
	return fmt.Sprintf("session: ended (%s) at %s", e.Reason, e.Since.UTC().Format(time.RFC3339))
}

// Is makes every ExpiredError match ErrExpired.
func (e *ExpiredError) Is(target error) bool { return target == ErrExpired }

// fate says whether the record is dead at now, and why. It is derived, so that no order of writes can
// contradict it: a record that was ended after it had expired has expired.
func (r *Record) fate(now time.Time) (Reason, time.Time) {
	judged := now
	if r.Ended != "" {
		judged = r.EndedAt
	}
	switch {
	case r.Expires.After(judged):
		return r.Ended, r.EndedAt
	case r.Expires.Before(r.Deadline):
		return ReasonIdle, r.Expires
	default:
		return ReasonLifetime, r.Expires
	}
}
