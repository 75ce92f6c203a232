package gorilla

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"maps"
	"reflect"
	"sync"
	"time"
)

// Values rest as gorilla's cookies hold them: one gob of the whole map. So whatever an application keeps in a cookie, it
// keeps here, and comes back as it did.

func encode(values map[any]any) ([]byte, error) {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(values); err != nil {
		return nil, fmt.Errorf("gorilla: the values can't be encoded: %w", err)
	}
	return b.Bytes(), nil
}

func decode(b []byte) (map[any]any, error) {
	values := map[any]any{}
	if len(b) == 0 {
		return values, nil
	}
	if err := gob.NewDecoder(bytes.NewReader(b)).Decode(&values); err != nil {
		return nil, err
	}
	return values, nil
}

// base is what Values were when the request last saw them stored, so that Save finds what it has changed.
type base struct {
	values map[any]any // never written to
	// prints tell a change of the values that can be changed in place. nil: there are none such.
	prints map[any]print
	own    map[any]any // the decoded map itself, for the handler, where prints is not nil
}

type print struct {
	sum  uint64
	zero bool
}

func baseOf(values map[any]any) base {
	b := base{values: values}
	for k, v := range values {
		if immutable(reflect.TypeOf(v)) {
			continue
		}
		if b.prints == nil {
			b.prints = map[any]print{}
		}
		b.prints[k] = print{fingerprint(v), zero(reflect.ValueOf(v))}
	}
	if b.prints != nil {
		b.values, b.own = maps.Clone(values), values
	}
	return b
}

// changes are the keys that now have another value than they had, and those that are gone.
func (b *base) changes(now map[any]any) (set, gone []any) {
	for k, v := range now {
		if was, had := b.values[k]; !had || !b.holds(k, was, v) {
			set = append(set, k)
		}
	}
	for k := range b.values {
		if _, has := now[k]; !has {
			gone = append(gone, k)
		}
	}
	return set, gone
}

func (b *base) holds(k, was, now any) bool {
	if p, ok := b.prints[k]; ok {
		return reflect.TypeOf(was) == reflect.TypeOf(now) && p.sum == fingerprint(now)
	}
	return was == now // of one type they are comparable, and of two they differ
}

// blank says whether k had no value that says something.
func (b *base) blank(k any) bool {
	was, had := b.values[k]
	if !had {
		return true
	}
	if p, ok := b.prints[k]; ok {
		return p.zero
	}
	return zero(reflect.ValueOf(was))
}

// zero says whether v is false, 0, "", nil or empty, or made of nothing else.
func zero(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Map, reflect.Slice:
		return v.Len() == 0
	case reflect.Pointer, reflect.Interface:
		return v.IsNil() || zero(v.Elem())
	}
	return v.IsZero()
}

// immutables remembers which types hold nothing that can be changed in place. It has no other influence.
var immutables sync.Map // reflect.Type → bool

func immutable(t reflect.Type) bool {
	if t == nil {
		return true
	}
	switch k := t.Kind(); {
	case k >= reflect.Bool && k <= reflect.Complex128 && k != reflect.Uintptr, k == reflect.String:
		return true
	case t == reflect.TypeFor[time.Time](): // its Location is never changed
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
