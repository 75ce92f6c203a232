// Package stores opens scs's published stores on real engines, each as its README says.
package stores

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"time"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/pgxstore"
	"github.com/alexedwards/scs/sqlite3store"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
	_ "modernc.org/sqlite"

	"example.com/hardy/store/scsstore"
)

// Open opens the store that an address names: sqlite:PATH, redis://… or postgres://…. end gives back what it holds.
// Rows that have expired are left where they are: nothing runs in the background.
func Open(ctx context.Context, address string) (s scsstore.Store, end func(), err error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	switch u.Scheme {
	case "sqlite":
		// sqlite3store names no driver; this one needs no cgo.
		db, err := sql.Open("sqlite", "file:"+u.Opaque+u.Path+
			"?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=busy_timeout(10000)")
		if err != nil {
			return nil, nil, err
		}
		_, err = db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS sessions (token TEXT PRIMARY KEY, data BLOB NOT NULL, expiry REAL NOT NULL);
			CREATE INDEX IF NOT EXISTS sessions_expiry_idx ON sessions(expiry);`)
		if err != nil {
			db.Close()
			return nil, nil, err
		}
		return sqlite3store.NewWithCleanupInterval(db, 0), func() { db.Close() }, nil
	case "redis":
		o, err := redis.ParseURL(address)
		if err != nil {
			return nil, nil, err
		}
		client := redis.NewClient(o)
		return goredisstore.New(client), func() { client.Close() }, client.Ping(ctx).Err()
	case "postgres":
		pool, err := pgxpool.New(ctx, address)
		if err != nil {
			return nil, nil, err
		}
		_, err = pool.Exec(ctx, `CREATE TABLE IF NOT EXISTS sessions (token TEXT PRIMARY KEY, data BYTEA NOT NULL, expiry TIMESTAMPTZ NOT NULL);
			CREATE INDEX IF NOT EXISTS sessions_expiry_idx ON sessions (expiry);`)
		if err != nil {
			pool.Close()
			return nil, nil, err
		}
		return pgxstore.NewWithCleanupInterval(pool, 0), pool.Close, nil
	}
	return nil, nil, fmt.Errorf("no store for %q", address)
}
