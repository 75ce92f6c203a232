package pgstore

import (
	"fmt"
	"strings"

	"example.com/hardy/session"
)

// statements are what a Store says to the server, once it is set up. Those for many take their arguments as arrays.
type statements struct {
	load, loadMany         string
	list, scan, count      string
	create                 string
	replace, replaceMany   string
	state                  string // of records that a Replace has missed
	touch, touchMany       string
	end                    string
	lockUser, createWithin string
	sweep                  string
}

const (
	// fields are the columns of a Record in the order of row's.
	fields = "handle, username, version, created, auth_time, seen, expires, deadline, purge, idle, ended, ended_at, next, meta"

	// values are the arguments of an insertion: id, fields, data, due.
	values = "$1::bytea, $2::text, $3::bytea, $4::bigint, $5::bigint, $6::bigint, $7::bigint, $8::bigint, $9::bigint, $10::bigint, " +
		"$11::bigint, $12::text, $13::bigint, $14::text, $15::bytea, $16::bytea, $17::bigint"

	// idText is an id as its 43 characters, which sort otherwise than its bytes, and count.
	idText = `translate(rtrim(encode(id, 'base64'), '='), '+/', '-_') COLLATE "C"`
)

// newStatements returns them for a table, which is quoted.
//
// Arrays stand in sub-selects to hide their lengths from the planner, which would otherwise plan anew at each
// execution, for longer than one takes. A limit that is an argument it takes for a tenth of the table, so that a
// constant one stands below it. What a statement for many changes it locks in the order of its arrays: the
// callers sort them by id, so that no two groups, of one process or of two, wait for each other in a circle.
func newStatements(table string) statements {
	sql := strings.NewReplacer("{table}", table, "{fields}", fields, "{values}", values, "{id text}", idText,
		"{grace}", fmt.Sprint(int64(session.Grace)+1), "{page}", fmt.Sprint(scanPage), "{step}", fmt.Sprint(sweepStep)).Replace
	return statements{
		load: sql(`SELECT id, {fields}, data FROM {table} WHERE id = $1::bytea`),

		loadMany: sql(`SELECT id, {fields}, data FROM {table} WHERE id = ANY ((SELECT $1::bytea[])::bytea[])`),

		list: sql(`SELECT id, {fields}, NULL::bytea FROM {table} WHERE username = $1::bytea AND username <> '' AND ended = ''`),

		scan: sql(`SELECT * FROM (SELECT id, {fields}, data FROM {table} WHERE id > $1::bytea ORDER BY id LIMIT {page}) AS p
			LIMIT $2::bigint`),

		count: sql(`SELECT CASE WHEN reltuples < 100000 THEN (SELECT count(*) FROM {table}) ELSE reltuples::bigint END
			FROM pg_class WHERE oid = $1::text::regclass`),

		create: sql(`INSERT INTO {table} (id, {fields}, data, due) VALUES ({values}) ON CONFLICT (id) DO NOTHING`),

		replace: sql(`UPDATE {table} SET version = $2::bigint, data = $4::bytea, meta = $5::bytea,
				idle = $6::bigint, deadline = $7::bigint, seen = greatest(seen, $8::bigint),
				expires = greatest(expires, $9::bigint), purge = greatest(purge, $10::bigint), due = least(due, $9::bigint)
			WHERE id = $1::bytea AND version = $3::bigint AND ended = '' AND expires > $8::bigint`),

		replaceMany: sql(`UPDATE {table} AS t SET version = u.version, data = u.data, meta = u.meta,
				idle = u.idle, deadline = u.deadline, seen = greatest(t.seen, u.seen),
				expires = greatest(t.expires, u.expires), purge = greatest(t.purge, u.purge), due = least(t.due, u.expires)
			FROM unnest((SELECT $1::bytea[]), (SELECT $2::bigint[]), (SELECT $3::bigint[]), (SELECT $4::bytea[]),
					(SELECT $5::bytea[]), (SELECT $6::bigint[]), (SELECT $7::bigint[]), (SELECT $8::bigint[]),
					(SELECT $9::bigint[]), (SELECT $10::bigint[]))
				WITH ORDINALITY AS u (id, version, former, data, meta, idle, deadline, seen, expires, purge, n)
			CROSS JOIN LATERAL (SELECT o.id FROM {table} AS o
				WHERE o.id = u.id AND o.version = u.former AND o.ended = '' AND o.expires > u.seen FOR NO KEY UPDATE) AS held
			WHERE t.id = held.id RETURNING u.n`),

		state: sql(`SELECT version, expires, ended <> '' FROM {table} WHERE id = $1::bytea`),

		touch: sql(`UPDATE {table} SET seen = greatest(seen, $2::bigint), expires = greatest(expires, $3::bigint),
				purge = greatest(purge, $4::bigint)
			WHERE id = $1::bytea AND ended = '' AND expires > $2::bigint`),

		touchMany: sql(`UPDATE {table} AS t SET seen = greatest(t.seen, u.seen), expires = greatest(t.expires, u.expires),
				purge = greatest(t.purge, u.purge)
			FROM unnest((SELECT $1::bytea[]), (SELECT $2::bigint[]), (SELECT $3::bigint[]), (SELECT $4::bigint[]))
				WITH ORDINALITY AS u (id, seen, expires, purge, n)
			CROSS JOIN LATERAL (SELECT o.id FROM {table} AS o
				WHERE o.id = u.id AND o.ended = '' AND o.expires > u.seen FOR NO KEY UPDATE) AS held
			WHERE t.id = held.id RETURNING u.n`),

		end: sql(`WITH old AS MATERIALIZED (
				SELECT id, {fields}, data FROM {table} WHERE id = $1::bytea FOR NO KEY UPDATE
			), done AS (
				UPDATE {table} AS t SET ended = $2::text, ended_at = $3::bigint, next = $4::text,
					purge = greatest(t.purge, $5::bigint), data = CASE WHEN $6::boolean THEN t.data END,
					due = least(t.due, $7::bigint)
				FROM old WHERE t.id = old.id AND old.ended = '' RETURNING 1
			), news AS (SELECT pg_notify($8::text, $9::text) FROM done)
			SELECT old.*, (SELECT count(*) FROM news) FROM old`),

		lockUser: `SELECT pg_advisory_xact_lock($1::bigint)`,

		// It follows lockUser in one transaction: whoever else creates for this user waits there. It locks what is live,
		// so that no end comes between the counting and the evicting.
		createWithin: sql(`WITH live AS MATERIALIZED (
				SELECT id, {fields}, data FROM {table}
				WHERE username = $3::bytea AND username <> '' AND ended = '' AND expires > $7::bigint AND handle <> $2::text
				ORDER BY id FOR NO KEY UPDATE
			), places AS (
				SELECT DISTINCT ON (handle) handle, created, id FROM live ORDER BY handle, created, {id text}
			), over AS MATERIALIZED (
				SELECT * FROM live WHERE handle IN
					(SELECT handle FROM places ORDER BY created DESC, {id text} DESC OFFSET $18::bigint - 1)
			), made AS (
				INSERT INTO {table} (id, {fields}, data, due) SELECT {values}
				WHERE $19::boolean OR NOT EXISTS (SELECT FROM over) ON CONFLICT (id) DO NOTHING RETURNING 1
			), gone AS (
				UPDATE {table} AS t SET ended = $20::text, ended_at = $7::bigint, purge = greatest(t.purge, $21::bigint), data = NULL
				FROM over, made WHERE t.id = over.id RETURNING t.id
			), news AS (SELECT pg_notify($22::text, {id text} || $23::text) FROM gone)
			SELECT over.*, (SELECT count(*) FROM made), (SELECT count(*) FROM over), (SELECT count(*) FROM news)
			FROM (SELECT) AS one LEFT JOIN over ON EXISTS (SELECT FROM made)`),

		// What another transaction holds is passed over, and is due the next time too.
		sweep: sql(`WITH looked AS MATERIALIZED (
				SELECT * FROM (SELECT id, purge, data IS NOT NULL AS holds, CASE WHEN ended = '' THEN expires
						ELSE least(expires, least(coalesce(ended_at, $1::bigint), 9223372036854775807 - {grace}) + {grace}) END AS useless
					FROM {table} WHERE due <= $1::bigint ORDER BY due LIMIT {step} FOR UPDATE SKIP LOCKED) AS d
				LIMIT $2::bigint
			), forgotten AS (
				DELETE FROM {table} AS t USING looked AS l WHERE t.id = l.id AND l.purge <= $1::bigint RETURNING 1
			), kept AS (
				UPDATE {table} AS t SET data = CASE WHEN l.useless > $1::bigint THEN t.data END,
					due = CASE WHEN l.holds AND l.useless > $1::bigint THEN least(l.useless, l.purge) ELSE l.purge END
				FROM looked AS l WHERE t.id = l.id AND l.purge > $1::bigint
				RETURNING l.holds AND l.useless <= $1::bigint AS blanked
			)
			SELECT (SELECT count(*) FROM looked), (SELECT count(*) FROM forgotten), (SELECT count(*) FROM kept WHERE blanked)`),
	}
}
