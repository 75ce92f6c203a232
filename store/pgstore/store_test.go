package pgstore

import (
	"context"
	"fmt"
	"os"
	"testing"

	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
	"example.com/hardy/store/storetest"
)

// childVar has this test program be another process, which opens the store at this URL, keeps one session there and
// ends.
const childVar = "HARDY_PGSTORE_CHILD"

func TestMain(m *testing.M) {
	if url := os.Getenv(childVar); url != "" {
		if err := child(context.Background(), url); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(servers.Run(m))
}

func child(ctx context.Context, url string) error {
	s, err := Open(ctx, url, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	r := newRecord("ann")
	if err := s.Create(ctx, r); err != nil {
		return err
	}
	_, err = s.Load(ctx, r.ID)
	return err
}

// open opens a store that ends with the test.
func open(t testing.TB, url string, o *Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	p := servers.SharedPostgres(t)
	storetest.Run(t, func(t *testing.T) session.Store { return open(t, p.URL(), nil) })
}

// The suite again where the table has another name and place, through a pooler, with one connection, and in the way of
// sending statements that differs most from pgx's default.
func TestStoreElsewhere(t *testing.T) {
	t.Parallel()
	p := servers.SharedPostgres(t)
	p.SQL(`CREATE SCHEMA "odd ""schema"`)
	bouncer := servers.StartPgBouncer(t, p, "default_pool_size = 4")
	for name, at := range map[string]struct {
		url string
		o   *Options
	}{
		"another schema and table": {p.URL(), &Options{Schema: `odd "schema`, Table: `Sessions of "the" app`}},
		"PgBouncer":                {bouncer.URL(), &Options{Table: "bouncer", Listen: p.URL()}},
		"one connection":           {p.URL() + "&pool_max_conns=1", &Options{Table: "one"}},
		"simple protocol":          {p.URL() + "&default_query_exec_mode=simple_protocol", &Options{Table: "simple"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) session.Store { return open(t, at.url, at.o) })
		})
	}
}
