package scs

import (
	"bytes"
	"encoding/gob"
	"time"

	"github.com/alexedwards/scs/v2/internal/gobwire"
)

// Codec turns a session's deadline and values into the bytes of its row, and back.
type Codec interface {
	Encode(deadline time.Time, values map[string]interface{}) ([]byte, error)
	Decode([]byte) (deadline time.Time, values map[string]interface{}, err error)
}

// GobCodec is the default Codec, on encoding/gob: types of your own must be registered with gob.Register. It is
// frozen: its bytes are those that scs 2 has always written.
type GobCodec struct{}

// Encode turns a deadline and values into bytes.
func (GobCodec) Encode(deadline time.Time, values map[string]interface{}) ([]byte, error) {
	if row, ok := writeRow(deadline, values); ok {
		return row, nil
	}
	return encodeByGob(deadline, values)
}

// Decode turns bytes into a deadline and values.
func (GobCodec) Decode(b []byte) (time.Time, map[string]interface{}, error) {
	if deadline, values, ok := readRow(b); ok {
		return deadline, values, nil
	}
	deadline, values, err := decodeByGob(b)
	if err == nil {
		learn(b, deadline, values)
	}
	return deadline, values, err
}

func encodeByGob(deadline time.Time, values map[string]any) ([]byte, error) {
	aux := &struct {
		Deadline time.Time
		Values   map[string]interface{}
	}{deadline, values}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(&aux); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func decodeByGob(b []byte) (time.Time, map[string]any, error) {
	aux, err := gobwire.Decode[struct {
		Deadline time.Time
		Values   map[string]interface{}
	}](decoders, b)
	if err != nil {
		return time.Time{}, nil, err
	}
	return aux.Deadline, aux.Values, nil
}

// decoders have no influence but that of time.
var decoders = gobwire.NewDecoders(gobwire.Row)
