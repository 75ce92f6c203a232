package sqlitestore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// applicationID is in the header of a file that Open made ("Hrdy"), for file(1) and for other programs.
const applicationID = 0x48726479

// migrations bring the tables from the version of their index to the next one. What has been released is
// never changed; a new version is a new entry.
//
// Moments are nanoseconds since 1970; a NULL or the smallest integer is Go's zero time. What can be read
// by whoever has the file is all but data, which is sealed under the visitor's cookie:
//
//	id         the session's id, 32 bytes: a hash of the token, which it does not reveal
//	handle     the session's public name
//	user       who is signed in; '' is anonymous
//	version    counts what was stored
//	created, auth_time, seen, expires, deadline, purge, idle   as in session.Record
//	ended, ended_at, next                                      as in session.Record; '' is not ended
//	end_seq    the place of the end in the order of all ends; NULL where it has not ended, or came in ended
//	due        a sweep looks at the record then, and moves it on where it lives: may be early, never late
//	meta       as in session.Record
//
// due and not expires is indexed, because expires moves with each request and due once in an idle timeout.
var migrations = []string{`
CREATE TABLE hardy_store (
	one    INTEGER PRIMARY KEY CHECK (one = 1),
	schema INTEGER NOT NULL, -- how many migrations were made
	ends   INTEGER NOT NULL  -- the last end_seq given out
) STRICT;
INSERT INTO hardy_store VALUES (1, 0, 0);
CREATE TABLE hardy_sessions (
	n         INTEGER PRIMARY KEY,
	id        BLOB    NOT NULL,
	handle    TEXT    NOT NULL,
	user      TEXT    NOT NULL,
	version   INTEGER NOT NULL,
	created   INTEGER NOT NULL,
	auth_time INTEGER,
	seen      INTEGER NOT NULL,
	expires   INTEGER NOT NULL,
	deadline  INTEGER NOT NULL,
	purge     INTEGER NOT NULL,
	idle      INTEGER NOT NULL,
	due       INTEGER NOT NULL,
	ended     TEXT    NOT NULL,
	ended_at  INTEGER,
	next      TEXT    NOT NULL,
	end_seq   INTEGER,
	meta      BLOB,
	data      BLOB
) STRICT;
CREATE UNIQUE INDEX hardy_sessions_id ON hardy_sessions (id);
CREATE INDEX hardy_sessions_user ON hardy_sessions (user) WHERE user <> '' AND ended = '';
CREATE INDEX hardy_sessions_due ON hardy_sessions (due);
CREATE INDEX hardy_sessions_end ON hardy_sessions (end_seq) WHERE end_seq IS NOT NULL;
`, `
CREATE TABLE hardy_quotas (
	n        INTEGER PRIMARY KEY,
	user     TEXT NOT NULL,
	resource TEXT NOT NULL,
	account  BLOB NOT NULL, -- in the form of package quota: what is used, when, and the user's own quota
	due      INTEGER        -- may be forgotten then, in nanoseconds since 1970; NULL: never
) STRICT;
CREATE UNIQUE INDEX hardy_quotas_account ON hardy_quotas (user, resource);
CREATE INDEX hardy_quotas_due ON hardy_quotas (due) WHERE due IS NOT NULL;
`}

// setUp makes the file ready and prepares what reads.
func (s *Store) setUp(ctx context.Context) error {
	if err := s.migrate(ctx, migrations); err != nil {
		return s.explain(err)
	}
	for _, p := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&s.load, loadSQL}, {&s.list, listSQL}, {&s.scan, scanSQL}, {&s.count, countSQL}, {&s.last, lastSQL}, {&s.ends, endsSQL},
		{&s.accounts, accountsSQL},
	} {
		if err := s.patiently(ctx, func() (err error) {
			*p.stmt, err = s.db.PrepareContext(ctx, p.text)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// migrate brings the tables up to date, in one transaction, whoever else is at it. A file that is not for
// us is not written to.
func (s *Store) migrate(ctx context.Context, steps []string) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	exec := func(text string) error {
		return untilFree(ctx, func() error {
			_, err := conn.ExecContext(ctx, text)
			return err
		})
	}
	if err := untilFree(ctx, func() error { _, err := s.recognize(ctx, conn, len(steps)); return err }); err != nil {
		return err
	}
	var mode string
	if err := untilFree(ctx, func() error {
		return conn.QueryRowContext(ctx, "PRAGMA journal_mode=WAL").Scan(&mode)
	}); err != nil {
		return err
	}
	if !strings.EqualFold(mode, "wal") {
		return fmt.Errorf("sqlitestore: %s cannot keep a write-ahead log (journal mode %s): it must be a file on a local disk; for memory use store.NewMemory", s.name, mode)
	}
	if err := exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	// Even where ctx is done: the connection may be the caller's. After COMMIT there is nothing to roll back.
	defer conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	from, err := s.recognize(ctx, conn, len(steps))
	if err != nil || from == len(steps) {
		return err
	}
	for _, step := range steps[from:] {
		if err := exec(step); err != nil {
			return err
		}
	}
	if s.owned && from == 0 {
		if err := exec(fmt.Sprintf("PRAGMA application_id=%d", applicationID)); err != nil {
			return err
		}
	}
	if err := exec(fmt.Sprintf("UPDATE hardy_store SET schema = %d", len(steps))); err != nil {
		return err
	}
	return exec("COMMIT")
}

// recognize returns how many migrations the file has had, or why it is not for us.
func (s *Store) recognize(ctx context.Context, conn *sql.Conn, known int) (had int, err error) {
	var application, objects, ours int
	if err := conn.QueryRowContext(ctx, "PRAGMA application_id").Scan(&application); err != nil {
		return 0, err
	}
	const what = "SELECT count(*), count(*) FILTER (WHERE type = 'table' AND name = 'hardy_store') FROM sqlite_schema"
	if err := conn.QueryRowContext(ctx, what).Scan(&objects, &ours); err != nil {
		return 0, err
	}
	switch {
	case ours == 0 && s.owned && application != 0 && application != applicationID:
		return 0, fmt.Errorf("sqlitestore: %s belongs to another application (its id is %#x) and was left alone; give another path, or pass that database to sqlitestore.New", s.name, uint32(application))
	case ours == 0 && s.owned && objects > 0:
		return 0, fmt.Errorf("sqlitestore: %s is a database with other tables and was left alone; give another path, or pass that database to sqlitestore.New", s.name)
	case ours == 0:
		return 0, nil
	}
	if err := conn.QueryRowContext(ctx, "SELECT schema FROM hardy_store").Scan(&had); err != nil {
		return 0, err
	}
	if had > known {
		return 0, fmt.Errorf("sqlitestore: %s was written by a newer Hardy (schema %d, this one knows %d) and was left alone; update this program, or give another path", s.name, had, known)
	}
	return had, nil
}
