package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"example.com/hardy/session"
)

// Options are the choices of a Store. nil and the zero value mean the defaults.
type Options struct {
	// WatchInterval is how often a running Watch asks the file what other processes ended; 0: 250 ms. One
	// question takes 5 to 20 µs, so that 4 a second are less than 0.01 % of a core. What this process ended is
	// told at once. Where nobody watches nothing is asked.
	WatchInterval time.Duration
}

const watchInterval = 250 * time.Millisecond

// Store is a session.Store in a SQLite file, with all five optional interfaces: session.Capper, Scanner,
// Importer, Watcher and Sweeper, and by Quotas a quota.Store. It is safe for concurrent use by many goroutines
// and processes.
//
// Its methods answer as session.Store says. Any other error names the file and the mend where one is
// known; what failed is tried afresh by the next call, so that a disk that has room again, or a lock that
// was let go, needs no restart. A context that is done ends the waiting, not a write under way: that one
// may then have happened.
//
// Ids are 43 characters of canonical base64url; Create and Import refuse any other with an error, and
// nothing is found under one. Moments lie between the years 1678 and 2262; what lies outside is moved to the
// nearer end, the zero time stays zero.
type Store struct {
	db    *sql.DB
	owned bool        // by Open: Close closes db
	name  string      // for messages
	path  string      // whole; "" from New
	file  os.FileInfo // what Open found there; nil from New

	load, list, scan, count, last, ends, accounts *sql.Stmt
	readers                                       chan struct{} // a place for each reading connection; nil from New

	queue  queue
	writer *writer // the leader's alone; nil until it is needed, and after a fault
	news   news
	every  time.Duration
}

var (
	_ session.Store    = (*Store)(nil)
	_ session.Capper   = (*Store)(nil)
	_ session.Scanner  = (*Store)(nil)
	_ session.Importer = (*Store)(nil)
	_ session.Watcher  = (*Store)(nil)
	_ session.Sweeper  = (*Store)(nil)
)

// New keeps sessions in three tables (their names begin with hardy_) of a database that the caller has
// opened, with any driver for SQLite 3.37 or later. It makes the tables, or brings them up to date, and
// puts the database into WAL mode, which it stays in. The rest of the database is left alone, and the
// file's permissions are the caller's.
//
// One connection is held for writing until Close, at synchronous=FULL; reads use the others, so that a
// limit on open connections must be 2 or more. Close does not close db; call it before db.Close. New refuses
// a database in memory (use store.NewMemory) and tables of a newer Hardy. ctx bounds this call alone.
//
// Do not open the same file with two different drivers in one process: their locks don't see each other.
func New(ctx context.Context, db *sql.DB, o *Options) (*Store, error) {
	if db.Stats().MaxOpenConnections == 1 {
		return nil, errors.New("sqlitestore: one connection is not enough: call db.SetMaxOpenConns(2) or more; one writes, the others read")
	}
	s := newStore(db, "the database", o)
	if err := s.setUp(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func newStore(db *sql.DB, name string, o *Options) *Store {
	s := &Store{db: db, name: name, every: watchInterval}
	if o != nil && o.WatchInterval > 0 {
		s.every = o.WatchInterval
	}
	s.queue.closed = make(chan struct{})
	s.queue.drained = sync.NewCond(&s.queue.mu)
	return s
}

// Close waits until everything that was accepted is stored, or has failed, and lets go of the file. What
// is called later answers an error that is fs.ErrClosed; a running Watch returns it. The second Close does
// nothing.
func (s *Store) Close() error {
	if !s.queue.close() {
		return nil
	}
	return s.stop()
}

// stop lets go of everything. No leader runs.
func (s *Store) stop() error {
	var err error
	for _, stmt := range []*sql.Stmt{s.load, s.list, s.scan, s.count, s.last, s.ends, s.accounts} {
		if stmt != nil {
			err = errors.Join(err, stmt.Close())
		}
	}
	s.dismiss()
	if s.owned {
		err = errors.Join(err, s.db.Close())
	}
	return err
}

func (s *Store) errClosed() error {
	return fmt.Errorf("sqlitestore: the store in %s is closed: %w", s.name, fs.ErrClosed)
}
