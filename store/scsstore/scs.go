package scsstore

import (
	"context"
	"time"
)

// Store is scs.Store.
type Store interface {
	Delete(token string) (err error)
	Find(token string) (b []byte, found bool, err error)
	Commit(token string, b []byte, expiry time.Time) (err error)
}

// CtxStore is scs.CtxStore.
type CtxStore interface {
	Store
	DeleteCtx(ctx context.Context, token string) (err error)
	FindCtx(ctx context.Context, token string) (b []byte, found bool, err error)
	CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) (err error)
}

// rows are the methods of an scs store in the one form that does not panic: of several published stores (bunstore,
// etcdstore, firestore, goredisstore, pgxstore) the forms without a context do nothing else.
type rows struct {
	find   func(ctx context.Context, token string) ([]byte, bool, error)
	commit func(ctx context.Context, token string, b []byte, expiry time.Time) error
	delete func(ctx context.Context, token string) error
	all    func(ctx context.Context) (map[string][]byte, error) // nil: the store can't iterate
}

// probe looks for each method with a context first, one by one, as scs does.
func probe(s Store) rows {
	r := rows{
		find: func(_ context.Context, token string) ([]byte, bool, error) { return s.Find(token) },
		commit: func(_ context.Context, token string, b []byte, expiry time.Time) error {
			return s.Commit(token, b, expiry)
		},
		delete: func(_ context.Context, token string) error { return s.Delete(token) },
	}
	if c, ok := s.(interface {
		FindCtx(context.Context, string) ([]byte, bool, error)
	}); ok {
		r.find = c.FindCtx
	}
	if c, ok := s.(interface {
		CommitCtx(context.Context, string, []byte, time.Time) error
	}); ok {
		r.commit = c.CommitCtx
	}
	if c, ok := s.(interface {
		DeleteCtx(context.Context, string) error
	}); ok {
		r.delete = c.DeleteCtx
	}
	switch c := s.(type) {
	case interface {
		AllCtx(context.Context) (map[string][]byte, error)
	}:
		r.all = c.AllCtx
	case interface {
		All() (map[string][]byte, error)
	}:
		r.all = func(context.Context) (map[string][]byte, error) { return c.All() }
	}
	return r
}
