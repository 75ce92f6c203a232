package scs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"hash/maphash"
	"strconv"
	"strings"
	"time"

	"example.com/hardy/session"
	"example.com/hardy/store/scsstore"
)

// rows is scsstore.Rows as scs has them: the deadline and the values, by the Codec, and nothing else. What a
// session.Record holds beside them is told from the row or from what this process remembers:
//
//   - Version is a hash of the row. Two that differ are different versions. To the request that wrote the row it is the
//     number that its session.Session counts.
//   - Handle is a hash of the id.
//   - Seen is when this process has last renewed the row; or, as others may have renewed it, long enough ago for the
//     next renewal to be due.
//   - Expires is the deadline: what the store still finds has not expired by its idle timeout.
type rows struct {
	*engine
	seed  maphash.Seed
	cache cache
}

func newRows(e *engine) *rows { return &rows{engine: e, seed: maphash.MakeSeed(), cache: newCache()} }

// decoded is what a row turned out to be.
type decoded struct {
	row     []byte
	version uint64
	handle  string
	data
	shared bool // several requests may hold the values, those that can be changed as long as nobody gets them
	end    *tombstone
	err    error
}

// decode decodes a row, unless the one that is remembered for id was the same.
func (r *rows) decode(id string, row []byte, known *decoded) *decoded {
	if known != nil && bytes.Equal(known.row, row) {
		return known
	}
	d := &decoded{row: row, version: maphash.Bytes(r.seed, row), handle: handleOf(id)}
	d.deadline, d.values, d.err = r.codec.Decode(row)
	if d.values == nil {
		d.values = make(map[string]any)
	}
	if d.err == nil {
		d.end = parseTombstone(d.values)
		delete(d.values, endKey) // an older binary may have gone on from a tombstone
	}
	d.shared = true
	for _, v := range d.values {
		d.shared = d.shared && traitOf(v) != unique
	}
	if d.err != nil {
		r.reject(d)
	}
	if d.shared {
		r.cache.put(id, d)
	}
	return d
}

// reject tells of a row that reads as absent. It stays where it is: another release of the application may know its types.
func (r *rows) reject(d *decoded) {
	r.log.Warn("scs: a row can't be decoded; its visitor starts over", "session", d.handle, "error", d.err)
	if t := r.hardy.Trace; t != nil && t.Corrupt != nil {
		t.Corrupt(d.handle, d.err)
	}
}

// handleOf names a session in logs. The id may be the token itself.
func handleOf(id string) string {
	sum := sha256.Sum256([]byte("hardy/1 scs handle" + id))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// Decode tells the request that asks what it has found.
func (r *rows) Decode(ctx context.Context, id string, row []byte) (session.Record, error) {
	sd, known := r.of(ctx), r.cache.get(id)
	if isSealed(row) {
		rec, err := scsstore.Records.Decode(ctx, id, row)
		if err != nil && (known.decoded == nil || !bytes.Equal(known.decoded.row, row)) {
			d := &decoded{row: row, handle: handleOf(id), err: err}
			r.reject(d)
			r.cache.put(id, d)
		}
		if sd != nil {
			sd.found = found{id: id}
		}
		return rec, err
	}
	d := r.decode(id, row, known.decoded)
	if d.err != nil {
		return session.Record{}, d.err
	}
	version := d.version
	if sd != nil && sd.put.id == id && sd.put.row == d.version {
		version = sd.put.version
	}
	rec := session.Record{
		ID: id, Handle: d.handle, Data: row, Version: version, Idle: r.idle,
		Seen: r.seen(known.renewed), Expires: d.deadline, Deadline: d.deadline, Purge: d.deadline,
	}
	if d.end != nil {
		rec.Data, rec.Ended, rec.EndedAt, rec.Next = nil, d.end.reason, d.end.at, d.end.next
	}
	if sd != nil {
		sd.found = found{id, d}
		sd.replaced = sd.replaced || d.end != nil && d.end.recent()
	}
	return rec, nil
}

func (r *rows) seen(renewed time.Time) time.Time {
	if r.idle == 0 {
		return renewed
	}
	if due := time.Now().Add(-r.idle / 15); renewed.Before(due) { // twice as long ago as it has to be
		return due
	}
	return renewed
}

// of returns the session that a call of the store is for, or nil.
func (r *rows) of(ctx context.Context) *sessionData {
	sd, _ := ctx.Value(contextKey{r.own}).(*sessionData)
	return sd
}

// isSealed says whether bytes were written under Hardy.Keys. Neither gob nor a text begins with a zero.
func isSealed(b []byte) bool { return len(b) > 0 && b[0] == 0 }

// slack is how much longer than its idle timeout a row is kept, as Hardy does not renew it at each request: 1/30. An idle
// timeout of less than half a minute, as tests have it, is kept to the letter.
func (r *rows) slack() time.Duration { return (r.idle / 30).Truncate(time.Second) }

// Encode keeps a row for as long as scs does, and with an idle timeout for the slack longer.
func (r *rows) Encode(ctx context.Context, rec session.Record) (row []byte, expiry time.Time, err error) {
	if rec.Ended != "" {
		return r.bury(rec)
	}
	if sd := r.of(ctx); sd != nil && sd.written != nil && bytes.Equal(sd.written.sealed, rec.Data) {
		rec.Deadline = sd.written.deadline
	}
	slack := r.slack()
	if slack > 0 {
		r.cache.touch(rec.ID, rec.Seen)
	}
	rec.Expires = r.expiry(rec.Deadline, rec.Seen.Add(slack))
	if !isSealed(rec.Data) {
		if sd := r.of(ctx); sd != nil {
			sd.put = put{rec.ID, maphash.Bytes(r.seed, rec.Data), rec.Version}
		}
		return rec.Data, rec.Expires, nil
	}
	rec.Idle, rec.Purge = r.idle, rec.Expires
	return scsstore.Records.Encode(ctx, rec)
}

// tombstone is the end of a session as it rests in a row: an empty one but for a text under endKey, so that an older
// binary, whose codec it is, finds a session without values.
type tombstone struct {
	reason session.Reason
	at     time.Time
	next   string
}

const endKey = "__hardy"

func (t *tombstone) String() string {
	return "ended " + string(t.reason) + " " + strconv.FormatInt(t.at.UnixNano(), 10) + " " + t.next
}

// parseTombstone returns the end that values hold, or nil. With other values beside it, it is none: an older binary
// has gone on with the session.
func parseTombstone(values map[string]any) *tombstone {
	text, ok := values[endKey].(string)
	if !ok || len(values) != 1 {
		return nil
	}
	fields := strings.Split(text, " ")
	if len(fields) != 4 || fields[0] != "ended" {
		return nil
	}
	nanos, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil {
		return nil
	}
	return &tombstone{session.Reason(fields[1]), time.Unix(0, nanos), fields[3]}
}

// recent says whether the token was replaced moments ago.
func (t *tombstone) recent() bool {
	return t.reason == session.ReasonRotated && time.Since(t.at) < session.Grace
}

// leastTombstone is how long a tombstone is kept at least: longer than any request that began before the end, and than the grace.
const leastTombstone = time.Hour

// bury returns the row of a session that has ended, or nil where the Codec would not bring a tombstone back: then the
// row is deleted, as in scs.
func (r *rows) bury(rec session.Record) ([]byte, time.Time, error) {
	t := tombstone{rec.Ended, rec.EndedAt, rec.Next}
	if !r.hashed && r.sealer == nil {
		t.next = "" // it is a token, and who holds the old one might read this row by way of an older binary
	}
	purge := rec.EndedAt.Add(session.Tombstone)
	if d := rec.Deadline; d.Before(purge) && d.After(rec.EndedAt.Add(leastTombstone)) {
		purge = d // PostgreSQL need not touch an index whose column stays as it is
	}
	row, err := r.codec.Encode(purge.UTC(), map[string]any{endKey: t.String()})
	if err != nil {
		return nil, purge, nil
	}
	if _, ok := r.codec.(GobCodec); !ok {
		if _, values, err := r.codec.Decode(row); err != nil || parseTombstone(values) == nil {
			return nil, purge, nil
		}
	}
	return row, purge, nil
}
