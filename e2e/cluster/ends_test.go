package cluster

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/internal/faultproxy"
	"example.com/hardy/internal/servers"
)

// cacheBytes is room for all sessions of these tests.
const cacheBytes = 64 << 20

// cacheBound is how long redisstore's cache may serve a session that has ended.
const cacheBound = 2 * time.Second

// TestAnEndIsSeenAtOnce: a sign-out on one process refuses the very next request on the two others, each time.
func TestAnEndIsSeenAtOnce(t *testing.T) {
	for _, c := range []struct {
		name  string
		order func(t *testing.T) order
	}{
		{"sqlite", func(t *testing.T) order {
			return order{Store: "sqlite", URL: filepath.Join(t.TempDir(), "sessions.db")}
		}},
		{"redis", func(t *testing.T) order { return order{Store: "redis", URL: servers.SharedRedis(t).URL()} }},
		{"postgres", func(t *testing.T) order { return order{Store: "postgres", URL: servers.SharedPostgres(t).URL()} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			late := endings(t, startNodes(t, 3, c.order(t)), tries())
			if n := late.late(); n > 0 {
				t.Errorf("%d requests were served after the end of their session: %v", n, late)
			}
			t.Logf("%d ends on one process, the next request on each of the two others was refused", tries())
		})
	}
}

// TestAnEndIsSeenThroughTheCache: with redisstore's cache, which answers without asking, an end is seen when the
// server's message arrives, and within two seconds where that is lost.
func TestAnEndIsSeenThroughTheCache(t *testing.T) {
	r := servers.SharedRedis(t)
	o := order{Store: "redis", URL: r.URL(), Cache: cacheBytes, Master: cookie.NewMaster()}
	t.Run("all well", func(t *testing.T) {
		late := endings(t, startNodes(t, 3, o), tries())
		t.Logf("ends on one process until the two others refused: %v", late)
		late.within(t, cacheBound)
	})
	t.Run("half-open", func(t *testing.T) {
		p := faultproxy.Start(t, r.Addr)
		through := o
		through.URL = fmt.Sprintf("redis://%s/%d", p.Addr, r.DB)
		nodes := append(startNodes(t, 1, o), startNodes(t, 2, through)...)
		for range long(10, 1) {
			late := halfOpen(t, nodes, p)
			t.Logf("ends on one process until the two others refused, whose connections deliver nothing: %v", late)
			late.within(t, cacheBound)
		}
	})
}

func tries() int { return int(long(10_000, 300)) }

// spread is how long after the acknowledgement of ends the last request was sent that was still served; 0: none was.
type spread []time.Duration

// late is how many requests were served at all.
func (s spread) late() (n int) {
	for _, d := range s {
		if d > 0 {
			n++
		}
	}
	return n
}

func (s spread) within(t *testing.T, bound time.Duration) {
	t.Helper()
	if worst := slices.Max(s); worst > bound {
		t.Errorf("a request was served that was sent %v after the end of its session, want no more than %v", worst, bound)
	}
}

func (s spread) String() string {
	slices.Sort(s)
	at := func(q float64) time.Duration { return s[int(q*float64(len(s)-1))].Round(10 * time.Microsecond) }
	return fmt.Sprintf("%d of %d at once; median %v, 90 %% %v, 99 %% %v, 99.9 %% %v, longest %v",
		len(s)-s.late(), len(s), at(0.5), at(0.9), at(0.99), at(0.999), at(1))
}

// newClient returns a client for so many visitors at once.
func newClient(t *testing.T, visitors int) *http.Client {
	c := &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: visitors}}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// begin makes a session on the first node and has it seen by all.
func begin(t *testing.T, client *http.Client, nodes []string) *visitor {
	v := &visitor{client: client}
	if a, err := v.send(nodes[0], http.MethodPost, "/set/7?key=a"); err != nil || a.status != http.StatusOK {
		t.Errorf("a session: %d, %v", a.status, err)
	}
	for _, node := range nodes {
		for range 2 {
			if out, err := v.look(node); err != nil || out != served {
				t.Errorf("a live session: outcome %d, %v", out, err)
			}
		}
	}
	return v
}

// look reads a session that holds a seven.
func (v *visitor) look(node string) (outcome, error) {
	a, err := v.send(node, http.MethodGet, "/")
	if err != nil {
		return unsure, err
	}
	out, err := a.outcome()
	if err != nil || out != served {
		return out, err
	}
	switch holds, err := a.values(); {
	case err != nil:
		return out, err
	case holds != (values{A: 7}):
		return out, fmt.Errorf("a session of seven holds %+v", holds)
	}
	return out, nil
}

// quit ends the session on the first node and returns when that was acknowledged.
func (v *visitor) quit(t *testing.T, node string) time.Time {
	a, err := v.send(node, http.MethodPost, "/logout")
	if err != nil || a.status != http.StatusOK {
		t.Errorf("a sign-out: %d, %v", a.status, err)
	}
	return time.Now()
}

// outlives returns how long after its end the session was still served by a node.
func (v *visitor) outlives(t *testing.T, node string, end time.Time) (late time.Duration) {
	for time.Since(end) < patience {
		sent := time.Now()
		out, err := v.look(node)
		if err != nil {
			t.Error(err)
			return late
		}
		switch out {
		case ended:
			return late
		case served:
			late = sent.Sub(end)
		case unsure: // refused too, but not for good
			time.Sleep(5 * time.Millisecond)
		}
	}
	t.Error("a session does not end")
	return late
}

// endings ends so many sessions on the first node, and asks the others at once.
func endings(t *testing.T, nodes []string, tries int) spread {
	const workers = 8
	client := newClient(t, workers)
	var mu sync.Mutex
	var all spread
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < tries && !t.Failed(); i += workers {
				v := begin(t, client, nodes)
				end := v.quit(t, nodes[0])
				for _, node := range nodes[1:] {
					late := v.outlives(t, node, end)
					mu.Lock()
					all = append(all, late)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return all
}

// halfOpen ends sessions on the first node while the proxy before the others' server holds their connections.
func halfOpen(t *testing.T, nodes []string, p *faultproxy.Proxy) spread {
	const sessions = 24
	client := newClient(t, sessions)
	var all []*visitor
	for range sessions {
		all = append(all, begin(t, client, nodes))
	}
	before := p.Count()
	for _, v := range all {
		if out, err := v.look(nodes[1]); err != nil || out != served {
			t.Fatalf("a read: outcome %d, %v", out, err)
		}
	}
	// Its pings go by meanwhile; a read without the cache would be one round trip more for each session.
	if trips := p.Count().RoundTrips - before.RoundTrips; trips >= sessions/2 {
		t.Fatalf("%d reads made %d round trips: the cache does not serve", sessions, trips)
	}
	p.Freeze()
	var mu sync.Mutex
	var late spread
	var wg sync.WaitGroup
	for _, v := range all {
		wg.Go(func() {
			end := v.quit(t, nodes[0])
			for _, node := range nodes[1:] {
				wg.Go(func() {
					own := *v // its cookie stays as it is
					d := own.outlives(t, node, end)
					mu.Lock()
					defer mu.Unlock()
					late = append(late, d)
				})
			}
		})
	}
	wg.Wait()
	p.Cut()
	if t.Failed() {
		t.FailNow()
	}
	return late
}
