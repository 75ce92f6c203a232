package servers

import (
	"context"
	"database/sql"
	"testing"

	_ "modernc.org/sqlite"
)

// LockSQLite returns a fault of a SQLite file: another program holds its write lock, from when it is called until what it
// returns is.
func LockSQLite(t testing.TB, path string) func() (heal func()) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	other, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	return func() func() {
		if _, err := other.ExecContext(context.Background(), "BEGIN IMMEDIATE"); err != nil {
			return func() {} // the file was too busy for that
		}
		return func() { other.ExecContext(context.Background(), "ROLLBACK") }
	}
}
