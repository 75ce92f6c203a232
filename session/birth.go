package session

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"example.com/hardy/internal/frame"
)

// begins says whether a blank session gives cause for a record.
func (s *Session) begins() bool {
	if s.token != nil || s.err != nil {
		return false
	}
	if s.login || len(s.meta) > 0 {
		return true
	}
	for _, c := range s.changes {
		if c.Value != nil && (!internal(c.Key) || c.Key == sealKey) {
			return true
		}
	}
	return false
}

// create stores a new record for a session that has none.
func (s *Session) create(ctx context.Context) error {
	if s.sibling != "" {
		n, err := s.clicks(ctx, s.signsIn, s.sibling)
		if err != nil {
			return err
		}
		if n >= 2 {
			s.sibling = "" // a session of its own
		}
	}
	t, rec, values, err := s.successor()
	if err != nil {
		return err
	}
	if err := s.add(ctx, rec); err != nil {
		return err
	}
	s.settle(t, rec, values, "birth")
	return nil
}

// successor makes the record that a birth or a rotation creates, from what this request holds.
func (s *Session) successor() (*Token, Record, frame.Frame, error) {
	var none Record
	values := s.merge(s.base)
	if err := s.m.checkSize(values); err != nil {
		return nil, none, nil, err
	}
	now := wall()
	held := *s.rec
	if s.token == nil || s.apart {
		held = Record{Handle: s.sibling, Created: now}
		if held.Handle == "" {
			held.Handle = newHandle()
		}
	}
	r := Record{
		Handle: held.Handle, User: s.rec.User, Version: 1,
		Created: held.Created, AuthTime: s.rec.AuthTime,
		Idle: held.Idle, Deadline: held.Deadline,
	}
	if s.login {
		r.User, r.AuthTime = s.signsIn, now
	}
	if s.renews || s.token == nil {
		d := remembered(values)
		r.Idle, r.Deadline = or(d, s.m.idle), now.Add(or(d, s.m.lifetime))
	}
	s.m.renew(&r, now)
	var err error
	if r.Meta, err = mergeMeta(held.Meta, s.meta); err != nil {
		return nil, none, nil, err
	}
	t, err := s.m.Token(s.m.format.NewSecret())
	if err != nil {
		return nil, none, nil, fmt.Errorf("session: Format made a secret that it refuses: %w", err)
	}
	r.ID = t.id
	if r.Data, err = t.vault.Seal(r, Values{values}); err != nil {
		return nil, none, nil, fmt.Errorf("session: seal: %w", err)
	}
	return t, r, values, nil
}

func newHandle() string {
	var b [16]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// settle makes rec, just stored, the session's own.
func (s *Session) settle(t *Token, rec Record, values frame.Frame, from string) {
	if s.login {
		from = "login"
		s.m.log.Info("session: signed in", "session", rec.Handle, "user", rec.User)
	}
	if s.m.trace.Began != nil {
		s.m.trace.Began(rec.Handle, from)
	}
	s.token, s.rec, s.base = t, &rec, values
	s.err, s.fail, s.opened, s.hidden = nil, nil, true, false
	s.handover, s.stored = true, true
	s.drop()
	if s.live != nil && !s.live.bound {
		s.live.bind(s)
	}
}
