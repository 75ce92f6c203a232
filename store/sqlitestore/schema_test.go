package sqlitestore

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// TestMigrations run once each, forward only, whoever opens the file at the same time; a step that fails
// leaves the file as it was.
func TestMigrations(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "s.db")
	s := open(t, path)
	must(t, s.Create(ctx, fresh("ann")))

	steps := slices.Concat(migrations, []string{"ALTER TABLE hardy_sessions ADD COLUMN second INTEGER", "no such statement"})
	if err := s.migrate(ctx, steps); err == nil {
		t.Fatal("a migration that cannot be made: no error")
	}
	if columns(t, path, "second") != 0 {
		t.Error("a failed migration has left half of it")
	}
	must(t, s.Create(ctx, fresh("ann")))

	steps[len(steps)-1] = "ALTER TABLE hardy_sessions ADD COLUMN third INTEGER"
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if err := s.migrate(ctx, steps); err != nil { // twice the same column would be an error
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if columns(t, path, "second") != 1 || columns(t, path, "third") != 1 {
		t.Error("the migrations were not made")
	}
	must(t, s.Close())
	_, err := Open(ctx, path, nil)
	wantFault(t, "Open of a newer file", err, path, "schema 4", "knows 2")
}

func columns(t *testing.T, path, name string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	must(t, err)
	defer db.Close()
	must(t, db.QueryRow("SELECT count(*) FROM pragma_table_info('hardy_sessions') WHERE name = ?", name).Scan(&n))
	return n
}

// TestEveryQueryUsesAnIndex: none reads the whole table, but for Count.
func TestEveryQueryUsesAnIndex(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s.db"))
	for _, query := range []string{
		loadSQL, listSQL, scanSQL, endsSQL, replaceSQL, writableSQL, touchSQL, endSQL, rivalsSQL, dueSQL, forgetSQL, blankSQL, postponeSQL,
		accountSQL, accountsSQL, bookSQL, closeSQL, dueAccountSQL,
	} {
		n := strings.Count(query, "?")
		if strings.Contains(query, "?1") { // numbered: the driver wants the highest one
			for n = 1; strings.Contains(query, "?"+strconv.Itoa(n+1)); {
				n++
			}
		}
		args := slices.Repeat([]any{nil}, n)
		rows, err := s.db.Query("EXPLAIN QUERY PLAN "+query, args...)
		must(t, err)
		for rows.Next() {
			var a, b, c int
			var plan string
			must(t, rows.Scan(&a, &b, &c, &plan))
			if !strings.HasPrefix(plan, "SEARCH") {
				t.Errorf("%s\n\t%s", query, plan)
			}
		}
		must(t, rows.Err())
		rows.Close()
	}
}

// TestNewLeavesTheRestAlone: the application's own tables, version and id stay, its connections too.
func TestNewLeavesTheRestAlone(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "app.db")
	db, err := sql.Open("sqlite", path)
	must(t, err)
	defer db.Close()
	for _, text := range []string{"PRAGMA application_id=7", "PRAGMA user_version=3", "CREATE TABLE users (name)"} {
		_, err := db.Exec(text)
		must(t, err)
	}
	for range 2 {
		s, err := New(ctx, db, nil)
		must(t, err)
		must(t, s.Create(ctx, fresh("ann")))
		var synchronous int
		must(t, s.writer.conn.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&synchronous))
		if synchronous != 2 {
			t.Errorf("the writer runs at synchronous=%d, want FULL", synchronous)
		}
		must(t, s.Close())
	}
	var id, version, users int
	must(t, db.QueryRow("PRAGMA application_id").Scan(&id))
	must(t, db.QueryRow("PRAGMA user_version").Scan(&version))
	must(t, db.QueryRow("SELECT count(*) FROM users").Scan(&users))
	if id != 7 || version != 3 {
		t.Errorf("application_id is %d, user_version %d", id, version)
	}
	if open := db.Stats().InUse; open != 0 {
		t.Errorf("%d connections are kept", open)
	}
	s := open(t, path) // such as the hardy command does
	if n, err := s.Count(ctx); n != 2 || err != nil {
		t.Errorf("Open shows %d records, %v", n, err)
	}
}

func TestNewRefuses(t *testing.T) {
	memory, err := sql.Open("sqlite", ":memory:")
	must(t, err)
	defer memory.Close()
	_, err = New(t.Context(), memory, nil)
	wantFault(t, "New in memory", err, "store.NewMemory")
	memory.SetMaxOpenConns(1)
	_, err = New(t.Context(), memory, nil)
	wantFault(t, "New with one connection", err, "SetMaxOpenConns(2)")
}

// TestApplicationID is frozen: file(1) and other programs know the file by it.
func TestApplicationID(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	must(t, open(t, path).Close())
	b, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(b[68:72], []byte("Hrdy")) {
		t.Errorf("the header says %q", b[68:72])
	}
}
