package redisstore

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/redis/rueidis"

	"example.com/hardy/internal/places"
	"example.com/hardy/session"
)

// reservation is how long an id stays reserved for a CreateWithin that does not come to its end, in ms.
const reservation = 10_000

var errTooSlow = errors.New("redisstore: the login took more than 10 s and was given up; nobody was signed in by it")

// CreateWithin implements session.Capper. Records lie in many slots and the index in another, so that no script
// reaches all:
//
//  1. reserve the record: others count it and can evict it, nobody is served with it
//  2. enter it into the user's index, if that holds nothing but the records that were read to choose who has to go;
//     else read again. This is where simultaneous logins get an order
//  3. end who has to go
//  4. admit the record
//
// A login that comes later sees the reservation of an earlier one as a live record. Of those that are admitted, none
// was chosen by a later one that is admitted, because that has ended it before: there are never more than limit.
// Where the process dies on the way, the reservation runs out.
func (s *Store) CreateWithin(ctx context.Context, r session.Record, limit int, evict bool) ([]session.Record, error) {
	if r.User == "" {
		return nil, errors.New("redisstore: CreateWithin needs a user; use Create for an anonymous session")
	}
	evicted, err := s.createWithin(ctx, &r, max(limit, 1), evict)
	return evicted, s.explain(err)
}

func (s *Store) createWithin(ctx context.Context, r *session.Record, limit int, evict bool) ([]session.Record, error) {
	if err := s.reserve(ctx, r); err != nil {
		return nil, err
	}
	evicted, err := s.makeRoom(ctx, r, limit, evict)
	if err != nil {
		s.withdraw(ctx, r.ID)
		return nil, err
	}
	if err := s.admit(ctx, r); err != nil {
		return nil, err
	}
	for i := range evicted {
		s.leave(ctx, r.User, evicted[i].ID)
	}
	return evicted, nil
}

// makeRoom enters r into its user's index, and ends who has to go for it.
func (s *Store) makeRoom(ctx context.Context, r *session.Record, limit int, evict bool) (evicted []session.Record, err error) {
	rivals, err := s.enter(ctx, r, limit, evict)
	if err != nil {
		return nil, err
	}
	how := session.End{Reason: session.ReasonEvicted, At: r.Seen, Purge: r.Seen.Add(session.Tombstone)}
	for _, o := range rivals {
		switch last, err := s.end(ctx, o.ID, &how); {
		case err == session.ErrNotFound: // a reservation that has run out
		case err != nil:
			return nil, err
		case last.Ended == "":
			evicted = append(evicted, last)
		}
	}
	return evicted, nil
}

// reserve takes the id.
func (s *Store) reserve(ctx context.Context, r *session.Record) error {
	record, err := encode(r)
	if err != nil {
		return err
	}
	record[reservedAt] = 1
	key := s.record(r.ID)
	_, err = ask(ctx, s, writes, func(ctx context.Context, on lane) (string, error) {
		set := s.client.B().Set().Key(key).Value(rueidis.BinaryString(record)).Nx().PxMilliseconds(reservation)
		return on.do(ctx, set.Build()).ToString()
	})
	if rueidis.IsRedisNil(err) {
		return session.ErrExists
	}
	return err
}

// admit makes a session of the reservation.
func (s *Store) admit(ctx context.Context, r *session.Record) error {
	prefix, rest := s.bucketOf(r.ID)
	m, err := s.run(ctx, s.scripts.admit, []string{prefix + rest, dueOf(prefix)},
		[]string{prefix, rest, decimal(whenDue(r)), decimal(millis(r.Seen))})
	s.forget(r.ID)
	if err != nil {
		return err
	}
	if n, err := m.AsInt64(); err != nil || n == 0 {
		return or(err, errTooSlow)
	}
	return nil
}

// withdraw takes a reservation back. Where that fails it runs out.
func (s *Store) withdraw(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second) // the login's own time may be over
	defer cancel()
	s.run(ctx, s.scripts.withdraw, []string{s.record(id)}, nil)
}

// enter enters r into its user's index and returns who has to go for it.
func (s *Store) enter(ctx context.Context, r *session.Record, limit int, evict bool) ([]session.Record, error) {
	ids, err := s.entries(ctx, r.User)
	for err == nil {
		others, err := s.rivals(ctx, r, ids)
		if err != nil {
			return nil, err
		}
		over := places.Over(others, func(o session.Record) string { return o.Handle }, limit)
		if len(over) > 0 && !evict {
			return nil, session.ErrCapped
		}
		all, err := s.join(ctx, r.User, r.ID, heldUntil(r.Deadline, r.Purge), "1", ids)
		if err != nil {
			return nil, err
		}
		if all == nil {
			return over, nil
		}
		ids = all
	}
	return nil, err
}

// rivals returns the live and reserved records that take a place of r's, oldest first.
func (s *Store) rivals(ctx context.Context, r *session.Record, ids []string) ([]session.Record, error) {
	ids = slices.DeleteFunc(ids, func(id string) bool { return id == r.ID })
	all, err := s.unended(ctx, r.User, ids, true)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(o session.Record) bool {
		return o.Handle == r.Handle || !o.Expires.After(r.Seen)
	})
	slices.SortFunc(all, func(a, b session.Record) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}
