package value

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"
)

// CheckValue is Check for a value: it looks into every any, counts how deep v nests, and so finds a
// pointer or map that leads back to itself. Only values of a type that is Dynamic need it. T is the type
// that the value is read back into.
func CheckValue[T any](v T) error {
	switch v := any(v).(type) { // what needs no walk, whether T is any or the type itself
	case nil, bool, int, int64, string, []byte, float64:
		return nil
	case time.Time:
		return checkTime(v)
	}
	return walk(reflect.ValueOf(&v).Elem(), place{})
}

// walk goes through v. It says which kind of step it took and never a key: a key is part of the value.
func walk(v reflect.Value, p place) error {
	if p.depth > maxDepth || p.hops > 4*maxDepth {
		return fmt.Errorf("it nests deeper than %d levels, or contains itself, and cannot be stored; flatten it", maxDepth)
	}
	t := v.Type()
	if t.Kind() == reflect.Interface {
		if v.IsNil() {
			return nil
		}
		p.inAny = true
		return walk(v.Elem(), p.hop())
	}
	j := judge(t)
	switch {
	case j.err != nil:
		return j.err
	case p.inAny && j.inAny != nil:
		return j.inAny
	case !j.dynamic && !(p.inAny && j.wide):
		p.depth += j.depth
		if p.depth > maxDepth {
			return walk(v, p) // which says so
		}
		return nil
	case t == typeTime:
		return checkTime(v.Interface().(time.Time))
	}
	if ok, _ := marshals(t); ok && t.Kind() != reflect.Pointer {
		return nil
	}
	switch t.Kind() {
	case reflect.Uint, reflect.Uint64:
		if p.inAny && v.Uint() > math.MaxInt64 {
			return errors.New("a number above the largest int64 cannot be stored inside an any; store its text")
		}
	case reflect.Pointer:
		if !v.IsNil() {
			return walk(v.Elem(), p.hop())
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := walk(v.Index(i), p.step()); err != nil {
				return within("[]", err)
			}
		}
	case reflect.Map:
		for each := v.MapRange(); each.Next(); {
			if err := walk(each.Value(), p.step()); err != nil {
				return within("[]", err)
			}
		}
	case reflect.Struct:
		return walkFields(v, p)
	}
	return nil
}

// walkFields visits the fields that judgement.fields counts.
func walkFields(v reflect.Value, p place) error {
	for f, field := range v.Fields() {
		tag := f.Tag.Get("cbor")
		if tag == "" {
			tag = f.Tag.Get("json")
		}
		name, _, _ := strings.Cut(tag, ",")
		promoted := f.Anonymous && name == "" && f.Type != typeTime && indirect(f.Type).Kind() == reflect.Struct
		var err error
		switch {
		case tag == "-" || !f.IsExported() && !promoted:
		case promoted:
			for field.Kind() == reflect.Pointer && !field.IsNil() {
				field = field.Elem()
			}
			if field.Kind() == reflect.Struct {
				err = walkFields(field, p.hop())
			}
		default:
			err = walk(field, p.step())
		}
		if err != nil {
			return within("."+f.Name, err)
		}
	}
	return nil
}

// place is where walk is. hops counts what nests nothing, so that a ring of pointers ends.
type place struct {
	depth, hops int
	inAny       bool
}

func (p place) step() place { p.depth++; return p }
func (p place) hop() place  { p.hops++; return p }

// placed says where in a value the refused part lies. The path is put together on the way out, as most
// values are not refused.
type placed struct {
	path string
	err  error
}

func (e *placed) Error() string { return "at " + e.path + ": " + e.err.Error() }
func (e *placed) Unwrap() error { return e.err }

func within(step string, err error) error {
	if e, ok := err.(*placed); ok {
		e.path = step + e.path
		return e
	}
	return &placed{step, err}
}

// checkTime refuses what RFC 3339 cannot say.
func checkTime(t time.Time) error {
	if _, offset := t.Zone(); offset%60 != 0 {
		return errors.New("a time in a zone of odd seconds (local mean time) cannot be stored; store t.UTC()")
	}
	if y := t.Year(); y < 0 || y > 9999 {
		return errors.New("a time outside the years 0 to 9999 cannot be stored")
	}
	return nil
}
