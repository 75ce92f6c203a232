package cookie

import (
	"encoding/binary"
	"math"
	"slices"

	"example.com/hardy/internal/frame"
)

// entries are the values in a jar, in no order. They are few, and so they are looked at in turn.
type entries []entry

type entry struct {
	key     string
	expires int64  // Unix seconds
	stored  []byte // as it lies in the frame: expires as a uvarint, then CBOR
}

// value is the CBOR in it.
func (e *entry) value() []byte { return e.stored[uvarintLen(uint64(e.expires)):] }

func (e *entry) live(now int64) bool { return now < e.expires }

// parseEntries leaves out what has expired: a cookie may be sent again.
func parseEntries(b []byte, now int64) (entries, error) {
	f, err := frame.Parse(b)
	if err != nil {
		return nil, err
	}
	es := make(entries, 0, 4)
	for key, b := range f.All() {
		expires, n := binary.Uvarint(b)
		if n != uvarintLen(expires) || expires > math.MaxInt64 {
			return nil, frame.ErrMalformed
		}
		if e := (entry{key, int64(expires), b}); e.live(now) {
			es = append(es, e)
		}
	}
	return es, nil
}

// pack is the reverse of parseEntries.
func (es entries) pack() []byte {
	changes := make([]frame.Change, 0, 8)
	for i := range es {
		changes = append(changes, frame.Change{Key: es[i].key, Value: es[i].stored})
	}
	return frame.Apply(nil, changes)
}

// sizeWith is how many bytes pack would return once next, of which no two have the same key, were put in.
func (es entries) sizeWith(next entries) int {
	n := 1
	for i := range es {
		if next.find(es[i].key) == nil {
			n += es[i].packedLen()
		}
	}
	for i := range next {
		n += next[i].packedLen()
	}
	return n
}

func (e *entry) packedLen() int {
	return uvarintLen(uint64(len(e.key))) + len(e.key) + uvarintLen(uint64(len(e.stored))) + len(e.stored)
}

func (es entries) find(key string) *entry {
	for i := range es {
		if es[i].key == key {
			return &es[i]
		}
	}
	return nil
}

func (es *entries) put(e entry) {
	if old := es.find(e.key); old != nil {
		*old = e
		return
	}
	if *es == nil {
		*es = make(entries, 0, 4)
	}
	*es = append(*es, e)
}

func (es *entries) remove(key string) {
	*es = slices.DeleteFunc(*es, func(e entry) bool { return e.key == key })
}

// drop removes what has expired.
func (es *entries) drop(now int64) {
	for i := range *es {
		if !(*es)[i].live(now) {
			*es = slices.DeleteFunc(*es, func(e entry) bool { return !e.live(now) })
			return
		}
	}
}

func uvarintLen(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}
