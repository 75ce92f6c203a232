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
	if err := ctx.Err(); err != nil {
		return session.Record{}, err
	}
	if len(id) != 43 {
		return session.Record{}, session.ErrNotFound
	}
	get := s.client.B().Get().Key(s.record(id))
	var result rueidis.RedisResult
	if s.cache != nil {
		result = s.client.DoCache(ctx, get.Cache().ToStaticTTL(), time.Hour)
	} else {
		result = s.client.Do(ctx, get.Build())
	}
	v, err := result.AsBytes()
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
	return s.client.Do(ctx, s.client.B().Zrange().Key(s.index(user)).Min("0").Max("-1").Build()).AsStrSlice()
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
		results := s.client.DoMulti(ctx, s.gets(ids)...)
		found, states := make([][]byte, len(ids)), make([]byte, len(ids))
		for i := range results {
			var err error
			if found[i], err = results[i].AsBytes(); err != nil && !rueidis.IsRedisNil(err) {
				return nil, err
			}
			states[i] = stateOf(found[i])
		}
		if len(ids) == 1 || bytes.Equal(states, last) {
			return found, nil
		}
		last = states
	}
}

func (s *Store) gets(ids []string) []rueidis.Completed {
	all := make([]rueidis.Completed, len(ids))
	for i, id := range ids {
		all[i] = s.client.B().Get().Key(s.record(id)).Build()
	}
	return all
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
	results, err := s.client.Do(ctx, s.client.B().Mget().Key(keys...).Build()).ToArray()
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
