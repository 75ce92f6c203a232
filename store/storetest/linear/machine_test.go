package linear

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"example.com/hardy/session"
)

// weakness is one way in which a machine breaks the contract.
type weakness string

const (
	noVersionCheck   weakness = "Replace does not compare versions"
	replaceRevives   weakness = "End loses to Replace"
	touchOfEnded     weakness = "Touch does not look for an end"
	lastEndWins      weakness = "a later End overwrites the first"
	endKeepsData     weakness = "End keeps Data"
	rewinds          weakness = "Touch moves moments back"
	createOverwrites weakness = "Create overwrites"
	twoSteps         weakness = "Replace reads, then writes"
	endLater         weakness = "End answers before it has happened"
	staleLoad        weakness = "Load answers from the node's memory"
	sentAgain        weakness = "a write whose answer was lost is sent again"
	forgets          weakness = "a write is acknowledged and lost"
	listMisses       weakness = "List reads its index first and the records later"
	listStale        weakness = "List answers from the node's memory"
)

var weaknesses = []weakness{
	noVersionCheck, replaceRevives, touchOfEnded, lastEndWins, endKeepsData, rewinds, createOverwrites, twoSteps,
	endLater, staleLoad, sentAgain, forgets, listMisses, listStale,
}

// machine is a store made of the model: a map under a lock, with a slow network before it.
type machine struct {
	weak weakness
	cut  atomic.Bool // a fault is on: requests and answers are lost

	mu      sync.Mutex
	records map[string]record
}

func newMachine(weak weakness) *machine {
	return &machine{weak: weak, records: make(map[string]record)}
}

func (m *machine) engine() Engine {
	e := Engine{Faults: []func() (heal func()){func() func() {
		m.cut.Store(true)
		return func() { m.cut.Store(false) }
	}}}
	for range 3 {
		e.Stores = append(e.Stores, &node{machine: m, loaded: make(map[string]remembered), listed: make(map[string]listed)})
	}
	return e
}

// node is one process's view of it.
type node struct {
	*machine
	mu     sync.Mutex
	loaded map[string]remembered
	listed map[string]listed
}

type remembered struct {
	record session.Record
	at     time.Time
}

type listed struct {
	records []session.Record
	at      time.Time
}

var errLost = errors.New("the connection was cut")

const memory = 2 * time.Millisecond // how long a weak node trusts what it remembers

// network is the way to the machine and back.
func (n *node) network() error {
	time.Sleep(time.Duration(rand.IntN(100)) * time.Microsecond)
	if n.cut.Load() && rand.IntN(3) == 0 {
		return errLost
	}
	return nil
}

func (n *node) do(ctx context.Context, c call) (answer, error) {
	if err := ctx.Err(); err != nil {
		return answer{}, err
	}
	if err := n.network(); err != nil {
		return answer{}, err
	}
	a := n.apply(c)
	if err := n.network(); err != nil {
		if n.weak != sentAgain {
			return answer{}, err
		}
		a = n.apply(c)
	}
	for _, err := range known {
		if a.err == err.Error() {
			return a, err
		}
	}
	return a, nil
}

func (m *machine) apply(c call) answer {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.records[c.id]
	before := old
	switch {
	case m.weak == noVersionCheck && c.op == replace:
		c.record.version = old.version + 1
	case m.weak == replaceRevives && c.op == replace:
		before.ended = ""
	case m.weak == touchOfEnded && c.op == touch:
		before.ended = ""
	case m.weak == lastEndWins && c.op == end:
		before.ended = ""
	case m.weak == createOverwrites && c.op == create:
		before = record{}
	case m.weak == twoSteps && c.op == replace:
		m.mu.Unlock()
		time.Sleep(50 * time.Microsecond)
		m.mu.Lock()
	case m.weak == forgets && c.op == replace && rand.IntN(10) == 0:
		a, _ := apply(before, c)
		return a
	case m.weak == endLater && c.op == end:
		a, after := apply(before, c)
		go func() {
			time.Sleep(time.Millisecond)
			m.mu.Lock()
			defer m.mu.Unlock()
			m.records[c.id] = after
		}()
		return a
	}
	a, after := apply(before, c)
	switch {
	case m.weak == touchOfEnded && c.op == touch:
		after.ended = old.ended
	case m.weak == endKeepsData && c.op == end:
		after.data = old.data
	case m.weak == rewinds && c.op == touch && a.err == "":
		after.seen = c.record.seen
	}
	if after.id != "" {
		m.records[c.id] = after
	}
	return a
}

func (n *node) Create(ctx context.Context, r session.Record) error {
	_, err := n.do(ctx, call{op: create, id: r.ID, record: recordOf(r)})
	return err
}

func (n *node) Load(ctx context.Context, id string) (session.Record, error) {
	n.mu.Lock()
	last, ok := n.loaded[id]
	n.mu.Unlock()
	if n.weak == staleLoad && ok && time.Since(last.at) < memory {
		return last.record, nil
	}
	a, err := n.do(ctx, call{op: load, id: id})
	if err != nil {
		return session.Record{}, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.loaded[id] = remembered{a.record.session(), time.Now()}
	return a.record.session(), nil
}

func (n *node) Replace(ctx context.Context, r session.Record) error {
	_, err := n.do(ctx, call{op: replace, id: r.ID, record: recordOf(r)})
	return err
}

func (n *node) Touch(ctx context.Context, id string, seen, expires, purge time.Time) error {
	r := record{seen: momentOf(seen), expires: momentOf(expires), purge: momentOf(purge)}
	_, err := n.do(ctx, call{op: touch, id: id, record: r})
	return err
}

func (n *node) End(ctx context.Context, id string, e session.End) (session.Record, error) {
	a, err := n.do(ctx, call{op: end, id: id, how: how{e.Reason, momentOf(e.At), momentOf(e.Purge), e.Next, e.KeepData}})
	return a.record.session(), err
}

func (n *node) List(ctx context.Context, user string) ([]session.Record, error) {
	n.mu.Lock()
	last, ok := n.listed[user]
	n.mu.Unlock()
	if n.weak == listStale && ok && time.Since(last.at) < memory {
		return last.records, nil
	}
	all, moved, err := n.listOnce(ctx, user)
	for err == nil && moved && n.weak != listMisses {
		all, moved, err = n.listOnce(ctx, user)
	}
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listed[user] = listed{all, time.Now()}
	return all, nil
}

// listOnce reads the index and then each record. moved says that one ended between: its successor may be missing.
func (n *node) listOnce(ctx context.Context, user string) (all []session.Record, moved bool, err error) {
	var ids []string
	n.machine.mu.Lock()
	for id, r := range n.records {
		if r.user == user && r.ended == "" {
			ids = append(ids, id)
		}
	}
	n.machine.mu.Unlock()
	for _, id := range ids {
		a, err := n.do(ctx, call{op: list, id: id, user: user})
		if err != nil {
			return nil, false, err
		}
		if a.record.id == "" {
			moved = true
		} else {
			all = append(all, a.record.session())
		}
	}
	return all, moved, nil
}
