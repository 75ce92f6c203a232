package sqlitestore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"strings"
)

// writer is the connection that writes, with what it has prepared. One goroutine at a time uses it.
type writer struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt

	ended   bool  // the transaction that has begun ends a record
	creates int   // since the last sweep in passing
	seen    int64 // the latest Seen among them
}

// hire returns a writer on a connection of its own. busy_timeout is 0 because waiting is done in begin,
// where new ops can join meanwhile; fullfsync makes macOS flush the drive as well. A checkpoint after 4,000
// pages (16 MB) in place of 1,000 copies and syncs a page that changes often a quarter as many times; the cache
// (of 16 MB, in KiB) keeps those pages, which 2 MB do not from some 4,000 sessions on.
func (s *Store) hire(ctx context.Context) (*writer, error) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &writer{conn: conn, stmts: make(map[string]*sql.Stmt)}
	for _, pragma := range []string{
		"PRAGMA busy_timeout=0", "PRAGMA synchronous=FULL", "PRAGMA fullfsync=1", "PRAGMA checkpoint_fullfsync=1",
		"PRAGMA journal_size_limit=67108864", "PRAGMA wal_autocheckpoint=4000", "PRAGMA cache_size=-16384",
	} {
		if _, err := conn.ExecContext(ctx, pragma); err != nil {
			w.close()
			return nil, err
		}
	}
	return w, nil
}

// close discards the connection: its settings are not those that the pool's owner expects.
func (w *writer) close() {
	for _, stmt := range w.stmts {
		stmt.Close()
	}
	w.conn.Raw(func(any) error { return driver.ErrBadConn })
	w.conn.Close()
}

// dismiss lets go of the writer. The next group hires another one.
func (s *Store) dismiss() {
	if s.writer != nil {
		s.writer.close()
		s.writer = nil
	}
}

// tryBegin begins a transaction, and hires a writer first where there is none.
func (s *Store) tryBegin() (err error) {
	if err := s.stillThere(); err != nil {
		return err
	}
	if s.writer == nil {
		if s.writer, err = s.hire(context.Background()); err != nil {
			return err
		}
	}
	s.writer.ended = false
	err = s.writer.exec("BEGIN IMMEDIATE")
	if err != nil && !locked(err) {
		s.dismiss()
	}
	return err
}

// stillThere refuses to write to a file that has lost its name: what went there would be gone at the next
// start.
func (s *Store) stillThere() error {
	if s.file == nil {
		return nil
	}
	if now, err := os.Stat(s.path); err != nil || !os.SameFile(now, s.file) {
		return fmt.Errorf("sqlitestore: %s was removed or replaced while it was open; put it back, or start this program again (error: %v)", s.name, err)
	}
	return nil
}

// rollback leaves no transaction open. A connection that cannot is discarded.
func (s *Store) rollback() {
	err := s.writer.exec("ROLLBACK")
	if err != nil && !strings.Contains(err.Error(), "no transaction is active") { // SQLite did it by itself
		s.dismiss()
	}
}

func (w *writer) prepare(text string) (*sql.Stmt, error) {
	if stmt := w.stmts[text]; stmt != nil {
		return stmt, nil
	}
	stmt, err := w.conn.PrepareContext(context.Background(), text)
	if err == nil {
		w.stmts[text] = stmt
	}
	return stmt, err
}

// exec ignores how many rows it changed.
func (w *writer) exec(text string, args ...any) error {
	_, err := w.change(text, args...)
	return err
}

// change says whether a row was changed.
func (w *writer) change(text string, args ...any) (bool, error) {
	stmt, err := w.prepare(text)
	if err != nil {
		return false, err
	}
	result, err := stmt.ExecContext(context.Background(), args...)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// find reads one row and says whether there was one.
func (w *writer) find(into []any, text string, args ...any) (bool, error) {
	stmt, err := w.prepare(text)
	if err != nil {
		return false, err
	}
	err = stmt.QueryRowContext(context.Background(), args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func (w *writer) query(text string, args ...any) (*sql.Rows, error) {
	stmt, err := w.prepare(text)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(context.Background(), args...)
}
