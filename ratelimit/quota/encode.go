package quota

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Accounts are stored in a form of their own, frozen by the vectors in encode_test.go; n is an unsigned and
// z a signed varint, text has its length before it as n:
//
//	1                      the form's version
//	flags                  1: a quota of the user's own, 2: the soft threshold was told, 4: since
//	limit z, soft n, period text      with flag 1
//	used n, period text
//	since                  with flag 4, a moment: seconds since 1970 z, nanoseconds n
//	parts n                the number of them; of used, oldest first. Where it is not 0, the moment at which the
//	                       first begins, and for each of them: nanoseconds from the end of the one before to its
//	                       own begin n, and from there to its end n, and the amount n
const formVersion = 1

const (
	flagOwn = 1 << iota
	flagTold
	flagSince
	flagsKnown = flagOwn | flagTold | flagSince
)

// encode is nil for an account that says nothing.
func (a *account) encode() []byte {
	if a.own == nil && a.used == 0 && !a.told {
		return nil
	}
	b := make([]byte, 0, 64+12*len(a.parts))
	var flags byte
	if a.own != nil {
		flags |= flagOwn
	}
	if a.told {
		flags |= flagTold
	}
	if !a.since.IsZero() {
		flags |= flagSince
	}
	b = append(b, formVersion, flags)
	if a.own != nil {
		b = binary.AppendVarint(b, a.own.Limit)
		b = binary.AppendUvarint(b, uint64(a.own.Soft))
		b = appendText(b, a.own.Period.String())
	}
	b = binary.AppendUvarint(b, uint64(a.used))
	b = appendText(b, a.period.String())
	if !a.since.IsZero() {
		b = appendMoment(b, a.since)
	}
	b = binary.AppendUvarint(b, uint64(len(a.parts)))
	for i, p := range a.parts {
		if i == 0 {
			b = appendMoment(b, p.first)
			b = append(b, 0)
		} else {
			b = binary.AppendUvarint(b, uint64(p.first.Sub(a.parts[i-1].last)))
		}
		b = binary.AppendUvarint(b, uint64(p.last.Sub(p.first)))
		b = binary.AppendUvarint(b, uint64(p.amount))
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendMoment(b []byte, t time.Time) []byte {
	return binary.AppendUvarint(binary.AppendVarint(b, t.Unix()), uint64(t.Nanosecond()))
}

var errForm = errors.New("quota: a stored account is damaged, or was written by a newer version")

// decode reads what encode wrote, and nothing else. No bytes are an account that says nothing.
func decode(b []byte, zone func(name string) (*time.Location, error)) (account, error) {
	var a account
	if len(b) == 0 {
		return a, nil
	}
	r := reader{rest: b, zone: zone}
	version, flags := r.octet(), r.octet()
	if version != formVersion || flags&^flagsKnown != 0 {
		return a, errForm
	}
	if flags&flagOwn != 0 {
		a.own = &Quota{Limit: r.signed(), Soft: int(r.amount()), Period: r.period()}
		r.accept(a.own.check() == nil)
	}
	a.told = flags&flagTold != 0
	a.used = r.amount()
	a.period = r.period()
	if flags&flagSince != 0 {
		a.since = r.moment()
	}
	n := r.amount()
	r.accept(n <= int64(len(r.rest))/3)
	if n > 0 && r.err == nil {
		a.parts = make([]part, n, n+1)
		at, sum := r.moment(), int64(0)
		for i := range a.parts {
			first := at.Add(time.Duration(r.amount()))
			at = first.Add(time.Duration(r.amount()))
			a.parts[i] = part{first, at, r.amount()}
			sum += a.parts[i].amount
		}
		r.accept(sum == a.used)
	}
	r.accept(len(r.rest) == 0)
	if r.err != nil {
		return account{}, r.err
	}
	return a, nil
}

// reader reads from the front. After the first fault all is zero.
type reader struct {
	rest []byte
	zone func(name string) (*time.Location, error)
	err  error
}

func (r *reader) accept(ok bool) {
	if !ok && r.err == nil {
		r.err, r.rest = errForm, nil
	}
}

func (r *reader) octet() byte {
	if r.accept(len(r.rest) > 0); r.err != nil {
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *reader) amount() int64 {
	v, n := binary.Uvarint(r.rest)
	if r.accept(n > 0 && int64(v) >= 0); r.err != nil {
		return 0
	}
	r.rest = r.rest[n:]
	return int64(v)
}

func (r *reader) signed() int64 {
	v, n := binary.Varint(r.rest)
	if r.accept(n > 0); r.err != nil {
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) moment() time.Time {
	return time.Unix(r.signed(), r.amount())
}

func (r *reader) period() Period {
	n := r.amount()
	if r.accept(n <= int64(len(r.rest))); r.err != nil {
		return Period{}
	}
	text := string(r.rest[:n])
	r.rest = r.rest[n:]
	p, err := parsePeriod(text, r.zone)
	if err != nil {
		r.err, r.rest = fmt.Errorf("%w: %w", errForm, err), nil
	}
	return p
}
