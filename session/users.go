package session

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Info is what can be known of a session without its token.
type Info struct {
	Handle   string // names it in Revoke; kept over a rotation
	User     string
	Created  time.Time
	AuthTime time.Time // when the user signed in
	Seen     time.Time // last activity, with a lag of up to 1/30 of the idle timeout
	Expires  time.Time
	Deadline time.Time
	Locked   bool              // it is idle; see Options.Lock
	Meta     map[string]string // never nil
}

// List returns the user's live sessions, newest first. After a double click on the sign-in button two of
// them may bear one handle; Revoke ends both. Show the list after a fresh sign-in only (ASVS 7.5.2). The
// error is ErrUnavailable.
func (m *Manager) List(ctx context.Context, user string) ([]Info, error) {
	p := patiently(ctx, time.Now(), m.timeout)
	defer p.done()
	live, err := m.live(p, user)
	if err != nil {
		return nil, err
	}
	list, now := make([]Info, len(live)), time.Now()
	for i, r := range live {
		list[i] = Info{r.Handle, r.User, r.Created, r.AuthTime, r.Seen, r.Expires, r.Deadline, r.idled(now), decodeMeta(r.Meta)}
	}
	slices.SortFunc(list, func(a, b Info) int { return b.Created.Compare(a.Created) })
	return list, nil
}

// live lists the records that have neither ended nor expired.
func (m *Manager) live(ctx context.Context, user string) ([]Record, error) {
	if user == "" {
		return nil, nil
	}
	var all []Record
	err := m.ask("list", func() (err error) {
		all, err = m.store.List(ctx, user)
		return err
	})
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return slices.DeleteFunc(all, func(r Record) bool {
		reason, _ := m.fate(&r, now)
		return reason != ""
	}), nil
}

// Revoke ends the user's session of that handle. After it returns, no request that begins later is
// served with the session, nor with one that replaced it meanwhile. Errors: ErrNotFound where the user has no live session of that
// handle, ErrUnavailable; then it may have been ended.
func (m *Manager) Revoke(ctx context.Context, user, handle string) error {
	p := m.insist(ctx, time.Now())
	defer p.done()
	n, err := m.revoke(p, user, ReasonRevoked, func(r *Record) bool { return r.Handle == handle })
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// RevokeUser ends all sessions of the user, for a disabled account or a stolen password, and says how
// many. The error is ErrUnavailable; then some may have been ended: call it again.
func (m *Manager) RevokeUser(ctx context.Context, user string) (int, error) {
	p := m.insist(ctx, time.Now())
	defer p.done()
	return m.revoke(p, user, ReasonRevoked, func(*Record) bool { return true })
}

// RevokeOthers ends all sessions of the user of s but s itself, for after a change of password, and says how
// many. What is pending in s is committed first. Errors: ErrAnonymous, those of Save.
func (m *Manager) RevokeOthers(ctx context.Context, s *Session) (int, error) {
	s.mu.Lock()
	s.used = true
	err := s.save(ctx)
	if err == nil {
		if s.open(); s.err != nil {
			err = s.err
		}
	}
	user, own := s.user(), ""
	if s.token != nil {
		own = s.token.id
	}
	s.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if user == "" {
		return 0, ErrAnonymous
	}
	p := m.insist(ctx, time.Now())
	defer p.done()
	return m.revoke(p, user, ReasonRevoked, func(r *Record) bool { return r.ID != own })
}

// revoke lists again until nothing that matches is live, because a session may be rotated while its old
// record is being ended.
func (m *Manager) revoke(ctx context.Context, user string, reason Reason, matches func(*Record) bool) (int, error) {
	ended := map[string]bool{}
	for {
		live, err := m.live(ctx, user)
		if err != nil {
			return len(ended), err
		}
		live = slices.DeleteFunc(live, func(r Record) bool { return !matches(&r) })
		if len(live) == 0 {
			return len(ended), nil
		}
		for i := range live {
			if _, err := m.finish(ctx, live[i].ID, reason); err != nil {
				return len(ended), err
			}
			ended[live[i].ID] = true
		}
		if err := ctx.Err(); err != nil {
			return len(ended), unavailable("list", errors.Join(err, errStillLive))
		}
	}
}

var errStillLive = errors.New("session: the store still lists sessions that were ended")
