package pgstore

import (
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"example.com/hardy/session"
)

// Options are the choices of a Store. nil and the zero value mean the defaults.
type Options struct {
	// Schema is where the tables lie; "": the first one of the connection's search_path that exists, mostly
	// "public". It is not made.
	Schema string
	// Table is the name of the table of records; "": hardy_sessions. The one beside it that holds the version of
	// the schema is called the same with _schema behind it. At most 56 bytes.
	Table string
	// Listen is the URL of the server itself, for Watch alone, where the Store's connections go through a pooler:
	// notifications do not pass one. With several hosts in it the one that takes writes is found. "": as the Store's
	// other connections.
	Listen string
}

// Store is a session.Store in PostgreSQL, with all five optional interfaces: session.Capper, Scanner, Importer,
// Watcher and Sweeper. It is safe for concurrent use by many goroutines, and any number of processes share a
// table.
//
// Its methods answer as session.Store says. Any other error names the server and the mend where one is known; the
// next call tries afresh, so that a server that is back needs no restart here. Each returns when its context is done,
// whatever server and network do; a write may then have happened, and its error says whether it can have. One caller's
// context ends nobody else's call. Without a deadline of its own a call ends after 30 s.
//
// Ids are 43 characters of canonical base64url; Create and Import refuse any other with an error, and nothing is
// found under one. Moments lie between the years 1678 and 2262; what lies outside is moved to the nearer end, the
// zero time stays zero. Handle, Ended and Next must be UTF-8 without NUL; User may be any bytes.
type Store struct {
	pool    *pgxpool.Pool
	owned   bool // by Open: Close closes pool
	place   place
	tries   int32           // for a call that did nothing: once for each connection that may be dead, and once more
	listen  *pgx.ConnConfig // nil: as the pool
	trusted time.Duration   // an idle connection is for so long, and is then asked before it is used
	sql     statements

	gate     *gate
	loads    lane[*loading]
	replaces lane[*replacing]
	touches  lane[*touching]
	creates  atomic.Uint64
}

var (
	_ session.Store    = (*Store)(nil)
	_ session.Capper   = (*Store)(nil)
	_ session.Scanner  = (*Store)(nil)
	_ session.Importer = (*Store)(nil)
	_ session.Watcher  = (*Store)(nil)
	_ session.Sweeper  = (*Store)(nil)
)

var errClosed = fmt.Errorf("the store is closed: %w", fs.ErrClosed)

func newStore(pool *pgxpool.Pool, at place, listen *pgx.ConnConfig) *Store {
	g := newGate()
	s := &Store{pool: pool, place: at, tries: pool.Config().MaxConns, listen: listen, trusted: trusted, sql: newStatements(at.table()), gate: g}
	s.loads = lane[*loading]{gate: g, alone: s.loadOne, together: s.loadMany}
	s.replaces = lane[*replacing]{gate: g, alone: s.replaceOne, together: s.replaceMany,
		id: func(r *replacing) string { return string(r.key) }}
	s.touches = lane[*touching]{gate: g, alone: s.touchOne, together: s.touchMany,
		id: func(t *touching) string { return string(t.key) }}
	return s
}

// Close waits until everything that was accepted is done, or has failed, and closes the connections that Open made.
// What is called later answers an error that is fs.ErrClosed; a running Watch returns it. The second Close does
// nothing.
func (s *Store) Close() error {
	if s.gate.close() && s.owned {
		s.pool.Close()
	}
	return nil
}
