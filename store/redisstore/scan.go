package redisstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"example.com/hardy/session"
)

// countSize is how many buckets are counted in one round trip.
const countSize = 512

// place is where a scan goes on: with the ids that the last page had no room for, then in which bucket, at which cursor of
// Redis's ZSCAN, and, where one call gave the whole bucket, after which id of it.
type place struct {
	left   []string
	bucket int
	cursor uint64
	after  string
}

func (p place) String() string {
	return fmt.Sprintf("%d.%d.%s.%s", p.bucket, p.cursor, p.after, strings.Join(p.left, "."))
}

func parsePlace(text string) (p place, err error) {
	if text == "" {
		return p, nil
	}
	parts := strings.Split(text, ".")
	if len(parts) >= 3 {
		if p.bucket, err = strconv.Atoi(parts[0]); err == nil && p.bucket >= 0 {
			if p.cursor, err = strconv.ParseUint(parts[1], 10, 64); err == nil {
				p.after, p.left = parts[2], parts[3:]
				p.left = slices.DeleteFunc(p.left, func(id string) bool { return !isID(id) })
				return p, nil
			}
		}
	}
	return p, fmt.Errorf("redisstore: the cursor %q is none of this store's; begin with an empty one", text)
}

// Scan implements session.Scanner, bucket after bucket. A cursor is good for ever.
func (s *Store) Scan(ctx context.Context, cursor string, limit int) ([]session.Record, string, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	at, err := parsePlace(cursor)
	if err != nil {
		return nil, "", err
	}
	for at.bucket < buckets || len(at.left) > 0 {
		if at.cursor == 0 && at.after == "" && len(at.left) == 0 {
			if at.bucket, err = s.filled(ctx, at.bucket); err != nil {
				return nil, "", s.explain(err)
			}
			if at.bucket == buckets {
				break
			}
		}
		page, next, err := s.scanBucket(ctx, at, max(limit, 1))
		if err != nil {
			return nil, "", s.explain(err)
		}
		if at = next; len(page) > 0 {
			return page, at.String(), nil
		}
	}
	return nil, "", nil
}

// filled returns the first bucket from n on in which something is.
func (s *Store) filled(ctx context.Context, n int) (int, error) {
	for ; n < buckets; n += groupSize {
		counts, err := s.counts(ctx, n, min(n+groupSize, buckets))
		if err != nil {
			return 0, err
		}
		if i := slices.IndexFunc(counts, func(c int64) bool { return c > 0 }); i >= 0 {
			return n + i, nil
		}
	}
	return buckets, nil
}

// scanBucket returns up to limit records and where to go on. ZSCAN may give more than fits a page. What one call gives as a
// whole is taken in the order of the ids; where it takes several calls, the same one does not give the same twice while
// entries go, so that those without room are noted.
func (s *Store) scanBucket(ctx context.Context, at place, limit int) ([]session.Record, place, error) {
	ids, next := at.left, at
	if len(ids) == 0 {
		var err error
		if ids, next, err = s.scanIDs(ctx, at, limit); err != nil {
			return nil, at, err
		}
	}
	room := min(limit, len(ids))
	ids, next.left = ids[:room], ids[room:]
	found, err := s.fetch(ctx, ids)
	if err != nil {
		return nil, at, err
	}
	var page []session.Record
	for i, v := range found {
		if v == nil {
			continue // forgotten by Redis, not yet by a sweep
		}
		r, err := decode(ids[i], v)
		if err != nil {
			return nil, at, err
		}
		page = append(page, r)
	}
	return page, next, nil
}

// scanIDs returns the next ids of a bucket and where to go on after them.
func (s *Store) scanIDs(ctx context.Context, at place, limit int) (ids []string, next place, err error) {
	prefix, begin := s.bucket(at.bucket)
	entry, err := ask(ctx, s, reads, func(ctx context.Context, on lane) (rueidis.ScanEntry, error) {
		zscan := s.client.B().Zscan().Key(dueOf(prefix)).Cursor(at.cursor).Count(int64(limit))
		return on.do(ctx, zscan.Build()).AsScanEntry()
	})
	if err != nil {
		return nil, at, err
	}
	for i := 0; i < len(entry.Elements); i += 2 { // the odd ones are scores
		if id := begin + entry.Elements[i]; id > at.after && len(id) == 43 {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	switch whole := at.cursor == 0 && entry.Cursor == 0; {
	case whole && len(ids) > limit:
		return ids[:limit], place{bucket: at.bucket, after: ids[limit-1]}, nil
	case entry.Cursor == 0:
		return ids, place{bucket: at.bucket + 1}, nil
	}
	return ids, place{bucket: at.bucket, cursor: entry.Cursor}, nil
}

// Count implements session.Scanner, in 8 round trips. It counts a record that Redis has forgotten until a sweep
// has met it.
func (s *Store) Count(ctx context.Context) (n int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	for from := 0; from < buckets; from += countSize {
		counts, err := s.counts(ctx, from, from+countSize)
		if err != nil {
			return 0, s.explain(err)
		}
		for _, c := range counts {
			n += int(c)
		}
	}
	return n, nil
}

// counts returns how many records there are in each of some buckets.
func (s *Store) counts(ctx context.Context, from, to int) ([]int64, error) {
	return ask(ctx, s, reads, func(ctx context.Context, on lane) ([]int64, error) {
		cmds := make([]rueidis.Completed, to-from)
		for i := range cmds {
			prefix, _ := s.bucket(from + i)
			cmds[i] = s.client.B().Zcard().Key(dueOf(prefix)).Build()
		}
		counts := make([]int64, len(cmds))
		for i, r := range on.doAll(ctx, cmds) {
			var err error
			if counts[i], err = r.AsInt64(); err != nil {
				return nil, err
			}
		}
		return counts, nil
	})
}
