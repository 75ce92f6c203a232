package cookie

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gorilla/securecookie"

	"example.com/hardy/internal/cookieheader"
)

// Sealer seals and opens the values of one cookie for one purpose. What it seals opens under the same app, purpose
// and name only. It is safe for concurrent use and follows the ring through Reload.
//
// The value is "v1.<key id>.<securecookie>": gorilla/securecookie encrypts (AES-256-CTR) and then authenticates
// (HMAC-SHA-256), with keys that are derived for this use alone, and authenticates version, key id and name too.
type Sealer struct {
	keys          *Keys
	purpose, name string
	codecs        atomic.Pointer[codecs]
}

// codecs are a ring's keys, derived for one use.
type codecs struct {
	ring    *ring
	byID    map[string]*codec
	primary *codec
}

type codec struct {
	id     string
	state  State
	prefix string // of the value: version and key id
	bound  string // authenticated beside it: version, key id and cookie name
	*securecookie.SecureCookie
}

// Sealer returns the sealer for a purpose and the name of a cookie. It derives keys, which takes microseconds a key:
// make it once. It panics where one of the two is empty.
func (k *Keys) Sealer(purpose, name string) *Sealer {
	if purpose == "" || name == "" {
		panic("cookie: Sealer wants a purpose and the cookie's name: both keep one use of the keys from another")
	}
	s := &Sealer{keys: k, purpose: purpose, name: name}
	s.current()
	return s
}

const version = "v1."

// current derives again only after the ring has changed.
func (s *Sealer) current() *codecs {
	r := s.keys.ring.Load()
	if c := s.codecs.Load(); c != nil && c.ring == r {
		return c
	}
	next := &codecs{ring: r, byID: make(map[string]*codec, len(r.masters))}
	for i := range r.masters {
		c := s.derive(&r.masters[i])
		next.byID[c.id] = c
		if c.state == Primary {
			next.primary = c
		}
	}
	s.codecs.Store(next)
	return next
}

func (s *Sealer) derive(m *master) *codec {
	info := "hardy/1"
	for _, part := range []string{s.keys.app, s.purpose, s.name} {
		// The length makes ("ab", "c") another use than ("a", "bc").
		info += string(binary.AppendUvarint(nil, uint64(len(part)))) + part
	}
	keys := must(hkdf.Key(sha256.New, m.key[:], nil, info, 64))
	sc := securecookie.New(keys[:32], keys[32:])
	// Age and length are judged here, with answers that can be told apart.
	sc.SetSerializer(securecookie.NopEncoder{}).MaxAge(0).MaxLength(0)
	prefix := version + m.id + "."
	return &codec{m.id, m.state, prefix, prefix + s.name, sc}
}

// Name returns the name of the cookie.
func (s *Sealer) Name() string { return s.name }

// The first byte of what is encrypted says what follows. It also keeps that from being empty, which securecookie
// seals and does not open.
const (
	formPlain = 0 // the caller's bytes
	formDated = 1 // issued and expires in Unix seconds, 8 bytes each, then the caller's bytes
)

// Seal returns the cookie value for plain, of which it keeps no reference, or ErrTooLarge. It opens as long as its
// key is in the ring.
func (s *Sealer) Seal(plain []byte) (string, error) {
	prefix, body, err := s.seal(append(append(make([]byte, 0, 1+len(plain)), formPlain), plain...))
	return prefix + body, err
}

// SealUntil is Seal with an end: at expires, rounded up to a second, the value opens no more.
func (s *Sealer) SealUntil(plain []byte, expires time.Time) (string, error) {
	b := append(make([]byte, 0, 17+len(plain)), formDated)
	b = binary.BigEndian.AppendUint64(b, uint64(time.Now().Unix()))
	b = binary.BigEndian.AppendUint64(b, uint64(ceilUnix(expires)))
	prefix, body, err := s.seal(append(b, plain...))
	return prefix + body, err
}

func ceilUnix(t time.Time) int64 { return t.Add(time.Second - 1).Unix() }

// seal returns the value in two parts, as who puts more around it needs it. b begins with its form; securecookie
// encrypts it in place.
func (s *Sealer) seal(b []byte) (prefix, body string, err error) {
	c := s.current().primary
	if len(s.name)+len(c.prefix)+sealedLen(len(b)) > cookieheader.MaxBytes {
		return "", "", ErrTooLarge
	}
	body, err = c.Encode(c.bound, b)
	if err != nil {
		return "", "", fmt.Errorf("cookie: sealing %s: %w", s.name, err)
	}
	return c.prefix, body, nil
}

// Opened is what was in a cookie. It prints as [redacted].
type Opened struct {
	Plain   []byte // the caller's own
	KeyID   string // also where the outcome is UnknownKey, Tampered or RevokedKey; public
	Retired bool   // sealed under a retired key: seal it again when the occasion allows
	Issued  time.Time
	Expires time.Time // both zero but after SealUntil
}

// skew is how far the clocks of two nodes may differ.
const skew = time.Minute

// Open opens a cookie value: one attempt with the one key that it names. Unless the outcome is OK there is no Plain.
func (s *Sealer) Open(value string) (Opened, Outcome) {
	o, outcome := s.open(value)
	s.keys.Trace.opened(s.name, outcome, o.KeyID, o.Retired)
	return o, outcome
}

func (s *Sealer) open(value string) (o Opened, _ Outcome) {
	if len(s.name)+len(value) > cookieheader.MaxBytes {
		return o, TooLarge
	}
	id, body, ok := split(value)
	if !ok {
		return o, NotOurs
	}
	o.KeyID = id
	c := s.current().byID[id]
	if c == nil {
		return o, UnknownKey
	}
	var b []byte
	if err := c.Decode(c.bound, body, &b); err != nil || !canonical(body, len(b)) {
		return o, Tampered
	}
	if c.state == Revoked {
		return o, RevokedKey
	}
	o.Retired = c.state == Retired
	switch {
	case b[0] == formPlain:
		o.Plain = b[1:]
		return o, OK
	case b[0] == formDated && len(b) >= 17:
		o.Issued = time.Unix(int64(binary.BigEndian.Uint64(b[1:])), 0)
		o.Expires = time.Unix(int64(binary.BigEndian.Uint64(b[9:])), 0)
		if now := time.Now(); !now.Before(o.Expires) || o.Issued.After(now.Add(skew)) {
			return o, Expired
		}
		o.Plain = b[17:]
		return o, OK
	}
	return o, NotOurs
}

// idLen is the length of a key's id in base64url: 6 bytes.
const idLen = 8

// split takes the envelope off. An id that could not be one is not handed to any trace.
func split(value string) (id, body string, ok bool) {
	rest, ok := strings.CutPrefix(value, version)
	if !ok || len(rest) <= idLen+1 || rest[idLen] != '.' {
		return "", "", false
	}
	id = rest[:idLen]
	for _, c := range []byte(id) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return "", "", false
		}
	}
	return id, rest[idLen+1:], true
}
