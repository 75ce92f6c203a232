package storetest

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/hardy/internal/places"
	"example.com/hardy/session"
)

// model is the contract written down as plainly as possible: one map under one lock. It shows that a
// correct store passes, and bug makes it break one rule.
type model struct {
	mu       sync.Mutex
	records  map[string]session.Record
	bug      bug
	watchers map[chan session.Ended]bool
	ends     int
}

func newModel(b bug) *model {
	return &model{records: map[string]session.Record{}, bug: b, watchers: map[chan session.Ended]bool{}}
}

func TestModelPasses(t *testing.T) {
	Run(t, func(*testing.T) session.Store { return newModel("") })
}

func (m *model) begin(ctx context.Context) (func(), error) {
	if err := ctx.Err(); err != nil && m.bug != ignoresContext {
		return nil, err
	}
	m.mu.Lock()
	return m.mu.Unlock, nil
}

func (m *model) Create(ctx context.Context, r session.Record) error {
	unlock, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return m.create(r)
}

func (m *model) create(r session.Record) error {
	if _, ok := m.records[r.ID]; ok && m.bug != createOverwrites {
		return session.ErrExists
	}
	if m.bug != keepsStrings {
		r.ID, r.Handle, r.User = strings.Clone(r.ID), strings.Clone(r.Handle), strings.Clone(r.User)
	}
	if m.bug == cutsNanoseconds {
		r.Seen = r.Seen.Truncate(time.Microsecond)
	}
	if m.bug == losesMeta {
		r.Meta = nil
	}
	if m.bug == sweepsToTheMoment {
		for id, old := range m.records {
			if !old.Expires.After(r.Seen) {
				old.Data = nil
				m.records[id] = old
			}
		}
	}
	m.records[r.ID] = r
	return nil
}

func (m *model) Load(ctx context.Context, id string) (session.Record, error) {
	unlock, err := m.begin(ctx)
	if err != nil {
		return session.Record{}, err
	}
	defer unlock()
	r, ok := m.records[id]
	hidden := m.bug == loadHidesEnded && r.Ended != "" || m.bug == loadHidesExpired && !r.Expires.After(time.Now())
	if !ok || hidden {
		return session.Record{}, session.ErrNotFound
	}
	return r, nil
}

func (m *model) Replace(ctx context.Context, n session.Record) error {
	unlock, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	r, ok := m.records[n.ID]
	switch {
	case !ok && m.bug == replaceInserts:
		m.records[n.ID] = n
		return nil
	case !ok, r.Ended != "" && m.bug != replaceOfEnded && m.bug != replaceRevives,
		!r.Expires.After(n.Seen) && m.bug != replaceOfExpired:
		return session.ErrNotFound
	case n.Version != r.Version+1 && m.bug != replaceIgnoresVersion:
		return session.ErrConflict
	}
	if m.bug == replaceRevives {
		r.Ended = ""
	}
	if m.bug == replaceRenames {
		r.User, r.Handle = n.User, n.Handle
	}
	r.Data, r.Meta, r.Idle, r.Deadline = n.Data, n.Meta, n.Idle, n.Deadline
	if m.bug != replaceKeepsVersion {
		r.Version = n.Version
	}
	if m.bug == replaceRewinds {
		r.Seen, r.Expires, r.Purge = n.Seen, n.Expires, n.Purge
	}
	m.forward(&r, n.Seen, n.Expires, n.Purge)
	m.records[n.ID] = r
	return nil
}

func (m *model) forward(r *session.Record, seen, expires, purge time.Time) {
	r.Seen, r.Expires, r.Purge = latest(r.Seen, seen), latest(r.Expires, expires), latest(r.Purge, purge)
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (m *model) Touch(ctx context.Context, id string, seen, expires, purge time.Time) error {
	unlock, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	r, ok := m.records[id]
	if !ok || r.Ended != "" && m.bug != touchOfEnded || !r.Expires.After(seen) && m.bug != touchOfExpired {
		return session.ErrNotFound
	}
	m.forward(&r, seen, expires, purge)
	if m.bug == touchRewinds {
		r.Seen, r.Expires, r.Purge = seen, expires, purge
	}
	if m.bug == touchCounts {
		r.Version++
	}
	m.records[id] = r
	return nil
}

func (m *model) End(ctx context.Context, id string, e session.End) (session.Record, error) {
	unlock, err := m.begin(ctx)
	if err != nil {
		return session.Record{}, err
	}
	defer unlock()
	return m.end(id, e)
}

func (m *model) end(id string, e session.End) (session.Record, error) {
	r, ok := m.records[id]
	if !ok {
		return r, session.ErrNotFound
	}
	if m.bug == endOfExpiredRefused && !r.Expires.After(e.At) {
		return r, session.ErrNotFound
	}
	last := r
	if r.Ended != "" && m.bug != lastEndWins {
		if m.bug == secondEndDropsData {
			r.Data = nil
			m.records[id] = r
		}
		return last, nil
	}
	r.Ended, r.EndedAt, r.Next = e.Reason, e.At, e.Next
	if m.bug == endForgetsNext {
		r.Next = ""
	}
	m.forward(&r, r.Seen, r.Expires, e.Purge)
	if m.bug == endRewindsPurge {
		r.Purge = e.Purge
	}
	if !e.KeepData && m.bug != endKeepsData || m.bug == keepDataIgnored {
		r.Data = nil
	}
	m.records[id] = r
	if m.bug == endDeletes {
		delete(m.records, id)
	}
	m.ends++
	for w := range m.watchers {
		if m.bug == watchDrops && len(w) > 0 {
			continue
		}
		w <- session.Ended{ID: id, Reason: e.Reason, At: e.At, Next: e.Next}
	}
	if m.bug == endReturnsAfter {
		return r, nil
	}
	if m.bug == endReturnsNoData {
		last.Data = nil
	}
	return last, nil
}

func (m *model) List(ctx context.Context, user string) ([]session.Record, error) {
	unlock, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	var list []session.Record
	for _, r := range m.records {
		if r.User != user || user == "" && m.bug != listOfEmptyUser || r.Ended != "" && m.bug != listShowsEnded {
			continue
		}
		if m.bug == listHidesExpired && !r.Expires.After(time.Now()) {
			continue
		}
		if m.bug != listShowsData {
			r.Data = nil
		}
		list = append(list, r)
	}
	if m.bug == listMisses && len(list) > 2 {
		list = list[1:]
	}
	return list, nil
}

func (m *model) CreateWithin(ctx context.Context, n session.Record, limit int, evict bool) ([]session.Record, error) {
	unlock, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	var live []session.Record
	for _, r := range m.records {
		if r.User == n.User && r.Ended == "" && (r.Expires.After(n.Seen) || m.bug == capCountsExpired) &&
			(r.Handle != n.Handle || m.bug == capEvictsSiblings) {
			live = append(live, r)
		}
	}
	slices.SortFunc(live, func(a, b session.Record) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	if m.bug == capEvictsNewest {
		slices.Reverse(live)
	}
	if m.bug == capOffByOne {
		limit++
	}
	if m.bug == capRaces {
		m.mu.Unlock()
		time.Sleep(100 * time.Microsecond)
		m.mu.Lock()
	}
	over := places.Over(live, func(r session.Record) string {
		if m.bug == capCountsRecords {
			return r.ID
		}
		return r.Handle
	}, limit)
	if len(over) > 0 && !evict {
		return nil, session.ErrCapped
	}
	if err := m.create(n); err != nil {
		return nil, err
	}
	var evicted []session.Record
	for _, r := range over {
		last, err := m.end(r.ID, session.End{Reason: session.ReasonEvicted, At: n.Seen})
		if err != nil {
			return evicted, err
		}
		evicted = append(evicted, last)
	}
	return evicted, nil
}

func (m *model) Scan(ctx context.Context, cursor string, limit int) ([]session.Record, string, error) {
	unlock, err := m.begin(ctx)
	if err != nil {
		return nil, "", err
	}
	defer unlock()
	var page []session.Record
	for _, r := range m.records {
		if r.ID > cursor && (r.Ended == "" || m.bug != scanHidesDead) {
			page = append(page, r)
		}
	}
	slices.SortFunc(page, func(a, b session.Record) int { return cmp.Compare(a.ID, b.ID) })
	if len(page) <= limit {
		return page, "", nil
	}
	next := page[limit-1].ID
	if m.bug == scanSkips {
		next = page[limit].ID
	}
	return page[:limit], next, nil
}

func (m *model) Count(ctx context.Context) (int, error) {
	unlock, err := m.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer unlock()
	return len(m.records), nil
}

func (m *model) Import(ctx context.Context, r session.Record) error {
	unlock, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if m.bug == importRevives {
		r.Ended, r.EndedAt = "", time.Time{}
	}
	if m.bug == importOverwrites {
		delete(m.records, r.ID)
	}
	return m.create(r)
}

// beginLate misses the next end, however long that takes to come.
func (m *model) beginLate(ctx context.Context, news chan session.Ended) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for before := m.ends; m.ends == before && ctx.Err() == nil; {
		m.mu.Unlock()
		time.Sleep(time.Millisecond)
		m.mu.Lock()
	}
	m.watchers[news] = true
}

func (m *model) Watch(ctx context.Context, f func(session.Ended)) error {
	unlock, err := m.begin(ctx)
	if err != nil {
		return err
	}
	news := make(chan session.Ended, 10_000)
	if m.bug != watchBeginsLate {
		m.watchers[news] = true
	}
	unlock()
	f(session.Ended{})
	if m.bug == watchBeginsLate {
		m.beginLate(ctx, news)
	}
	for {
		if m.bug == watchDrops {
			time.Sleep(5 * time.Millisecond)
		}
		select {
		case e := <-news:
			f(e)
		case <-ctx.Done():
			m.mu.Lock()
			defer m.mu.Unlock()
			delete(m.watchers, news)
			return ctx.Err()
		}
	}
}

func (m *model) Sweep(ctx context.Context, now time.Time, _ int) (swept session.Swept, more bool, err error) {
	unlock, err := m.begin(ctx)
	if err != nil {
		return swept, false, err
	}
	defer unlock()
	const step = 2
	for id, r := range m.records {
		if m.bug != sweepAtOnce && swept.Blanked+swept.Forgotten == step {
			return swept, true, nil
		}
		over := !r.Expires.After(now) && m.bug != sweepLeavesData ||
			r.Ended != "" && (r.EndedAt.Add(session.Grace).Before(now) || m.bug == sweepForgetsGrace)
		switch {
		case !r.Purge.After(now) && m.bug != sweepForgetsNothing, m.bug == sweepDropsTombstones && r.Ended != "":
			delete(m.records, id)
			swept.Forgotten++
		case r.Data != nil && (over || m.bug == sweepDropsLiveData):
			r.Data = nil
			m.records[id] = r
			swept.Blanked++
		}
	}
	return swept, false, nil
}
