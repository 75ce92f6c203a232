package redisstore

import (
	"context"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"example.com/hardy/session"
)

// Create implements session.Store: the user's index, then the record.
func (s *Store) Create(ctx context.Context, r session.Record) error { return s.insert(ctx, &r) }

// Import implements session.Importer.
func (s *Store) Import(ctx context.Context, r session.Record) error { return s.insert(ctx, &r) }

func (s *Store) insert(ctx context.Context, r *session.Record) error {
	record, err := encode(r)
	if err != nil {
		return err
	}
	if r.User != "" && r.Ended == "" {
		if _, err := s.join(ctx, r.User, r.ID, heldUntil(r.Deadline, r.Purge), "", nil); err != nil {
			return s.explain(err)
		}
	}
	prefix, rest := s.bucketOf(r.ID)
	m, err := s.run(ctx, s.scripts.create, []string{prefix + rest, dueOf(prefix)},
		[]string{prefix, rest, rueidis.BinaryString(record), decimal(whenDue(r)), decimal(millis(r.Seen))})
	s.forget(r.ID)
	if err != nil {
		return s.explain(err)
	}
	if n, err := m.AsInt64(); err != nil || n == 0 {
		return or(err, session.ErrExists)
	}
	return nil
}

// join enters a record into its user's index. With check, it returns what else is there and was not seen, where
// something is, and has done nothing.
func (s *Store) join(ctx context.Context, user, id string, until time.Time, check string, seen []string) ([]string, error) {
	args := append([]string{strings.Clone(id), decimal(millis(until)), check}, seen...)
	m, err := s.run(ctx, s.scripts.join, []string{s.index(user)}, args)
	if err != nil || m.IsInt64() {
		return nil, err
	}
	return m.AsStrSlice()
}

// Replace implements session.Store.
func (s *Store) Replace(ctx context.Context, r session.Record) error {
	if len(r.ID) != 43 {
		return absent(ctx)
	}
	until := heldUntil(r.Deadline, r.Purge)
	rest := r.Data
	if len(r.Meta) > 0 {
		rest = slices.Concat(r.Meta, r.Data)
	}
	return s.renew(ctx, s.scripts.replace, r.ID, until, []string{
		moments(r.Seen, r.Expires, r.Purge), expiry(r.Purge), moments(until), "", number(r.Version - 1), number(r.Version),
		moments(r.Deadline) + number(uint64(r.Idle)), string(binary.BigEndian.AppendUint32(nil, uint32(len(r.Meta)))),
		rueidis.BinaryString(rest),
	})
}

// Touch implements session.Store.
func (s *Store) Touch(ctx context.Context, id string, seen, expires, purge time.Time) error {
	if len(id) != 43 {
		return absent(ctx)
	}
	return s.renew(ctx, s.scripts.touch, id, purge, []string{moments(seen, expires, purge), expiry(purge), moments(purge), ""})
}

// renew runs a script that writes to a record. Where the user's index has to hold the record for longer first, it
// says so; then the fourth of args tells it that this is done.
func (s *Store) renew(ctx context.Context, script script, id string, until time.Time, args []string) error {
	prefix, rest := s.bucketOf(id)
	keys := []string{prefix + rest, dueOf(prefix)}
	for {
		m, err := s.run(ctx, script, keys, args)
		s.forget(id)
		if err != nil {
			return s.explain(err)
		}
		if !m.IsInt64() {
			user, err := m.ToString()
			if err == nil {
				_, err = s.join(ctx, user, id, until, "", nil)
			}
			if err != nil {
				return s.explain(err)
			}
			args[3] = "1"
			continue
		}
		switch n, err := m.AsInt64(); {
		case err != nil:
			return s.explain(err)
		case n == 0:
			return session.ErrNotFound
		case n == 2:
			return session.ErrConflict
		}
		return nil
	}
}

// End implements session.Store: the record, then the user's index.
func (s *Store) End(ctx context.Context, id string, how session.End) (session.Record, error) {
	if len(id) != 43 {
		return session.Record{}, absent(ctx)
	}
	last, err := s.end(ctx, id, &how)
	if err != nil {
		return session.Record{}, s.explain(err)
	}
	if last.User != "" && last.Ended == "" {
		s.leave(ctx, last.User, id)
	}
	return last, nil
}

// end ends the record alone.
func (s *Store) end(ctx context.Context, id string, how *session.End) (session.Record, error) {
	prefix, rest := s.bucketOf(id)
	lengths := binary.BigEndian.AppendUint16(nil, uint16(len(how.Reason)))
	lengths = binary.BigEndian.AppendUint16(lengths, uint16(len(how.Next)))
	keep := ""
	if how.KeepData {
		keep = "1"
	}
	m, err := s.run(ctx, s.scripts.end, []string{prefix + rest, dueOf(prefix)}, []string{
		rest, moments(how.Purge), moments(how.At) + string(lengths), strings.Clone(string(how.Reason) + how.Next),
		keep, decimal(graceEnds(how.At)), s.ends(), news(id, how),
	})
	s.forget(id)
	if rueidis.IsRedisNil(err) {
		return session.Record{}, session.ErrNotFound
	}
	if err != nil {
		return session.Record{}, err
	}
	v, err := m.AsBytes()
	if err != nil {
		return session.Record{}, err
	}
	return decode(strings.Clone(id), v)
}

// leave takes ended records out of their user's index. Where that fails, the entries go when their own time has
// passed, and List passes over them until then.
func (s *Store) leave(ctx context.Context, user, id string) {
	index, id := s.index(user), strings.Clone(id)
	ask(ctx, s, reads, func(ctx context.Context, on lane) (int64, error) { // twice is as good as once
		return on.do(ctx, s.client.B().Zrem().Key(index).Member(id).Build()).AsInt64()
	})
}

// forget drops from this process's memory what it has written, or may have: the server's message comes later.
func (s *Store) forget(id string) {
	if s.cache != nil {
		s.cache.forget(s.record(id))
	}
}

// absent answers for what is not an id: nothing is under it.
func absent(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return session.ErrNotFound
}

func or(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// expiry is a moment at which a key may go. Redis takes none before 1970.
func expiry(t time.Time) string { return decimal(max(millis(t), 1)) }

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// number returns the eight bytes of a number in a record.
func number(n uint64) string { return string(binary.BigEndian.AppendUint64(nil, n)) }

func moments(all ...time.Time) string {
	b := make([]byte, 0, 24)
	for _, t := range all {
		b = appendMoment(b, t)
	}
	return string(b)
}
