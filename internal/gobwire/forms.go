package gobwire

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// Reader reads gob's basic forms. After the first thing that is not one, OK is false, and all that follows zero.
type Reader struct {
	B  []byte // what is left
	OK bool
}

// Fail has nothing more be read.
func (r *Reader) Fail() { r.B, r.OK = nil, false }

// Uint is one byte below 128, or the number of its bytes, negated, and these, the most significant first.
func (r *Reader) Uint() uint64 {
	if len(r.B) == 0 {
		r.Fail()
		return 0
	}
	first := r.B[0]
	r.B = r.B[1:]
	if first < 0x80 {
		return uint64(first)
	}
	n := -int(int8(first))
	if n > 8 || n > len(r.B) {
		r.Fail()
		return 0
	}
	var full [8]byte
	copy(full[8-n:], r.B)
	r.B = r.B[n:]
	return binary.BigEndian.Uint64(full[:])
}

// Int is a Uint with the sign in its last bit.
func (r *Reader) Int() int64 {
	u := r.Uint()
	if u&1 != 0 {
		return ^int64(u >> 1)
	}
	return int64(u >> 1)
}

// Bytes are their number, and these.
func (r *Reader) Bytes() []byte {
	n := r.Uint()
	if n > uint64(len(r.B)) {
		r.Fail()
		return nil
	}
	b := r.B[:n]
	r.B = r.B[n:]
	return b
}

// AppendUint writes a Uint.
func AppendUint(b []byte, u uint64) []byte {
	if u < 0x80 {
		return append(b, byte(u))
	}
	n := (bits.Len64(u) + 7) / 8
	b = append(b, byte(-n))
	for i := n - 1; i >= 0; i-- {
		b = append(b, byte(u>>(8*i)))
	}
	return b
}

// AppendInt writes an Int.
func AppendInt(b []byte, i int64) []byte {
	if i < 0 {
		return AppendUint(b, uint64(^i)<<1|1)
	}
	return AppendUint(b, uint64(i)<<1)
}

// AppendBytes writes Bytes.
func AppendBytes[T string | []byte](b []byte, text T) []byte {
	return append(AppendUint(slices.Grow(b, len(text)+9), uint64(len(text))), text...)
}
