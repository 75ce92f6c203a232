package gorilla

import (
	"bytes"
	"maps"

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

	stored []byte // the values as they are stored, as far as this request knows
	base   base
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

// values are what the handler gets, to do with as it likes.
func (v *visit) values() map[any]any {
	if v.base.own != nil {
		own := v.base.own
		v.base.own = nil
		return own
	}
	if v.base.values == nil {
		return map[any]any{}
	}
	return maps.Clone(v.base.values)
}

// memo is what a cookie's visitor has last been shown: bytes and what they decode to, if none of it can be changed in
// place.
type memo struct {
	stored []byte
	values map[any]any // never written to
}

// maxMemo bounds what is kept, in bytes.
const maxMemo = 4 << 10

// read decodes the values of a session that was found.
func (st *Store) read(v *visit) {
	v.stored, _ = valuesKey.Lookup(v.hardy)
	if v.card != nil {
		if m := v.card.memo.Load(); m != nil && bytes.Equal(m.stored, v.stored) {
			v.base = base{values: m.values}
			return
		}
	}
	values, err := decode(v.stored)
	if err != nil {
		v.lost, v.came = true, false
		st.o.Logger.Error("gorilla: the values of a session can't be decoded; it begins anew", "name", v.name, "session", v.id, "error", err)
		if st.o.Trace.Undecodable != nil {
			st.o.Trace.Undecodable(v.name, v.id, err)
		}
		v.id = ""
		return
	}
	v.base = baseOf(values)
	if v.base.prints == nil && v.card != nil && len(v.stored) <= maxMemo {
		v.card.memo.Store(&memo{v.stored, v.base.values})
	}
}
