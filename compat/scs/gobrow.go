package scs

import (
	"bytes"
	"math"
	"math/bits"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2/internal/gobwire"
)

// Package gob sends with each row what the types in it look like, and compiles that anew each time: ten times the work of
// reading the values. Here rows are read and written directly that begin as one did which gob has read or written in this
// process, and hold nothing but values of basic types. All others are gob's. The fuzz tests hold both against each other.
//
// A row is messages, each with its length before it: definitions of types, then
//
//	type of the struct ‖ 1 ‖ length ‖ deadline (time.MarshalBinary) ‖ 1 ‖ number of values ‖ values ‖ 0
//
// and a value is its name, the name of its type, the number of its type, a length, 0, and what it is.

// shape is what a row has before its values: the definitions of types, and the number of the struct's.
type shape struct {
	definitions []byte
	id          int64
}

func (a shape) is(b shape) bool { return a.id == b.id && bytes.Equal(a.definitions, b.definitions) }

// shapes are those of rows that gob has read in this process, and that can be read directly: the same for all rows that
// one binary wrote.
var shapes struct {
	mu    sync.Mutex // for writing
	known atomic.Pointer[[]shape]
}

const mostShapes = 16

func known(s shape) bool {
	all := shapes.known.Load()
	return all != nil && slices.ContainsFunc(*all, s.is)
}

// learn remembers the shape of a row where reading it directly gives what gob has read.
func learn(row []byte, deadline time.Time, values map[string]any) {
	s, rest, ok := splitRow(row)
	if !ok || len(values) == 0 || known(s) {
		return
	}
	d, v, ok := readValues(rest)
	if !ok || !reflect.DeepEqual(d, deadline) || !reflect.DeepEqual(v, values) {
		return
	}
	shapes.mu.Lock()
	defer shapes.mu.Unlock()
	var all []shape
	if p := shapes.known.Load(); p != nil {
		all = *p
	}
	if len(all) < mostShapes && !known(s) {
		all = append(slices.Clone(all), shape{bytes.Clone(s.definitions), s.id})
		shapes.known.Store(&all)
	}
}

// splitRow finds the message with the values, which has to be the last one.
func splitRow(row []byte) (s shape, rest []byte, ok bool) {
	in := gobwire.Reader{B: row, OK: true}
	for in.OK {
		s.definitions = row[:len(row)-len(in.B)]
		body := gobwire.Reader{B: in.Bytes(), OK: in.OK}
		if s.id = body.Int(); s.id > 0 {
			return s, body.B, body.OK && len(in.B) == 0
		}
	}
	return s, nil, false
}

// readRow reads a row directly, where it can.
func readRow(row []byte) (deadline time.Time, values map[string]any, ok bool) {
	s, rest, ok := splitRow(row)
	if !ok || !known(s) {
		return deadline, nil, false
	}
	return readValues(rest)
}

func readValues(b []byte) (deadline time.Time, values map[string]any, ok bool) {
	in := gobwire.Reader{B: b, OK: true}
	if in.Uint() != 1 || deadline.UnmarshalBinary(in.Bytes()) != nil || in.Uint() != 1 {
		return time.Time{}, nil, false
	}
	n := in.Uint()
	if n > uint64(len(b)) {
		return time.Time{}, nil, false
	}
	values = make(map[string]any, n)
	for range n {
		name := string(in.Bytes())
		v := readValue(&in)
		if !in.OK {
			break
		}
		values[name] = v
	}
	return deadline, values, in.Uint() == 0 && in.OK && len(in.B) == 0 && uint64(len(values)) == n
}

// The numbers of gob's basic types.
const (
	gobBool, gobInt, gobUint, gobFloat, gobBytes, gobString = 1, 2, 3, 4, 5, 6
)

// readValue reads one value behind its name.
func readValue(r *gobwire.Reader) any {
	kind := r.Bytes()
	if len(kind) == 0 {
		return nil
	}
	id, body := r.Int(), r.Bytes()
	in := gobwire.Reader{B: body, OK: r.OK}
	if in.Uint() != 0 {
		r.Fail()
		return nil
	}
	var v any
	var is int64
	switch string(kind) {
	case "string":
		v, is = string(in.Bytes()), gobString
	case "int":
		v, is = in.Int(), gobInt
		v = int(v.(int64))
	case "int64":
		v, is = in.Int(), gobInt
	case "int32":
		n := in.Int()
		v, is, in.OK = int32(n), gobInt, in.OK && int64(int32(n)) == n
	case "bool":
		n := in.Uint()
		v, is, in.OK = n == 1, gobBool, in.OK && n <= 1
	case "float64":
		v, is = math.Float64frombits(bits.ReverseBytes64(in.Uint())), gobFloat
	case "uint":
		v, is = uint(in.Uint()), gobUint
	case "uint64":
		v, is = in.Uint(), gobUint
	case "[]uint8":
		v, is = append([]byte(nil), in.Bytes()...), gobBytes // an empty one is nil, as gob has it
	}
	if is == 0 || is != id || !in.OK || len(in.B) != 0 {
		r.Fail()
	}
	return v
}

// ownShape is that of rows which this process writes; its id is 0 where they can't be written directly.
var ownShape = sync.OnceValue(func() shape {
	deadline, values := time.Unix(1, 0).UTC(), map[string]any{"n": 1}
	row, err := encodeByGob(deadline, values)
	if err != nil {
		return shape{}
	}
	s, _, ok := splitRow(row)
	if again, fine := appendRow(s, deadline, values); !ok || !fine || !bytes.Equal(again, row) {
		return shape{}
	}
	learn(row, deadline, values)
	return s
})

// writeRow writes a row directly, where it can: the bytes that gob would write, in some order of the values, as there.
func writeRow(deadline time.Time, values map[string]any) (row []byte, ok bool) {
	if values == nil {
		return nil, false
	}
	return appendRow(ownShape(), deadline, values)
}

func appendRow(s shape, deadline time.Time, values map[string]any) (row []byte, ok bool) {
	if s.id == 0 || deadline.IsZero() {
		return nil, false
	}
	moment, err := deadline.MarshalBinary()
	if err != nil {
		return nil, false
	}
	body := gobwire.AppendInt(make([]byte, 0, 64+40*len(values)), s.id)
	body = gobwire.AppendBytes(append(body, 1), moment)
	body = gobwire.AppendUint(append(body, 1), uint64(len(values)))
	var room [64]byte
	for name, v := range values {
		if body, ok = appendValue(gobwire.AppendBytes(body, name), v, room[:0]); !ok {
			return nil, false
		}
	}
	body = append(body, 0)
	row = append(make([]byte, 0, len(s.definitions)+9+len(body)), s.definitions...)
	return append(gobwire.AppendUint(row, uint64(len(body))), body...), true
}

// appendValue appends v behind its name. room is for what it is.
func appendValue(b []byte, v any, room []byte) (_ []byte, ok bool) {
	kind, id, is := "", int64(0), append(room, 0)
	switch v := v.(type) {
	case nil:
		return append(b, 0), true
	case string:
		kind, id, is = "string", gobString, gobwire.AppendBytes(is, v)
	case int:
		kind, id, is = "int", gobInt, gobwire.AppendInt(is, int64(v))
	case int64:
		kind, id, is = "int64", gobInt, gobwire.AppendInt(is, v)
	case int32:
		kind, id, is = "int32", gobInt, gobwire.AppendInt(is, int64(v))
	case bool:
		kind, id, is = "bool", gobBool, append(is, 0)
		if v {
			is[1] = 1
		}
	case float64:
		kind, id, is = "float64", gobFloat, gobwire.AppendUint(is, bits.ReverseBytes64(math.Float64bits(v)))
	case uint:
		kind, id, is = "uint", gobUint, gobwire.AppendUint(is, uint64(v))
	case uint64:
		kind, id, is = "uint64", gobUint, gobwire.AppendUint(is, v)
	case []byte:
		kind, id, is = "[]uint8", gobBytes, gobwire.AppendBytes(is, v)
	default:
		return nil, false
	}
	return gobwire.AppendBytes(gobwire.AppendInt(gobwire.AppendBytes(b, kind), id), is), true
}
