package recipe

import (
	"context"
	"path/filepath"
	"testing"

	"example.com/hardy/session"
	"example.com/hardy/store/sqlitestore"
)

func TestMove(t *testing.T) {
	ctx := context.Background()
	var stores []*sqlitestore.Store
	for _, name := range []string{"old", "new"} {
		db, err := sqlitestore.Open(ctx, filepath.Join(t.TempDir(), name+".db"), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		stores = append(stores, db)
	}
	rings := session.NewKey[int]("n_rings")
	before := session.NewManager(stores[0], nil)
	s := before.New()
	rings.Set(s, 3)
	if err := before.Commit(ctx, s); err != nil {
		t.Fatal(err)
	}
	if err := move(ctx, stores[0], stores[1]); err != nil {
		t.Fatal(err)
	}
	s, err := session.NewManager(stores[1], nil).Load(ctx, s.Token())
	if err != nil || rings.Get(s) != 3 {
		t.Errorf("in the new store: %d %v", rings.Get(s), err)
	}
}
