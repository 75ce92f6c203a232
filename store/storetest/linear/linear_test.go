package linear

import (
	"path/filepath"
	"testing"

	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
	"example.com/hardy/store"
	"example.com/hardy/store/sqlitestore"
)

func TestLinearizableMemory(t *testing.T) {
	Run(t, func(*testing.T) Engine {
		m := store.NewMemory(nil)
		return Engine{Stores: []session.Store{m, m, m}}
	})
}

// TestLinearizableSQLite: three processes' connections to one file, which another program locks now and then.
func TestLinearizableSQLite(t *testing.T) {
	Run(t, func(t *testing.T) Engine {
		var e Engine
		path := filepath.Join(t.TempDir(), "sessions.db")
		for range 3 {
			s, err := sqlitestore.Open(t.Context(), path, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			e.Stores = append(e.Stores, s)
		}
		e.Faults = append(e.Faults, servers.LockSQLite(t, path))
		return e
	})
}

// TestModel: the contract itself passes, however slow its answers are and however many are lost.
func TestModel(t *testing.T) {
	Run(t, func(*testing.T) Engine { return newMachine("").engine() })
}

// TestWeakStoresAreCaught is the proof that the search bites.
func TestWeakStoresAreCaught(t *testing.T) {
	for _, weak := range weaknesses {
		t.Run(string(weak), func(t *testing.T) {
			t.Parallel()
			MustCatch(t, func(*testing.T) Engine { return newMachine(weak).engine() })
		})
	}
}
