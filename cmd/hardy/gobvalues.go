package main

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/gob"
	"math/bits"
	"slices"
	"sync"
	"time"
)

// A map of values by gob can be decoded where each of their types is known to the program, and not at all otherwise. This
// program knows none of an app's own. So what is of another type than a plain one is first taken out of gob's bytes, where each
// value has its name, its type's name and its length before it.

// plainTypes are those whose values are carried over, as gob names them.
var plainTypes = []string{
	"string", "bool", "int", "int8", "int16", "int32", "int64", "uint", "uint8", "uint16", "uint32", "uint64", "float32", "float64",
	"[]uint8", "[]string", "[]bool", "[]int", "[]int32", "[]int64", "[]uint", "[]uint32", "[]uint64", "[]float32", "[]float64",
	"time.Time", "map[string]string",
}

// register tells gob the plain types that it does not know by itself.
var register = sync.OnceFunc(func() {
	gob.Register(time.Time{})
	gob.Register(map[string]string{})
})

// plainRow takes out of a row of scs's codec, a struct of a deadline and map[string]any, what is not of a plain type.
func plainRow(row []byte) (plain []byte, left []leftover, err error) {
	return plainly(row, func(in *gobReader) bool {
		if in.uint() == 1 {
			in.bytes() // the deadline
			return in.uint() == 1
		}
		return false
	}, (*gobReader).text, []byte{0})
}

// plainMap does so with map[any]any, and takes what is not under a text out, too.
func plainMap(row []byte) (plain []byte, left []leftover, err error) {
	return plainly(row, func(in *gobReader) bool { return in.uint() == 0 }, (*gobReader).name, nil)
}

// plainly goes through gob's messages, each with its length before it: definitions of types, then the number of the type, what
// stands before the map, the number of its entries, and these. A type that is first met in a value is defined there, which ends
// the message. begin reads to the map, and says whether there is one; name
// reads what a value lies under; end is what has to come behind the map.
//
// A type that is first met within a value, in an interface there, is defined in the midst of it, and cuts its length short. Such a row
// can't be read.
func plainly(row []byte, begin func(*gobReader) bool, name func(*gobReader) (string, bool, []byte), end []byte) (plain []byte, left []leftover, err error) {
	register()
	in := gobReader{row, true}
	for in.ok {
		definitions := row[:len(row)-len(in.b)]
		message := in.bytes()
		body := gobReader{message, in.ok}
		if body.int() < 0 {
			continue
		}
		after := len(message) - len(body.b)
		message = row[len(row)-len(in.b)-len(message):]
		body.b = message[after:]
		if !begin(&body) { // no value at all
			if !body.ok || len(body.b) > 0 {
				break
			}
			return row, nil, nil
		}
		before := message[:len(message)-len(body.b)]
		n := body.uint()
		var kept []byte
		count := uint64(0)
		for range n {
			start := body.b
			under, text, first := name(&body)
			start = start[:len(start)-len(body.b)]
			kind, defined, value := body.value()
			if !body.ok {
				break
			}
			definitions = slices.Concat(definitions, first, defined) // others may rest on what is defined with one that goes
			if text && (kind == "" || slices.Contains(plainTypes, kind)) {
				kept = slices.Concat(kept, start, value)
				count++
			} else {
				left = append(left, leftover{under, kind})
			}
		}
		if !body.ok || !bytes.Equal(body.b, end) {
			break
		}
		next := slices.Concat(before, appendUint(nil, count), kept, end)
		return slices.Concat(definitions, appendUint(nil, uint64(len(next))), next), left, nil
	}
	return nil, nil, errUnreadable
}

// gobReader reads gob's basic forms. After the first thing that is not one, ok is false, and all that follows zero.
type gobReader struct {
	b  []byte
	ok bool
}

// uint is one byte below 128, or the number of its bytes, negated, and these, the most significant first.
func (r *gobReader) uint() uint64 {
	if len(r.b) == 0 {
		r.b, r.ok = nil, false
		return 0
	}
	first := r.b[0]
	r.b = r.b[1:]
	if first < 0x80 {
		return uint64(first)
	}
	n := -int(int8(first))
	if n > 8 || n > len(r.b) {
		r.b, r.ok = nil, false
		return 0
	}
	var full [8]byte
	copy(full[8-n:], r.b)
	r.b = r.b[n:]
	return binary.BigEndian.Uint64(full[:])
}

func appendUint(b []byte, u uint64) []byte {
	if u < 0x80 {
		return append(b, byte(u))
	}
	n := (bits.Len64(u) + 7) / 8
	full := binary.BigEndian.AppendUint64(nil, u)
	return append(append(b, byte(-n)), full[8-n:]...)
}

func (r *gobReader) int() int64 {
	u := r.uint()
	if u&1 != 0 {
		return ^int64(u >> 1)
	}
	return int64(u >> 1)
}

func (r *gobReader) bytes() []byte {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.b, r.ok = nil, false
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *gobReader) text() (name string, text bool, defined []byte) {
	return string(r.bytes()), true, nil
}

// value reads what an interface holds: the name of its type, "" for nil; the definitions of types before it, as messages of
// their own; and what is left without these.
func (r *gobReader) value() (kind string, defined, value []byte) {
	start := r.b
	kind = string(r.bytes())
	value = slices.Clone(start[:len(start)-len(r.b)])
	if kind == "" {
		return kind, nil, value
	}
	for {
		start = r.b
		if r.int() >= 0 {
			break
		}
		r.definition()
		text := start[:len(start)-len(r.b)]
		defined = slices.Concat(defined, appendUint(nil, uint64(len(text))), text)
		r.uint() // the length of the next message, or of what follows in this one
	}
	r.bytes()
	return kind, defined, append(value, start[:len(start)-len(r.b)]...)
}

// definition reads over the definition of a type: gob's wireType, which is frozen with its format.
func (r *gobReader) definition() {
	text, number := func() { r.bytes() }, func() { r.int() }
	common := func() { r.fields(text, number) }
	external := func() { r.fields(common) }
	r.fields(
		func() { r.fields(common, number, number) }, // an array: of what, how many
		func() { r.fields(common, number) },         // a slice
		func() { // a struct
			r.fields(common, func() {
				for n := r.uint(); n > 0 && r.ok; n-- {
					r.fields(text, number)
				}
			})
		},
		func() { r.fields(common, number, number) }, // a map
		external, external, external, // what encodes itself
	)
}

// fields reads a struct: of each field that is not zero how many fields on it is, and itself; then 0.
func (r *gobReader) fields(read ...func()) {
	for next := -1; ; {
		on := r.uint()
		if on == 0 {
			return
		}
		if on > uint64(len(read)-1-next) {
			r.b, r.ok = nil, false
			return
		}
		next += int(on)
		read[next]()
	}
}

// name reads an interface that may hold a text. One that does not is named by its type.
func (r *gobReader) name() (name string, text bool, defined []byte) {
	kind, defined, value := r.value()
	if kind != "string" {
		return "(a key of type " + cmp.Or(kind, "nil") + ")", false, defined
	}
	in := gobReader{value, r.ok}
	in.bytes()
	in.int()
	in = gobReader{in.bytes(), in.ok}
	in.uint()
	name = string(in.bytes())
	r.ok = r.ok && in.ok
	return name, true, nil
}
