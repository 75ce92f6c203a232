package redisstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"example.com/hardy/session"
)

// Options are the choices of a Store. nil and the zero value mean the defaults.
type Options struct {
	// Name keeps the sessions of one application apart from those of others in the same database, where the same
	// user names would meet. It is part of each key; letters, digits, '.', '_' and '-'. "": none.
	Name string
	// Cache is how many bytes of memory this process may use for records that it has read; 0: none. A record that
	// was read is then read again without asking the server, until the server tells of a change (client-side
	// caching, RESP3). What this process writes it sees at once. An end on another node is seen as soon as the
	// server's message arrives, and within 2 s at worst: a connection that has not been proven to deliver for so long
	// serves nothing from memory. A session of the usual size takes 1.2 KB.
	Cache int
	// Configure changes what Open passes to the client, after the URL: an authority for TLS, changing passwords,
	// names and passwords of the Sentinels. nil: nothing. Only for Open.
	Configure func(*rueidis.ClientOption)
	// Logger takes warnings; nil: slog.Default().
	Logger *slog.Logger
}

// Store is a session.Store in Redis, with all five optional interfaces: session.Capper, Scanner, Importer,
// Watcher and Sweeper. It is safe for concurrent use by many goroutines and processes.
//
// Its methods answer as session.Store says. Any other error names the server and the mend where one is known;
// what failed is tried afresh by the next call, so that a server that is back needs no restart here.
//
// Ids are 43 characters of canonical base64url; Create and Import refuse any other with an error, and
// nothing is found under one. Moments lie between the years 1678 and 2262; what lies outside is moved to the
// nearer end, the zero time stays zero.
type Store struct {
	client  rueidis.Client
	owned   bool   // by Open: Close closes client
	name    string // of the server, for messages
	prefix  string // of all keys
	cluster bool
	log     *slog.Logger
	cache   *cache // nil: none
	scripts scripts

	open     context.Context // done once the store is closed
	shut     context.CancelFunc
	calls    atomic.Int64 // under way
	lanes    bool         // a lone call has a connection to itself
	epoch    time.Time
	answered atomic.Int64 // when a lone call was, since epoch
	troubled atomic.Bool  // all calls are watched over
	calm     *time.Timer  // ends that

	sweeping sync.Mutex
	group    int // of buckets that the next step of a sweep looks at
}

var (
	_ session.Store    = (*Store)(nil)
	_ session.Capper   = (*Store)(nil)
	_ session.Scanner  = (*Store)(nil)
	_ session.Importer = (*Store)(nil)
	_ session.Watcher  = (*Store)(nil)
	_ session.Sweeper  = (*Store)(nil)
)

// New keeps sessions in a server that the caller has connected to. It must send all reads to primaries: a replica may
// show an ended session as live. Options.Cache and Options.Configure are for Open. Close does not close client; call
// it before client.Close.
//
// It refuses what Open refuses. ctx bounds this call alone.
func New(ctx context.Context, client rueidis.Client, o *Options) (*Store, error) {
	if client == nil {
		return nil, errors.New("redisstore: New needs a client; use Open to have one made")
	}
	if o != nil && (o.Cache != 0 || o.Configure != nil) {
		return nil, errors.New("redisstore: Cache and Configure need a client of the store's own; use Open")
	}
	s, err := newStore(o)
	if err != nil {
		return nil, err
	}
	s.client, s.name = client, "the server"
	if err := s.check(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// newStore returns a Store without a client.
func newStore(o *Options) (*Store, error) {
	if o == nil {
		o = new(Options)
	}
	s := &Store{prefix: firstBytes, log: o.Logger, scripts: compile(texts()), epoch: time.Now().Add(-time.Hour)}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.open, s.shut = context.WithCancel(context.Background())
	s.calm = time.AfterFunc(troubleTime, func() { s.troubled.Store(false) })
	if o.Name != "" {
		const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
		if strings.Trim(o.Name, plain) != "" || len(o.Name) > 64 {
			return nil, fmt.Errorf("redisstore: the Name %q is not made of up to 64 letters, digits, '.', '_' and '-'", o.Name)
		}
		s.prefix += o.Name + ":"
	}
	switch {
	case o.Cache < 0:
		return nil, fmt.Errorf("redisstore: Cache is %d bytes; use 0 for none", o.Cache)
	case o.Cache > 0:
		s.cache = newCache(o.Cache)
	}
	return s, nil
}

// Close lets go of the server. What is called later answers an error that is fs.ErrClosed; a running Watch returns it.
// The second Close does nothing.
func (s *Store) Close() error {
	s.shut()
	if s.owned {
		s.client.Close()
	}
	return nil
}

func (s *Store) isClosed() bool { return s.open.Err() != nil }

func (s *Store) errClosed() error {
	return fmt.Errorf("redisstore: the store in %s is closed: %w", s.name, fs.ErrClosed)
}
