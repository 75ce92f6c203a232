// Package gobwire reads what package gob has written of a map of values, without decoding it: each value has its name, its
// type's name and its length before it.
//
// A copy of it is in compat/scs, which cannot import internal packages of ours; compat/testapps.TestCopies keeps them alike.
package gobwire

import (
	"bytes"
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
	in := reader{Reader: Reader{data, true}}
	for {
		start := in.B
		message := in.Bytes()
		body := reader{Reader: Reader{message, in.OK}}
		if body.Int() >= 0 {
			if !in.OK {
				return s, false
			}
			in.B = start
			break
		}
		s.Definitions = append(s.Definitions, start[:len(start)-len(in.B)])
	}
	in.message()
	first := in.B
	in.Int()
	if !shape.begin(&in) {
		s.Message = AppendBytes(nil, first)
		return s, in.OK && len(in.B) == 0 && in.after == 0
	}
	head := first[:len(first)-len(in.B)]
	count := uint64(0)
	var kept []byte
	for range in.Uint() {
		name, text, under := in.name(shape, &s)
		kind, value := in.value(&s)
		if !in.OK {
			return s, false
		}
		if keep == nil || keep(name, text, kind) {
			kept = append(append(kept, under.name...), under.rest...)
			kept = append(append(kept, value.name...), value.rest...)
			count++
		}
	}
	end := shape.end()
	if !in.OK || !bytes.Equal(in.B, end) || in.after != 0 {
		return s, false
	}
	s.Message = AppendBytes(nil, slices.Concat(head, AppendUint(nil, count), kept, end))
	slices.SortFunc(s.Definitions, bytes.Compare)
	return s, true
}

// Bytes is what gob reads.
func (s Split) Bytes() []byte { return append(slices.Concat(s.Definitions...), s.Message...) }

// begin reads to the map, and says whether there is one.
func (s Shape) begin(in *reader) bool {
	if s == Bare {
		return in.Uint() == 0
	}
	if in.Uint() == 1 {
		in.Bytes() // the deadline
		return in.Uint() == 1
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

// reader is in a message.
type reader struct {
	Reader
	after int // bytes behind the message
}

// message begins one. It ends where a type is defined, and another goes on with what holds the value.
func (r *reader) message() {
	n := r.Uint()
	if n > uint64(len(r.B)) {
		r.Fail()
		return
	}
	r.after = len(r.B) - int(n)
}

// name reads what a value lies under.
func (r *reader) name(shape Shape, s *Split) (name []byte, text bool, under held) {
	if shape == Row {
		start := r.B
		name = r.Bytes()
		return name, true, held{name: start[:len(start)-len(r.B)]}
	}
	kind, under := r.value(s)
	if string(kind) != "string" {
		return kind, false, under
	}
	in := reader{Reader: Reader{under.rest, r.OK}}
	in.Int()
	in = reader{Reader: Reader{in.Bytes(), in.OK}}
	in.Uint()
	name = in.Bytes()
	r.OK = r.OK && in.OK
	return name, true, under
}

// held is what an interface holds, but for definitions of types.
type held struct {
	name []byte // of the type, its length before it
	rest []byte // number of the type, length, value
}

// value reads an interface, and adds the definitions of types in it to s. kind is the name of its type, empty for nil.
func (r *reader) value(s *Split) (kind []byte, value held) {
	start := r.B
	kind = r.Bytes()
	value.name = start[:len(start)-len(r.B)]
	if len(kind) == 0 {
		return nil, value
	}
	for {
		start = r.B
		if r.Int() >= 0 {
			break
		}
		r.definition()
		s.Definitions = append(s.Definitions, AppendBytes(nil, start[:len(start)-len(r.B)]))
		if len(r.B) != r.after {
			r.Fail()
		}
		r.message()
	}
	r.Bytes()
	value.rest = start[:len(start)-len(r.B)]
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
		on := r.Uint()
		if on == 0 {
			return
		}
		if on > 7 || kind >= itself+2 {
			r.Fail()
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
		on := r.Uint()
		if on == 0 {
			return
		}
		if on > uint64(len(parts)-1-next) {
			r.Fail()
			return
		}
		next += int(on)
		switch parts[next] {
		case text:
			r.Bytes()
		case number:
			r.Int()
		case common:
			r.fields(text, number)
		case fieldList:
			for n := r.Uint(); n > 0 && r.OK; n-- {
				r.fields(text, number)
			}
		}
	}
}
