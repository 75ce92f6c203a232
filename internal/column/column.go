// Package column is what stores that keep a session.Record in a row of a table have in common: ids as 32 bytes, moments as
// nanoseconds, and when a sweep has to look at a row.
package column

import (
	"encoding/base64"
	"math"
	"time"

	"example.com/hardy/session"
)

// Key returns the 32 bytes of an id, and false where it is none. It shares nothing with id.
func Key(id string) ([]byte, bool) {
	if len(id) != 43 {
		return nil, false
	}
	k, err := base64.RawURLEncoding.Strict().DecodeString(id)
	return k, err == nil && len(k) == 32 // the decoder passes over newlines
}

// ID returns the id of a key.
func ID(key []byte) string { return base64.RawURLEncoding.EncodeToString(key) }

// A moment is nanoseconds since 1970, which reach from 1677 to 2262. The zero time has a value of its own, before all
// others.
const (
	noMoment = math.MinInt64
	earliest = math.MinInt64 + 1
	Latest   = math.MaxInt64
)

// Nanos is the moment of t, or the nearest that there is.
func Nanos(t time.Time) int64 {
	const edge = math.MaxInt64 / int64(time.Second)
	switch s := t.Unix(); {
	case s < edge && s > -edge:
		return t.UnixNano()
	case t.IsZero():
		return noMoment
	case s < 0:
		return earliest
	default:
		return Latest
	}
}

// Time is the time of a moment.
func Time(n int64) time.Time {
	if n == noMoment {
		return time.Time{}
	}
	return time.Unix(0, n)
}

// GraceEnds is when the Data that a rotation kept serves nobody any more.
func GraceEnds(endedAt int64) int64 {
	if endedAt > Latest-int64(session.Grace)-1 {
		return Latest
	}
	return endedAt + int64(session.Grace) + 1
}

// Due is when a sweep has something to do about a record.
func Due(r *session.Record) int64 {
	purge, expires := Nanos(r.Purge), Nanos(r.Expires)
	switch {
	case len(r.Data) == 0:
		return purge
	case r.Ended != "":
		return min(purge, expires, GraceEnds(Nanos(r.EndedAt)))
	}
	return min(purge, expires)
}
