package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/goredisstore"
	goredis "github.com/redis/go-redis/v9"

	"example.com/hardy/store/redisstore"
)

// Rows of the stores on Redis: go run . -redis URL.

const (
	redisWorkers = 32
	redisEach    = 32 // sessions of a worker

	hardyRedis  = "Hardy"
	hardyCached = "Hardy, cache"
	scsRedis    = "scs"

	redisCache = 64 << 20 // holds all sessions of a row
)

func redisRows(server string) []row {
	type asked struct {
		who            string
		alone, crowded float64
	}
	tasks := []struct {
		name   string
		of     func(*site) http.Handler
		verify func(*requests) error
		idle   time.Duration // scs's
		bars   []asked
	}{
		{"read one int", readOne.of, readOne.verify, 0, []asked{{hardyRedis, 0.9, 3}, {hardyCached, 50, 25}}},
		{"count", countOne.of, countOne.verify, 0, []asked{{hardyRedis, 1, 2.5}}},
		{"untouched, 30 min idle timeout", untouched.of, untouched.verify, 30 * time.Minute, []asked{{hardyRedis, 2.5, 2.5}}},
	}
	var rows []row
	for _, t := range tasks {
		on := func(name string, open func(*config, string) (*site, error)) entry {
			return entry{name, func(c *config) (job, error) {
				s, err := open(c, freshNumber(server))
				if err != nil {
					return nil, err
				}
				return visitEach(c, s, t.of(s), redisEach*c.workers, 0, t.verify)
			}}
		}
		r := row{name: t.name, entries: []entry{
			on(scsRedis, scsOnRedis(t.idle)), on(hardyRedis, hardyOnRedis(0)), on(hardyCached, hardyOnRedis(redisCache)),
		}}
		for _, a := range t.bars {
			r.bars = append(r.bars, ahead(a.who, a.alone, serial, scsRedis), ahead(a.who, a.crowded, parallel, scsRedis))
		}
		rows = append(rows, r)
	}
	return rows
}

var numbers atomic.Int64

// freshNumber returns the address of a database that no other contestant has.
func freshNumber(server string) string {
	return fmt.Sprintf("%s/%d", strings.TrimSuffix(server, "/"), numbers.Add(1))
}

// called is scs's store with the All that its rows are counted by: its own one wants a context.
type called struct{ *goredisstore.RedisStore }

func (c called) All() (map[string][]byte, error) { return c.AllCtx(context.Background()) }

// scsOnRedis is scs with go-redis's defaults.
func scsOnRedis(idle time.Duration) func(*config, string) (*site, error) {
	return func(c *config, url string) (*site, error) {
		o, err := goredis.ParseURL(url)
		if err != nil {
			return nil, err
		}
		client := goredis.NewClient(o)
		c.ends = append(c.ends, func() { must(client.Close()) })
		if err := client.FlushDB(context.Background()).Err(); err != nil {
			return nil, err
		}
		return scsOn(called{goredisstore.New(client)}, idle), nil
	}
}

// hardyOnRedis is Hardy with its defaults, or with so many bytes of cache.
func hardyOnRedis(cache int) func(*config, string) (*site, error) {
	return func(c *config, url string) (*site, error) {
		ctx := context.Background()
		o, err := goredis.ParseURL(url)
		if err != nil {
			return nil, err
		}
		cleaner := goredis.NewClient(o)
		defer cleaner.Close()
		if err := cleaner.FlushDB(ctx).Err(); err != nil {
			return nil, err
		}
		s, err := redisstore.Open(ctx, url, &redisstore.Options{Cache: cache})
		if err != nil {
			return nil, err
		}
		c.ends = append(c.ends, func() { must(s.Close()) })
		return hardyOn(s, s).site, nil
	}
}

// redisSheet says what the server is, and what a command alone takes there and back.
func redisSheet(server string) (s sheet, err error) {
	ctx := context.Background()
	o, err := goredis.ParseURL(server)
	if err != nil {
		return s, err
	}
	client := goredis.NewClient(o)
	defer client.Close()
	info, err := client.Info(ctx, "server").Result()
	if err != nil {
		return s, err
	}
	_, version, _ := strings.Cut(info, "redis_version:")
	version, _, _ = strings.Cut(version, "\r\n")
	appendonly, err := client.ConfigGet(ctx, "append*").Result()
	if err != nil {
		return s, err
	}
	took := make([]float64, 2000)
	for i := range took {
		start := time.Now()
		if err := client.Ping(ctx).Err(); err != nil {
			return s, err
		}
		took[i] = float64(time.Since(start)) / 1e3
	}
	return sheet{head: []string{"Redis", version}, lines: [][]string{
		{"appendonly, appendfsync", appendonly["appendonly"] + ", " + appendonly["appendfsync"]},
		{"a PING alone, µs (p5–p95)", spread(took)},
	}}, nil
}

// spread is the median of what was timed, with p5 and p95.
func spread(took []float64) string {
	slices.Sort(took)
	return fmt.Sprintf("%.0f (%.0f–%.0f)", median(took), took[len(took)/20], took[len(took)*19/20])
}
