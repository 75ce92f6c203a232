package gorilla

import (
	"hash/maphash"
	"math"
	"reflect"
)

// seed is one for the process: fingerprints are compared within a request.
var seed = maphash.MakeSeed()

// maxDepth ends the fingerprint of a value that leads back to itself, which gob can't encode either.
const maxDepth = 64

// fingerprint tells a value from what it becomes when somebody changes it in place, with an error of 1 in 2⁶⁴. Comparing it with
// a copy would take a second decoding.
func fingerprint(v any) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	sum(&h, reflect.ValueOf(v), 0)
	return h.Sum64()
}

func sum(h *maphash.Hash, v reflect.Value, depth int) {
	if depth > maxDepth || !v.IsValid() {
		h.WriteByte(0)
		return
	}
	h.WriteByte(byte(v.Kind()))
	switch v.Kind() {
	case reflect.Bool:
		if v.Bool() {
			h.WriteByte(1)
		} else {
			h.WriteByte(2)
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		word(h, uint64(v.Int()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		word(h, v.Uint())
	case reflect.Float32, reflect.Float64:
		word(h, math.Float64bits(v.Float()))
	case reflect.Complex64, reflect.Complex128:
		word(h, math.Float64bits(real(v.Complex())))
		word(h, math.Float64bits(imag(v.Complex())))
	case reflect.String:
		word(h, uint64(v.Len()))
		h.WriteString(v.String())
	case reflect.Slice, reflect.Array:
		word(h, uint64(v.Len()))
		if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
			h.Write(v.Bytes())
			return
		}
		for i := range v.Len() {
			sum(h, v.Index(i), depth+1)
		}
	case reflect.Map:
		word(h, uint64(v.Len()))
		var all uint64 // in whatever order they come
		for entry := v.MapRange(); entry.Next(); {
			var one maphash.Hash
			one.SetSeed(seed)
			sum(&one, entry.Key(), depth+1)
			sum(&one, entry.Value(), depth+1)
			all += one.Sum64()
		}
		word(h, all)
	case reflect.Struct:
		for i := range v.NumField() {
			sum(h, v.Field(i), depth+1)
		}
	case reflect.Pointer, reflect.Interface:
		if v.Kind() == reflect.Interface && !v.IsNil() {
			h.WriteString(v.Elem().Type().String())
		}
		sum(h, v.Elem(), depth+1)
	}
}

func word(h *maphash.Hash, n uint64) {
	maphash.WriteComparable(h, n)
}
