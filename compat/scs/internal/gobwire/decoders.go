package gobwire

import (
	"bytes"
	"encoding/gob"
	"sync"
)

// Decoders decode what gob has written, as gob.NewDecoder does. A gob.Decoder compiles each type that it meets, which takes
// several times as long as the values; so these are kept, each for data with one set of definitions, which it has read once. The zero
// value is not ready: see NewDecoders. Decoders are safe for concurrent use.
type Decoders struct {
	shape Shape
	mu    sync.Mutex
	kept  map[string]*sync.Pool // of *decoder, by the definitions
}

// NewDecoders returns Decoders for maps of one shape.
func NewDecoders(shape Shape) *Decoders {
	return &Decoders{shape: shape, kept: map[string]*sync.Pool{}}
}

const (
	mostKept = 64       // sets of definitions; after that it begins anew
	largest  = 64 << 10 // bytes of data for which a decoder is kept
)

type decoder struct {
	data bytes.Buffer
	gob  *gob.Decoder
}

// Decode decodes data into a new T.
func Decode[T any](d *Decoders, data []byte) (*T, error) {
	if s, ok := Of(data, d.shape, nil); ok && len(data) <= largest {
		to := new(T)
		if d.decode(s, to) == nil {
			return to, nil
		}
	}
	to := new(T)
	return to, gob.NewDecoder(bytes.NewReader(data)).Decode(to)
}

func (d *Decoders) decode(s Split, to any) error {
	pool := d.pool(s)
	own, _ := pool.Get().(*decoder)
	if own == nil {
		own = new(decoder)
		own.gob = gob.NewDecoder(&own.data)
		for _, definition := range s.Definitions {
			own.data.Write(definition)
		}
	}
	own.data.Write(s.Message)
	err := own.gob.Decode(to)
	if err == nil && own.data.Len() == 0 {
		pool.Put(own) // after an error nobody knows what it has read
	}
	return err
}

func (d *Decoders) pool(s Split) *sync.Pool {
	n := 0
	for _, definition := range s.Definitions {
		n += len(definition)
	}
	key := make([]byte, 0, n)
	for _, definition := range s.Definitions {
		key = append(key, definition...)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	pool := d.kept[string(key)]
	if pool == nil {
		if len(d.kept) == mostKept {
			clear(d.kept)
		}
		pool = new(sync.Pool)
		d.kept[string(key)] = pool
	}
	return pool
}
