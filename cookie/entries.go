package cookie

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"example.com/hardy/internal/frame"
)

// entries are the values in a jar, in no order. They are few, and so they are looked at in turn.
type entries []entry

type entry struct {
	key     string
	expires int64  // Unix seconds; in the frame a uvarint before the value
	value   []byte // CBOR
}

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
		if e := (entry{key, int64(expires), b[n:]}); e.live(now) {
			es = append(es, e)
		}
	}
	return es, nil
}

// pack appends the reverse of parseEntries to b.
func (es entries) pack(b []byte) []byte {
	slices.SortFunc(es, func(x, y entry) int { return strings.Compare(x.key, y.key) })
	b = frame.Begin(b)
	for i := range es {
		e := &es[i]
		b = frame.Field(b, e.key, e.fieldLen())
		b = binary.AppendUvarint(b, uint64(e.expires))
		b = append(b, e.value...)
	}
	return b
}

// sizeWith is how many bytes pack would append once next, of which no two have the same key, were put in.
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
	return uvarintLen(uint64(len(e.key))) + len(e.key) + uvarintLen(uint64(e.fieldLen())) + e.fieldLen()
}

func (e *entry) fieldLen() int { return uvarintLen(uint64(e.expires)) + len(e.value) }

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
