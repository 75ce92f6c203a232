package scsstore

import (
	"bytes"
	"context"
	"errors"
	"math"
	"time"

	"example.com/hardy/internal/value"
	"example.com/hardy/session"
)

// Rows says what rests under a token. The default keeps whole records; compat/scs keeps rows as scs writes them. It is
// safe for concurrent use. ctx is that of the store's call.
type Rows interface {
	// Encode returns the row for r, live or ended, and when the store may forget it. nil: no row is kept for r.
	Encode(ctx context.Context, r session.Record) (row []byte, expiry time.Time, err error)
	// Decode returns the record that lies under id. An error means that it is none: it reads as absent. It changes
	// row as little as the record's holder does.
	Decode(ctx context.Context, id string, row []byte) (session.Record, error)
}

// Records is the default: a mark, then the whole record as a CBOR array, until its Purge. No row of scs's own codec
// begins as these do.
var Records Rows = records{}

type records struct{}

// mark begins no row of scs's codec (gob), and no text.
var mark = []byte{0, 'h', 'r', 1}

// resting is a session.Record as it is stored. The order of its fields is frozen by testdata/rows.txt.
type resting struct {
	_        struct{} `cbor:",toarray"`
	ID       string
	Handle   string
	User     string
	Data     []byte
	Meta     []byte
	Version  uint64
	Created  int64 // this and what follows: see nanos
	AuthTime int64
	Seen     int64
	Expires  int64
	Deadline int64
	Purge    int64
	Idle     int64
	Ended    string
	EndedAt  int64
	Next     string
}

func (records) Encode(_ context.Context, r session.Record) ([]byte, time.Time, error) {
	b, err := value.Encode(&resting{
		ID: r.ID, Handle: r.Handle, User: r.User, Data: r.Data, Meta: r.Meta, Version: r.Version,
		Created: nanos(r.Created), AuthTime: nanos(r.AuthTime), Seen: nanos(r.Seen), Expires: nanos(r.Expires),
		Deadline: nanos(r.Deadline), Purge: nanos(r.Purge), Idle: int64(r.Idle),
		Ended: string(r.Ended), EndedAt: nanos(r.EndedAt), Next: r.Next,
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	return append(bytes.Clone(mark), b...), r.Purge, nil
}

var errForeign = errors.New("scsstore: not a row of a record")

func (records) Decode(_ context.Context, id string, row []byte) (session.Record, error) {
	b, ok := bytes.CutPrefix(row, mark)
	if !ok {
		return session.Record{}, errForeign
	}
	var r resting
	// Engines that compare without case, or pad with spaces, may find the row of another id.
	if err := value.Decode(b, &r); err != nil || r.ID != id {
		return session.Record{}, errForeign
	}
	return session.Record{
		ID: r.ID, Handle: r.Handle, User: r.User, Data: r.Data, Meta: r.Meta, Version: r.Version,
		Created: moment(r.Created), AuthTime: moment(r.AuthTime), Seen: moment(r.Seen), Expires: moment(r.Expires),
		Deadline: moment(r.Deadline), Purge: moment(r.Purge), Idle: time.Duration(r.Idle),
		Ended: session.Reason(r.Ended), EndedAt: moment(r.EndedAt), Next: r.Next,
	}, nil
}

// nanos is a moment as nanoseconds since 1970; the zero time has a number of its own.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return math.MinInt64
	}
	return t.UnixNano()
}

func moment(n int64) time.Time {
	if n == math.MinInt64 {
		return time.Time{}
	}
	return time.Unix(0, n)
}
