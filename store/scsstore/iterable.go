package scsstore

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"example.com/hardy/session"
)

// iterable is a store whose rows can all be read.
type iterable struct {
	*store

	mu  sync.Mutex
	ids []string // what the last Scan from the beginning found, in order
}

// List reads all rows.
func (s *iterable) List(ctx context.Context, user string) ([]session.Record, error) {
	if err := ctx.Err(); err != nil || user == "" {
		return nil, err
	}
	all, err := s.all(ctx)
	if err != nil {
		return nil, err
	}
	found := make(map[string]session.Record)
	var successors []string
	for id, row := range all {
		r, err := s.form.Decode(ctx, id, row)
		switch {
		case err != nil || r.User != user:
		case r.Ended == "":
			found[id] = r
		case r.Ended == session.ReasonRotated:
			successors = append(successors, r.Next)
		}
	}
	// Some stores read one row after another. A session that was rotated meanwhile shows in one of two rows, or as a
	// tombstone whose successor was made after its place had been passed.
	for _, id := range successors {
		for id != "" {
			if _, known := all[id]; known {
				break
			}
			r, err := s.Load(ctx, id)
			if errors.Is(err, session.ErrNotFound) {
				break
			}
			if err != nil {
				return nil, err
			}
			if r.Ended == "" {
				found[id] = r
				break
			}
			id = r.Next
		}
	}
	list := slices.Collect(maps.Values(found))
	for i := range list {
		list[i].Data = nil
	}
	return list, nil
}

// Scan reads all rows for the first page and keeps their ids, and one row after another for each page. A cursor is the
// last id of a page.
func (s *iterable) Scan(ctx context.Context, cursor string, limit int) (page []session.Record, next string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	ids, err := s.scanned(ctx, cursor == "")
	if err != nil {
		return nil, "", err
	}
	at, found := slices.BinarySearch(ids, cursor)
	if found {
		at++
	}
	for ; at < len(ids) && len(page) < limit; at++ {
		r, err := s.Load(ctx, ids[at])
		if errors.Is(err, session.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		page = append(page, r)
	}
	if at < len(ids) {
		next = ids[at-1]
	}
	return page, next, nil
}

// scanned returns the ids of a scan under way; a process that was started anew reads them again.
func (s *iterable) scanned(ctx context.Context, begin bool) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids == nil || begin {
		all, err := s.all(ctx)
		if err != nil {
			return nil, err
		}
		s.ids = slices.Sorted(maps.Keys(all))
	}
	return s.ids, nil
}

// Count reads all rows.
func (s *iterable) Count(ctx context.Context) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	all, err := s.all(ctx)
	return len(all), err
}
