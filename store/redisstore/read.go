package redisstore

import (
	"bytes"
	"context"
	"time"

	"github.com/redis/rueidis"

	"example.com/hardy/session"
)

// Load implements session.Store: one GET, or none where Options.Cache holds the record.
func (s *Store) Load(ctx context.Context, id string) (session.Record, error) {
	if len(id) != 43 {
		return session.Record{}, absent(ctx)
	}
	if s.cache != nil && !s.isClosed() {
		if err := ctx.Err(); err != nil {
			return session.Record{}, err
		}
		var room [128]byte // no key is longer
		if r, held := s.cache.get(s.appendRecord(room[:0], id), id); held {
			return r, nil
		}
	}
	key := s.record(id)
	v, err := ask(ctx, s, reads, func(ctx context.Context, on lane) ([]byte, error) {
		get := s.client.B().Get().Key(key)
		if s.cache != nil {
			return s.client.DoCache(ctx, get.Cache().ToStaticTTL(), time.Hour).AsBytes() // the cache has its own idea of time
		}
		return on.do(ctx, get.Build()).AsBytes()
	})
	if rueidis.IsRedisNil(err) || err == nil && reserved(v) {
		return session.Record{}, session.ErrNotFound
	}
	if err != nil {
		return session.Record{}, s.explain(err)
	}
	return decode(id, v)
}

// List implements session.Store.
func (s *Store) List(ctx context.Context, user string) ([]session.Record, error) {
	if err := ctx.Err(); err != nil || user == "" {
		return nil, err
	}
	list, err := s.list(ctx, user)
	return list, s.explain(err)
}

// list reads the index, the records, and the index again. What came meanwhile may be the successor of what is found
// ended: only where nothing came is nobody missed.
func (s *Store) list(ctx context.Context, user string) ([]session.Record, error) {
	for {
		ids, err := s.entries(ctx, user)
		if err != nil || len(ids) == 0 {
			return nil, err
		}
		list, err := s.unended(ctx, user, ids, false)
		if err != nil {
			return nil, err
		}
		again, err := s.entries(ctx, user)
		if err != nil {
			return nil, err
		}
		if within(again, ids) {
			for i := range list {
				list[i].Data = nil
			}
			return list, nil
		}
	}
}

// entries returns the ids in a user's index.
func (s *Store) entries(ctx context.Context, user string) ([]string, error) {
	index := s.index(user)
	return ask(ctx, s, reads, func(ctx context.Context, on lane) ([]string, error) {
		return on.do(ctx, s.client.B().Zrange().Key(index).Min("0").Max("-1").Build()).AsStrSlice()
	})
}

// unended returns those records of the user that have not ended and are there, or at least reserved.
func (s *Store) unended(ctx context.Context, user string, ids []string, orReserved bool) ([]session.Record, error) {
	found, err := s.snapshot(ctx, ids)
	if err != nil {
		return nil, err
	}
	var list []session.Record
	for i, v := range found {
		if v == nil || reserved(v) && !orReserved {
			continue
		}
		r, err := decode(ids[i], v)
		if err != nil {
			return nil, err
		}
		if r.Ended == "" && r.User == user {
			list = append(list, r)
		}
	}
	return list, nil
}

// snapshot reads records as they stand at one moment; nil is one that is not there. The nodes of a Cluster are
// read until nothing has come, gone or ended between two readings: no record goes back to what it was.
func (s *Store) snapshot(ctx context.Context, ids []string) ([][]byte, error) {
	if len(ids) == 0 || !s.cluster {
		return s.fetch(ctx, ids)
	}
	for last := []byte(nil); ; {
		found, err := ask(ctx, s, reads, func(ctx context.Context, on lane) ([][]byte, error) {
			gets := make([]rueidis.Completed, len(ids))
			for i, id := range ids {
				gets[i] = s.client.B().Get().Key(s.record(id)).Build()
			}
			found := make([][]byte, len(ids))
			for i, r := range on.doAll(ctx, gets) {
				var err error
				if found[i], err = r.AsBytes(); err != nil && !rueidis.IsRedisNil(err) {
					return nil, err
				}
			}
			return found, nil
		})
		if err != nil {
			return nil, err
		}
		states := make([]byte, len(ids))
		for i := range found {
			states[i] = stateOf(found[i])
		}
		if len(ids) == 1 || bytes.Equal(states, last) {
			return found, nil
		}
		last = states
	}
}

// fetch reads records of one server, or of one bucket, at one moment; nil is one that is not there.
func (s *Store) fetch(ctx context.Context, ids []string) ([][]byte, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = s.record(id)
	}
	results, err := ask(ctx, s, reads, func(ctx context.Context, on lane) ([]rueidis.RedisMessage, error) {
		return on.do(ctx, s.client.B().Mget().Key(keys...).Build()).ToArray()
	})
	if err != nil {
		return nil, err
	}
	found := make([][]byte, len(ids))
	for i := range results {
		if found[i], err = results[i].AsBytes(); err != nil && !rueidis.IsRedisNil(err) {
			return nil, err
		}
	}
	return found, nil
}

// within says whether all of ids are in known.
func within(ids, known []string) bool {
	seen := make(map[string]bool, len(known))
	for _, id := range known {
		seen[id] = true
	}
	for _, id := range ids {
		if !seen[id] {
			return false
		}
	}
	return true
}
