package gorilla

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"example.com/hardy/cookie"
	"example.com/hardy/internal/devkeys"
	"example.com/hardy/session"
	"github.com/gorilla/sessions"
)

// Store is a sessions.Store on Hardy's engine. Make it with NewStore; it is safe for concurrent use.
type Store struct {
	// Options are what new sessions begin with: of gorilla's cookie store, version 1.4.0. Set its fields, or replace it,
	// before serving.
	Options *sessions.Options

	manager *session.Manager
	keys    *cookie.Keys
	o       Options
	sealers sealers
	cards   cards
	moved   successors
}

// NewStore returns a store whose sessions are m's, in cookies sealed by keys. Each named session of a visitor is a session
// of its own. nil options mean the defaults. It panics where m or keys are nil or options can't be served.
func NewStore(m *session.Manager, keys *cookie.Keys, o *Options) *Store {
	switch {
	case m == nil:
		panic("gorilla: NewStore without a manager; make one with session.NewManager")
	case keys == nil:
		panic("gorilla: NewStore without keys; make them with cookie.KeysFromEnv, KeysFromFile, or DevKeys on a laptop")
	}
	st := &Store{
		Options: &sessions.Options{Path: "/", MaxAge: 86400 * 30, SameSite: http.SameSiteNoneMode, Secure: true},
		manager: m,
		keys:    keys,
		o:       o.checked(),
	}
	if st.o.Old != nil {
		if _, err := m.ImportToken(st.o.Secret, ""); err != nil {
			panic("gorilla: Options.Old: the manager's Format takes no token that is derived: " + err.Error())
		}
	}
	return st
}

// MaxAge sets how long new sessions last, in seconds, as it does of gorilla's stores. Call it before serving.
func (st *Store) MaxAge(age int) { st.Options.MaxAge = age }

// Get returns the session of that name, the same one each time that a request asks for it. It is never nil but with the
// error for a name that no cookie can have. Any other error is session.ErrUnavailable: the store could
// not be asked, and the session is blank and can't be saved.
func (st *Store) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(st, name)
}

// New returns the session of that name, read anew. The error is that of Get.
func (st *Store) New(r *http.Request, name string) (*sessions.Session, error) {
	s := sessions.NewSession(st, name)
	o := *st.Options
	s.Options = &o
	v, values := st.arrive(r, name)
	v.given = o
	s.IsNew = !v.came
	s.Values = values
	s.ID = v.id
	remember(r, s, v)
	return s, v.failed
}

// Save stores what the request has changed in the session, and writes the cookie where it is a new one. Options.MaxAge
// below 0 ends the session and deletes the cookie. Nothing is stored for a new session that holds nothing.
//
// Errors: that of Get. session.ErrExpired and session.ErrRotated where the session ended, or its token was replaced, while
// the request was under way: nothing was stored. session.ErrTooLarge, session.ErrCapped. session.ErrUnavailable: perhaps
// nothing was stored. session.ErrSent, within Handler: the answer has left, and no cookie can follow; nothing was
// stored, but an end. A value that gob can't encode.
func (st *Store) Save(r *http.Request, w http.ResponseWriter, s *sessions.Session) error {
	if s.Options == nil {
		o := *st.Options
		s.Options = &o
	}
	v := st.visitOf(r, s)
	if v.failed != nil {
		return v.failed
	}
	x := exchange{st: st, r: r, w: w, s: s, visit: v, late: late(r, w)}
	var err error
	if s.Options.MaxAge < 0 {
		err = x.end()
	} else {
		err = x.save()
	}
	s.ID = v.id
	return err
}

// visits ties what New has learnt to gorilla's sessions, for as long as their request lives: Session has no room for it, and
// applications replace all of its fields.
type visits struct {
	context.Context
	mu  sync.Mutex
	all []tied
}

type tied struct {
	s *sessions.Session
	v *visit
}

type visitsKey struct{}

// Value finds the visits in the context of a request.
func (all *visits) Value(key any) any {
	if key == (visitsKey{}) {
		return all
	}
	return all.Context.Value(key)
}

// remember ties v to s. It changes r in place, as GetRegistry does.
func remember(r *http.Request, s *sessions.Session, v *visit) {
	all, ok := r.Context().Value(visitsKey{}).(*visits)
	if !ok {
		all = &visits{Context: r.Context()}
		*r = *r.WithContext(all)
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	all.all = append(all.all, tied{s, v})
}

// visitOf is what New has learnt of s. A session that an application has made by itself (sessions.NewSession), or saves with
// another request than it got it with, is looked for now; its values take the place of those that are stored.
func (st *Store) visitOf(r *http.Request, s *sessions.Session) *visit {
	if v := recall(r, s); v != nil {
		return v
	}
	v, _ := st.arrive(r, s.Name())
	s.ID = v.id
	remember(r, s, v)
	return v
}

func recall(r *http.Request, s *sessions.Session) *visit {
	all, ok := r.Context().Value(visitsKey{}).(*visits)
	if !ok {
		return nil
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, t := range all.all {
		if t.s == s {
			return t.v
		}
	}
	return nil
}

// arrive finds the session that a request brings, and its values.
func (st *Store) arrive(r *http.Request, name string) (*visit, map[any]any) {
	if st.keys.Dev() && !st.o.AllowDevKeys {
		devkeys.Refuse("gorilla", r)
	}
	v := &visit{name: name}
	var err error
	if v.card = st.find(r, name); v.card != nil {
		v.hardy, err = st.manager.Load(r.Context(), v.card.token)
		if err == nil {
			v.live, err = true, st.manager.Touch(r.Context(), v.hardy)
		}
	} else {
		v.hardy, err = st.arriveOld(r, name)
		v.live = err == nil
	}
	switch {
	case errors.Is(err, session.ErrExpired):
		if v.card != nil {
			st.cards.drop(v.card)
		}
		v.hardy, v.card = nil, nil
	case err != nil && !errors.Is(err, session.ErrRotated):
		v.hardy, v.failed = nil, err
	case v.hardy != nil:
		v.came, v.id = true, v.hardy.Handle()
		return v, st.read(v)
	}
	return v, map[any]any{}
}
