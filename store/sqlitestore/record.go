package sqlitestore

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"math"
	"time"

	"example.com/hardy/session"
)

// errID answers Create and Import under an id that the contract does not allow. The id is not repeated:
// whoever uses other ids may be using tokens.
var errID = errors.New("sqlitestore: the id is not 43 characters of canonical base64url (32 bytes); derive it as session.Record says")

// key returns the 32 bytes of an id, and false where it is none. It shares nothing with id.
func key(id string) ([]byte, bool) {
	if len(id) != 43 {
		return nil, false
	}
	k, err := base64.RawURLEncoding.Strict().DecodeString(id)
	return k, err == nil && len(k) == 32 // the decoder passes over newlines
}

// absent answers for what is not an id: nothing is under it.
func absent(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return session.ErrNotFound
}

func idOf(key []byte) string { return base64.RawURLEncoding.EncodeToString(key) }

// A moment is stored as nanoseconds since 1970, which reach from 1677 to 2262. The zero time has a value
// of its own, before all others.
const (
	noMoment = math.MinInt64
	earliest = math.MinInt64 + 1
	latest   = math.MaxInt64
)

func nanos(t time.Time) int64 {
	const edge = math.MaxInt64 / int64(time.Second)
	switch s := t.Unix(); {
	case s < edge && s > -edge:
		return t.UnixNano()
	case t.IsZero():
		return noMoment
	case s < 0:
		return earliest
	default:
		return latest
	}
}

func moment(n int64) time.Time {
	if n == noMoment {
		return time.Time{}
	}
	return time.Unix(0, n)
}

// nullable is for the columns in which most rows have no moment: a NULL takes no room.
func nullable(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: nanos(t), Valid: !t.IsZero()}
}

func optional(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return moment(n.Int64)
}

// graceEnds is when the Data that a rotation kept serves nobody any more.
func graceEnds(endedAt int64) int64 {
	if endedAt > latest-int64(session.Grace)-1 {
		return latest
	}
	return endedAt + int64(session.Grace) + 1
}

// due is when a sweep has something to do about a record.
func due(r *session.Record) int64 {
	purge, expires := nanos(r.Purge), nanos(r.Expires)
	switch {
	case r.Data == nil:
		return purge
	case r.Ended != "":
		return min(purge, expires, graceEnds(nanos(r.EndedAt)))
	}
	return min(purge, expires)
}

// fields are the columns of a Record in the order of row's.
const fields = "handle, user, version, created, auth_time, seen, expires, deadline, purge, idle, ended, ended_at, next, meta"

// row takes one record out of a result.
type row struct {
	key                                     []byte
	version                                 int64
	created, seen, expires, deadline, purge int64
	authTime, endedAt                       sql.NullInt64
	r                                       session.Record
	into                                    [16]any
}

func (w *row) fields() []any {
	w.into = [16]any{
		&w.r.Handle, &w.r.User, &w.version, &w.created, &w.authTime, &w.seen, &w.expires, &w.deadline, &w.purge,
		(*int64)(&w.r.Idle), (*string)(&w.r.Ended), &w.endedAt, &w.r.Next, &w.r.Meta, &w.r.Data, &w.key,
	}
	return w.into[:]
}

// record returns what was scanned, under id.
func (w *row) record(id string) session.Record {
	w.r.ID, w.r.Version = id, uint64(w.version)
	w.r.Created, w.r.AuthTime, w.r.Seen = moment(w.created), optional(w.authTime), moment(w.seen)
	w.r.Expires, w.r.Deadline, w.r.Purge = moment(w.expires), moment(w.deadline), moment(w.purge)
	w.r.EndedAt = optional(w.endedAt)
	return w.r
}
