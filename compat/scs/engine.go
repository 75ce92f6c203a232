package scs

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"math"
	"reflect"
	"sync"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/session"
	"example.com/hardy/store/scsstore"
)

// settings are those fields of a manager that its engine is made from.
type settings struct {
	store    Store
	codec    Codec
	lifetime time.Duration
	idle     time.Duration // 0: none
	hashed   bool
	hardy    Hardy
	name     string // of the cookie
}

// same says whether nothing was changed. Of a store or codec that can't be compared, a value with a map in it, say, the
// type has to do.
func (a *settings) same(b *settings) bool {
	return a.lifetime == b.lifetime && a.idle == b.idle && a.hashed == b.hashed && a.hardy == b.hardy && a.name == b.name &&
		sameValue(a.store, b.store) && sameValue(a.codec, b.codec)
}

func sameValue(a, b any) bool {
	t := reflect.TypeOf(a)
	return t == reflect.TypeOf(b) && (t == nil || !t.Comparable() || a == b)
}

// engine is Hardy's session manager over the manager's store, with scs's tokens and rows in place of sealed ones.
type engine struct {
	settings
	own     *identity
	manager *session.Manager
	rows    *rows
	sealer  *cookie.Sealer // nil without Hardy.Keys
	log     *slog.Logger

	mu      sync.Mutex
	commits map[uint64]*sessionData // under way, by what their Values say
	last    uint64
}

// storeTimeout bounds what one load or one commit waits for a store that looks at its context.
const storeTimeout = 10 * time.Second

func newEngine(own *identity, s settings) *engine {
	if s.codec == nil {
		s.codec = GobCodec{}
	}
	e := &engine{settings: s, own: own, log: s.hardy.Logger, commits: make(map[uint64]*sessionData)}
	if e.log == nil {
		e.log = slog.Default()
	}
	if s.hardy.Keys != nil {
		e.sealer = s.hardy.Keys.Sealer("session", s.name)
	}
	e.rows = newRows(e)
	// What a row's deadline and expiry are is decided by rows: these bounds are Hardy's.
	lifetime := min(max(s.lifetime, time.Second), session.MaxLifetime)
	idle := lifetime
	if s.idle > 0 {
		idle = min(s.idle, lifetime)
	}
	e.manager = session.NewManager(
		scsstore.Use(s.store, &scsstore.Options{Rows: e.rows, RandomIDs: true}),
		&session.Options{
			Idle: idle, Lifetime: lifetime, MaxBytes: math.MaxInt, StoreTimeout: storeTimeout,
			Format: format{e}, Logger: e.log, Trace: s.hardy.Trace,
		})
	return e
}

// expiry is when the row of a session with this deadline expires, after a request at now.
func (e *engine) expiry(deadline, now time.Time) time.Time {
	if idle := now.Add(e.idle); e.idle > 0 && idle.Before(deadline) {
		return idle
	}
	return deadline
}

// token turns what a cookie or a caller gave into what opens the session. The error means that nothing can lie there.
func (e *engine) token(text string) (*session.Token, error) {
	if text == "" {
		return nil, session.ErrToken
	}
	if e.sealer != nil && len(text) > plainToken {
		switch o, outcome := e.sealer.Open(text); outcome {
		case cookie.OK:
			return e.manager.Token(string(o.Plain))
		case cookie.RevokedKey:
			return nil, session.ErrToken
		}
	}
	if len(text) > longestToken || text[:1] == byID || e.sealer != nil && len(text) == sealedSecret {
		return nil, session.ErrToken
	}
	return e.manager.Token(text)
}

// text is what a token travels as.
func (e *engine) text(t *session.Token) (string, error) {
	secret := t.Secret()
	if e.sealer == nil || len(secret) != sealedSecret {
		return secret, nil
	}
	return e.sealer.Seal([]byte(secret))
}

const (
	plainToken   = 43   // characters of a token as scs makes it
	longestToken = 1024 // bytes of what is looked for at all
	sealedSecret = 32   // bytes
)

// byID begins the secret of a token that is known by the id of its row only, as Iterate finds it. No cookie has it.
const byID = "\x00"

// format is session.Format as scs has it: the token names the row, or its hash does.
type format struct{ *engine }

func (f format) NewSecret() string {
	if f.sealer != nil {
		return session.Sealed.NewSecret()
	}
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func (f format) Derive(secret string) (string, session.Vault, error) {
	switch {
	case f.sealer != nil && len(secret) == sealedSecret:
		id, v, err := session.Sealed.Derive(secret)
		return id, sealedVault{f.engine, v}, err
	case secret == "":
		return "", nil, session.ErrToken
	case secret[:1] == byID:
		return secret[1:], vault(f), nil
	case f.hashed:
		return hashToken(secret), vault(f), nil
	}
	return secret, vault(f), nil
}

func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
