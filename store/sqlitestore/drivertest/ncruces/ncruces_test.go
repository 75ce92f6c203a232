// Package ncruces runs the conformance suite over sqlitestore.New with ncruces/go-sqlite3, which runs
// SQLite without cgo. It is in a module of its own, so that the driver stays out of a user's go.sum.
package ncruces

import (
	"database/sql"
	"path/filepath"
	"testing"

	"example.com/hardy/session"
	"example.com/hardy/store/sqlitestore"
	"example.com/hardy/store/storetest"
	_ "github.com/ncruces/go-sqlite3/driver"
)

func TestNewKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) session.Store {
		db, err := sql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "app.db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		s, err := sqlitestore.New(t.Context(), db, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
		return s
	})
}
