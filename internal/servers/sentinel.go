package servers

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// Sentinel is a primary Redis, one replica, and three Sentinels that watch them with a quorum of two. They name a new
// primary about three seconds after the old one fell silent.
type Sentinel struct {
	Name      string // of the primary, for clients
	Primary   *Redis
	Replica   *Redis
	Sentinels []*Redis
	t         testing.TB
}

// StartSentinel starts them; lines go into the redis.conf of primary and replica.
func StartSentinel(t testing.TB, lines ...string) *Sentinel {
	t.Helper()
	s := &Sentinel{Name: "hardy", t: t, Primary: StartRedis(t, lines...)}
	host, port, _ := net.SplitHostPort(s.Primary.Addr)
	s.Replica = StartRedis(t, append(lines, "replicaof "+host+" "+port)...)
	for range 3 {
		s.Sentinels = append(s.Sentinels, startRedis(t, redisOptions{
			args: []string{"--sentinel"},
			lines: []string{
				fmt.Sprintf("sentinel monitor %s %s %s 2", s.Name, host, port),
				"sentinel down-after-milliseconds " + s.Name + " 2000",
				"sentinel failover-timeout " + s.Name + " 6000",
			},
		}))
	}
	until(t, "the Sentinels know each other and the replica is in step", func() bool {
		for _, one := range s.Sentinels {
			state := one.CLI("sentinel", "master", s.Name)
			if !strings.Contains(state, "num-other-sentinels\n2\n") || !strings.Contains(state, "num-slaves\n1\n") {
				return false
			}
		}
		return strings.Contains(s.Replica.CLI("info", "replication"), "master_link_status:up")
	})
	return s
}

// Addrs returns the addresses of the Sentinels.
func (s *Sentinel) Addrs() []string {
	var all []string
	for _, one := range s.Sentinels {
		all = append(all, one.Addr)
	}
	return all
}

// Agreed says whether all Sentinels name r as the primary.
func (s *Sentinel) Agreed(r *Redis) bool {
	s.t.Helper()
	for _, one := range s.Sentinels {
		if strings.ReplaceAll(one.CLI("sentinel", "get-master-addr-by-name", s.Name), "\n", ":") != r.Addr {
			return false
		}
	}
	return true
}

// until waits for what has to come.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
