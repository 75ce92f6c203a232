// Package value turns Go values into bytes and back: CBOR (RFC 8949) under modes that never change.
//
// A value that Check and CheckValue let pass reads back equal into its own type. Inside an any it reads
// back as the plain kind: nil, bool, int64, float64, string, []byte, time.Time, []any, map[string]any.
// Struct fields follow the tags of encoding/json, or of cbor where there are any.
package value

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"

	"github.com/fxamacker/cbor/v2"
)

// Encode refuses what is larger, so that no length that Decode allows is met by what Encode wrote.
const maxBytes = 16 << 20

// maxDepth is how deep lists, maps and tags nest: CheckValue refuses more, and so does Decode.
const maxDepth = 32

// The modes are frozen: values outlive the program that wrote them. The vectors in testdata hold them.
var (
	encMode = must(cbor.EncOptions{
		Sort:          cbor.SortCoreDeterministic,
		ShortestFloat: cbor.ShortestFloat16,
		NaNConvert:    cbor.NaNConvert7e00,
		InfConvert:    cbor.InfConvertFloat16,
		Time:          cbor.TimeRFC3339Nano, // the default cuts to seconds
		TimeTag:       cbor.EncTagRequired,  // or a time inside an any would read back as text
		IndefLength:   cbor.IndefLengthForbidden,
		TextMarshaler: cbor.TextMarshalerTextString,
	}.EncMode())

	decMode = must(cbor.DecOptions{
		DupMapKey:            cbor.DupMapKeyEnforcedAPF,
		TimeTag:              cbor.DecTagRequired,
		MaxNestedLevels:      maxDepth,
		MaxArrayElements:     maxBytes,
		MaxMapPairs:          maxBytes,
		IndefLength:          cbor.IndefLengthForbidden,
		IntDec:               cbor.IntDecConvertSignedOrFail, // the default gives uint64 and int64 by turns
		MapKeyByteString:     cbor.MapKeyByteStringForbidden,
		DefaultMapType:       reflect.TypeFor[map[string]any](), // the default gives map[any]any
		UTF8:                 cbor.UTF8DecodeInvalid,            // a Go string may hold any bytes; what was stored reads back
		FieldNameMatching:    cbor.FieldNameMatchingCaseSensitive,
		UnrecognizedTagToAny: cbor.UnrecognizedTagContentToAny,
		SimpleValues:         must(cbor.NewSimpleValueRegistryFromDefaults(onlyBoolAndNull()...)),
		TextUnmarshaler:      cbor.TextUnmarshalerTextString,
	}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func onlyBoolAndNull() (refused []func(*cbor.SimpleValueRegistry) error) {
	for v := range 256 {
		if v >= 20 && v <= 22 || v >= 24 && v <= 31 { // false, true, null; not simple values
			continue
		}
		refused = append(refused, cbor.WithRejectedSimpleValue(cbor.SimpleValue(v)))
	}
	return refused
}

// Encode returns the one encoding of v: equal values give equal bytes.
//
// The type of v has passed Check, and v itself CheckValue where Dynamic says so: Encode finds out too
// late that a pointer leads back to itself.
func Encode(v any) ([]byte, error) {
	b, err := encMode.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("cannot be encoded: %w", err)
	}
	if len(b) > maxBytes {
		return nil, fmt.Errorf("cannot be encoded: %d bytes; at most %d", len(b), maxBytes)
	}
	return b, nil
}

// Append appends what Encode returns to b. It is quicker for the kinds that most values are.
func Append[T any](b []byte, v T) ([]byte, error) {
	switch p := any(&v).(type) { // by address, as that allocates nothing
	case *string:
		return append(head(b, 3<<5, uint64(len(*p))), *p...), nil
	case *int:
		return integer(b, int64(*p)), nil
	case *int64:
		return integer(b, *p), nil
	case *bool:
		if *p {
			return append(b, 0xf5), nil
		}
		return append(b, 0xf4), nil
	}
	encoded, err := Encode(v)
	return append(b, encoded...), err
}

func integer(b []byte, n int64) []byte {
	if n < 0 {
		return head(b, 1<<5, uint64(^n))
	}
	return head(b, 0<<5, uint64(n))
}

// head is a CBOR head in its shortest form (RFC 8949, 3).
func head(b []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n <= math.MaxUint8:
		return append(b, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, major|27), n)
}

var errMalformed = errors.New("the stored bytes are not a value of the frozen form, or its type refuses them")

// Decode reads b, all of it, into the zero value that p points to; on an error it may be half filled.
// The error names types, never what was stored.
func Decode(b []byte, p any) error {
	if len(b) > maxBytes {
		return errMalformed
	}
	err := decMode.Unmarshal(b, p)
	if err == nil {
		return nil
	}
	// The library's texts quote keys, numbers and times.
	if mismatch, ok := errors.AsType[*cbor.UnmarshalTypeError](err); ok {
		return fmt.Errorf("stored as %s, which %s cannot hold", mismatch.CBORType, mismatch.GoType)
	}
	return errMalformed
}
