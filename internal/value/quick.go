package value

import (
	"encoding/binary"
	"math"
)

// Read is Decode for a value of its own. It is quicker for the kinds that Append is quicker for.
func Read[T any](b []byte) (T, error) {
	if v, ok := quick[T](b); ok {
		return v, nil
	}
	return slow[T](b)
}

func slow[T any](b []byte) (T, error) {
	var v, zero T
	if err := Decode(b, &v); err != nil {
		return zero, err
	}
	return v, nil
}

// quick reads what Append writes without the library. Of anything else ok is false, and Decode judges.
func quick[T any](b []byte) (v T, ok bool) {
	major, n, rest, ok := shortest(b)
	if !ok {
		return v, false
	}
	whole := len(rest) == 0 && n <= math.MaxInt64
	switch p := any(&v).(type) { // by address, as that allocates nothing
	case *int:
		*p, ok = int(signed(major, n)), major <= 1 && whole
	case *int64:
		*p, ok = signed(major, n), major <= 1 && whole
	case *string:
		if ok = major == 3 && n == uint64(len(rest)) && n <= maxBytes; ok {
			*p = string(rest)
		}
	case *bool:
		*p, ok = n == 21, major == 7 && (n == 20 || n == 21) && len(b) == 1
	default:
		ok = false
	}
	return v, ok
}

func signed(major byte, n uint64) int64 {
	if major == 1 {
		return ^int64(n)
	}
	return int64(n)
}

// shortest takes a head off b, in the only form that head writes.
func shortest(b []byte) (major byte, n uint64, rest []byte, ok bool) {
	if len(b) == 0 {
		return 0, 0, nil, false
	}
	major, info := b[0]>>5, b[0]&31
	width := 0
	if info >= 24 {
		if width = 1 << (info - 24); info > 27 || len(b) < 1+width {
			return 0, 0, nil, false
		}
	}
	rest = b[1+width:]
	switch info {
	case 24:
		n = uint64(b[1])
		ok = n >= 24
	case 25:
		n = uint64(binary.BigEndian.Uint16(b[1:]))
		ok = n > math.MaxUint8
	case 26:
		n = uint64(binary.BigEndian.Uint32(b[1:]))
		ok = n > math.MaxUint16
	case 27:
		n = binary.BigEndian.Uint64(b[1:])
		ok = n > math.MaxUint32
	default:
		n, ok = uint64(info), true
	}
	return major, n, rest, ok
}
