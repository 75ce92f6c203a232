package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"

	"example.com/hardy/internal/value"
)

// ErrNotSealed: Open was given what Seal of this session has not made, or what was changed since.
var ErrNotSealed = errors.New("session: not sealed by this session, or changed since")

const (
	sealKey   = "\x00seal" // holds the key of Seal, 32 bytes
	sealLabel = "hardy/1 session seal"
	sealForm  = 1
)

// Seal encrypts data of the application's own for this session alone: a file, a row in a database, a message to a
// queue. It is opened by Open of the same session, after any change of the token, and by nobody once the session has
// ended, or another user has signed in: the key lies among the session's sealed values and goes with them. So
// it suits what nobody needs afterwards. Clear leaves the key.
//
// The first Seal of a session stores the key at once, as Key.Update does: on a blank session it begins one. The
// others ask no store. Errors: those of Key.Update.
//
//	sealed = 0x01 ‖ nonce (12) ‖ AES-256-GCM of data ‖ tag (16)
func (s *Session) Seal(data []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	b, ok := s.lookup(sealKey)
	if !ok {
		err := s.updateLocked(s.background(), sealKey, func(held []byte, ok bool) (_ []byte, err error) {
			if b = held; !ok {
				var key [32]byte
				rand.Read(key[:])
				b, err = value.Encode(key[:])
			}
			return b, err
		})
		if err != nil {
			return nil, err
		}
	}
	aead, err := sealer(b)
	if err != nil {
		return nil, err
	}
	sealed := make([]byte, 1, 1+len(data)+aead.Overhead())
	sealed[0] = sealForm
	return aead.Seal(sealed, nil, data, []byte(sealLabel)), nil
}

// Open returns what Seal was given. Errors: ErrNotSealed, *ExpiredError once the session has ended, ErrRotated where
// the token was replaced by a sign-in moments ago.
func (s *Session) Open(sealed []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	b, ok := s.lookup(sealKey)
	if !ok && s.err != nil {
		return nil, s.err
	}
	if !ok || len(sealed) == 0 || sealed[0] != sealForm {
		return nil, ErrNotSealed
	}
	aead, err := sealer(b)
	if err != nil {
		return nil, err
	}
	data, err := aead.Open(nil, nil, sealed[1:], []byte(sealLabel))
	if err != nil {
		return nil, ErrNotSealed
	}
	return data, nil
}

func sealer(b []byte) (cipher.AEAD, error) {
	key, err := value.Read[[]byte](b)
	if err != nil || len(key) != 32 {
		return nil, ErrNotSealed
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
