package cookie

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// What is wrong with the text of a keyring. The messages around them say which entry, never its text.
var (
	// ErrNoPrimary: the ring has no key to seal with: the text is empty, or every key in it is revoked.
	ErrNoPrimary = errors.New("there is no key to seal with")
	// ErrKeyForm: an entry is not 43 characters of base64url, which are 32 bytes.
	ErrKeyForm = errors.New("a key is 32 random bytes, written as 43 characters of base64url without padding")
	// ErrKeyWeak: an entry is regular as random bytes are not: a word, a sentence, a repetition, a sequence.
	ErrKeyWeak = errors.New("the key is not random")
	// ErrKeyTwice: an entry stands in the ring twice.
	ErrKeyTwice = errors.New("the key stands in the ring twice")
	// ErrApp: the name of the app or team is empty, or not of the letters, digits, - and _ that a cookie's name
	// may have, or longer than 64.
	ErrApp = errors.New("the app's name is 1 to 64 letters, digits, - and _")
)

// mend is how to make a key by hand.
const mend = `make one with: openssl rand -base64 32 | tr '+/' '-_' | tr -d '='`

const masterBytes = 32

// NewMaster returns a new random key in the form that a keyring's text has: 43 characters of base64url. Who
// has it can read and forge every cookie of the app.
func NewMaster() string {
	for {
		var b [masterBytes]byte
		rand.Read(b[:]) // never fails
		text := base64.RawURLEncoding.EncodeToString(b[:])
		if checkRandom(text, b[:]) == nil {
			return text
		}
	}
}

// master is one key of a ring.
type master struct {
	id    string
	key   [masterBytes]byte
	state State
}

const revokedPrefix = "revoked:"

// parseMasters reads the text form of a ring: see Keys.
func parseMasters(text string) ([]master, error) {
	var masters []master
	n := 0
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		for entry := range strings.SplitSeq(line, ",") {
			if entry = strings.TrimSpace(entry); entry == "" {
				continue
			}
			n++
			m, err := parseMaster(entry)
			if err != nil {
				return nil, fmt.Errorf("key %d: %w; %s", n, err, mend)
			}
			for i, other := range masters {
				if other.id == m.id {
					return nil, fmt.Errorf("keys %d and %d: %w", i+1, n, ErrKeyTwice)
				}
			}
			masters = append(masters, m)
		}
	}
	for i := range masters {
		if masters[i].state == Retired {
			masters[i].state = Primary
			return masters, nil
		}
	}
	if n > 0 {
		return nil, fmt.Errorf("%w: all are revoked; put a new one in front, and %s", ErrNoPrimary, mend)
	}
	return nil, fmt.Errorf("%w: it is empty or not set; %s", ErrNoPrimary, mend)
}

func parseMaster(entry string) (m master, err error) {
	m.state = Retired
	if text, ok := strings.CutPrefix(entry, revokedPrefix); ok {
		m.state, entry = Revoked, strings.TrimSpace(text)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(entry)
	if err != nil || len(b) != masterBytes {
		return m, ErrKeyForm // the library's error quotes the text's offset, which helps nobody
	}
	// A revoked key may have been weak: that is why it was revoked.
	if m.state != Revoked {
		if err := checkRandom(entry, b); err != nil {
			return m, err
		}
	}
	copy(m.key[:], b)
	id, err := hkdf.Key(sha256.New, b, nil, "hardy/1 key id", 6)
	if err != nil {
		return m, err
	}
	m.id = base64.RawURLEncoding.EncodeToString(id)
	return m, nil
}

// checkRandom refuses what people type. Of 32 random bytes about 30 are distinct and so are their differences; of
// the 43 characters about 31 are, and 40 % are lower-case letters. All rules together refuse one random key in nine
// million.
func checkRandom(text string, b []byte) error {
	var seen, differences, characters [256]bool
	distinct, steps, letters := 0, 0, 0
	printable := true
	for i, c := range b {
		distinct += first(&seen, c)
		if i > 0 {
			steps += first(&differences, c-b[i-1])
		}
		printable = printable && c >= ' ' && c < 0x7f
	}
	lower, upper := 0, 0
	for _, c := range []byte(text) {
		letters += first(&characters, c)
		switch {
		case c >= 'a' && c <= 'z':
			lower++
		case c >= 'A' && c <= 'Z':
			upper++
		}
	}
	switch {
	case printable:
		return fmt.Errorf("%w: its bytes are text", ErrKeyWeak)
	case distinct < 20 || steps < 16 || letters < 18:
		return fmt.Errorf("%w: it repeats itself or counts up", ErrKeyWeak)
	case lower > 34 || upper > 34:
		return fmt.Errorf("%w: it reads like words", ErrKeyWeak)
	}
	return nil
}

func first(seen *[256]bool, c byte) int {
	if seen[c] {
		return 0
	}
	seen[c] = true
	return 1
}

// checkApp keeps to what is good in a cookie's name and in a file's.
func checkApp(app string) error {
	for _, c := range []byte(app) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return fmt.Errorf("%w, and %q is not", ErrApp, app)
		}
	}
	if app == "" || len(app) > 64 {
		return ErrApp
	}
	return nil
}
