package scs

import (
	"reflect"
	"sync"
	"time"
)

// immutable says whether a value can't be changed through a copy of it, so that several requests may hold the same.
func immutable(v any) bool {
	return scalar(v) || v == nil || immutableType(reflect.TypeOf(v))
}

// scalar says whether v is of one of the types that gob and Go agree on to the last bit: what is read back is what was
// stored.
func scalar(v any) bool {
	switch v.(type) {
	case string, bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, float32, float64:
		return true
	}
	return false
}

// immutableTypes remembers what immutableType found, as types do not change: it has no other influence.
var immutableTypes sync.Map // reflect.Type → bool

func immutableType(t reflect.Type) bool {
	if known, ok := immutableTypes.Load(t); ok {
		return known.(bool)
	}
	is := false
	switch k := t.Kind(); {
	case t == reflect.TypeFor[time.Time]():
		is = true // its location is never written to
	case k == reflect.Struct:
		is = true
		for f := range t.Fields() {
			is = is && immutableType(f.Type)
		}
	case k == reflect.Array:
		is = immutableType(t.Elem())
	case k == reflect.String, k >= reflect.Bool && k <= reflect.Complex128:
		is = true
	}
	immutableTypes.Store(t, is)
	return is
}
