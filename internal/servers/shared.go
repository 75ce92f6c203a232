package servers

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
)

// shared are the servers that the tests of this process share.
var shared struct {
	mu       sync.Mutex
	runs     bool // Run will end them
	programs []*program
	redis    *Redis
	numbers  atomic.Int64 // of Redis's databases
	postgres *Postgres
}

// Run runs the tests of a package and ends what they shared. It belongs into TestMain: os.Exit(servers.Run(m)).
func Run(m *testing.M) int {
	shared.mu.Lock()
	shared.runs = true
	shared.mu.Unlock()
	code := m.Run()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	for _, p := range shared.programs {
		if err := p.remove(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	return code
}

// SharedRedis returns the Redis that the package's tests share, with a database number that no other test has. Pub/sub
// and scripts are common to all numbers. It must not be stopped, and not be told to FLUSHALL.
func SharedRedis(t testing.TB) *Redis {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	needRun(t)
	if shared.redis == nil {
		shared.redis = newRedis(t, redisOptions{})
		shared.programs = append(shared.programs, shared.redis.program)
	}
	own := *shared.redis
	own.Process = &Process{Addr: own.Addr, t: t, program: shared.redis.program}
	own.DB = int(shared.numbers.Add(1))
	return &own
}

// SharedPostgres returns the PostgreSQL that the package's tests share, with a database of this test's own. It must not
// be stopped.
func SharedPostgres(t testing.TB) *Postgres {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	needRun(t)
	if shared.postgres == nil {
		shared.postgres = newPostgres(t, nil)
		shared.programs = append(shared.programs, shared.postgres.program)
	}
	own := shared.postgres.fresh(t)
	t.Cleanup(func() {
		if _, err := own.query(own.Addr, postgresUser, "DROP DATABASE "+own.Database+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return own
}

func needRun(t testing.TB) {
	t.Helper()
	if !shared.runs {
		t.Fatal("nobody would end a shared server: write func TestMain(m *testing.M) { os.Exit(servers.Run(m)) }")
	}
}
