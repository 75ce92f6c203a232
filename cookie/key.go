package cookie

import (
	"fmt"
	"reflect"
	"time"

	"example.com/hardy/internal/value"
)

// Key names a value of type T in a jar. It is a small value without a registry: make it once as a package variable,
// or, with T any, at run time for a plain dictionary.
//
// A value is stored as CBOR. It is a copy: to change a slice or map, change it and Set it. Integers in an any come back
// as int64, maps as map[string]any, lists as []any, times with nanoseconds and zone offset. Fields of a struct that are
// not exported are not stored. Two keys of one name share the value; where it does not decode into T it reads as absent,
// and is traced.
type Key[T any] struct {
	name    string
	dynamic bool // what it holds is checked at each Set
}

// NewKey returns the key of the given name. It panics where the name is empty or longer than 255 bytes, and where a T
// can't be stored and read back: chan, func, io.Reader, an open file, an uploaded file.
func NewKey[T any](name string) Key[T] {
	t := reflect.TypeFor[T]()
	if name == "" || len(name) > 255 {
		panic(fmt.Sprintf("cookie: NewKey[%v](%q): a name has 1 to 255 bytes", t, name))
	}
	if err := value.Check(t); err != nil {
		panic(fmt.Sprintf("cookie: NewKey[%v](%q): %v", t, name, err))
	}
	return Key[T]{name, value.Dynamic(t)}
}

// Name returns the key's name.
func (k Key[T]) Name() string { return k.name }

// Get returns the value, or the zero value where it is absent or has expired.
func (k Key[T]) Get(j *Jar) T {
	v, _ := k.Lookup(j)
	return v
}

// GetOr returns the value, or def where it is absent or has expired.
func (k Key[T]) GetOr(j *Jar, def T) T {
	if v, ok := k.Lookup(j); ok {
		return v
	}
	return def
}

// Lookup returns the value and whether it is there.
func (k Key[T]) Lookup(j *Jar) (T, bool) {
	var zero T
	b, ok := j.lookup(k.name)
	if !ok {
		return zero, false
	}
	v, err := value.Read[T](b)
	if err != nil {
		j.spec.keys.Trace.undecodable(j.spec.Name(), k.name, err)
		return zero, false
	}
	return v, true
}

// Set sets the value for DefaultLifetime, 30 days. It reads back at once, and goes out with the header of the
// response. Errors: ErrTooLarge, ErrSent, and that of a value that cannot be encoded; the jar keeps what it had.
func (k Key[T]) Set(j *Jar, v T) error { return k.SetFor(j, DefaultLifetime, v) }

// SetFor is Set for another lifetime: more than 0 and at most MaxLifetime (ErrLifetime), rounded up to a second.
func (k Key[T]) SetFor(j *Jar, d time.Duration, v T) error { return j.SetFor(d, k.Value(v)) }

func (k Key[T]) encode(v T) ([]byte, error) {
	if k.name == "" {
		return nil, fmt.Errorf("cookie: a Key[%v] that NewKey has not made", reflect.TypeFor[T]())
	}
	if k.dynamic {
		if err := value.CheckValue(v); err != nil {
			return nil, fmt.Errorf("cookie: %q: %w", k.name, err)
		}
	}
	b, err := value.Append(nil, v)
	if err != nil {
		return nil, fmt.Errorf("cookie: %q: %w", k.name, err)
	}
	return b, nil
}

// Delete removes the value and says whether it was there. The other values stay. Error: ErrSent.
func (k Key[T]) Delete(j *Jar) (was bool, err error) { return j.remove(k.name) }

// Take returns the value and removes it: a message that is shown once. ok says whether it was there; after the header
// has left it can't be removed, and is not there. A jar that the browser sends back again holds it again.
func (k Key[T]) Take(j *Jar) (v T, ok bool) {
	v, ok = k.Lookup(j)
	if ok {
		if was, err := j.remove(k.name); !was || err != nil { // another goroutine took it, or it must stay
			var zero T
			return zero, false
		}
	}
	return v, ok
}

// Value is a value on its way into a jar: see Jar.SetFor. It prints as [redacted].
type Value struct {
	key     string
	encoded []byte
	err     error
}

// Value pairs the key with v for Jar.SetFor, which returns the error of a value that can't be encoded.
func (k Key[T]) Value(v T) Value {
	encoded, err := k.encode(v)
	return Value{k.name, encoded, err}
}
