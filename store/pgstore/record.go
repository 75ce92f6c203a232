package pgstore

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"example.com/hardy/session"
)

// errID answers Create and Import under an id that the contract does not allow. The id is not repeated:
// whoever uses other ids may be using tokens.
var errID = errors.New("pgstore: the id is not 43 characters of canonical base64url (32 bytes); derive it as session.Record says")

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
func nullable(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	n := nanos(t)
	return &n
}

func optional(n *int64) time.Time {
	if n == nil {
		return time.Time{}
	}
	return moment(*n)
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
	case len(r.Data) == 0:
		return purge
	case r.Ended != "":
		return min(purge, expires, graceEnds(nanos(r.EndedAt)))
	}
	return min(purge, expires)
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
	k, ok := key(r.ID)
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
		k, handle, []byte(r.User), int64(r.Version), nanos(r.Created), nullable(r.AuthTime), nanos(r.Seen), nanos(r.Expires),
		nanos(r.Deadline), nanos(r.Purge), int64(r.Idle), ended, nullable(r.EndedAt), next, bytesOf(r.Meta), bytesOf(r.Data), due(r),
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
	w.r.ID, w.r.User, w.r.Version = idOf(w.key), string(w.user), uint64(w.version)
	w.r.Created, w.r.AuthTime, w.r.Seen = moment(w.created), optional(w.authTime), moment(w.seen)
	w.r.Expires, w.r.Deadline, w.r.Purge = moment(w.expires), moment(w.deadline), moment(w.purge)
	w.r.EndedAt = optional(w.endedAt)
	return w.r
}
