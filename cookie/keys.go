package cookie

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
)

// Keys is a keyring: the keys that seal and open the cookies of one app, or of one team.
//
// Its text is a list of keys, separated by commas or newlines, each 43 characters of base64url (NewMaster
// makes one); in it, # begins a comment. The first key that is not revoked is the primary one and seals. The
// others are retired and only open. One with "revoked:" in front is neither: what was sealed under it answers
// RevokedKey. To rotate without signing anybody out:
//
//  1. append the new key: new instances can open what the next step will seal; roll out
//  2. move it to the front; roll out
//  3. drop the old one when nothing is sealed under it any more (Trace tells), at the latest after the longest
//     life of a cookie
//
// To end every session after a leak, put a new key in front and "revoked:" before the old ones.
//
// Keys is safe for concurrent use. It prints as [redacted] everywhere.
type Keys struct {
	// Trace is told of what happens to cookies under these keys; nil costs nothing. Set it before serving.
	Trace *Trace

	app    string
	source Source // nil: development keys
	ring   atomic.Pointer[ring]
	reload sync.Mutex
}

// ring is one reading of the source. It never changes.
type ring struct {
	generation uint64
	text       string // to see that a reading brought nothing new
	masters    []master
	states     map[string]State
	primary    *master
}

// State is the standing of a key in its ring.
type State uint8

const (
	Unknown State = iota // not in the ring
	Primary              // seals and opens
	Retired              // opens only
	Revoked              // neither: what it sealed has ended
)

func (s State) String() string {
	switch s {
	case Primary:
		return "primary"
	case Retired:
		return "retired"
	case Revoked:
		return "revoked"
	}
	return "unknown"
}

// NewKeys returns the ring that source holds, for the app or team of that name: two apps under the same keys
// cannot read each other's cookies. It refuses a bad ring with ErrNoPrimary, ErrKeyForm, ErrKeyWeak or ErrKeyTwice
// and a bad name with ErrApp.
func NewKeys(ctx context.Context, source Source, app string) (*Keys, error) {
	if source == nil {
		return nil, errors.New("cookie: NewKeys without a Source; for keys that end with the process use DevKeys")
	}
	if err := checkApp(app); err != nil {
		return nil, fmt.Errorf("cookie: %w", err)
	}
	k := &Keys{app: app, source: source}
	if err := k.Reload(ctx); err != nil {
		return nil, err
	}
	return k, nil
}

// DevKeys returns a ring with one random key, for development: every session and jar ends with the process,
// and no other process can read them. It warns in the log. The middleware refuses it, unless told otherwise, at a
// request that came by an address other than loopback, and where http.Server.Addr is for more than
// loopback, such as ":8080". It can't see a listener of all addresses on a server without Addr before such a request
// comes, nor who asks through a proxy on this machine or a Unix socket: keys of your own belong there. It
// panics where NewKeys refuses the name.
func DevKeys(app string) *Keys {
	if err := checkApp(app); err != nil {
		panic(fmt.Sprintf("cookie: DevKeys: %v", err))
	}
	k := &Keys{app: app}
	k.install(must(parseMasters(NewMaster())), "")
	slog.Warn("cookie: development keys: every session ends with this process; for anything else use KeysFromEnv or KeysFromFile", "app", app)
	return k
}

// must is for what cannot fail.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Reload reads the source again, while cookies are being opened. On any error the ring stays as it was. A ring
// that has not changed keeps its Generation. Development keys have nothing to reload.
func (k *Keys) Reload(ctx context.Context) error {
	if k.source == nil {
		return nil
	}
	k.reload.Lock() // or a slow reading could undo a later one
	defer k.reload.Unlock()
	err := k.read(ctx)
	k.Trace.reloaded(k, err)
	return err
}

func (k *Keys) read(ctx context.Context) error {
	text, err := k.source.Masters(ctx)
	if err != nil {
		return fmt.Errorf("cookie: reading the keys: %w", err)
	}
	masters, err := parseMasters(text)
	if err != nil {
		return fmt.Errorf("cookie: the keys of %s: %w", k.app, err)
	}
	if old := k.ring.Load(); old == nil || old.text != text {
		k.install(masters, text)
	}
	return nil
}

func (k *Keys) install(masters []master, text string) {
	next := &ring{generation: 1, text: text, masters: masters, states: map[string]State{}}
	if old := k.ring.Load(); old != nil {
		next.generation = old.generation + 1
	}
	for i := range masters {
		m := &masters[i]
		next.states[m.id] = m.state
		if m.state == Primary {
			next.primary = m
		}
	}
	k.ring.Store(next)
}

// App returns the name of the app or team.
func (k *Keys) App() string { return k.app }

// Dev says whether these are development keys.
func (k *Keys) Dev() bool { return k.source == nil }

// Generation is a number that changes whenever the ring does. Who remembers opened cookies looks at it, and
// only when it has moved at State.
func (k *Keys) Generation() uint64 { return k.ring.Load().generation }

// State returns the standing of a key by its id, which is public.
func (k *Keys) State(id string) State { return k.ring.Load().states[id] }

// PrimaryID returns the id of the key that seals.
func (k *Keys) PrimaryID() string { return k.ring.Load().primary.id }

// Shares says whether the two rings have a key in common, revoked ones aside. An app's ring and its team's must
// not: a team mate could read and forge the app's own cookies.
func (k *Keys) Shares(other *Keys) bool {
	states := other.ring.Load().states
	for id, state := range k.ring.Load().states {
		if theirs := states[id]; state != Revoked && theirs != Unknown && theirs != Revoked {
			return true
		}
	}
	return false
}
