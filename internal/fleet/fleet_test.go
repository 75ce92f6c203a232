package fleet_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/hardy/internal/faultproxy"
	"example.com/hardy/internal/fleet"
	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
	"example.com/hardy/store/pgstore"
	"example.com/hardy/store/redisstore"
	"example.com/hardy/store/sqlitestore"
)

func open(ctx context.Context, dsn string) (session.Store, error) {
	switch {
	case strings.HasPrefix(dsn, "redis:"):
		return redisstore.Open(ctx, dsn, nil)
	case strings.HasPrefix(dsn, "postgres:"):
		return pgstore.Open(ctx, dsn, nil)
	}
	return sqlitestore.Open(ctx, dsn, nil)
}

func TestMain(m *testing.M) { fleet.Main(func() int { return servers.Run(m) }, open) }

// stores are those that processes can share.
var stores = map[string]func(t *testing.T) (dsn string){
	"SQLite": func(t *testing.T) string { return filepath.Join(t.TempDir(), "sessions.db") },
	"Redis":  func(t *testing.T) string { return servers.SharedRedis(t).URL() },
	"Redis Cluster": func(t *testing.T) string {
		addrs := servers.StartCluster(t).Addrs()
		return "redis://" + addrs[0] + "?addr=" + strings.Join(addrs[1:], "&addr=")
	},
	"PostgreSQL": func(t *testing.T) string { return servers.SharedPostgres(t).URL() },
}

func TestCapOverThreeProcesses(t *testing.T) {
	for name, start := range stores {
		t.Run(name, func(t *testing.T) { fleet.Cap(t, fleet.Start(t, open, start(t))) })
	}
}

// A busy machine takes its time; what the streams took is in the log. With HARDY_LONG set there are 1,000 of them.
func TestEndsReachThreeProcesses(t *testing.T) {
	sessions := 25
	if os.Getenv("HARDY_LONG") != "" {
		sessions = 500
	}
	for name, start := range stores {
		t.Run(name, func(t *testing.T) { fleet.Ends(t, fleet.Start(t, open, start(t)), sessions, 30*time.Second) })
	}
}

// The connections of the processes are cut, and come back.
func TestEndsInAGapReachThreeProcesses(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) (dsn, addr string){
		"Redis":      func(t *testing.T) (string, string) { r := servers.SharedRedis(t); return r.URL(), r.Addr },
		"PostgreSQL": func(t *testing.T) (string, string) { p := servers.SharedPostgres(t); return p.URL(), p.Addr },
	} {
		t.Run(name, func(t *testing.T) {
			dsn, addr := start(t)
			proxy := faultproxy.Start(t, addr)
			cut := func() { proxy.Refuse(true); proxy.Cut() }
			fleet.Gap(t, fleet.StartBehind(t, open, dsn, strings.Replace(dsn, addr, proxy.Addr, 1)), cut, proxy.Heal, time.Minute)
		})
	}
}
