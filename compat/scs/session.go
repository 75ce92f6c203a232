package scs

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"example.com/hardy/session"
)

// Status says what has become of the session data in this request.
type Status int

const (
	// Unmodified: the data have not been changed.
	Unmodified Status = iota

	// Modified: the data have been changed, or an idle timeout is to begin anew.
	Modified

	// Destroyed: the session has been destroyed.
	Destroyed
)

// contextKey finds a manager's session in a context.
type contextKey struct{ *identity }

// sessionData is one visitor's session as one request sees it.
type sessionData struct {
	engine *engine

	mu     sync.Mutex
	data        // as the request sees it
	shared bool // the map of values is the cache's: copy it before writing
	lent   bool // values that can be changed in place are the cache's, but for those in own and changed
	own    []string
	status Status
	token  string // what the client came with, or gets; "" while there is none
	id     string // of the row, where it is known without its token: in Iterate

	held  *session.Session // what the engine holds; nil while nothing is stored, and in Iterate until it is needed
	found found            // what the engine's store has last read
	put   put              // and last written

	base     []byte   // the row that held stands on
	stored   []byte   // the row that the values were when they were last read or stored
	changed  []string // names that were put or removed since
	cleared  bool     // Clear came before them
	moved    bool     // the deadline was set
	handed   bool     // a value that can be changed in place was given to somebody
	renews   bool     // RenewToken: a new token is due
	asked    bool     // RenewToken was called, if only for a new session
	replaced bool     // the token was replaced moments ago, by another request
	written  *written // by the commit under way; nil: nothing yet

	carrier  carrier     // of Load
	exchange exchange    // of LoadAndSave
	wrapped  atomic.Bool // LoadAndSave looks after it
	sent     bool        // the answer has left
}

// put is the row that the request has stored last.
type put struct {
	id           string
	row, version uint64 // its hash, and the Version that the engine gave it
}

// carrier is the context that carries a session: what context.WithValue returns, without an allocation of its own.
type carrier struct {
	context.Context
	key contextKey
	sd  *sessionData
}

func (c *carrier) Value(key any) any {
	if key == c.key {
		return c.sd
	}
	return c.Context.Value(key)
}

// found is a row that the engine has read for a session.
type found struct {
	id      string
	decoded *decoded // nil: it is sealed
}

func (s *SessionManager) with(ctx context.Context, sd *sessionData) context.Context {
	return context.WithValue(ctx, contextKey{s.identity()}, sd)
}

func (s *SessionManager) from(ctx context.Context) *sessionData {
	sd, ok := ctx.Value(contextKey{s.identity()}).(*sessionData)
	if !ok {
		panic("scs: no session data in context")
	}
	return sd
}

// blank gives sd what a new session has.
func (sd *sessionData) blank(lifetime time.Duration) {
	sd.data = data{deadline: time.Now().Add(lifetime).UTC()}
}

// load reads the session that t opens. A session that is not there, has ended, or was replaced leaves sd blank; an error means
// that the store could not be asked. ctx carries sd.
func (sd *sessionData) load(ctx context.Context, t *session.Token, text string) error {
	held, err := sd.engine.manager.Load(ctx, t)
	switch {
	case errors.Is(err, session.ErrExpired):
		return nil
	case errors.Is(err, session.ErrRotated):
		sd.replaced, sd.held = true, held
		return nil
	case err != nil:
		return err
	}
	d := sd.found.decoded
	if d == nil {
		if d = sd.unseal(held); d == nil {
			return nil
		}
	}
	sd.held, sd.token, sd.replaced = held, text, false
	sd.data, sd.shared, sd.lent = d.data, d.shared, d.shared
	sd.base, sd.stored = d.row, d.row
	if sd.engine.idle > 0 {
		sd.status = Modified
	}
	return nil
}

// unseal decodes the row in a sealed record; nil where it does not open, or can't be decoded.
func (sd *sessionData) unseal(held *session.Session) *decoded {
	row, ok := rowKey.Lookup(held)
	if !ok {
		return nil
	}
	rows := sd.engine.rows
	d := rows.decode(sd.found.id, row, rows.cache.get(sd.found.id).decoded)
	if d.err != nil {
		return nil
	}
	return d
}

// change makes values the request's own, and notes that name is no longer as it was.
func (sd *sessionData) change(name string) {
	sd.unshare()
	note(&sd.changed, name)
	sd.status = Modified
}

// unshare makes the map of values the request's own.
func (sd *sessionData) unshare() {
	switch {
	case sd.values == nil:
		sd.values = make(map[string]any)
	case sd.shared:
		sd.values, sd.shared = maps.Clone(sd.values), false
	}
}

func note(names *[]string, name string) {
	if !slices.Contains(*names, name) {
		*names = append(*names, name)
	}
}

// get returns the value under name. Whoever gets one that can be changed in place may do so: it is the request's own, and
// may have to be stored.
func (sd *sessionData) get(name string) any {
	v := sd.values[name]
	if traitOf(v) == immutable {
		return v
	}
	sd.handed = true
	if !sd.lent || slices.Contains(sd.own, name) || slices.Contains(sd.changed, name) {
		return v
	}
	c, _ := deepCopy(reflect.ValueOf(v))
	v = c.Interface()
	sd.unshare()
	sd.values[name] = v
	note(&sd.own, name)
	return v
}

// changes says whether something was changed since it was last stored.
func (sd *sessionData) changes() bool {
	return len(sd.changed) > 0 || sd.cleared || sd.moved || sd.renews
}

// store commits what has changed, or renews the session where nothing has. A value that was given away may have been
// changed in place: scs stores that where it stores at all. The lock of sd is the caller's.
func (sd *sessionData) store(ctx context.Context) error {
	if err := sd.hold(ctx); err != nil {
		return err
	}
	switch {
	case sd.replaced:
		return session.ErrRotated
	case sd.held == nil, sd.changes(), sd.handed && sd.status == Modified:
		return sd.commit(ctx)
	case sd.engine.idle > 0:
		return sd.engine.manager.Touch(ctx, sd.held)
	}
	return nil
}

func (sd *sessionData) commit(ctx context.Context) error {
	e := sd.engine
	if sd.held == nil {
		sd.held = e.manager.New()
		sd.unshare() // a Codec gets a map
	}
	sd.written = new(written)
	number, end := e.begin(sd)
	defer end()
	err := numberKey.Set(sd.held, number)
	if err == nil && sd.renews {
		err = sd.held.Renew()
	}
	if err == nil {
		err = e.manager.Commit(ctx, sd.held)
	}
	w := sd.written
	sd.written = nil
	switch {
	case err == nil:
	case errors.Is(err, session.ErrExpired) && sd.replaced:
		return session.ErrRotated // while this request was under way
	case w.refused != nil:
		return w.refused
	default:
		return err
	}
	if sd.renews {
		sd.id = ""
	}
	for _, name := range sd.changed {
		note(&sd.own, name)
	}
	sd.data, sd.shared, sd.lent, sd.base, sd.stored = w.data, sd.shared && !w.merged, sd.lent && !w.merged, w.base, w.row
	sd.changed, sd.cleared, sd.moved, sd.renews = nil, false, false, false
	if t := sd.held.Token(); t != nil && sd.id == "" {
		sd.token, err = e.text(t)
	}
	return err
}

// hold makes the engine hold a session that Iterate has read.
func (sd *sessionData) hold(ctx context.Context) error {
	if sd.held != nil || sd.id == "" {
		return nil
	}
	t, err := sd.engine.manager.Token(byID + sd.id)
	if err != nil {
		return err
	}
	held, err := sd.engine.manager.Load(ctx, t)
	if err == nil || errors.Is(err, session.ErrRotated) { // then it can only be destroyed
		sd.held, err = held, nil
	}
	return err
}

// destroy ends the session at once.
func (sd *sessionData) destroy(ctx context.Context) error {
	err := sd.hold(ctx)
	if err == nil && sd.held != nil {
		if err = sd.held.Logout(); err == nil {
			err = sd.held.Save(ctx)
		}
	}
	if errors.Is(err, session.ErrExpired) {
		return nil // it has ended already
	}
	return err
}

// forget leaves sd blank: what is put into it from now on begins another session.
func (sd *sessionData) forget(lifetime time.Duration) {
	sd.blank(lifetime)
	sd.shared, sd.lent, sd.own = false, false, nil
	sd.token, sd.id, sd.held, sd.base, sd.stored = "", "", nil, nil, nil
	sd.changed, sd.cleared, sd.moved, sd.handed, sd.renews, sd.replaced, sd.asked = nil, false, false, false, false, false, false
}
