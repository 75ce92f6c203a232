package store

import (
	"encoding/base64"
	"errors"
)

// errID answers Create and Import under an id that the contract does not allow. The id is not repeated:
// whoever uses other ids may be using tokens.
var errID = errors.New("store: the id is not 43 characters of canonical base64url (32 bytes); derive it as session.Record says")

// key is an id as the 32 bytes that its 43 characters stand for.
type key [32]byte

// parseKey reads an id. Only the canonical text is one, so that no two ids are the same key.
func parseKey(id string) (k key, ok bool) {
	if len(id) != 43 {
		return k, false
	}
	var bad uint32
	for i := range 10 {
		in := id[i*4 : i*4+4]
		v := sextets[in[0]]<<18 | sextets[in[1]]<<12 | sextets[in[2]]<<6 | sextets[in[3]]
		bad |= sextets[in[0]] | sextets[in[1]] | sextets[in[2]] | sextets[in[3]]
		out := k[i*3 : i*3+3]
		out[0], out[1], out[2] = byte(v>>16), byte(v>>8), byte(v)
	}
	a, b, c := sextets[id[40]], sextets[id[41]], sextets[id[42]]
	v := a<<12 | b<<6 | c // 18 bits, of which the last two must be zero
	k[30], k[31] = byte(v>>10), byte(v>>2)
	return k, (bad|a|b|c)&notSextet == 0 && c&3 == 0
}

func (k *key) String() string { return base64.RawURLEncoding.EncodeToString(k[:]) }

const notSextet = 1 << 31

// sextets gives the value of each character of base64url. It is never written to.
var sextets = func() (table [256]uint32) {
	for c := range table {
		table[c] = notSextet
	}
	for v, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
		table[c] = uint32(v)
	}
	return table
}()
