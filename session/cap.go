package session

import (
	"context"
	"errors"
	"fmt"
)

// CappedError refuses a sign-in: the user has as many sessions as Options allow, and RefuseLogin is set. It
// comes from the commit, so a handler that wants to answer it calls Save after Login:
//
//	s.Login(user)
//	if err := s.Save(ctx); errors.Is(err, session.ErrCapped) {
//		list, err := sessions.List(ctx, user) // … show it, and ask which one to Revoke
//	}
//
// Nothing of what was pending has been stored then; the session is as the request found it.
type CappedError struct {
	Max int // how many the user may have
}

func (e *CappedError) Error() string {
	return fmt.Sprintf("session: the user has %d sessions, as many as allowed; end one of them first", e.Max)
}

// Is makes every CappedError match ErrCapped.
func (e *CappedError) Is(target error) bool { return target == ErrCapped }

// capped says whether o bounds the sessions of a user.
func (o *Options) capped() bool { return o.MaxPerUser != 0 || o.MaxFor != nil }

// checkCap panics where the store can't keep the bound.
func (m *Manager) checkCap(o *Options) {
	if !o.capped() {
		return
	}
	var ok bool
	if m.capper, ok = m.store.(Capper); !ok {
		panic(&OptionError{"MaxPerUser", fmt.Sprintf(
			"%T can't bound a user's sessions, because it is no session.Capper; take a store that is one, such as store.NewMemory or sqlitestore, or set neither MaxPerUser nor MaxFor", m.store)})
	}
	m.refuseLogin, m.maxFor = o.RefuseLogin, o.MaxFor
	if m.maxFor == nil {
		m.maxFor = func(string) int { return o.MaxPerUser }
	}
}

// add stores a record that is new. That of a sign-in keeps its user's sessions within their number.
func (s *Session) add(ctx context.Context, rec Record) error {
	limit := 0
	if s.login && s.m.capper != nil {
		if limit = s.m.maxFor(rec.User); limit < 0 {
			return &OptionError{"MaxFor", fmt.Sprintf("returned %d; 0 is no bound", limit)}
		}
	}
	if limit == 0 {
		return s.m.ask("create", func() error { return s.m.store.Create(ctx, rec) })
	}
	var evicted []Record
	err := s.m.ask("create", func() (err error) {
		evicted, err = s.m.capper.CreateWithin(ctx, rec, limit, !s.m.refuseLogin)
		return err
	})
	for i := range evicted {
		s.m.ended(&evicted[i], End{Reason: ReasonEvicted, At: rec.Seen})
	}
	if errors.Is(err, ErrCapped) {
		s.m.log.Info("session: sign-in refused", "user", rec.User, "max", limit)
		s.unlogin()
		return &CappedError{limit}
	}
	return err
}

// unlogin leaves the session as the request found it.
func (s *Session) unlogin() {
	s.drop()
	if s.token != nil {
		s.base, s.opened = nil, false // a Login of another user has emptied it
	}
}
