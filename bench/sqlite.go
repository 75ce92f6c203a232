package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/alexedwards/scs/sqlite3store"
	_ "github.com/mattn/go-sqlite3"

	"example.com/hardy/store/sqlitestore"
)

// Rows of the stores on SQLite: go run . -sqlite.

const (
	sqliteWorkers = 64
	sqliteEach    = 64 // sessions of a worker

	scsNormalGo = "scs NORMAL, modernc"
	scsNormalC  = "scs NORMAL, mattn"
	scsFullGo   = "scs FULL, modernc"
	scsFullC    = "scs FULL, mattn"
	hardySQLite = "Hardy (FULL)"
)

func sqliteRows() []row {
	return []row{{
		name: "count",
		entries: []entry{
			onFile(scsNormalGo, scsOnFile("sqlite", "NORMAL")), onFile(scsNormalC, scsOnFile("sqlite3", "NORMAL")),
			onFile(scsFullGo, scsOnFile("sqlite", "FULL")), onFile(scsFullC, scsOnFile("sqlite3", "FULL")),
			onFile(hardySQLite, hardyOnFile),
		},
		bars: []bar{
			ahead(hardySQLite, 3, parallel, scsNormalGo, scsNormalC), ahead(hardySQLite, 5, parallel, scsFullGo, scsFullC),
			ahead(hardySQLite, 1, serial, scsFullGo, scsFullC),
		},
	}}
}

// onFile makes an entry of a contestant that counts in a file of its own.
func onFile(name string, open func(c *config, path string) (*site, error)) entry {
	return entry{name, func(c *config) (job, error) {
		dir, err := os.MkdirTemp(c.dir, "hardy-bench-")
		if err != nil {
			return nil, err
		}
		c.ends = append(c.ends, func() { os.RemoveAll(dir) })
		s, err := open(c, filepath.Join(dir, "sessions.db"))
		if err != nil {
			return nil, err
		}
		return visitEach(c, s, s.count, sqliteEach*c.workers, 0, countedRight)
	}}
}

// scsConns is the limit on scs's connections to the file: of 1, 2, 8 and none the one that it was fastest with.
// Without a limit its 64 writers wait for each other by SQLite's pauses, and it takes ten times as long.
const scsConns = 2

// scsOnFile is scs with the table of its README. Its cleanup, which would run every 5 minutes, is left out.
func scsOnFile(driver, synchronous string) func(*config, string) (*site, error) {
	return func(c *config, path string) (*site, error) {
		pragmas := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(" + synchronous + ")"}}
		if driver == "sqlite3" {
			pragmas = url.Values{"_busy_timeout": {"10000"}, "_journal_mode": {"WAL"}, "_synchronous": {synchronous}}
		}
		db, err := sql.Open(driver, "file:"+path+"?"+pragmas.Encode())
		if err != nil {
			return nil, err
		}
		c.ends = append(c.ends, func() { db.Close() })
		if err := db.Ping(); err != nil {
			return nil, fmt.Errorf("%w: %v", errSkip, err) // mattn's driver, built without cgo
		}
		db.SetMaxOpenConns(scsConns)
		db.SetMaxIdleConns(scsConns)
		for _, text := range []string{
			"CREATE TABLE sessions (token TEXT PRIMARY KEY, data BLOB NOT NULL, expiry REAL NOT NULL)",
			"CREATE INDEX sessions_expiry_idx ON sessions(expiry)",
		} {
			if _, err := db.Exec(text); err != nil {
				return nil, err
			}
		}
		var mode string
		var level int
		if err := errors.Join(db.QueryRow("PRAGMA journal_mode").Scan(&mode), db.QueryRow("PRAGMA synchronous").Scan(&level)); err != nil {
			return nil, err
		}
		if want := map[string]int{"NORMAL": 1, "FULL": 2}[synchronous]; mode != "wal" || level != want {
			return nil, fmt.Errorf("the file is in mode %s, synchronous=%d, want wal and %d", mode, level, want)
		}
		return scsOn(sqlite3store.NewWithCleanupInterval(db, 0), 0), nil
	}
}

// hardyOnFile is Hardy with its defaults.
func hardyOnFile(c *config, path string) (*site, error) {
	s, err := sqlitestore.Open(context.Background(), path, nil)
	if err != nil {
		return nil, err
	}
	c.ends = append(c.ends, func() { must(s.Close()) })
	return hardyOn(s, s).site, nil
}

// ahead asks that who is at least so many times as fast as the fastest of others.
func ahead(who string, least float64, m mode, others ...string) bar {
	return func(r *result) verdict {
		v := verdict{asked: fmt.Sprintf("≥ %g ×", least), mark: notRun, got: "–"}
		name, ratio := others[0], 0.0
		w := r.figures[who]
		for _, other := range others {
			if o := r.figures[other]; w != nil && o != nil {
				if x := o.times(w, m); ratio == 0 || x < ratio {
					name, ratio = other, x
				}
			}
		}
		v.what = fmt.Sprintf("%s, %s, %v: faster than %s", r.row.name, who, m, name)
		if ratio == 0 {
			return v
		}
		v.got = fmt.Sprintf("%.2f ×", ratio)
		return v.when(ratio >= least)
	}
}

// diskSheet says what a sync costs where the files lie: where it costs nothing, as in memory, no bar means
// anything.
func diskSheet(c *config) (s sheet, err error) {
	f, err := os.CreateTemp(c.dir, "hardy-bench-")
	if err != nil {
		return s, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	page := make([]byte, 4096)
	var took []float64
	for range 200 {
		start := time.Now()
		if _, err := f.Write(page); err != nil {
			return s, err
		}
		if err := f.Sync(); err != nil {
			return s, err
		}
		took = append(took, float64(time.Since(start))/1e3)
	}
	slices.Sort(took)
	line := fmt.Sprintf("%.0f (%.0f–%.0f)", median(took), took[len(took)/20], took[len(took)*19/20])
	return sheet{head: []string{"the disk: 4 KiB written and synced, µs (p5–p95)", line}, lines: [][]string{
		{"scs's limit on connections", fmt.Sprint(scsConns)},
	}}, nil
}
