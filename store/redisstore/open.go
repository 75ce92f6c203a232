package redisstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/redis/rueidis"
)

const (
	// dialTimeout bounds the making of a connection, and the server's first answer on it.
	dialTimeout = 2 * time.Second
	// pingGap and answerTimeout bound how long a connection that delivers nothing is held for a good one: it is asked
	// after no more than two gaps. They bound no call, and not what the cache may show.
	pingGap       = time.Second
	answerTimeout = 2 * time.Second
	// flushDelay is how long a request waits for others to share its packet with, counted from the packet before: only
	// where more than 50,000 are sent in a second does any wait.
	flushDelay = 20 * time.Microsecond
	// openTime bounds the opening, where ctx does not.
	openTime = 10 * time.Second
)

// Open keeps sessions in the server that the URL names:
//
//	redis://user:password@host:6379/0              one server; rediss:// for TLS
//	redis://host:6379?addr=host2:6379              a Cluster, by some of its nodes
//	redis://host:26379?addr=host2:26379&master_set=name   a primary that Sentinels watch, by these
//	unix:///run/redis.sock?db=0                    a socket
//
// Other parameters are those of rueidis.ParseURL. The password is in no error and no log.
//
// It refuses, with an error that says how to mend it: a server that does not answer, does not know the password, is
// older than Redis 6.2, or a replica; one that evicts keys when its memory is full (maxmemory-policy must be
// noeviction; where nothing tells, a warning is logged); and sessions of a newer Hardy. ctx bounds the opening
// alone, for which there are 10 s otherwise.
func Open(ctx context.Context, address string, o *Options) (*Store, error) {
	s, err := newStore(o)
	if err != nil {
		return nil, err
	}
	opt, err := parse(address)
	if err != nil {
		return nil, err
	}
	if opt.Dialer.Timeout == 0 {
		opt.Dialer.Timeout = dialTimeout
	}
	if opt.ConnWriteTimeout == 0 {
		opt.ConnWriteTimeout = answerTimeout
	}
	opt.Dialer.KeepAlive = pingGap
	opt.Sentinel.Dialer = opt.Dialer
	opt.Sentinel.TLSConfig = opt.TLSConfig
	opt.Sentinel.TopologyRefreshInterval = 5 * time.Second
	opt.DisableRetry = true // ask knows what may be repeated
	opt.DisableCache = s.cache == nil
	if s.cache != nil {
		opt.NewCacheStoreFn = s.cache.newFeed
	}
	opt.PipelineMultiplex = -1 // one shared connection to a server: the cache wants it, and it packs most
	opt.MaxFlushDelay = flushDelay
	opt.DisableAutoPipelining = s.cache == nil // see lane
	if o != nil && o.Configure != nil {
		o.Configure(&opt)
	}
	s.lanes = opt.DisableAutoPipelining
	s.name = strings.Join(opt.InitAddress, ", ")
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	if err := s.connect(ctx, opt); err != nil {
		if silent(err) {
			return nil, fmt.Errorf("redisstore: %s does not answer; see whether it can be reached, and whether it speaks TLS there (rediss://) or not (redis://): %w", s.name, err)
		}
		return nil, s.explain(err)
	}
	s.owned = true
	if err := s.check(ctx); err != nil {
		s.client.Close()
		return nil, err
	}
	return s, nil
}

// silences are how a server fails that speaks another language, or is not there.
var silences = []error{context.DeadlineExceeded, os.ErrDeadlineExceeded, io.EOF, syscall.ECONNRESET}

func silent(err error) bool {
	return slices.ContainsFunc(silences, func(silence error) bool { return errors.Is(err, silence) })
}

// connect makes the client, or gives up at ctx's end: making it asks no ctx. A server that is busy gets a second try.
func (s *Store) connect(ctx context.Context, opt rueidis.ClientOption) error {
	type made struct {
		client rueidis.Client
		err    error
	}
	done := make(chan made, 1)
	go func() {
		client, err := rueidis.NewClient(opt)
		if err != nil && silent(err) && ctx.Err() == nil {
			client, err = rueidis.NewClient(opt)
		}
		done <- made{client, err}
	}()
	select {
	case m := <-done:
		s.client = m.client
		return m.err
	case <-ctx.Done():
		go func() {
			if m := <-done; m.err == nil {
				m.client.Close()
			}
		}()
		return ctx.Err()
	}
}

// parameters are those that a URL may have.
var parameters = []string{
	"addr", "master_set", "db", "dial_timeout", "write_timeout", "skip_verify", "protocol", "client_name",
}

// parse reads a URL. Its errors don't repeat it, because it may hold a password.
func parse(address string) (opt rueidis.ClientOption, err error) {
	u, err := url.Parse(address)
	_, rest, _ := strings.Cut(address, "://")
	user := rest[:max(0, strings.LastIndexByte(rest, '@'))]
	if err != nil || strings.ContainsAny(user, "/?#") { // what follows these would be taken for something that may be told
		return opt, errors.New("redisstore: the address is no URL; write redis://user:password@host:6379/0, with %40 for an @ in a password, %2F for /, %3F for ? and %23 for #")
	}
	switch u.Scheme {
	case "redis", "rediss", "valkey", "valkeys", "unix":
	default:
		return opt, fmt.Errorf("redisstore: the address begins with %q; write redis://, rediss:// (TLS) or unix://", u.Scheme)
	}
	if u.Scheme != "unix" && u.Host == "" {
		return opt, fmt.Errorf("redisstore: the address names no host; write redis://host:6379")
	}
	for name := range u.Query() {
		if !slices.Contains(parameters, name) {
			return opt, fmt.Errorf("redisstore: the address has a parameter %q, which means nothing here; there are %s. Connections are shared by all requests, there is no pool to size",
				name, strings.Join(parameters, ", "))
		}
	}
	if opt, err = rueidis.ParseURL(address); err != nil {
		return opt, fmt.Errorf("redisstore: the address: %w", err)
	}
	return opt, nil
}
