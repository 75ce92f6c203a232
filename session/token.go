package session

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
)

// ErrToken: the text is no token of the manager's Format.
var ErrToken = errors.New("session: not a token of this format")

// Token is the secret that opens one session, with what is derived from it. It is made by Manager.Token and
// may be kept and used by many goroutines; making it costs more than using it. It prints as
// "[session token]" everywhere: only Secret reveals it.
type Token struct {
	secret string
	id     string
	vault  Vault

	renewals atomic.Pointer[renewals] // nil until a Touch is due
}

// Token derives what a secret opens. It asks no store: a token that was never issued is found out by Load.
// The error is ErrToken.
func (m *Manager) Token(secret string) (*Token, error) {
	id, vault, err := m.format.Derive(secret)
	if err != nil {
		return nil, err
	}
	return &Token{secret: secret, id: id, vault: vault}, nil
}

// Secret returns the token itself, for a carrier that hands it to the visitor, or a job that must come
// back to the session: of the default format, 32 random bytes. Never log or store it; with it, and the
// store, the session and its values are open.
func (t *Token) Secret() string { return t.secret }

func (t *Token) renewing() *renewals {
	if t.renewals.Load() == nil {
		t.renewals.CompareAndSwap(nil, new(renewals))
	}
	return t.renewals.Load()
}

const redacted = "[session token]"

func (t *Token) String() string               { return redacted }
func (t *Token) GoString() string             { return redacted }
func (t *Token) Format(f fmt.State, _ rune)   { io.WriteString(f, redacted) }
func (t *Token) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (t *Token) MarshalText() ([]byte, error) { return []byte(redacted), nil }
