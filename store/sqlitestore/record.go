package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"example.com/hardy/internal/column"
	"example.com/hardy/session"
)

// errID answers Create and Import under an id that the contract does not allow. The id is not repeated:
// whoever uses other ids may be using tokens.
var errID = errors.New("sqlitestore: the id is not 43 characters of canonical base64url (32 bytes); derive it as session.Record says")

// absent answers for what is not an id: nothing is under it.
func absent(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return session.ErrNotFound
}

// nullable is for the columns in which most rows have no moment: a NULL takes no room.
func nullable(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: column.Nanos(t), Valid: !t.IsZero()}
}

func optional(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return column.Time(n.Int64)
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
	w.r.Created, w.r.AuthTime, w.r.Seen = column.Time(w.created), optional(w.authTime), column.Time(w.seen)
	w.r.Expires, w.r.Deadline, w.r.Purge = column.Time(w.expires), column.Time(w.deadline), column.Time(w.purge)
	w.r.EndedAt = optional(w.endedAt)
	return w.r
}
