package servers

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Cluster is a Redis Cluster of six: three primaries with a replica each. A replica takes over about three seconds
// after its primary fell silent.
type Cluster struct {
	Nodes []*Redis // the first three were primaries at the start
	t     testing.TB
}

// StartCluster starts one; lines go into each redis.conf.
func StartCluster(t testing.TB, lines ...string) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	lines = append([]string{"cluster-node-timeout 2000"}, lines...)
	for range 6 {
		c.Nodes = append(c.Nodes, startRedis(t, redisOptions{cluster: true, lines: lines}))
	}
	create := append([]string{"--cluster", "create"}, c.Addrs()...)
	c.Nodes[0].CLI(append(create, "--cluster-replicas", "1", "--cluster-yes")...)
	until(t, "the cluster serves, with its replicas in step", func() bool {
		for _, n := range c.Nodes {
			state, replication := n.CLI("cluster", "info"), n.CLI("info", "replication")
			if !strings.Contains(state, "cluster_state:ok") || !strings.Contains(state, "cluster_known_nodes:6") ||
				!strings.Contains(replication, "role:master") && !strings.Contains(replication, "master_link_status:up") {
				return false
			}
		}
		return strings.Count(c.Nodes[0].CLI("cluster", "nodes"), " slave ") == 3
	})
	return c
}

// Addrs returns the addresses of all nodes.
func (c *Cluster) Addrs() []string {
	var all []string
	for _, n := range c.Nodes {
		all = append(all, n.Addr)
	}
	return all
}

// Replaced says whether the first node knows that a primary has failed and that another one serves its slots.
func (c *Cluster) Replaced(dead *Redis) bool {
	c.t.Helper()
	failed, primaries := false, 0
	for line := range strings.Lines(c.Nodes[0].CLI("cluster", "nodes")) {
		fields := strings.Fields(line) // id, address, flags, …; slots from the ninth on
		switch flags := strings.Split(fields[2], ","); {
		case strings.HasPrefix(fields[1], dead.Addr+"@"):
			failed = slices.Contains(flags, "fail")
		case slices.Contains(flags, "master") && len(fields) > 8:
			primaries++
		}
	}
	return failed && primaries == 3 && strings.Contains(c.Nodes[0].CLI("cluster", "info"), "cluster_state:ok")
}

// Reshard moves so many slots, with their keys, from one primary to another while both serve. It may be called from
// any goroutine.
func (c *Cluster) Reshard(from, to *Redis, slots int) error {
	source, err := from.TryCLI("cluster", "myid")
	if err != nil {
		return err
	}
	target, err := to.TryCLI("cluster", "myid")
	if err != nil {
		return err
	}
	// Until all nodes have heard of the last move, none can begin.
	for begin := time.Now(); time.Since(begin) < 20*time.Second; time.Sleep(100 * time.Millisecond) {
		if _, err = from.TryCLI("--cluster", "check", from.Addr); err == nil {
			break
		}
	}
	if err != nil {
		return err
	}
	_, err = from.TryCLI("--cluster", "reshard", from.Addr, "--cluster-from", source, "--cluster-to", target,
		"--cluster-slots", fmt.Sprint(slots), "--cluster-yes")
	return err
}
