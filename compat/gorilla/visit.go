package gorilla

import (
	"bytes"

	"example.com/hardy/session"
	"github.com/gorilla/sessions"
)

// visit is what one request knows of one named session, beside what stands in gorilla's Session.
type visit struct {
	name   string
	hardy  *session.Session // nil: a new session, of which nothing is stored
	failed error            // why nobody knows what the visitor brings; nothing is saved then
	card   *card            // the cookie that the visitor holds; nil: none of ours
	came   bool             // the visitor brought a session
	live   bool             // whose token had not been replaced when it came
	lost   bool             // whose values can't be decoded
	id     string
	given  sessions.Options // what New has given the session

	stored []byte      // the values as they are stored, as far as this request knows
	was    map[any]any // the same, never written to; nil: see base
}

// The names under which a session of this package rests in Hardy's.
var (
	valuesKey = session.NewKey[[]byte]("values") // gob, as gorilla's cookies hold it
	maxAgeKey = session.NewKey[int]("max-age")   // seconds that it lasts after a Save; 0: it is not remembered
)

// token is what opens the session, or nil.
func (v *visit) token() *session.Token {
	if v.hardy == nil {
		return nil
	}
	return v.hardy.Token()
}

// forget makes the visit one of a new session.
func (v *visit) forget() {
	v.hardy, v.card, v.stored, v.was, v.id, v.lost = nil, nil, nil, nil, "", false
}

// base are the values that the request began with, to find what it has changed. Where they could not be copied they are decoded
// once more.
func (v *visit) base() map[any]any {
	if v.was == nil {
		v.was, _ = decode(v.stored) // it was decoded before
	}
	return v.was
}

// memo is what a visitor has last been shown: bytes and what they decode to.
type memo struct {
	stored []byte
	values map[any]any // never written to
}

// maxMemo bounds what is kept, in bytes.
const maxMemo = 4 << 10

// read returns the values of a session that was found, the handler's own.
func (st *Store) read(v *visit) map[any]any {
	v.stored, _ = valuesKey.Lookup(v.hardy)
	if v.card != nil {
		if m := v.card.memo.Load(); m != nil && bytes.Equal(m.stored, v.stored) {
			own, _ := copies(m.values) // they could be copied before
			v.was = m.values
			return own
		}
	}
	values, err := decode(v.stored)
	if err != nil {
		st.undecodable(v, err)
		return map[any]any{}
	}
	own, ok := copies(values)
	if !ok {
		return values
	}
	v.was = values
	v.recall(v.stored)
	return own
}

// recall keeps the values for the visitor's next request.
func (v *visit) recall(stored []byte) {
	if v.card != nil && len(stored) <= maxMemo {
		v.card.memo.Store(&memo{stored, v.was})
	}
}

func (st *Store) undecodable(v *visit, err error) {
	st.o.Logger.Error("gorilla: the values of a session can't be decoded; it begins anew", "name", v.name, "session", v.id, "error", err)
	if st.o.Trace.Undecodable != nil {
		st.o.Trace.Undecodable(v.name, v.id, err)
	}
	v.lost, v.came, v.id = true, false, ""
}
