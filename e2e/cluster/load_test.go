package cluster

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

const (
	visitors  = 12
	think     = 5 * time.Millisecond // between a visitor's requests
	deadline  = 2 * time.Second      // session.DefaultStoreTimeout
	patience  = time.Minute
	slackTime = 4 * time.Second // what a busy machine may add to a deadline
)

// load is constant traffic to all nodes, of visitors who come, count, and sign out, and who know what they were told.
type load struct {
	t      *testing.T
	nodes  []string
	client *http.Client
	stop   chan struct{}
	wg     sync.WaitGroup

	mu       sync.Mutex
	events   events
	accounts []*account
	wrong    []string
	seen     window
	wrote    []time.Time // when the last count that a node acknowledged was sent
}

// window is what was answered since it began.
type window struct {
	statuses  map[int]int
	refusals  []time.Duration // how long each 503 took
	forgotten int
}

func (w window) String() string {
	s := fmt.Sprintf("%d answered, %d refused with 401", w.statuses[200], w.statuses[401])
	if n := len(w.refusals); n > 0 {
		slices.Sort(w.refusals)
		s += fmt.Sprintf(", %d with 503 (median %v, longest %v)", n,
			w.refusals[n/2].Round(time.Millisecond), w.refusals[n-1].Round(time.Millisecond))
	}
	if w.forgotten > 0 {
		s += fmt.Sprintf(", %d acknowledged writes forgotten by the engine", w.forgotten)
	}
	return s
}

// startLoad begins. The test ends with it, by audit.
func startLoad(t *testing.T, nodes []string) *load {
	l := &load{
		t: t, nodes: nodes, stop: make(chan struct{}), wrote: make([]time.Time, len(nodes)),
		seen:   window{statuses: make(map[int]int)},
		client: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: visitors}},
	}
	for i := range visitors {
		rng := rand.New(rand.NewPCG(rand.Uint64(), uint64(i)))
		l.wg.Go(func() { l.visit(rng) })
	}
	t.Cleanup(func() {
		l.halt()
		l.client.CloseIdleConnections()
	})
	l.settled(time.Now())
	l.window()
	return l
}

func (l *load) halt() {
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.wg.Wait()
}

// visit is one visitor after the other.
func (l *load) visit(rng *rand.Rand) {
	var a *account
	var gone []*account
	requests := 0
	for ; ; time.Sleep(think) {
		select {
		case <-l.stop:
			return
		default:
		}
		node := rng.IntN(len(l.nodes))
		switch {
		case a == nil:
			a, requests = &account{visitor: visitor{client: l.client}}, 10+rng.IntN(60)
			if !l.open(a, node) {
				a = nil
				continue
			}
		case len(gone) > 0 && rng.IntN(8) == 0:
			l.ask(gone[rng.IntN(len(gone))], node, "/")
			continue
		case requests <= 0:
			if l.leave(a, node) {
				gone = append(gone, a)
				for n := range l.nodes { // each other node refuses the next request
					l.ask(a, n, "/")
				}
				a = nil
			}
			continue
		}
		path := "/add/a"
		if rng.IntN(4) == 0 {
			path = "/"
		}
		requests--
		if v := l.ask(a, node, path); v == over || a.gone {
			a = nil
		}
	}
}

// open begins a session and says whether there is one. Of one whose beginning was not answered nothing is known.
func (l *load) open(a *account, node int) bool {
	l.ask(a, node, "/add/a")
	if a.born.IsZero() || a.cookie == "" {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accounts = append(l.accounts, a)
	return true
}

// ask sends a request and judges the answer.
func (l *load) ask(a *account, node int, path string) verdict {
	method := http.MethodPost
	if path == "/" {
		method = http.MethodGet
	}
	sent := time.Now()
	r, err := a.send(l.nodes[node], method, path)
	l.mu.Lock()
	defer l.mu.Unlock()
	var v verdict
	if err == nil {
		v, err = a.judge(path, sent, r, l.events)
		l.note(r, v)
	}
	if err != nil {
		l.accuse("node %d, %s %s: %v", node, method, path, err)
		return over
	}
	if v == fine && method == http.MethodPost && sent.After(l.wrote[node]) {
		l.wrote[node] = sent
	}
	return v
}

// note counts an answer. l.mu is held.
func (l *load) note(r reply, v verdict) {
	l.seen.statuses[r.status]++
	if r.status == http.StatusServiceUnavailable {
		l.seen.refusals = append(l.seen.refusals, r.took)
		// A request loads and commits, each within the deadline.
		if r.took > 2*deadline+slackTime {
			l.accuse("a 503 took %v", r.took)
		}
	}
	if v == forgotten {
		l.seen.forgotten++
	}
}

// accuse notes a broken promise. l.mu is held.
func (l *load) accuse(format string, args ...any) {
	if len(l.wrong) < 20 {
		l.wrong = append(l.wrong, fmt.Sprintf("%s  ", time.Now().Format("05.000"))+fmt.Sprintf(format, args...))
	}
}

// leave signs out and says whether that was acknowledged.
func (l *load) leave(a *account, node int) bool {
	if a.leaving.IsZero() {
		a.leaving = time.Now()
	}
	r, err := a.send(l.nodes[node], http.MethodPost, "/logout")
	l.mu.Lock()
	defer l.mu.Unlock()
	var out outcome
	if err == nil {
		out, err = r.outcome()
		l.note(r, fine)
	}
	if err != nil {
		l.accuse("node %d, sign-out: %v", node, err)
		return false
	}
	if out == unsure {
		return false
	}
	a.left = time.Now()
	return true
}

// settled waits until each node has acknowledged a write that was sent after a moment, and returns how long after it
// the last of them did.
func (l *load) settled(since time.Time) time.Duration {
	l.t.Helper()
	for begin := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		l.mu.Lock()
		slowest := slices.MinFunc(l.wrote, time.Time.Compare)
		wrong := slices.Clone(l.wrong)
		l.mu.Unlock()
		if len(wrong) > 0 {
			l.fail(wrong)
		}
		if slowest.After(since) {
			return time.Since(since)
		}
		if time.Since(begin) > patience {
			l.t.Fatalf("not every node has recovered after %v", time.Since(since))
		}
	}
}

func (l *load) fail(wrong []string) {
	l.t.Helper()
	for _, w := range wrong {
		l.t.Error(w)
	}
	l.t.FailNow()
}

// window returns what was answered since it was last asked, and begins anew.
func (l *load) window() window {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.seen
	l.seen = window{statuses: make(map[int]int)}
	return w
}

// phase lets a fault come and go under the load. wrong says what is amiss in what was answered meanwhile; nil: anything
// goes that breaks no promise.
func (l *load) phase(name string, fault func(), wrong func(window) string) {
	l.t.Helper()
	l.window()
	began := time.Now()
	fault()
	healed := time.Now()
	took := l.settled(healed)
	w := l.window()
	l.t.Logf("%s, %v: every node wrote again %v after its end; %v", name, healed.Sub(began).Round(time.Millisecond), took.Round(time.Millisecond), w)
	if wrong != nil {
		if s := wrong(w); s != "" {
			l.t.Errorf("%s: %s", name, s)
		}
	}
}

// refuses wants 503 meanwhile: without any, the fault was none.
func refuses(w window) string {
	if w.statuses[503] == 0 {
		return "no request was refused with 503"
	}
	return ""
}

// unnoticed wants no 503.
func unnoticed(w window) string {
	if n := w.statuses[503]; n > 0 {
		return fmt.Sprintf("%d requests were refused with 503", n)
	}
	return ""
}

// refusing waits until so many requests were refused with 503 in this phase.
func (l *load) refusing(n int) {
	l.t.Helper()
	for begin := time.Now(); time.Since(begin) < patience; time.Sleep(5 * time.Millisecond) {
		l.mu.Lock()
		so := l.seen.statuses[503]
		l.mu.Unlock()
		if so >= n {
			return
		}
	}
	l.t.Fatal("nothing is refused")
}

// tell makes the judge know of an event.
func (l *load) tell(f func(*events)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(&l.events)
}

// audit ends the traffic and asks every node for every session that there was: what was acknowledged is there, what was
// ended is not.
func (l *load) audit() {
	l.t.Helper()
	l.settled(time.Now())
	l.halt()
	live, dead, gone := 0, 0, 0
	for _, a := range l.accounts {
		for node := range l.nodes {
			begin := time.Now()
			for l.ask(a, node, "/") == lost {
				if time.Since(begin) > patience {
					l.t.Fatal("the audit meets 503 again and again")
				}
				time.Sleep(20 * time.Millisecond)
			}
		}
		switch {
		case a.gone:
			gone++
		case a.left.IsZero():
			live++
		default:
			dead++
		}
	}
	if len(l.wrong) > 0 {
		l.fail(l.wrong)
	}
	l.t.Logf("audit on %d nodes: %d live sessions hold what was acknowledged, %d ended ones are refused, %d that the engine lost too",
		len(l.nodes), live, dead, gone)
	if live == 0 || dead == 0 {
		l.t.Error("the load has no live or no ended sessions")
	}
}
