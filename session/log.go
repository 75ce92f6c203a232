package session

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"example.com/hardy/internal/value"
)

// Log names a list of entries that a session keeps, bounded and each with its time: a conversation, what was done last.
// Make it once as a package variable, like a Key. Its entries lie among the session's values, sealed as those are;
// they are there after a change of the token and, on a store that keeps them, after a restart, and end with the
// session.
//
// It is bounded by number and by size: the oldest entries make room. So it suits the last messages that a model or a
// page needs, not a record that somebody will look for: a conversation that has to last, or that
// is longer than a few hundred entries, belongs in a table of your database, under the session's Handle or the user,
// where an append costs the entry and not the whole list.
//
// It is safe for concurrent use. Under its name a Key[[]Entry[T]] reads the same.
type Log[T any] struct {
	name    string
	options LogOptions
	entries Key[[]Entry[T]]
	entry   Key[Entry[T]]
}

// Entry is one of a Log.
type Entry[T any] struct {
	At    time.Time `cbor:"at"` // when it was appended, by the clock of the process
	Value T         `cbor:"value"`
}

// LogOptions bound a Log. The zero value of each field means its default.
type LogOptions struct {
	Max      int // entries; default 100
	MaxBytes int // of all entries, encoded; default 16,384. What is left in the session bounds it, too
}

const (
	defaultLogMax      = 100
	defaultLogMaxBytes = 16 << 10
)

// NewLog returns the log of the given name. nil options mean the defaults. It panics where a T can't be stored, as
// NewKey does, and where an option is negative.
func NewLog[T any](name string, o *LogOptions) Log[T] {
	if o == nil {
		o = &LogOptions{}
	}
	if o.Max < 0 || o.MaxBytes < 0 {
		panic(fmt.Sprintf("session: NewLog(%q): a bound is negative; leave it 0 for the default", name))
	}
	return Log[T]{
		name:    name,
		options: LogOptions{or(o.Max, defaultLogMax), or(o.MaxBytes, defaultLogMaxBytes)},
		entries: NewKey[[]Entry[T]](name), entry: NewKey[Entry[T]](name),
	}
}

// Append stores v with the time, at once and exactly, as Key.Update does: of appends at the same moment each is there
// once, in the order in which they were stored. The oldest entries are dropped where there are too many, or
// too little room. Errors: ErrTooLarge where v alone has no room, and then nothing is dropped; those of Key.Update.
func (l Log[T]) Append(ctx context.Context, s *Session, v T) error {
	return s.update(ctx, l.name, func(held []byte, ok bool) ([]byte, error) {
		entry, err := l.entry.encode(Entry[T]{wall(), v})
		if err != nil {
			return nil, err
		}
		return l.append(held, entry, min(l.options.MaxBytes, s.roomFor(l.name)))
	})
}

// append returns the list with entry at its end, in at most size bytes.
func (l Log[T]) append(held, entry []byte, size int) ([]byte, error) {
	n, items, ok := value.List(held)
	if !ok {
		n, items = 0, nil // absent, or of another type, which reads as absent
	}
	const headSize = 5
	for n+1 > l.options.Max || headSize+len(items)+len(entry) > size {
		if n == 0 {
			return nil, fmt.Errorf("%w: an entry of %d bytes, of %d left", ErrTooLarge, len(entry), size-headSize)
		}
		if items, ok = value.Skip(items); !ok {
			n, items = 0, nil
			continue
		}
		n--
	}
	b := value.AppendList(make([]byte, 0, headSize+len(items)+len(entry)), n+1)
	return append(append(b, items...), entry...), nil
}

// roomFor is how large the value under name may become.
func (s *Session) roomFor(name string) int {
	all := s.merge(s.base)
	held, _ := all.Get(name)
	return s.m.maxBytes - len(all) - len(name) - 2*binary.MaxVarintLen16 + len(held)
}

// All returns every entry, the oldest first. It is a copy.
func (l Log[T]) All(s *Session) []Entry[T] { return l.entries.Get(s) }

// Last returns up to n entries, the newest ones, the oldest of them first. It decodes no others.
func (l Log[T]) Last(s *Session, n int) []Entry[T] {
	b, ok, handle := s.get(l.name)
	if count, items, list := value.List(b); ok && list && count > n {
		for ; count > max(n, 0) && list; count-- {
			items, list = value.Skip(items)
		}
		if list {
			b = append(value.AppendList(make([]byte, 0, 5+len(items)), count), items...)
		}
	}
	entries, _ := l.entries.decode(s.m, handle, b, ok)
	return entries
}

// Len returns how many entries there are.
func (l Log[T]) Len(s *Session) int {
	b, _, _ := s.get(l.name)
	n, _, _ := value.List(b)
	return n
}

// Clear removes all entries, at once. Errors: those of Key.Update.
func (l Log[T]) Clear(ctx context.Context, s *Session) error {
	if s.Token() == nil && s.Err() == nil {
		return nil // nothing is stored, and nothing needs to be
	}
	return s.update(ctx, l.name, func([]byte, bool) ([]byte, error) { return nil, nil })
}
