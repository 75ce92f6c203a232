package scs

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"example.com/hardy/session"
	"example.com/hardy/store/scsstore"
)

// Load returns a context that carries the session which token opens, as the store holds it now; where there is none, a new
// one. A context that carries one already is returned as it is. The error is the store's. LoadAndSave does this for
// you.
func (s *SessionManager) Load(ctx context.Context, token string) (context.Context, error) {
	ctx, _, err := s.load(ctx, token)
	return ctx, err
}

// load does so, and returns the session as well.
func (s *SessionManager) load(ctx context.Context, token string) (context.Context, *sessionData, error) {
	e := s.engine()
	key := contextKey{e.own}
	if sd, ok := ctx.Value(key).(*sessionData); ok {
		return ctx, sd, nil
	}
	sd := &sessionData{engine: e}
	sd.carrier = carrier{ctx, key, sd}
	ctx = &sd.carrier
	if t, err := e.token(token); err == nil {
		if err := sd.load(ctx, t, token); err != nil {
			return nil, nil, err
		}
	}
	if sd.held == nil || sd.replaced {
		sd.blank(s.Lifetime)
	}
	return ctx, sd, nil
}

// Commit stores the session and returns its token and when it expires. Changes are made on the row as it is by then,
// key by key. Errors match session.ErrExpired where the session has ended meanwhile, session.ErrRotated where
// another request has replaced its token; others are the Codec's and the store's. LoadAndSave does this for you.
func (s *SessionManager) Commit(ctx context.Context) (string, time.Time, error) {
	sd := s.from(ctx)
	sd.mu.Lock()
	defer sd.mu.Unlock()
	if err := sd.store(ctx); err != nil {
		return "", time.Time{}, err
	}
	return sd.token, sd.expiry(), nil
}

func (sd *sessionData) expiry() time.Time {
	return sd.engine.expiry(sd.deadline, time.Now().UTC())
}

// Destroy ends the session in the store, at once, so that no request that is under way brings it back. What is put into
// it afterwards begins a new one. The error is the store's.
func (s *SessionManager) Destroy(ctx context.Context) error {
	sd := s.from(ctx)
	sd.mu.Lock()
	defer sd.mu.Unlock()
	if err := sd.destroy(ctx); err != nil {
		return err
	}
	sd.forget(s.Lifetime)
	sd.status = Destroyed
	return nil
}

// Put sets the value under key.
func (s *SessionManager) Put(ctx context.Context, key string, val interface{}) {
	sd := s.from(ctx)
	sd.mu.Lock()
	defer sd.mu.Unlock()
	sd.change(key)
	sd.values[key] = val
}

// Get returns the value under key, or nil.
func (s *SessionManager) Get(ctx context.Context, key string) interface{} {
	sd := s.from(ctx)
	sd.mu.Lock()
	defer sd.mu.Unlock()
	return sd.get(key)
}

// Pop returns the value under key, or nil, and removes it.
func (s *SessionManager) Pop(ctx context.Context, key string) interface{} {
	sd := s.from(ctx)
	sd.mu.Lock()
	defer sd.mu.Unlock()
	if _, exists := sd.values[key]; !exists {
		return nil
	}
	val := sd.get(key)
	sd.change(key)
	delete(sd.values, key)
	return val
}

// Remove removes the value under key. Where there is none it is a no-op.
func (s *SessionManager) Remove(ctx context.Context, key string) { s.Pop(ctx, key) }

// Clear removes all values. Token and lifetime stay. Where there are none it is a no-op.
func (s *SessionManager) Clear(ctx context.Context) error {
	sd := s.from(ctx)
	sd.mu.Lock()
	defer sd.mu.Unlock()
	if len(sd.values) == 0 {
		return nil
	}
	sd.values, sd.shared, sd.changed = make(map[string]any), false, nil
	sd.cleared, sd.status = true, Modified
	return nil
}

// Exists says whether there is a value under key.
func (s *SessionManager) Exists(ctx context.Context, key string) bool {
	sd := s.from(ctx)
	sd.mu.Lock()
	defer sd.mu.Unlock()
	_, exists := sd.values[key]
	return exists
}

// Keys returns the names of all values, sorted; an empty slice where there are none.
func (s *SessionManager) Keys(ctx context.Context) []string {
	sd := s.from(ctx)
	sd.mu.Lock()
	defer sd.mu.Unlock()
	keys := slices.AppendSeq(make([]string, 0, len(sd.values)), maps.Keys(sd.values))
	slices.Sort(keys)
	return keys
}

// RenewToken gives the session a new token and begins its lifetime anew; the values stay. Call it before a change of
// rights, such as a sign-in or sign-out: whoever knew the old token knows nothing then. It takes effect at the commit,
// which ends the old token. The error is session.ErrSent where the answer has left, so that no cookie can go out.
func (s *SessionManager) RenewToken(ctx context.Context) error {
	sd := s.from(ctx)
	sd.mu.Lock()
	defer sd.mu.Unlock()
	if sd.sent {
		return session.ErrSent
	}
	if sd.replaced { // a double click: this answer signs in as well, with a session of its own
		sd.held, sd.replaced = nil, false
	}
	sd.renews, sd.asked = sd.held != nil || sd.id != "", true
	sd.deadline, sd.moved = time.Now().Add(s.Lifetime).UTC(), true
	sd.status = Modified
	return nil
}

// MergeSession adds the values of another session, that token opens, to this one, and destroys the other. Of two values
// under one name the other's stays, and of the two deadlines the later one. Where there is no other session, or it is
// the same, it is a no-op. The error is the store's.
func (s *SessionManager) MergeSession(ctx context.Context, token string) error {
	sd := s.from(ctx)
	e := s.engine()
	t, err := e.token(token)
	if err != nil {
		return nil
	}
	other := &sessionData{engine: e}
	otherCtx := s.with(ctx, other)
	if err := other.load(otherCtx, t, token); err != nil || other.held == nil || other.replaced {
		return err
	}
	sd.mu.Lock()
	defer sd.mu.Unlock()
	if sd.token == token {
		return nil
	}
	if other.deadline.After(sd.deadline) {
		sd.deadline, sd.moved = other.deadline, true
	}
	for name, v := range other.values {
		sd.change(name)
		sd.values[name] = v
	}
	sd.status = Modified
	return other.destroy(otherCtx)
}

// Status returns what has become of the session in this request.
func (s *SessionManager) Status(ctx context.Context) Status {
	sd := s.from(ctx)
	sd.mu.Lock()
	defer sd.mu.Unlock()
	return sd.status
}

// RememberMe says whether the cookie survives the end of the browser, where Cookie.Persist is false.
func (s *SessionManager) RememberMe(ctx context.Context, val bool) {
	s.Put(ctx, rememberKey, val)
}

const rememberKey = "__rememberMe"

// Iterate calls fn with each session in the store that has not expired, in a context of its own, until fn returns an
// error, which it returns. fn can read and change a session, Commit it, and Destroy it. Rows that can't be decoded are
// left out, and traced. It panics where the store can't iterate. It reads every row.
func (s *SessionManager) Iterate(ctx context.Context, fn func(context.Context) error) error {
	e := s.engine()
	all, err := all(ctx, s.Store)
	if err != nil {
		return err
	}
	for id, row := range all {
		sd := &sessionData{engine: e, id: id, token: id}
		if isSealed(row) {
			rec, err := scsstore.Records.Decode(ctx, id, row)
			if err != nil {
				continue
			}
			sd.data = data{rec.Deadline, make(map[string]any)}
		} else {
			d := e.rows.decode(id, row, nil)
			if d.err != nil || d.end != nil {
				continue
			}
			sd.data, sd.shared, sd.lent, sd.base, sd.stored = d.data, d.shared, d.shared, d.row, d.row
		}
		if err := fn(s.with(ctx, sd)); err != nil {
			return err
		}
	}
	return nil
}

// Deadline returns when the session ends however active it is.
func (s *SessionManager) Deadline(ctx context.Context) time.Time {
	sd := s.from(ctx)
	sd.mu.Lock()
	defer sd.mu.Unlock()
	return sd.deadline
}

// SetDeadline sets when the session ends however active it is.
func (s *SessionManager) SetDeadline(ctx context.Context, expire time.Time) {
	sd := s.from(ctx)
	sd.mu.Lock()
	defer sd.mu.Unlock()
	sd.deadline, sd.moved = expire, true
	sd.status = Modified
}

// Token returns the session's token, or "" where the session has not been committed yet. After RenewToken it commits, as the
// new token is made then. In Iterate it is what the store has: a hash, with HashTokenInStore.
func (s *SessionManager) Token(ctx context.Context) string {
	sd := s.from(ctx)
	sd.mu.Lock()
	defer sd.mu.Unlock()
	if sd.renews || sd.asked && sd.token == "" {
		if err := sd.store(ctx); err != nil && !errors.Is(err, session.ErrExpired) {
			sd.engine.log.Error("scs: the new token could not be stored; the commit tries again", "error", err)
		}
	}
	return sd.token
}
