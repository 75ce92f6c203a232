package session

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"example.com/hardy/internal/frame"
)

// Format says how a token names a record and how values rest in it. The default, Sealed, is what Hardy's
// promises speak of; others serve rows that another library wrote. A Format is safe for concurrent use.
type Format interface {
	// NewSecret makes the secret of a new token from crypto/rand, at least 128 bits of it.
	NewSecret() string
	// Derive returns the id of the record that secret opens and what opens and seals its Data, or ErrToken.
	Derive(secret string) (id string, v Vault, err error)
}

// Vault opens and seals the Data of the record that one token opens. It is safe for concurrent use and
// changes neither the record nor the values.
type Vault interface {
	// Seal returns the Data for r, whose other fields are already as they will be stored.
	Seal(r Record, v Values) ([]byte, error)
	// Open returns the values that Seal was given, or an error where r is not as it was sealed.
	Open(r Record) (Values, error)
}

// Values are a session's values as they rest: each name with its CBOR, in ascending order of the names.
// The zero value holds none.
type Values struct{ frame frame.Frame }

// NewValues collects names and their CBOR; of two under one name the later counts.
func NewValues(all iter.Seq2[string, []byte]) Values {
	var changes []frame.Change
	for name, value := range all {
		changes = append(changes, frame.Change{Key: name, Value: value})
	}
	return Values{frame.Apply(nil, changes)}
}

// All yields every name with its CBOR, which must not be changed.
func (v Values) All() iter.Seq2[string, []byte] { return v.frame.All() }

// Sealed is the default Format: a token is 32 random bytes; the id and the data key are two
// domain-separated SHA-256 derivations of it (a uniform secret needs no slower one); values are one
// AES-256-GCM blob with a fresh random nonce for each write, bound to the record's id, version, user,
// handle and time of authentication.
//
//	Data = 0x01 ‖ nonce (12) ‖ ciphertext of the frame ‖ tag (16)
var Sealed Format = sealed{}

type sealed struct{}

const (
	idLabel   = "hardy/1 session id"
	dataLabel = "hardy/1 session data"
	dataForm  = 1
)

func (sealed) NewSecret() string {
	var b [32]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return string(b[:])
}

func (sealed) Derive(secret string) (string, Vault, error) {
	if len(secret) != 32 {
		return "", nil, ErrToken
	}
	id := derive(idLabel, secret)
	var text [43]byte
	base64.RawURLEncoding.Encode(text[:], id[:])
	return string(text[:]), &sealedVault{secret: secret}, nil
}

func derive(label, secret string) [32]byte {
	var buf [64]byte
	return sha256.Sum256(append(append(buf[:0], label...), secret...))
}

// sealedVault makes key and cipher when they are first needed: a request that reads nothing never does.
type sealedVault struct {
	secret string
	once   sync.Once
	aead   cipher.AEAD
	again  atomic.Bool // a record was opened before
	last   atomic.Pointer[sealedMemo]
}

// sealedMemo is what a vault has last sealed or opened. A record that the store brings exactly so is not
// opened again: that would find the same. It lives as long as its Token, which holds the key as well.
type sealedMemo struct {
	id, user, handle string
	version          uint64
	authTime         time.Time
	data             []byte
	values           Values
}

// maxMemo bounds the values that a vault remembers, in bytes.
const maxMemo = 1 << 10

func (v *sealedVault) remember(r Record, values Values) {
	if len(values.frame) <= maxMemo {
		v.last.Store(&sealedMemo{r.ID, r.User, r.Handle, r.Version, r.AuthTime, r.Data, values})
	}
}

// is says whether everything that Data is bound to, and Data itself, are as they were.
func (m *sealedMemo) is(r *Record) bool {
	return m.version == r.Version && m.id == r.ID && m.user == r.User && m.handle == r.Handle &&
		m.authTime.Equal(r.AuthTime) && bytes.Equal(m.data, r.Data)
}

func (v *sealedVault) cipher() cipher.AEAD {
	v.once.Do(func() {
		key := derive(dataLabel, v.secret)
		block, err := aes.NewCipher(key[:])
		if err == nil {
			v.aead, err = cipher.NewGCMWithRandomNonce(block)
		}
		if err != nil {
			panic(err) // the key has 32 bytes
		}
	})
	return v.aead
}

func (v *sealedVault) Seal(r Record, values Values) ([]byte, error) {
	plain := []byte(values.frame)
	if plain == nil {
		plain = frame.Apply(nil, nil)
	}
	aead := v.cipher()
	out := make([]byte, 1, 1+len(plain)+aead.Overhead()) // no larger: a store keeps it as it is
	out[0] = dataForm
	r.Data = aead.Seal(out, nil, plain, bind(make([]byte, 0, boundLen(&r)), &r))
	v.remember(r, values)
	return r.Data, nil
}

var errData = errors.New("session: the record's data do not open under its token")

func (v *sealedVault) Open(r Record) (Values, error) {
	if m := v.last.Load(); m != nil && m.is(&r) {
		return m.values, nil
	}
	if len(r.Data) == 0 || r.Data[0] != dataForm {
		return Values{}, errData
	}
	aead := v.cipher()
	buf := make([]byte, 0, boundLen(&r)+max(0, len(r.Data)-1-aead.Overhead()))
	aad := bind(buf, &r)
	plain, err := aead.Open(aad[len(aad):], nil, r.Data[1:], aad)
	if err != nil {
		return Values{}, errData
	}
	f, err := frame.Parse(plain)
	if err != nil {
		return Values{}, errData
	}
	if v.again.Swap(true) { // a visitor who comes once is not worth remembering
		v.remember(r, Values{f})
	}
	return Values{f}, nil
}

// boundLen is no less than the length of what bind writes.
func boundLen(r *Record) int {
	return 1 + 3*binary.MaxVarintLen16 + len(r.ID) + len(r.User) + len(r.Handle) + 8 + 9
}

// bind writes what the Data of r is sealed to. Whoever can write to the store can not move Data to
// another record, to another user or to another version without being noticed.
func bind(b []byte, r *Record) []byte {
	b = append(b, dataForm)
	for _, field := range [...]string{r.ID, r.User, r.Handle} {
		b = binary.AppendUvarint(b, uint64(len(field)))
		b = append(b, field...)
	}
	b = binary.BigEndian.AppendUint64(b, r.Version)
	if r.AuthTime.IsZero() {
		return append(b, 0)
	}
	return binary.BigEndian.AppendUint64(append(b, 1), uint64(r.AuthTime.UnixNano()))
}
