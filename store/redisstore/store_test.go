package redisstore

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
	"example.com/hardy/store/storetest"
)

// open opens a store that waits for a busy machine: tests of its timeouts set their own.
func open(t testing.TB, address string, o *Options) *Store {
	t.Helper()
	options := Options{}
	if o != nil {
		options = *o
	}
	options.Configure = func(c *rueidis.ClientOption) {
		patient(c)
		if o != nil && o.Configure != nil {
			o.Configure(c)
		}
	}
	s, err := Open(t.Context(), address, &options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func patient(c *rueidis.ClientOption) {
	c.Dialer.Timeout, c.ConnWriteTimeout = time.Minute, time.Minute
}

// TestKeepsTheContract, by a user with no more than the rights that the docs list.
func TestKeepsTheContract(t *testing.T) {
	for name, c := range map[string]struct {
		o      *Options
		rights [][]string
	}{
		"plain": {nil, [][]string{names, commands}}, "cache": {&Options{Cache: 1 << 20}, [][]string{names, commands, cacheRights}},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) session.Store {
				server := servers.SharedRedis(t)
				server.CLI(append([]string{"acl", "setuser", name, "reset", "on", ">secret"}, slices.Concat(c.rights...)...)...)
				server.CLI("acl", "setuser", name, numberRight)
				return open(t, strings.Replace(server.URL(), "redis://", "redis://"+name+":secret@", 1), c.o)
			})
		})
	}
}

func TestNewKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) session.Store {
		opt, err := rueidis.ParseURL(servers.SharedRedis(t).URL())
		must(t, err)
		client, err := rueidis.NewClient(opt)
		must(t, err)
		t.Cleanup(client.Close)
		s, err := New(t.Context(), client, &Options{Name: "shop"})
		must(t, err)
		return s
	})
}

// TestClusterKeepsTheContract: the same, and calls alternate between two Stores, as between two processes.
func TestClusterKeepsTheContract(t *testing.T) {
	cluster := servers.StartCluster(t, user(names, commands, cacheRights, []string{clusterRight}))
	url := strings.Replace(clusterURL(cluster), "redis://", "redis://hardy:secret@", 1)
	t.Run("cache", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) session.Store { return open(t, url, &Options{Cache: 1 << 20}) })
	})
	t.Run("two", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) session.Store {
			return &pair{two: [2]*Store{open(t, url, nil), open(t, url, nil)}}
		})
	})
}

func clusterURL(c *servers.Cluster) string {
	addrs := c.Addrs()
	return "redis://" + addrs[0] + "?addr=" + strings.Join(addrs[1:], "&addr=")
}

// pair is two Stores that take turns.
type pair struct {
	two [2]*Store
	n   atomic.Uint32
}

func (p *pair) any() *Store { return p.two[p.n.Add(1)%2] }

func (p *pair) Create(ctx context.Context, r session.Record) error { return p.any().Create(ctx, r) }
func (p *pair) Load(ctx context.Context, id string) (session.Record, error) {
	return p.any().Load(ctx, id)
}
func (p *pair) Replace(ctx context.Context, r session.Record) error { return p.any().Replace(ctx, r) }
func (p *pair) Touch(ctx context.Context, id string, seen, expires, purge time.Time) error {
	return p.any().Touch(ctx, id, seen, expires, purge)
}
func (p *pair) End(ctx context.Context, id string, e session.End) (session.Record, error) {
	return p.any().End(ctx, id, e)
}
func (p *pair) List(ctx context.Context, user string) ([]session.Record, error) {
	return p.any().List(ctx, user)
}
func (p *pair) CreateWithin(ctx context.Context, r session.Record, most int, evict bool) ([]session.Record, error) {
	return p.any().CreateWithin(ctx, r, most, evict)
}
func (p *pair) Scan(ctx context.Context, cursor string, limit int) ([]session.Record, string, error) {
	return p.any().Scan(ctx, cursor, limit)
}
func (p *pair) Count(ctx context.Context) (int, error)                 { return p.any().Count(ctx) }
func (p *pair) Import(ctx context.Context, r session.Record) error     { return p.any().Import(ctx, r) }
func (p *pair) Watch(ctx context.Context, f func(session.Ended)) error { return p.any().Watch(ctx, f) }
func (p *pair) Sweep(ctx context.Context, now time.Time, limit int) (session.Swept, bool, error) {
	return p.any().Sweep(ctx, now, limit)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestRefusesOtherIDs(t *testing.T) {
	ctx := t.Context()
	s := open(t, servers.SharedRedis(t).URL(), nil)
	good := fresh("").ID
	for name, id := range map[string]string{
		"empty": "", "short": good[:42], "long": good + "A", "padding": good[:42] + "=", "standard alphabet": good[:42] + "+",
		"not canonical": good[:42] + "B", "newline": good[:42] + "\n", "newline within": good[:20] + "\n" + good[20:42],
	} {
		r := fresh("ann")
		r.ID = id
		_, within := s.CreateWithin(ctx, r, 1, true)
		for what, err := range map[string]error{"Create": s.Create(ctx, r), "Import": s.Import(ctx, r), "CreateWithin": within} {
			if err == nil || !strings.Contains(err.Error(), "43 characters") || id != "" && strings.Contains(err.Error(), id) {
				t.Errorf("%s of an id that is %s: %v; want an error that says what an id is, and not this one", what, name, err)
			}
		}
		_, loaded := s.Load(ctx, id)
		_, ended := s.End(ctx, id, session.End{})
		for what, err := range map[string]error{
			"Load": loaded, "End": ended, "Replace": s.Replace(ctx, r), "Touch": s.Touch(ctx, id, r.Seen, r.Seen, r.Seen),
		} {
			if !errors.Is(err, session.ErrNotFound) {
				t.Errorf("%s of an id that is %s: %v", what, name, err)
			}
		}
	}
	if n, err := s.Count(ctx); n != 0 || err != nil {
		t.Errorf("Count is %d, %v", n, err)
	}
}
