package scs

import (
	"reflect"
	"sync"
	"time"
)

// What is decoded once serves many requests: values that can't be changed through a copy as they are, others as a copy for
// each request that asks for them. Of types with parts that can't be copied, such as a pointer in a field that is not
// exported, a row is decoded anew for each request, as scs does.

// trait says how values of a type are shared.
type trait uint8

const (
	immutable trait = iota // as they are
	copyable               // by deepCopy
	dynamic                // by deepCopy, unless an interface in them holds something that can't be copied
	unique                 // not at all
)

// traitOf returns that of v's type; of a dynamic one, what this value is.
func traitOf(v any) trait {
	switch v.(type) {
	case nil, string, bool, int, int64, float64:
		return immutable
	}
	t := traitOfType(reflect.TypeOf(v))
	if t == dynamic {
		if _, ok := deepCopy(reflect.ValueOf(v)); !ok {
			return unique
		}
		return copyable
	}
	return t
}

// traits remembers what traitOfType found, as types do not change: it has no other influence.
var traits sync.Map // reflect.Type → trait

func traitOfType(t reflect.Type) trait {
	if known, ok := traits.Load(t); ok {
		return known.(trait)
	}
	found := judge(t, make(map[reflect.Type]bool))
	traits.Store(t, found)
	return found
}

// judge looks into t. under are the types that it is part of: one that contains itself does so by a pointer, slice or map.
func judge(t reflect.Type, under map[reflect.Type]bool) trait {
	if t == reflect.TypeFor[time.Time]() {
		return immutable // its location is never written to
	}
	if under[t] {
		return copyable
	}
	under[t] = true
	defer delete(under, t)
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return max(copyable, judge(t.Elem(), under))
	case reflect.Map:
		if judge(t.Key(), under) != immutable {
			return unique
		}
		return max(copyable, judge(t.Elem(), under))
	case reflect.Array:
		return judge(t.Elem(), under)
	case reflect.Struct:
		worst := immutable
		for f := range t.Fields() {
			of := judge(f.Type, under)
			if of != immutable && !f.IsExported() {
				of = unique
			}
			worst = max(worst, of)
		}
		return worst
	case reflect.Interface:
		return dynamic
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return unique
	}
	return immutable
}

// deepCopy copies a value that was decoded: a tree, in which nothing points to anything twice. ok is false where an
// interface in it holds something unique.
func deepCopy(v reflect.Value) (_ reflect.Value, ok bool) {
	switch traitOfType(v.Type()) {
	case immutable:
		return v, true
	case unique:
		return v, false
	}
	to := reflect.New(v.Type()).Elem()
	to.Set(v) // with what is immutable in it
	part := func(from reflect.Value) (c reflect.Value) {
		c, fine := deepCopy(from)
		ok = ok && fine
		return c
	}
	ok = true
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			to.Set(reflect.New(v.Type().Elem()))
			to.Elem().Set(part(v.Elem()))
		}
	case reflect.Interface:
		if !v.IsNil() {
			to.Set(part(v.Elem()))
		}
	case reflect.Slice:
		if !v.IsNil() {
			to.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
			reflect.Copy(to, v)
		}
		fallthrough
	case reflect.Array:
		if traitOfType(v.Type().Elem()) != immutable {
			for i := range v.Len() {
				to.Index(i).Set(part(v.Index(i)))
			}
		}
	case reflect.Map:
		if !v.IsNil() {
			to.Set(reflect.MakeMapWithSize(v.Type(), v.Len()))
			for entry := v.MapRange(); entry.Next(); {
				to.SetMapIndex(entry.Key(), part(entry.Value()))
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if traitOfType(v.Field(i).Type()) != immutable {
				to.Field(i).Set(part(v.Field(i)))
			}
		}
	}
	return to, ok
}
