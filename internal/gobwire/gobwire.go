// Package gobwire reads what package gob has written of a map of values, without decoding it: each value has its name, its
// type's name and its length before it.
//
// A copy of it is in compat/scs, which cannot import internal packages of ours; compat/testapps.TestCopies keeps them alike.
package gobwire

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
)

// Shape is what the map is in.
type Shape uint8

const (
	Bare Shape = iota // map[any]any by itself, as gorilla's sessions are
	Row               // a struct of a deadline, which encodes itself, and map[string]any, as scs's are
)

// Split is a map of values as gob has written it, in two parts.
type Split struct {
	// Definitions are those of types, each a message of gob's with its length before it, in an order that does not depend on that
	// of the values.
	Definitions [][]byte
	// Message is the one with the values, its length before it.
	Message []byte
}

// Of splits what gob has written, the values for which keep is false left out: name is what a value lies under, and if that is
// no text, which is said by text, the name of its type; kind is the name of the value's type, empty for nil. A nil keep keeps all.
//
// ok is false for anything else, and where a type is first met within a value, in an interface there: gob defines it in the midst
// of it, and cuts its length short.
func Of(data []byte, shape Shape, keep func(name []byte, text bool, kind []byte) bool) (s Split, ok bool) {
	in := reader{b: data, ok: true}
	for {
		start := in.b
		message := in.bytes()
		body := reader{b: message, ok: in.ok}
		if body.int() >= 0 {
			if !in.ok {
				return s, false
			}
			in.b = start
			break
		}
		s.Definitions = append(s.Definitions, start[:len(start)-len(in.b)])
	}
	in.message()
	first := in.b
	in.int()
	if !shape.begin(&in) {
		s.Message = appendBytes(nil, first)
		return s, in.ok && len(in.b) == 0 && in.after == 0
	}
	head := first[:len(first)-len(in.b)]
	count := uint64(0)
	var kept []byte
	for range in.uint() {
		name, text, under := in.name(shape, &s)
		kind, value := in.value(&s)
		if !in.ok {
			return s, false
		}
		if keep == nil || keep(name, text, kind) {
			kept = append(append(kept, under.name...), under.rest...)
			kept = append(append(kept, value.name...), value.rest...)
			count++
		}
	}
	end := shape.end()
	if !in.ok || !bytes.Equal(in.b, end) || in.after != 0 {
		return s, false
	}
	s.Message = appendBytes(nil, slices.Concat(head, appendUint(nil, count), kept, end))
	slices.SortFunc(s.Definitions, bytes.Compare)
	return s, true
}

// Bytes is what gob reads.
func (s Split) Bytes() []byte { return append(slices.Concat(s.Definitions...), s.Message...) }

// begin reads to the map, and says whether there is one.
func (s Shape) begin(in *reader) bool {
	if s == Bare {
		return in.uint() == 0
	}
	if in.uint() == 1 {
		in.bytes() // the deadline
		return in.uint() == 1
	}
	return false
}

// end is what comes behind the map.
func (s Shape) end() []byte {
	if s == Row {
		return []byte{0}
	}
	return nil
}

// reader reads gob's basic forms. After the first thing that is not one, ok is false, and all that follows zero.
type reader struct {
	b     []byte
	ok    bool
	after int // bytes behind the message that it is in
}

// message begins one. It ends where a type is defined, and another goes on with what holds the value.
func (r *reader) message() {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.fail()
		return
	}
	r.after = len(r.b) - int(n)
}

func (r *reader) fail() { r.b, r.ok = nil, false }

// uint is one byte below 128, or the number of its bytes, negated, and these, the most significant first.
func (r *reader) uint() uint64 {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	first := r.b[0]
	r.b = r.b[1:]
	if first < 0x80 {
		return uint64(first)
	}
	n := -int(int8(first))
	if n > 8 || n > len(r.b) {
		r.fail()
		return 0
	}
	var full [8]byte
	copy(full[8-n:], r.b)
	r.b = r.b[n:]
	return binary.BigEndian.Uint64(full[:])
}

func (r *reader) int() int64 {
	u := r.uint()
	if u&1 != 0 {
		return ^int64(u >> 1)
	}
	return int64(u >> 1)
}

func (r *reader) bytes() []byte {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

// name reads what a value lies under.
func (r *reader) name(shape Shape, s *Split) (name []byte, text bool, under held) {
	if shape == Row {
		start := r.b
		name = r.bytes()
		return name, true, held{name: start[:len(start)-len(r.b)]}
	}
	kind, under := r.value(s)
	if string(kind) != "string" {
		return kind, false, under
	}
	in := reader{b: under.rest, ok: r.ok}
	in.int()
	in = reader{b: in.bytes(), ok: in.ok}
	in.uint()
	name = in.bytes()
	r.ok = r.ok && in.ok
	return name, true, under
}

// held is what an interface holds, but for definitions of types.
type held struct {
	name []byte // of the type, its length before it
	rest []byte // number of the type, length, value
}

// value reads an interface, and adds the definitions of types in it to s. kind is the name of its type, empty for nil.
func (r *reader) value(s *Split) (kind []byte, value held) {
	start := r.b
	kind = r.bytes()
	value.name = start[:len(start)-len(r.b)]
	if len(kind) == 0 {
		return nil, value
	}
	for {
		start = r.b
		if r.int() >= 0 {
			break
		}
		r.definition()
		s.Definitions = append(s.Definitions, appendBytes(nil, start[:len(start)-len(r.b)]))
		if len(r.b) != r.after {
			r.fail()
		}
		r.message()
	}
	r.bytes()
	value.rest = start[:len(start)-len(r.b)]
	return kind, value
}

// definition reads over the definition of a type: gob's wireType, which is frozen with its format.
func (r *reader) definition() {
	const (
		array = iota // of what, how many
		slice
		structure
		dictionary
		itself // one of three ways in which it encodes itself
	)
	for kind := -1; ; {
		on := r.uint()
		if on == 0 {
			return
		}
		if on > 7 || kind >= itself+2 {
			r.fail()
			return
		}
		switch kind += int(on); kind {
		case array, dictionary:
			r.fields(common, number, number)
		case slice:
			r.fields(common, number)
		case structure:
			r.fields(common, fieldList)
		default:
			r.fields(common)
		}
	}
}

// part is a field of gob's own structs.
type part uint8

const (
	text part = iota
	number
	common    // name and number of a type
	fieldList // of a struct
)

// fields reads a struct: of each field that is not zero how many fields on it is, and itself; then 0.
func (r *reader) fields(parts ...part) {
	for next := -1; ; {
		on := r.uint()
		if on == 0 {
			return
		}
		if on > uint64(len(parts)-1-next) {
			r.fail()
			return
		}
		next += int(on)
		switch parts[next] {
		case text:
			r.bytes()
		case number:
			r.int()
		case common:
			r.fields(text, number)
		case fieldList:
			for n := r.uint(); n > 0 && r.ok; n-- {
				r.fields(text, number)
			}
		}
	}
}

func appendUint(b []byte, u uint64) []byte {
	if u < 0x80 {
		return append(b, byte(u))
	}
	n := (bits.Len64(u) + 7) / 8
	full := binary.BigEndian.AppendUint64(nil, u)
	return append(append(b, byte(-n)), full[8-n:]...)
}

func appendBytes(b, text []byte) []byte {
	return append(appendUint(slices.Grow(b, len(text)+9), uint64(len(text))), text...)
}
