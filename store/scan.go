package store

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"example.com/hardy/session"
)

var errCursor = errors.New("store: this cursor is none of this store's; begin with an empty one")

// Scan implements session.Scanner. A cursor is good for the life of the store.
func (m *Memory) Scan(ctx context.Context, cursor string, limit int) (page []session.Record, next string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	at, after, err := parseCursor(cursor)
	if err != nil {
		return nil, "", err
	}
	for limit = max(limit, 1); at < len(m.shards); at, after = at+1, nil {
		page = m.shards[at].after(page, after, limit)
		if len(page) == limit {
			return page, strconv.Itoa(at) + "." + page[limit-1].ID, nil
		}
	}
	return page, "", nil
}

// after appends the shard's records whose keys follow after, in the order of keys, up to limit in all.
func (s *shard) after(page []session.Record, after *key, limit int) []session.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*entry
	for _, e := range s.slots {
		if e != nil && (after == nil || bytes.Compare(e.id[:], after[:]) > 0) {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b *entry) int { return bytes.Compare(a.id[:], b.id[:]) })
	for _, e := range found[:min(len(found), limit-len(page))] {
		page = append(page, session.Record{})
		e.record(&page[len(page)-1], e.id.String())
	}
	return page
}

func parseCursor(cursor string) (at int, after *key, err error) {
	if cursor == "" {
		return 0, nil, nil
	}
	shard, id, _ := strings.Cut(cursor, ".")
	at, err = strconv.Atoi(shard)
	k, ok := parseKey(id)
	if err != nil || !ok || at < 0 {
		return 0, nil, errCursor
	}
	return at, &k, nil
}

// Count implements session.Scanner. It is exact when nothing is created at the time.
func (m *Memory) Count(ctx context.Context) (int, error) {
	return int(m.count.Load()), ctx.Err()
}
