package redisstore

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
	"time"

	"example.com/hardy/session"
)

// A record is one string. Its head has a place for each number, so that a script finds them; moments and
// versions are written with the greatest digit first. The texts follow, then Data.
//
//	 1   1  the format: 1
//	 2   1  the length of the head: 97. A later version may append to it; who does not know what, keeps it
//	 3   1  1 while CreateWithin has only reserved the id, else 0
//	 4   8  Created
//	12   8  AuthTime
//	20   2  the length of Handle
//	22   4  the length of User
//	26   8  Version
//	34   8  Seen
//	42   8  Expires
//	50   8  Purge
//	58   8  Deadline
//	66   8  Idle
//	74   8  until when the user's index and the bucket's due hold the record
//	82   4  the length of Meta
//	86   8  EndedAt
//	94   2  the length of Ended; 0: it has not ended
//	96   2  the length of Next
//	     Handle, User, Meta, Ended, Next, Data
//
// Positions count from 1, as in Lua. All of it is frozen: a new form gets a new format, and 1 is read for ever.
const (
	format     = 1
	headLength = 97
	reservedAt = 2 // counted from 0
)

// errID answers Create and Import under an id that the contract does not allow. The id is not repeated:
// whoever uses other ids may be using tokens.
var errID = errors.New("redisstore: the id is not 43 characters of canonical base64url (32 bytes); derive it as session.Record says")

// isID says whether id is one that a record may have.
func isID(id string) bool {
	if len(id) != 43 {
		return false
	}
	var key [33]byte
	n, err := base64.RawURLEncoding.Strict().Decode(key[:], []byte(id))
	return err == nil && n == 32 // the decoder passes over newlines
}

// encode returns the bytes of a record.
func encode(r *session.Record) ([]byte, error) {
	if !isID(r.ID) {
		return nil, errID
	}
	if len(r.Handle) > math.MaxUint16 || len(r.Ended) > math.MaxUint16 || len(r.Next) > math.MaxUint16 {
		return nil, errors.New("redisstore: a handle, a reason or a successor's id is longer than 65,535 bytes")
	}
	n := headLength + len(r.Handle) + len(r.User) + len(r.Meta) + len(r.Ended) + len(r.Next) + len(r.Data)
	b := append(make([]byte, 0, n), format, headLength, 0)
	b = appendMoment(b, r.Created)
	b = appendMoment(b, r.AuthTime)
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.Handle)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.User)))
	b = binary.BigEndian.AppendUint64(b, r.Version)
	b = appendMoment(b, r.Seen)
	b = appendMoment(b, r.Expires)
	b = appendMoment(b, r.Purge)
	b = appendMoment(b, r.Deadline)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Idle))
	b = appendMoment(b, heldUntil(r.Deadline, r.Purge))
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.Meta)))
	b = appendMoment(b, r.EndedAt)
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.Ended)))
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.Next)))
	b = append(append(b, r.Handle...), r.User...)
	b = append(append(append(b, r.Meta...), r.Ended...), r.Next...)
	return append(b, r.Data...), nil
}

// reserved says whether a record is not there yet.
func reserved(record []byte) bool { return len(record) > reservedAt && record[reservedAt] == 1 }

var (
	errNewer   = errors.New("redisstore: the record was written by a newer Hardy and was left alone; update this program")
	errDamaged = errors.New("redisstore: the record is damaged")
)

// stateOf tells apart what a record can be: absent, reserved, there, ended. It only ever moves on.
func stateOf(record []byte) byte {
	switch {
	case len(record) < headLength:
		return 0
	case reserved(record):
		return 1
	case record[93]|record[94] == 0:
		return 2
	}
	return 3
}

// decode returns the record that v is. Meta and Data lie in v; the texts do not, so that who keeps a name does
// not keep the values.
func decode(id string, v []byte) (session.Record, error) {
	if len(v) > 0 && v[0] != format {
		return session.Record{}, errNewer
	}
	if len(v) < headLength {
		return session.Record{}, errDamaged
	}
	var (
		handle = int(v[1])
		user   = handle + int(binary.BigEndian.Uint16(v[19:]))
		meta   = user + int(binary.BigEndian.Uint32(v[21:]))
		ended  = meta + int(binary.BigEndian.Uint32(v[81:]))
		next   = ended + int(binary.BigEndian.Uint16(v[93:]))
		data   = next + int(binary.BigEndian.Uint16(v[95:]))
	)
	if handle < headLength || data > len(v) {
		return session.Record{}, errDamaged
	}
	names, fate := string(v[handle:meta]), string(v[ended:data])
	return session.Record{
		ID: id, Handle: names[:user-handle], User: names[user-handle:],
		Data: part(v, data, len(v)), Meta: part(v, meta, ended),
		Version: binary.BigEndian.Uint64(v[25:]),
		Created: momentOf(v[3:]), AuthTime: momentOf(v[11:]), Seen: momentOf(v[33:]), Expires: momentOf(v[41:]),
		Purge: momentOf(v[49:]), Deadline: momentOf(v[57:]), Idle: time.Duration(binary.BigEndian.Uint64(v[65:])),
		Ended: session.Reason(fate[:next-ended]), EndedAt: momentOf(v[85:]), Next: fate[next-ended:],
	}, nil
}

// part returns v[from:to] in a way that nobody can append to what lies behind it.
func part(v []byte, from, to int) []byte {
	if from == to {
		return nil
	}
	return v[from:to:to]
}

// heldUntil is the own end of a record's entry in its user's index (rule 10), and the least life of its due.
func heldUntil(deadline, purge time.Time) time.Time {
	if last := deadline.Add(session.Tombstone); last.After(purge) {
		return last
	}
	return purge
}

// A moment is written as nanoseconds since 1970, which reach from 1677 to 2262, moved up so that none is
// negative. The zero time is 0, before all others.
func appendMoment(b []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(nanos(t))^1<<63)
}

func momentOf(b []byte) time.Time {
	n := int64(binary.BigEndian.Uint64(b) ^ 1<<63)
	if n == noMoment {
		return time.Time{}
	}
	return time.Unix(0, n)
}

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

// millis returns a moment as Redis counts, rounded up.
func millis(t time.Time) int64 {
	n := nanos(t)
	ms := n / int64(time.Millisecond)
	if n > 0 && n%int64(time.Millisecond) > 0 {
		ms++
	}
	return ms
}

// whenDue is when a sweep has something to do about a record.
func whenDue(r *session.Record) int64 {
	due := min(millis(r.Purge), millis(r.Expires))
	if r.Ended != "" {
		due = min(due, graceEnds(r.EndedAt))
	}
	return due
}

// graceEnds is when the Data that a rotation kept serves nobody any more.
func graceEnds(endedAt time.Time) int64 { return millis(endedAt) + session.Grace.Milliseconds() + 1 }
