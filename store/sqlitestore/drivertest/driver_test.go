// Package drivertest runs the conformance suite over sqlitestore.New with drivers that Hardy itself does
// not import. It is a module of its own so that they stay out of a user's go.sum. mattn needs cgo.
package drivertest

import (
	"database/sql"
	"path/filepath"
	"testing"

	"example.com/hardy/session"
	"example.com/hardy/store/sqlitestore"
	"example.com/hardy/store/storetest"
	_ "github.com/mattn/go-sqlite3"
	_ "github.com/ncruces/go-sqlite3/driver"
)

func TestMattn(t *testing.T)   { run(t, "sqlite3", "") }
func TestNcruces(t *testing.T) { run(t, "sqlite3", "file:") }

func run(t *testing.T, driver, prefix string) {
	storetest.Run(t, func(t *testing.T) session.Store {
		db, err := sql.Open(driver, prefix+filepath.Join(t.TempDir(), "app.db"))
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
