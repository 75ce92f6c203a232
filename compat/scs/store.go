package scs

import (
	"context"
	"fmt"
	"time"
)

// Store is the interface for session stores. Rows are found, overwritten and deleted by token.
type Store interface {
	// Delete removes a token and its data. It is a no-op where there is none.
	Delete(token string) (err error)

	// Find returns the data for a token. found is false where there is none, or it has expired, or the token is
	// malformed; err is for faults of the store only.
	Find(token string) (b []byte, found bool, err error)

	// Commit stores data under a token until expiry. What is there already is overwritten.
	Commit(token string, b []byte, expiry time.Time) (err error)
}

// IterableStore is the interface for session stores which support iteration.
type IterableStore interface {
	// All returns the data of all sessions that have not expired, by token: an empty map, not nil, where there are none.
	All() (map[string][]byte, error)
}

// CtxStore is the interface for session stores which take a context.
type CtxStore interface {
	Store

	// DeleteCtx is Delete with a context.
	DeleteCtx(ctx context.Context, token string) (err error)

	// FindCtx is Find with a context.
	FindCtx(ctx context.Context, token string) (b []byte, found bool, err error)

	// CommitCtx is Commit with a context.
	CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) (err error)
}

// IterableCtxStore is the interface for session stores which support iteration and take a context.
type IterableCtxStore interface {
	// AllCtx is All with a context.
	AllCtx(ctx context.Context) (map[string][]byte, error)
}

// all reads every row. It panics where the store can't iterate, as it always did.
func all(ctx context.Context, s Store) (map[string][]byte, error) {
	switch s := s.(type) {
	case IterableCtxStore:
		return s.AllCtx(ctx)
	case IterableStore:
		return s.All()
	}
	panic(fmt.Sprintf("type %T does not support iteration", s))
}
