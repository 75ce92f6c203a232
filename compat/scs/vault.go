package scs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"time"

	"example.com/hardy/session"
)

// Values of scs are of any type, and one row holds all of a session's. So the values that Hardy's engine sees are two:
// the row that the session was read from, and the number of the commit under way. The vault puts the new row together
// from both, and what a commit changed lands on the newest row, whoever wrote that.
var (
	rowKey    = session.NewKey[[]byte]("row")
	numberKey = session.NewKey[string]("commit")
)

// data is what a row holds.
type data struct {
	deadline time.Time
	values   map[string]any
}

// begin gives a commit of sd a number, until end.
func (e *engine) begin(sd *sessionData) (number string, end func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last++
	n := e.last
	e.commits[n] = sd
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	return string(b[:]), func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.commits, n)
	}
}

func (e *engine) underWay(number []byte) *sessionData {
	if len(number) != 8 {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.commits[binary.BigEndian.Uint64(number)]
}

// vault is session.Vault over a row as the Codec writes it.
type vault struct{ *engine }

func (v vault) Open(r session.Record) (session.Values, error) { return valuesOf(r.Data), nil }

// valuesOf holds a row as a CBOR byte string with a length of four bytes.
func valuesOf(row []byte) session.Values {
	return session.NewValues(func(yield func(string, []byte) bool) {
		head := binary.BigEndian.AppendUint32(append(make([]byte, 0, 5+len(row)), 0x5a), uint32(len(row)))
		yield(rowKey.Name(), append(head, row...))
	})
}

var errNoCommit = errors.New("scs: a row is put together outside of a commit")

// sealing returns the row that values stand on, and the commit under way; nil: none is.
func (e *engine) sealing(values session.Values) (base []byte, sd *sessionData) {
	for name, b := range values.All() {
		switch name {
		case rowKey.Name():
			base = b[5:]
		case numberKey.Name():
			sd = e.underWay(b[1:])
		}
	}
	return base, sd
}

func (v vault) Seal(_ session.Record, values session.Values) ([]byte, error) {
	base, sd := v.sealing(values)
	if sd == nil {
		return nil, errNoCommit
	}
	w := written{base: base, data: sd.data}
	if !bytes.Equal(base, sd.base) {
		var err error
		w.merged = true
		if w.data, err = v.merge(sd, base); err != nil {
			return nil, err
		}
	}
	w.row, w.refused = v.codec.Encode(w.deadline, w.values)
	w.sealed = w.row
	*sd.written = w
	return w.row, w.refused
}

// written is what a commit has put together last.
type written struct {
	base, row []byte // the row that it stands on, and the new one
	sealed    []byte // what the store gets: row, or row sealed
	merged    bool   // base is not what the request had read
	refused   error  // why the Codec can't encode data
	data
}

// merge makes the changes of sd on a row that somebody else has written. Where nobody has, all values are stored as they
// are, so that one that was changed in place counts, as it does in scs; here such values are looked for.
func (v vault) merge(sd *sessionData, base []byte) (data, error) {
	deadline, values, err := v.codec.Decode(base)
	if err != nil {
		return data{}, err
	}
	if sd.cleared || values == nil {
		values = make(map[string]any)
	}
	delete(values, endKey)
	for _, name := range sd.changed {
		take(values, sd.values, name)
	}
	if sd.handed && sd.stored != nil {
		_, before, err := v.codec.Decode(sd.stored)
		if err != nil {
			return data{}, err
		}
		for name, now := range sd.values {
			if traitOf(now) != immutable && !reflect.DeepEqual(now, before[name]) {
				values[name] = now
			}
		}
	}
	if sd.moved {
		deadline = sd.deadline
	}
	return data{deadline, values}, nil
}

// take makes the value under name, or its absence, what it is in from.
func take(to, from map[string]any, name string) {
	if v, ok := from[name]; ok {
		to[name] = v
	} else {
		delete(to, name)
	}
}

// sealedVault keeps the row that the Codec writes under Hardy's own seal.
type sealedVault struct {
	*engine
	sealed session.Vault
}

// sealedMark begins the Data of such a record.
var sealedMark = []byte{0, 'h', 's', 1}

func (v sealedVault) Open(r session.Record) (session.Values, error) {
	b, ok := bytes.CutPrefix(r.Data, sealedMark)
	if !ok {
		return session.Values{}, errUnsealed
	}
	r.Data = b
	return v.sealed.Open(r)
}

var errUnsealed = errors.New("scs: not a sealed row")

func (v sealedVault) Seal(r session.Record, values session.Values) ([]byte, error) {
	row, err := vault{v.engine}.Seal(r, values)
	if err != nil {
		return nil, err
	}
	sealed, err := v.sealed.Seal(r, valuesOf(row))
	if err != nil {
		return nil, err
	}
	sealed = append(sealedMark[:len(sealedMark):len(sealedMark)], sealed...)
	_, sd := v.sealing(values)
	sd.written.sealed = sealed
	return sealed, nil
}
