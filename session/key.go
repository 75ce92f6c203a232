package session

import (
	"context"
	"fmt"
	"reflect"

	"example.com/hardy/internal/value"
)

// Key names a value of type T that a session holds. It is a small value without a registry: make it once
// as a package variable, or, with T any, at run time for a plain dictionary of values.
//
// A value is stored as CBOR. It is a copy: to change a slice or map, change it and Set it. Integers in an
// any come back as int64, maps as map[string]any, lists as []any, times with nanoseconds and zone offset.
// Fields of a struct that are not exported are not stored. Two keys of one name share the value; where it
// does not decode into T it reads as absent, and is traced.
type Key[T any] struct {
	name    string
	dynamic bool // T holds interfaces: what is in them is checked at each Set
}

// NewKey returns the key of the given name, 1 to 255 bytes that do not begin with NUL (ErrName from Set
// otherwise). It panics where a T can't be stored and read back: chan, func, io.Reader, an open file, an
// uploaded file.
func NewKey[T any](name string) Key[T] {
	t := reflect.TypeFor[T]()
	if err := value.Check(t); err != nil {
		panic(fmt.Sprintf("session: NewKey[%v](%q): %v", t, name, err))
	}
	return Key[T]{name, value.Dynamic(t)}
}

// Name returns the key's name.
func (k Key[T]) Name() string { return k.name }

// Get returns the value, or the zero value where it is absent or the session has ended.
func (k Key[T]) Get(s *Session) T {
	v, _ := k.Lookup(s)
	return v
}

// GetOr returns the value, or def where it is absent.
func (k Key[T]) GetOr(s *Session, def T) T {
	if v, ok := k.Lookup(s); ok {
		return v
	}
	return def
}

// Lookup returns the value and whether it is there.
func (k Key[T]) Lookup(s *Session) (T, bool) {
	b, ok, handle := s.get(k.name)
	return k.decode(s.m, handle, b, ok)
}

func (k Key[T]) decode(m *Manager, handle string, b []byte, ok bool) (T, bool) {
	var zero T
	if !ok {
		return zero, false
	}
	v, err := value.Read[T](b)
	if err != nil {
		if m.trace.Undecodable != nil {
			m.trace.Undecodable(handle, k.name, err)
		}
		return zero, false
	}
	return v, true
}

func (k Key[T]) encode(v T) ([]byte, error) {
	if k.dynamic {
		if err := value.CheckValue(v); err != nil {
			return nil, fmt.Errorf("session: %q: %w", k.name, err)
		}
	}
	b, err := value.Append(nil, v)
	if err != nil {
		return nil, fmt.Errorf("session: %q: %w", k.name, err)
	}
	return b, nil
}

// Set changes the value in memory; the commit stores it. Once the handler has returned nothing commits any more: a
// goroutine that goes on calls Session.Save, or uses Update. A refused value leaves the old one. Errors: a value
// that can't be encoded, ErrName, ErrTooLarge, *ExpiredError, ErrRotated, and ErrSent for a blank session whose
// answer has left.
func (k Key[T]) Set(s *Session, v T) error {
	b, err := k.encode(v)
	if err != nil {
		return err
	}
	return s.change(k.name, b)
}

// Delete removes the value and says whether it was there. Errors: *ExpiredError, ErrRotated, ErrName.
func (k Key[T]) Delete(s *Session) (was bool, err error) { return s.remove(k.name) }

// Take returns the value and removes it: a message that is shown once. ok says whether it was there. It
// takes effect at the commit, so that two requests at once may both read it; where that matters use Update.
func (k Key[T]) Take(s *Session) (v T, ok bool) {
	v, ok = k.Lookup(s)
	if ok {
		if _, err := s.remove(k.name); err != nil {
			var zero T
			return zero, false
		}
	}
	return v, ok
}

// Update changes the value by f, stores it at once and returns what was stored: exact, however many
// requests do so at the same moment, on every store. f gets the stored value, or a pending Set, or the zero value. It
// may run several times and must not use s. Other pending values wait for the commit, unless a birth,
// Login, Renew, Logout, Reset or Clear is pending: then all are stored. Errors: those of Set and of Commit;
// after one, nothing of this call was stored, but for ErrUnavailable, where it may have been.
func (k Key[T]) Update(ctx context.Context, s *Session, f func(T) T) (T, error) {
	var next T
	err := s.update(ctx, k.name, func(b []byte, ok bool) ([]byte, error) {
		old, _ := k.decode(s.m, s.rec.Handle, b, ok)
		next = f(old)
		return k.encode(next)
	})
	if err != nil {
		var zero T
		return zero, err
	}
	return next, nil
}
