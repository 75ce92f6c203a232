package pgstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"example.com/hardy/internal/column"
	"example.com/hardy/session"
)

// errID answers Create and Import under an id that the contract does not allow. The id is not repeated:
// whoever uses other ids may be using tokens.
var errID = errors.New("pgstore: the id is not 43 characters of canonical base64url (32 bytes); derive it as session.Record says")

// absent answers for what is not an id: nothing is under it.
func absent(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return session.ErrNotFound
}

// nullable is for the columns in which most rows have no moment: a NULL takes no room.
func nullable(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	n := column.Nanos(t)
	return &n
}

func optional(n *int64) time.Time {
	if n == nil {
		return time.Time{}
	}
	return column.Time(*n)
}

// bytesOf turns no bytes into a NULL.
func bytesOf(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// text copies s, and refuses what a column of text does not take.
func text(what, s string) (string, error) {
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return "", fmt.Errorf("pgstore: %s is not UTF-8 without NUL, which PostgreSQL does not store; nothing was", what)
	}
	return strings.Clone(s), nil
}

// insertion are the arguments of an insertion. It copies what the caller may use again.
func insertion(r *session.Record) ([]any, error) {
	k, ok := column.Key(r.ID)
	if !ok {
		return nil, errID
	}
	handle, err1 := text("Handle", r.Handle)
	ended, err2 := text("Ended", string(r.Ended))
	next, err3 := text("Next", r.Next)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	return []any{
		k, handle, []byte(r.User), int64(r.Version), column.Nanos(r.Created), nullable(r.AuthTime), column.Nanos(r.Seen), column.Nanos(r.Expires),
		column.Nanos(r.Deadline), column.Nanos(r.Purge), int64(r.Idle), ended, nullable(r.EndedAt), next, bytesOf(r.Meta), bytesOf(r.Data), column.Due(r),
	}, nil
}

// row takes one record out of a result: id, fields, data.
type row struct {
	key, user                               []byte
	version                                 int64
	created, seen, expires, deadline, purge int64
	authTime, endedAt                       *int64
	r                                       session.Record
	into                                    [16]any
}

func (w *row) columns() []any {
	w.into = [16]any{
		&w.key, &w.r.Handle, &w.user, &w.version, &w.created, &w.authTime, &w.seen, &w.expires, &w.deadline, &w.purge,
		(*int64)(&w.r.Idle), (*string)(&w.r.Ended), &w.endedAt, &w.r.Next, &w.r.Meta, &w.r.Data,
	}
	return w.into[:]
}

// record returns what was scanned.
func (w *row) record() session.Record {
	w.r.ID, w.r.User, w.r.Version = column.ID(w.key), string(w.user), uint64(w.version)
	w.r.Created, w.r.AuthTime, w.r.Seen = column.Time(w.created), optional(w.authTime), column.Time(w.seen)
	w.r.Expires, w.r.Deadline, w.r.Purge = column.Time(w.expires), column.Time(w.deadline), column.Time(w.purge)
	w.r.EndedAt = optional(w.endedAt)
	return w.r
}
