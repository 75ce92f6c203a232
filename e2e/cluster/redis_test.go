package cluster

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/hardy/internal/servers"
)

// durable is a Redis that keeps what it has acknowledged when it is killed.
var durable = []string{"appendonly yes", "appendfsync always"}

// TestRedisFaults: three processes serve on one Redis that is killed, paused, short of memory, robbed of its scripts, and
// emptied; all the while no promise is broken, and afterwards all serve again.
func TestRedisFaults(t *testing.T) {
	r := servers.StartRedis(t, durable...)
	nodes := startNodes(t, 3, order{Store: "redis", URL: r.URL()})
	l := startLoad(t, nodes)
	for range long(5, 1) {
		l.phase("killed and back", func() {
			r.Kill()
			l.refusing(20)
			r.Start()
		}, refuses)
		l.phase("paused", func() {
			r.Pause()
			time.Sleep(long(5*time.Second, 2500*time.Millisecond))
			r.Resume()
		}, refuses)
		l.phase("out of memory", func() {
			r.CLI("config", "set", "maxmemory", "1")
			l.refusing(20)
			r.CLI("config", "set", "maxmemory", "0")
		}, refuses)
		l.phase("scripts flushed", func() {
			for range 20 {
				r.CLI("script", "flush")
				time.Sleep(20 * time.Millisecond)
			}
		}, unnoticed)
		l.phase("emptied", func() { empty(t, l, r) }, unnoticed)
	}
	l.audit()
}

// empty empties Redis. A session from before is ended, unknown: a script is refused, and a page that starts over is
// told why.
func empty(t *testing.T, l *load, r *servers.Redis) {
	t.Helper()
	old := &visitor{client: l.client}
	if a, err := old.send(l.nodes[0], http.MethodPost, "/set/7?key=b"); err != nil || a.status != http.StatusOK {
		t.Fatalf("a session before: %d, %v", a.status, err)
	}
	from := time.Now()
	l.tell(func(ev *events) { ev.emptied = span{from: from} })
	r.CLI("flushall")
	l.tell(func(ev *events) { ev.emptied.to = time.Now() })
	for _, node := range l.nodes {
		was := old.cookie
		a, err := old.send(node, http.MethodGet, "/")
		if err != nil || a.status != http.StatusUnauthorized || !strings.Contains(a.header.Get("WWW-Authenticate"), `reason="unknown"`) {
			t.Errorf("a script with an old cookie: %d %s, %v", a.status, a.header.Get("WWW-Authenticate"), err)
		}
		page := &visitor{client: l.client, cookie: was, page: true}
		a, err = page.send(node, http.MethodGet, "/")
		if err != nil {
			t.Fatal(err)
		}
		if v, err := a.values(); err != nil || v != (values{Ended: "unknown"}) {
			t.Errorf("a page with an old cookie: %d %+v, %v; want a blank one that knows its session is unknown", a.status, v, err)
		}
	}
}

// lastWords is the span in which a primary may have acknowledged what its replica never saw, as replication is
// asynchronous: the second before its death.
func lastWords(died time.Time) span {
	return span{from: died.Add(-time.Second), to: died.Add(time.Second)}
}

// TestSentinelFailover: the primary dies under load, and the replica takes its place.
func TestSentinelFailover(t *testing.T) {
	s := servers.StartSentinel(t, durable...)
	url := "redis://" + s.Addrs()[0] + "?addr=" + s.Addrs()[1] + "&addr=" + s.Addrs()[2] + "&master_set=" + s.Name
	l := startLoad(t, startNodes(t, 3, order{Store: "redis", URL: url}))
	primary, replica := s.Primary, s.Replica
	for n := range long(5, 1) {
		paused := n%2 == 1 // it comes back with its connections, and believes to be the primary
		l.phase(map[bool]string{false: "the primary killed", true: "the primary paused until it is replaced"}[paused], func() {
			if paused {
				primary.Pause()
			} else {
				primary.Kill()
			}
			died := time.Now()
			l.tell(func(ev *events) { ev.failovers = append(ev.failovers, lastWords(died)) })
			until(t, "failover", func() bool { return s.Agreed(replica) })
			if paused {
				// Before every Sentinel has told its clients, a process may still write to the old one, and what it writes
				// there is lost: the engine's limit.
				time.Sleep(3 * time.Second)
				primary.Resume()
			}
		}, refuses)
		// For some ten seconds it believes to be the primary, and holds what was true when it died.
		l.phase("the old primary back", func() {
			if !paused {
				primary.Start()
			}
			if !soak {
				time.Sleep(1500 * time.Millisecond)
				return
			}
			until(t, "it follows", func() bool { return follows(primary) })
		}, nil)
		primary, replica = replica, primary
	}
	l.audit()
}

func follows(r *servers.Redis) bool {
	return strings.Contains(r.CLI("info", "replication"), "master_link_status:up")
}

// until waits for what has to come.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for begin := time.Now(); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Since(begin) > patience {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// TestClusterReshardedAndFailover: slots move and a primary dies under load.
func TestClusterReshardedAndFailover(t *testing.T) {
	c := servers.StartCluster(t, durable...)
	url := "redis://" + c.Nodes[0].Addr + "?addr=" + c.Nodes[1].Addr + "&addr=" + c.Nodes[2].Addr
	l := startLoad(t, startNodes(t, 3, order{Store: "redis", URL: url}))
	l.phase("resharded", func() {
		for n := range 3 {
			if err := c.Reshard(c.Nodes[n], c.Nodes[(n+1)%3], int(long(2000, 300))); err != nil {
				t.Fatal(err)
			}
		}
	}, nil)
	dead := c.Nodes[1]
	l.phase("a primary killed", func() {
		dead.Kill()
		died := time.Now()
		l.tell(func(ev *events) { ev.failovers = append(ev.failovers, lastWords(died)) })
		until(t, "failover", func() bool { return c.Replaced(dead) })
	}, refuses)
	l.phase("it is back as a replica", func() {
		dead.Start()
		until(t, "it follows", func() bool { return follows(dead) })
	}, nil)
	l.audit()
}
