package pgstore

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// connectTimeout bounds the making of a connection where the URL does not.
const connectTimeout = 5 * time.Second

// Open keeps sessions in the PostgreSQL server that url names, as
// postgres://user:password@host:port/database?parameters, or as keywords and values: what pgx understands, and the
// variables of libpq (PGHOST, PGPASSWORD, …) for what it leaves out. It makes the tables where there are none, and
// brings them up to date; without the right to create it works with tables that are.
//
// pool_max_conns in url bounds the connections, by default the greater of 4 and the number of processors; a
// Watch has one more. connect_timeout is 5 s where url does not say otherwise, application_name hardy. A connection
// is made only to a server that takes writes: with several hosts in url that is the primary. Where a pooler such as
// PgBouncer is in between, statements are sent anew each time instead of being prepared, unless
// default_query_exec_mode says otherwise.
//
// It refuses, with an error that says how to mend it: a server that cannot be reached, or not as this user; a replica;
// a server older than 14, CockroachDB; another isolation level than read committed; tables of another shape or of a newer
// Hardy; missing rights. ctx bounds the opening alone.
func Open(ctx context.Context, url string, o *Options) (*Store, error) {
	config, err := parse(url)
	if err != nil {
		return nil, err
	}
	c := config.ConnConfig
	config.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false } // see dead
	config.BeforeClose = func(c *pgx.Conn) { c.PgConn().Conn().SetDeadline(time.Time{}) }     // that of its last call has passed
	listen, err := parseListen(o)
	if err != nil {
		return nil, err
	}
	at := newPlace(c, o)
	conn, err := pgx.ConnectConfig(ctx, c)
	if err != nil {
		return nil, at.explain(err)
	}
	pooled, err := at.setUp(ctx, conn, migrations)
	if late := conn.Close(ctx); err == nil {
		err = late
	}
	if err != nil {
		return nil, at.explain(err)
	}
	if pooled && !strings.Contains(url, "default_query_exec_mode") {
		c.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, at.explain(err)
	}
	s := newStore(pool, at, listen)
	s.owned = true
	return s, nil
}

// parse reads a URL, or keywords and values. Its errors repeat nothing of it, because it may hold a password.
func parse(url string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	fault := ""
	scheme, rest, isURL := strings.Cut(url, "://")
	rest, _, _ = strings.Cut(rest, "?")
	switch user := rest[:max(0, strings.LastIndexByte(rest, '@'))]; {
	case isURL && !strings.ContainsAny(scheme, " =") && scheme != "postgres" && scheme != "postgresql":
		fault = "the scheme is none of PostgreSQL's"
	case isURL && strings.ContainsAny(user, "@/#"): // the rest of the password would be taken for a host or a database
		fault = "in a user's name and password write %40 for @, %2F for / and %23 for #"
	case err != nil:
		text := err.Error() // begins with the URL, of which pgx hides what it takes for the password
		fault = text[strings.LastIndex(text, "`: ")+1:]
		if fault = strings.TrimPrefix(fault, ": "); strings.HasPrefix(fault, "failed to parse") {
			fault, _, _ = strings.Cut(fault, " (")
		}
	}
	if fault != "" {
		return nil, fmt.Errorf("pgstore: the URL cannot be used (postgres://user:password@host:port/database, pool_max_conns at least 1): %s", fault)
	}
	c := config.ConnConfig
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectTimeout
	}
	if c.ValidateConnect == nil {
		c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "hardy"
	}
	return config, nil
}

// parseListen returns how Watch connects; nil: as the pool.
func parseListen(o *Options) (*pgx.ConnConfig, error) {
	if o == nil || o.Listen == "" {
		return nil, nil
	}
	config, err := parse(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("pgstore: Options.Listen: %s", strings.TrimPrefix(err.Error(), "pgstore: "))
	}
	return config.ConnConfig, nil
}

// New keeps sessions in a database that the caller has a pool for. It makes the tables there, or brings them up to
// date. Close does not close pool; call it before pool.Close. New refuses what Open does. ctx bounds this call
// alone.
//
// The pool's settings are the caller's: give its connections a ConnectTimeout and the pool a PingTimeout of a second or
// two, or a network that swallows packets keeps its places for minutes; and where it goes through a pooler that lends
// connections by transaction, DefaultQueryExecMode must be pgx.QueryExecModeCacheDescribe.
func New(ctx context.Context, pool *pgxpool.Pool, o *Options) (*Store, error) {
	if pool == nil {
		return nil, errors.New("pgstore: the pool is nil; give New one of pgxpool.New, or use Open")
	}
	listen, err := parseListen(o)
	if err != nil {
		return nil, err
	}
	at := newPlace(pool.Config().ConnConfig, o)
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, at.explain(err)
	}
	defer conn.Release()
	if _, err := at.setUp(ctx, conn.Conn(), migrations); err != nil {
		return nil, at.explain(err)
	}
	return newStore(pool, at, listen), nil
}

// place is where the tables lie.
type place struct {
	server string // for messages: host, port and database
	schema string
	base   string // of the names of both tables
}

const (
	versionsSuffix = "_schema"
	maxTable       = 63 - len(versionsSuffix) // a longer name would be cut
)

func newPlace(c *pgx.ConnConfig, o *Options) place {
	p := place{server: net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))) + "/" + c.Database, base: "hardy_sessions"}
	if o != nil {
		p.schema = o.Schema
		if o.Table != "" {
			p.base = o.Table
		}
	}
	return p
}

func (p place) table() string    { return pgx.Identifier{p.schema, p.base}.Sanitize() }
func (p place) versions() string { return pgx.Identifier{p.schema, p.base + versionsSuffix}.Sanitize() }

// channel is the name of the notifications of all who use the table. Channels are the database's, and their names are
// cut at 63 bytes.
func (p place) channel() string {
	name := "hardy " + p.schema + " " + p.base
	if len(name) <= 63 {
		return name
	}
	h := sha256.Sum256([]byte(name))
	return "hardy " + hex.EncodeToString(h[:16])
}

// lock is the number of the advisory lock of a user of the table; of "" for its migrations.
func (p place) lock(user string) int64 {
	h := sha256.Sum256([]byte("hardy/1\x00" + p.table() + "\x00" + user))
	return int64(binary.BigEndian.Uint64(h[:8]))
}

// setUp makes the tables ready, or says what keeps this server from serving. It says too whether a pooler is in between.
// It leaves nothing behind in the connection.
func (p *place) setUp(ctx context.Context, conn *pgx.Conn, steps []migration) (pooled bool, err error) {
	if err := known(conn.PgConn().ParameterStatus("server_version"), oldestServer); err != nil {
		return false, err
	}
	var version, schema, isolation, readOnly string
	if err := ask(ctx, conn, "SELECT version(), coalesce(current_schema()::text, ''), current_setting('default_transaction_isolation'), current_setting('transaction_read_only')").
		Scan(&version, &schema, &isolation, &readOnly); err != nil {
		return false, err
	}
	if p.schema == "" {
		p.schema = schema
	}
	switch {
	case strings.Contains(version, "CockroachDB"):
		return false, errors.New("CockroachDB has neither advisory locks nor LISTEN, which Hardy needs; give a PostgreSQL server")
	case readOnly == "on":
		return false, errors.New(mends["25006"])
	case isolation != "read committed":
		return false, fmt.Errorf("transactions are %s by default, under which writers of one session fail instead of waiting; ALTER ROLE … SET default_transaction_isolation = 'read committed'", isolation)
	case p.schema == "":
		return false, errors.New("the search_path of this user holds no schema that exists; give one in Options.Schema, or CREATE SCHEMA …")
	case len(p.base) > maxTable:
		return false, fmt.Errorf("Options.Table %q is longer than %d bytes; PostgreSQL would cut it", p.base, maxTable)
	case strings.ContainsRune(p.schema+p.base, 0):
		return false, errors.New("a NUL is no part of a name; mend Options.Schema or Options.Table")
	}
	if err := p.migrate(ctx, conn, steps); err != nil {
		return false, err
	}
	if err := p.inspect(ctx, conn); err != nil {
		return false, err
	}
	return behindPooler(ctx, conn)
}

// oldestServer is the oldest version of PostgreSQL that is served. Tests run on 15.
const oldestServer = 14

// known refuses servers before oldest. version is what the server says, such as 15.18 (Debian 15.18-0+deb12u1).
func known(version string, oldest int) error {
	digits := version[:len(version)-len(strings.TrimLeft(version, "0123456789"))]
	if n, err := strconv.Atoi(digits); err == nil && n < oldest {
		return fmt.Errorf("the server is PostgreSQL %s; Hardy needs %d or later, so update it", version, oldest)
	}
	return nil
}

// ask sends a query that leaves no prepared statement behind: a pooler may lend another connection to the next one.
func ask(ctx context.Context, conn *pgx.Conn, sql string, args ...any) pgx.Row {
	return conn.QueryRow(ctx, sql, append([]any{pgx.QueryExecModeExec}, args...)...)
}

// behindPooler says whether something in between lends out the server's connections: the process that serves this one is
// then not the one that the connection was made with.
func behindPooler(ctx context.Context, conn *pgx.Conn) (bool, error) {
	var pid int64
	err := ask(ctx, conn, "SELECT pg_backend_pid()").Scan(&pid)
	return uint32(pid) != conn.PgConn().PID(), err
}
