package gorilla

import (
	"reflect"
	"sync"
	"time"
)

// A handler may change its values in place. So it gets copies, and what they were copied from tells Save what it has changed; the
// visitor's next request gets copies of the same, which cost a tenth of decoding them again.

// copies returns values with nothing in it that can be changed in place but by who holds it. ok is false where something
// can't be copied from outside: what a type keeps in fields of its own, such as a big.Int's digits.
func copies(values map[any]any) (own map[any]any, ok bool) {
	own = make(map[any]any, len(values))
	for k, v := range values {
		if t := reflect.TypeOf(v); !immutable(t) {
			c, ok := copied(reflect.ValueOf(v))
			if !ok {
				return nil, false
			}
			v = c.Interface()
		}
		own[k] = v
	}
	return own, true
}

func copied(v reflect.Value) (c reflect.Value, ok bool) {
	t := v.Type()
	if immutable(t) {
		return v, true
	}
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return v, true
		}
	}
	switch v.Kind() {
	case reflect.Slice:
		c = reflect.MakeSlice(t, v.Len(), v.Len())
		return c, elements(c, v)
	case reflect.Array:
		c = reflect.New(t).Elem()
		return c, elements(c, v)
	case reflect.Map:
		c = reflect.MakeMapWithSize(t, v.Len())
		for entry := v.MapRange(); entry.Next(); {
			value, ok := copied(entry.Value())
			if !ok {
				return c, false
			}
			c.SetMapIndex(entry.Key(), value)
		}
		return c, true
	case reflect.Pointer:
		to, ok := copied(v.Elem())
		if ok {
			c = reflect.New(t.Elem())
			c.Elem().Set(to)
		}
		return c, ok
	case reflect.Interface:
		return copied(v.Elem())
	case reflect.Struct:
		c = reflect.New(t).Elem()
		c.Set(v)
		for i := range t.NumField() {
			if f := t.Field(i); immutable(f.Type) {
				continue
			} else if !f.IsExported() {
				return c, false
			}
			field, ok := copied(v.Field(i))
			if !ok {
				return c, false
			}
			c.Field(i).Set(field)
		}
		return c, true
	}
	return c, false
}

// elements copies those of from into to.
func elements(to, from reflect.Value) bool {
	reflect.Copy(to, from)
	if immutable(from.Type().Elem()) {
		return true
	}
	for i := range from.Len() {
		c, ok := copied(from.Index(i))
		if !ok {
			return false
		}
		to.Index(i).Set(c)
	}
	return true
}

func basic(t reflect.Type) bool {
	if t == nil {
		return false
	}
	k := t.Kind()
	return k >= reflect.Bool && k <= reflect.Complex128 && k != reflect.Uintptr || k == reflect.String
}

// immutables remembers which types hold nothing that can be changed in place. It has no other influence.
var immutables sync.Map // reflect.Type → bool

func immutable(t reflect.Type) bool {
	if t == nil || basic(t) || t == reflect.TypeFor[time.Time]() { // whose Location is never changed
		return true
	}
	if known, ok := immutables.Load(t); ok {
		return known.(bool)
	}
	yes := false
	switch t.Kind() {
	case reflect.Array:
		yes = immutable(t.Elem())
	case reflect.Struct:
		yes = true
		for i := range t.NumField() {
			yes = yes && immutable(t.Field(i).Type)
		}
	}
	immutables.Store(t, yes)
	return yes
}
