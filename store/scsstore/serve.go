package scsstore

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"example.com/hardy/session"
)

// Serve makes an scs store of a session.Store, so that a program on scs, unchanged, rests on one of Hardy's stores:
//
//	manager.Store = scsstore.Serve(db)
//
// A record's id is the token as scs gives it, or its hash with HashTokenInStore; its Data is scs's row. It
// is as safe as scs is: who reads the store reads the values, and without HashTokenInStore the tokens. In exchange
// Iterate goes on working, where the store is a session.Scanner. Never give one store's tables to a Manager and to
// Serve at once.
//
// What scs gains: a session that was destroyed, or whose token was renewed, is not brought back by a request that
// was under way. Its Commit is refused with an error that matches session.ErrExpired, for 24 hours. scs hands it to
// its ErrorFunc.
//
// Tokens are 43 characters of base64url, as scs makes them; Find answers "not found" for others, and Commit an error.
// Later errors are those of the store, from every method; without a context they may wait as long as the store does.
func Serve(s session.Store) CtxStore {
	if s == nil {
		panic("scsstore: Serve without a store; give it one of Hardy's, such as store.NewMemory(nil)")
	}
	if scanner, ok := s.(session.Scanner); ok {
		return servedAll{served{s}, scanner}
	}
	return served{s}
}

type served struct{ store session.Store }

func isToken(token string) bool {
	if len(token) != 43 {
		return false
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	return err == nil && len(b) == 32
}

// alive says whether scs may see r. A row's expiry is the record's Deadline, which, unlike Expires, may be brought forward.
func alive(r *session.Record) bool {
	return r.Ended == "" && time.Now().Before(r.Deadline)
}

func (s served) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	if !isToken(token) {
		return nil, false, nil
	}
	r, err := s.store.Load(ctx, token)
	if errors.Is(err, session.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	if !alive(&r) {
		return nil, false, nil
	}
	return r.Data, true, nil
}

// CommitCtx inserts or overwrites, as scs wants it, but for what has ended.
func (s served) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	if !isToken(token) {
		return fmt.Errorf("scsstore: a token has 43 characters of base64url; this one has %d", len(token))
	}
	var err error
	for range 100 { // each round that fails is another writer's success
		now := time.Now().Round(0)
		if err = s.put(ctx, token, b, now, expiry); !errors.Is(err, session.ErrExists) &&
			!errors.Is(err, session.ErrConflict) && !errors.Is(err, session.ErrNotFound) {
			return err
		}
	}
	return err
}

func (s served) put(ctx context.Context, token string, b []byte, now, expiry time.Time) error {
	r, err := s.store.Load(ctx, token)
	switch {
	case errors.Is(err, session.ErrNotFound):
		return s.store.Create(ctx, row(session.Record{ID: token, Handle: rand.Text(), Created: now}, b, now, expiry))
	case err != nil:
		return err
	case r.Ended != "":
		return &session.ExpiredError{Reason: r.Ended, Since: r.EndedAt}
	case !alive(&r):
		return &session.ExpiredError{Reason: session.ReasonLifetime, Since: r.Deadline}
	}
	return s.store.Replace(ctx, row(r, b, now, expiry))
}

// row is the next version of r.
func row(r session.Record, b []byte, now, expiry time.Time) session.Record {
	r.Data, r.Version = b, r.Version+1
	r.Seen, r.Expires, r.Deadline, r.Purge = now, expiry, expiry, expiry
	return r
}

// DeleteCtx leaves a tombstone.
func (s served) DeleteCtx(ctx context.Context, token string) error {
	now := time.Now().Round(0)
	_, err := s.store.End(ctx, token, session.End{Reason: session.ReasonLogout, At: now, Purge: now.Add(session.Tombstone)})
	if errors.Is(err, session.ErrNotFound) {
		return nil
	}
	return err
}

func (s served) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

func (s served) Commit(token string, b []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, b, expiry)
}

func (s served) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

// servedAll is an scs.IterableCtxStore as well.
type servedAll struct {
	served
	scanner session.Scanner
}

// AllCtx returns every live row. It holds all of them in memory, as Iterate does.
func (s servedAll) AllCtx(ctx context.Context) (map[string][]byte, error) {
	all := make(map[string][]byte)
	for cursor := ""; ; {
		page, next, err := s.scanner.Scan(ctx, cursor, 500)
		if err != nil {
			return nil, err
		}
		for i := range page {
			if alive(&page[i]) {
				all[page[i].ID] = page[i].Data
			}
		}
		if next == "" {
			return all, nil
		}
		cursor = next
	}
}

func (s servedAll) All() (map[string][]byte, error) { return s.AllCtx(context.Background()) }
