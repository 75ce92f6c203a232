package pgstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// migration brings the tables from one version of the schema to the next.
type migration struct {
	sql string // for {table}
	// oldest is the version that a Hardy must know at least to go on working with the table afterwards: all
	// that run while this is made, in a rolling upgrade, go on where it is that of the version before.
	oldest int
}

// migrations are what has been released, which is never changed; a new version is a new entry.
//
// Moments are nanoseconds since 1970; a NULL or the smallest bigint is Go's zero time. What can be read by whoever
// reads the table is all but data, which is sealed under the visitor's cookie:
//
//	id         the session's id, 32 bytes: a hash of the token, which it does not reveal
//	handle     the session's public name
//	username   who is signed in, as bytes: text would refuse a NUL; empty is anonymous
//	version    counts what was stored
//	created, auth_time, seen, expires, deadline, purge, idle   as in session.Record
//	ended, ended_at, next                                      as in session.Record; '' is not ended
//	due        a sweep looks at the record then, and moves it on where it lives: may be early, never late
//	meta       as in session.Record
//
// due and not expires is indexed, because expires moves with each request and due once in an idle timeout; an update
// that touches no index stays within its page, which is left some room for it. The index by user holds hashes, so that
// a name may be of any length.
var migrations = []migration{{oldest: 1, sql: `
CREATE TABLE {table} (
	version   bigint NOT NULL,
	created   bigint NOT NULL,
	auth_time bigint,
	seen      bigint NOT NULL,
	expires   bigint NOT NULL,
	deadline  bigint NOT NULL,
	purge     bigint NOT NULL,
	idle      bigint NOT NULL,
	due       bigint NOT NULL,
	ended_at  bigint,
	id        bytea  NOT NULL,
	handle    text   NOT NULL,
	username  bytea  NOT NULL,
	ended     text   NOT NULL,
	next      text   NOT NULL,
	meta      bytea,
	data      bytea,
	PRIMARY KEY (id)
) WITH (fillfactor = 80);
ALTER TABLE {table} ALTER COLUMN data SET STORAGE EXTERNAL; -- sealed bytes do not compress
CREATE INDEX ON {table} USING hash (username) WHERE username <> '' AND ended = '';
CREATE INDEX ON {table} (due);
`}}

// columns are what the statements rely on.
var columns = map[string]string{
	"version": "bigint", "created": "bigint", "auth_time": "bigint", "seen": "bigint", "expires": "bigint",
	"deadline": "bigint", "purge": "bigint", "idle": "bigint", "due": "bigint", "ended_at": "bigint", "id": "bytea",
	"handle": "text", "username": "bytea", "ended": "text", "next": "text", "meta": "bytea", "data": "bytea",
}

// migrate brings the tables up to date, in one transaction, whoever else is at it. Where they are it needs no right
// but to read. Tables that are not for us are left alone.
func (p place) migrate(ctx context.Context, conn *pgx.Conn, steps []migration) error {
	from, err := p.recognize(ctx, conn, len(steps))
	if err != nil || from >= len(steps) {
		return err
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) // after Commit there is nothing to roll back
	// A table in use is not held up by a change that waits, say, for a dump to end.
	const begin = "SELECT pg_advisory_xact_lock(%d); SET LOCAL lock_timeout = '2s'"
	if _, err := tx.Exec(ctx, fmt.Sprintf(begin, p.lock("")), pgx.QueryExecModeSimpleProtocol); err != nil {
		return err
	}
	if from, err = p.recognize(ctx, conn, len(steps)); err != nil || from >= len(steps) {
		return err
	}
	var text strings.Builder
	if from == 0 {
		fmt.Fprintf(&text, "CREATE TABLE %s (one int PRIMARY KEY CHECK (one = 1), version int NOT NULL, oldest int NOT NULL);"+
			"INSERT INTO %[1]s VALUES (1, 0, 0);", p.versions())
	}
	for _, step := range steps[from:] {
		text.WriteString(strings.ReplaceAll(step.sql, "{table}", p.table()))
	}
	fmt.Fprintf(&text, "UPDATE %s SET version = %d, oldest = %d", p.versions(), len(steps), steps[len(steps)-1].oldest)
	if _, err := tx.Exec(ctx, text.String(), pgx.QueryExecModeSimpleProtocol); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// recognize returns the version of the tables, 0 where there are none, or why they are not for us.
func (p place) recognize(ctx context.Context, conn *pgx.Conn, known int) (version int, err error) {
	var records, versions bool
	// to_regclass would answer from a cache, in which what another process has just made is not there yet.
	const which = "SELECT count(*) FILTER (WHERE c.relname = $2::text) > 0, count(*) FILTER (WHERE c.relname = $3::text) > 0" +
		" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1::text"
	if err := ask(ctx, conn, which, p.schema, p.base, p.base+versionsSuffix).Scan(&records, &versions); err != nil {
		return 0, err
	}
	switch {
	case !records && !versions:
		return 0, nil
	case !versions:
		return 0, fmt.Errorf("there is a table %s that Hardy has not made (%s is not beside it), and it was left alone; give another name in Options.Table, or rename it", p.table(), p.versions())
	case !records:
		return 0, fmt.Errorf("the table %s is gone, and %s is still there; put back a backup, or drop that one to begin anew", p.table(), p.versions())
	}
	var oldest int
	if err := ask(ctx, conn, "SELECT version, oldest FROM "+p.versions()).Scan(&version, &oldest); err != nil {
		return 0, err
	}
	if oldest > known {
		return 0, fmt.Errorf("the table %s was brought up to date by a newer Hardy (schema %d, for those who know %d or later; this one knows %d) and was left alone; update this program, or give another name in Options.Table", p.table(), version, oldest, known)
	}
	return version, nil
}

// inspect says what about the table keeps the statements from working: columns or rights that are missing.
func (p place) inspect(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped",
		pgx.QueryExecModeExec, p.table())
	if err != nil {
		return err
	}
	there := make(map[string]string)
	var name, kind string
	if _, err := pgx.ForEachRow(rows, []any{&name, &kind}, func() error { there[name] = kind; return nil }); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(columns)) {
		if there[name] != columns[name] {
			return fmt.Errorf("the table %s has another shape than Hardy's: its column %s is %q and not %s; give another name in Options.Table, or put back a backup", p.table(), name, there[name], columns[name])
		}
	}
	for _, right := range []string{"SELECT", "INSERT", "UPDATE", "DELETE"} {
		var granted bool
		var user string
		if err := ask(ctx, conn, "SELECT has_table_privilege($1::text, $2::text), current_user::text", p.table(), right).Scan(&granted, &user); err != nil {
			return err
		}
		if !granted {
			return fmt.Errorf("the user %[1]q lacks a right: GRANT SELECT, INSERT, UPDATE, DELETE ON %[2]s TO %[3]s; GRANT SELECT ON %[4]s TO %[3]s",
				user, p.table(), pgx.Identifier{user}.Sanitize(), p.versions())
		}
	}
	return nil
}
