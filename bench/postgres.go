package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/pgxstore"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"example.com/hardy/store/pgstore"
)

// Rows of the stores on PostgreSQL: go run . -postgres URL.

const (
	postgresWorkers = 64
	postgresEach    = 32 // sessions of a worker

	hardyPostgres = "Hardy"
	scsPostgres   = "scs"
)

// scsPools are the sizes of scs's pool: pgx's default, which Hardy has too (here 4), and of 8, 16 and 32 the one that scs
// counted fastest with.
var scsPools = []int{0, 16}

func scsOnPool(size int) string {
	if size == 0 {
		return scsPostgres
	}
	return fmt.Sprintf("%s, %d connections", scsPostgres, size)
}

func postgresRows(server string) []row {
	tasks := []struct {
		name           string
		of             func(*site) http.Handler
		verify         func(*requests) error
		idle           time.Duration // scs's
		alone, crowded float64
	}{
		{"read one int", readOne.of, readOne.verify, 0, 1.2, 1.2},
		{"count", countOne.of, countOne.verify, 0, 0.9, 1.5},
		{"untouched, 30 min idle timeout", untouched.of, untouched.verify, 30 * time.Minute, 0, 0},
	}
	var rows []row
	for _, t := range tasks {
		on := func(name string, open func(*config, string) (*site, error)) entry {
			return entry{name, func(c *config) (job, error) {
				fresh, err := freshDatabase(c, server)
				if err != nil {
					return nil, err
				}
				s, err := open(c, fresh)
				if err != nil {
					return nil, err
				}
				return visitEach(c, s, t.of(s), postgresEach*c.workers, 0, t.verify)
			}}
		}
		r := row{name: t.name}
		var peers []string
		for _, size := range scsPools {
			r.entries = append(r.entries, on(scsOnPool(size), scsOnPostgres(size, t.idle)))
			peers = append(peers, scsOnPool(size))
		}
		r.entries = append(r.entries, on(hardyPostgres, hardyOnPostgres))
		if t.alone > 0 {
			r.bars = []bar{ahead(hardyPostgres, t.alone, serial, peers...), ahead(hardyPostgres, t.crowded, parallel, peers...)}
		}
		rows = append(rows, r)
	}
	return rows
}

var databases atomic.Int64

// freshDatabase makes a database for one contestant and returns its address.
func freshDatabase(c *config, server string) (string, error) {
	ctx := context.Background()
	config, err := pgxpool.ParseConfig(server)
	if err != nil {
		return "", err
	}
	admin, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("hardy_bench_%d_%d", time.Now().Unix(), databases.Add(1))
	if _, err := admin.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	c.ends = append(c.ends, func() {
		_, err := admin.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
		must(err)
		admin.Close()
	})
	u, err := url.Parse(server)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	return u.String(), nil
}

// counted is scs's store with the All that its rows are counted by: its own one panics without a context.
type counted struct{ *pgxstore.PostgresStore }

func (c counted) All() (map[string][]byte, error) { return c.AllCtx(context.Background()) }

// scsOnPostgres is scs with the table of its README. Its cleanup, which would run every 5 minutes, is left out.
func scsOnPostgres(conns int, idle time.Duration) func(*config, string) (*site, error) {
	return func(c *config, url string) (*site, error) {
		ctx := context.Background()
		config, err := pgxpool.ParseConfig(url)
		if err != nil {
			return nil, err
		}
		if conns > 0 {
			config.MaxConns = int32(conns)
		}
		pool, err := pgxpool.NewWithConfig(ctx, config)
		if err != nil {
			return nil, err
		}
		c.ends = append(c.ends, pool.Close)
		if _, err := pool.Exec(ctx, "CREATE TABLE sessions (token TEXT PRIMARY KEY, data BYTEA NOT NULL, expiry TIMESTAMPTZ NOT NULL)"); err != nil {
			return nil, err
		}
		if _, err := pool.Exec(ctx, "CREATE INDEX sessions_expiry_idx ON sessions (expiry)"); err != nil {
			return nil, err
		}
		return scsOn(counted{pgxstore.NewWithCleanupInterval(pool, 0)}, idle), nil
	}
}

// hardyOnPostgres is Hardy with its defaults.
func hardyOnPostgres(c *config, url string) (*site, error) {
	s, err := pgstore.Open(context.Background(), url, nil)
	if err != nil {
		return nil, err
	}
	c.ends = append(c.ends, func() { must(s.Close()) })
	return hardyOn(s, s).site, nil
}

// serverSheet says what the server promises, and what a commit that waits for its disk takes: with fsync or
// synchronous_commit off the counts mean little.
func serverSheet(server string) (s sheet, err error) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return s, err
	}
	defer conn.Close(ctx)
	var version, fsync, synchronous string
	if err := conn.QueryRow(ctx, "SELECT current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit')").
		Scan(&version, &fsync, &synchronous); err != nil {
		return s, err
	}
	var took []float64
	for range 200 {
		start := time.Now()
		if _, err := conn.Exec(ctx, "SELECT pg_logical_emit_message(true, 'bench', 'a commit')"); err != nil {
			return s, err
		}
		took = append(took, float64(time.Since(start))/1e3)
	}
	slices.Sort(took)
	return sheet{head: []string{"PostgreSQL", version}, lines: [][]string{
		{"fsync, synchronous_commit", fsync + ", " + synchronous},
		{"a commit alone, µs (p5–p95)", fmt.Sprintf("%.0f (%.0f–%.0f)", median(took), took[len(took)/20], took[len(took)*19/20])},
	}}, nil
}
