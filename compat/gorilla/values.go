package gorilla

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"reflect"

	"example.com/hardy/internal/gobwire"
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
	if len(b) == 0 {
		return map[any]any{}, nil
	}
	decoded, err := gobwire.Decode[map[any]any](decoders, b)
	if err != nil {
		return nil, err
	}
	return *decoded, nil
}

// decoders have no influence but that of time.
var decoders = gobwire.NewDecoders(gobwire.Bare)

// changes are the keys that now have another value than they had, and those that are gone.
func changes(was, now map[any]any) (set, gone []any) {
	for k, v := range now {
		if old, had := was[k]; !had || !same(old, v) {
			set = append(set, k)
		}
	}
	for k := range was {
		if _, has := now[k]; !has {
			gone = append(gone, k)
		}
	}
	return set, gone
}

func same(a, b any) bool {
	if t := reflect.TypeOf(a); t != reflect.TypeOf(b) || basic(t) {
		return a == b // of two types they differ, and are not compared
	}
	return reflect.DeepEqual(a, b)
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

// plain says whether gob brings all of it back just as it is: of structs it leaves out some fields, and named types may
// encode themselves.
func plain(values map[any]any) bool {
	for k, v := range values {
		for _, t := range [...]reflect.Type{reflect.TypeOf(k), reflect.TypeOf(v)} {
			if !basic(t) || t.PkgPath() != "" {
				return false
			}
		}
	}
	return true
}
