// Package frame is the one form in which Hardy lays named values side by side, in a session and in a jar:
// a format byte, then for each value in ascending order of its key
//
//	uvarint(len key) key uvarint(len value) value
//
// Reading one value of twenty touches one; merging by key needs no decoding. The form is frozen: the test
// vectors hold it.
package frame

import (
	"bytes"
	"encoding/binary"
	"errors"
	"iter"
	"slices"
	"strings"
)

const format = 1

// ErrMalformed is what Parse answers for anything that Apply has not written.
var ErrMalformed = errors.New("frame: malformed")

// Frame is a parsed frame; nil is the empty one. It is never modified, and values returned from it share its bytes.
type Frame []byte

// Parse checks all of b, so that the other methods cannot fail: form, ascending keys, shortest lengths.
func Parse(b []byte) (Frame, error) {
	if len(b) == 0 || b[0] != format {
		return nil, ErrMalformed
	}
	var last []byte
	for rest := b[1:]; len(rest) > 0; {
		key, after, ok := take(rest)
		if !ok || last != nil && bytes.Compare(key, last) <= 0 {
			return nil, ErrMalformed
		}
		if _, rest, ok = take(after); !ok {
			return nil, ErrMalformed
		}
		last = key
	}
	return b, nil
}

// take cuts a length and that many bytes off the front of b.
func take(b []byte) (field, rest []byte, ok bool) {
	if len(b) > 0 && b[0] < 0x80 { // most lengths are one byte
		if end := 1 + int(b[0]); end <= len(b) {
			return b[1:end], b[end:], true
		}
		return nil, nil, false
	}
	n, w := binary.Uvarint(b)
	if w <= 0 || w > 1 && b[w-1] == 0 || n > uint64(len(b)-w) {
		return nil, nil, false
	}
	return b[w : w+int(n)], b[w+int(n):], true
}

// All yields keys and values in ascending order of the keys.
func (f Frame) All() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		if len(f) == 0 {
			return
		}
		for rest := f[1:]; len(rest) > 0; {
			var key, value []byte
			key, rest, _ = take(rest)
			value, rest, _ = take(rest)
			if !yield(string(key), value) {
				return
			}
		}
	}
}

// Get returns the value under key.
func (f Frame) Get(key string) ([]byte, bool) {
	if len(f) == 0 {
		return nil, false
	}
	for rest := f[1:]; len(rest) > 0; {
		var name, value []byte
		name, rest, _ = take(rest)
		value, rest, _ = take(rest)
		if string(name) == key {
			return value, true
		}
		if string(name) > key {
			break
		}
	}
	return nil, false
}

// Change sets a value, or removes it where Value is nil.
type Change struct {
	Key   string
	Value []byte
}

// Apply returns base with changes made. Of two changes of one key the later counts.
func Apply(base Frame, changes []Change) Frame {
	sorted := make([]Change, 0, 8)
	for _, c := range changes {
		at, found := slices.BinarySearchFunc(sorted, c.Key, func(s Change, key string) int { return strings.Compare(s.Key, key) })
		if found {
			sorted[at] = c
		} else {
			sorted = slices.Insert(sorted, at, c)
		}
	}
	size := max(1, len(base))
	for _, c := range sorted {
		size += len(c.Key) + len(c.Value) + 2*binary.MaxVarintLen16
	}
	out := Begin(make([]byte, 0, size))
	next := 0
	for key, value := range base.All() {
		for next < len(sorted) && sorted[next].Key < key {
			out = put(out, sorted[next])
			next++
		}
		if next < len(sorted) && sorted[next].Key == key {
			out = put(out, sorted[next])
			next++
			continue
		}
		out = put(out, Change{key, value})
	}
	for ; next < len(sorted); next++ {
		out = put(out, sorted[next])
	}
	return out
}

func put(b []byte, c Change) []byte {
	if c.Value == nil {
		return b
	}
	return append(Field(b, c.Key, len(c.Value)), c.Value...)
}

// Begin appends what a frame begins with. Field by field, in ascending order of the keys, the caller appends the rest.
func Begin(b []byte) []byte { return append(b, format) }

// Field appends a key and the size of its value, which the caller appends next.
func Field(b []byte, key string, size int) []byte {
	b = binary.AppendUvarint(b, uint64(len(key)))
	b = append(b, key...)
	return binary.AppendUvarint(b, uint64(size))
}
