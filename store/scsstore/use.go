package scsstore

import (
	"context"
	"errors"
	"strings"
	"time"

	"example.com/hardy/session"
)

// Options of Use. The zero value of each field means its default.
type Options struct {
	// Rows is what rests under a token. Default Records, a form that later versions read.
	Rows Rows
	// RandomIDs spares Create its question whether the id is taken. Set it where every id that is created comes fresh
	// from crypto/rand, as a manager's do; not where ids are derived, as by an import of older sessions.
	RandomIDs bool
}

// ErrNotIterable is what List answers where the scs store has neither AllCtx nor All. Nothing can be listed, nor
// revoked by user, without one.
var ErrNotIterable = errors.New("scsstore: this scs store has no All, so sessions cannot be listed; take a store that has it, or one of Hardy's")

// Use makes a session.Store of an scs store; the package comment says what it promises. It is a session.Importer, and
// a session.Scanner where the scs store can iterate. nil options mean the defaults. It panics where s is nil.
//
// Errors are the contract's, ErrNotIterable, and what the scs store answers. A row that can't be read as a record
// reads as absent. The store's forms with a context are preferred; without them a context is only looked at before a
// question is asked.
func Use(s Store, o *Options) session.Store {
	if s == nil {
		panic("scsstore: Use without a store; give it one of scs's, such as memstore.New()")
	}
	if o == nil {
		o = &Options{}
	}
	u := &store{rows: probe(s), form: o.Rows, random: o.RandomIDs, turns: newTurns()}
	if u.form == nil {
		u.form = Records
	}
	if u.all == nil {
		return u
	}
	return &iterable{store: u}
}

type store struct {
	rows
	form   Rows
	random bool
	turns  *turns
}

// read asks the scs store for the row under id. nil: there is none.
func (s *store) read(ctx context.Context, id string) ([]byte, error) {
	turn, begin := s.turns.shard(id), time.Now()
	asked := turn.asked()
	row, found, err := s.find(ctx, id)
	if err != nil || !found {
		return nil, err
	}
	turn.found(id, row, asked, begin)
	return row, nil
}

// decode returns the record in row, or ErrNotFound where there is none.
func (s *store) decode(ctx context.Context, id string, row []byte) (session.Record, error) {
	if row == nil {
		return session.Record{}, session.ErrNotFound
	}
	r, err := s.form.Decode(ctx, id, row)
	if err != nil {
		return session.Record{}, session.ErrNotFound
	}
	return r, nil
}

// write stores r. Its turn is the caller's.
func (s *store) write(ctx context.Context, r session.Record) error {
	row, expiry, err := s.form.Encode(ctx, r)
	if err != nil {
		return err
	}
	id := strings.Clone(r.ID)
	turn, begin := s.turns.shard(id), time.Now()
	if row == nil || expiry.Sub(begin) < leastLife {
		err = s.delete(ctx, id)
		row = nil
	} else {
		err = s.commit(ctx, id, row, expiry)
	}
	if err != nil {
		row = nil // it may have been stored or not
	}
	turn.wrote(id, row, begin)
	return err
}

// leastLife is what a row has to live for to be stored: goredisstore keeps one for ever that has expired when it
// arrives.
const leastLife = 50 * time.Millisecond

// insert stores r where nothing lies under its id, or without looking, where nothing can.
func (s *store) insert(ctx context.Context, r session.Record, look bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !look {
		return s.write(ctx, r)
	}
	turn := s.turns.shard(r.ID)
	if err := turn.enter(ctx, r.ID); err != nil {
		return err
	}
	defer turn.leave(r.ID)
	switch row, err := s.read(ctx, r.ID); {
	case err != nil:
		return err
	case row != nil:
		return session.ErrExists
	}
	return s.write(ctx, r)
}

func (s *store) Create(ctx context.Context, r session.Record) error {
	return s.insert(ctx, r, !s.random)
}

func (s *store) Import(ctx context.Context, r session.Record) error { return s.insert(ctx, r, true) }

func (s *store) Load(ctx context.Context, id string) (session.Record, error) {
	if err := ctx.Err(); err != nil {
		return session.Record{}, err
	}
	if id == "" { // a tombstone without a successor
		return session.Record{}, session.ErrNotFound
	}
	row, err := s.read(ctx, id)
	if err != nil {
		return session.Record{}, err
	}
	return s.decode(ctx, id, row)
}

// change lets f make the record under id what it will be, and stores it where f returns nil. It returns what f got. ends says
// that f ends it.
func (s *store) change(ctx context.Context, id string, ends bool, f func(r *session.Record) error) (was session.Record, err error) {
	if err := ctx.Err(); err != nil {
		return was, err
	}
	turn := s.turns.shard(id)
	if err := turn.enter(ctx, id); err != nil {
		return was, err
	}
	defer turn.leave(id)
	row := turn.seen(id, ends)
	if row == nil {
		if row, err = s.read(ctx, id); err != nil {
			return was, err
		}
	}
	if was, err = s.decode(ctx, id, row); err != nil {
		return was, err
	}
	next := was
	if err := f(&next); err != nil {
		return was, err
	}
	return was, s.write(ctx, next)
}

func (s *store) Replace(ctx context.Context, r session.Record) error {
	_, err := s.change(ctx, r.ID, false, func(next *session.Record) error {
		switch {
		case !writable(next, r.Seen):
			return session.ErrNotFound
		case next.Version != r.Version-1:
			return session.ErrConflict
		}
		next.Data, next.Meta, next.Version, next.Idle, next.Deadline = r.Data, r.Meta, r.Version, r.Idle, r.Deadline
		forward(next, r.Seen, r.Expires, r.Purge)
		return nil
	})
	return err
}

func (s *store) Touch(ctx context.Context, id string, seen, expires, purge time.Time) error {
	_, err := s.change(ctx, id, false, func(next *session.Record) error {
		if !writable(next, seen) {
			return session.ErrNotFound
		}
		forward(next, seen, expires, purge)
		return nil
	})
	return err
}

var errEnded = errors.New("scsstore: ended already")

func (s *store) End(ctx context.Context, id string, e session.End) (session.Record, error) {
	last, err := s.change(ctx, id, true, func(next *session.Record) error {
		if next.Ended != "" {
			return errEnded
		}
		next.Ended, next.EndedAt, next.Next = e.Reason, e.At, e.Next
		next.Purge = later(next.Purge, e.Purge)
		if !e.KeepData {
			next.Data = nil
		}
		return nil
	})
	if err == errEnded {
		err = nil
	}
	return last, err
}

// writable says whether a request at now may still write: rules 3 and 4 of the contract.
func writable(r *session.Record, now time.Time) bool { return r.Ended == "" && r.Expires.After(now) }

// forward is rule 5: no moment moves back.
func forward(r *session.Record, seen, expires, purge time.Time) {
	r.Seen, r.Expires, r.Purge = later(r.Seen, seen), later(r.Expires, expires), later(r.Purge, purge)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (s *store) List(ctx context.Context, user string) ([]session.Record, error) {
	if err := ctx.Err(); err != nil || user == "" {
		return nil, err
	}
	return nil, ErrNotIterable
}
