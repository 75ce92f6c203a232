package session

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
)

// Old is a session of another system, or of an application's own making, that Import carries over.
type Old struct {
	// Expires is when the credential that brought it opens nothing any more, whatever happens. Until then, and a day
	// longer, the record of the new session is kept, ended or not: a credential that can't be ended, such as a
	// JWT, does not bring the session back after a logout. It lies in the future.
	Expires time.Time
	// User is who is signed in; "": nobody.
	User string
	// AuthTime is when they signed in. Zero: nobody knows, so that it counts as long ago.
	AuthTime time.Time
	// Deadline is when the session that is made ends, however active its visitor is, where the manager's lifetime does
	// not end it before. Zero: it has none of its own.
	Deadline time.Time
	// Fill sets the values, on the blank session that is being made; it may call SetMeta and Remember. It may run for
	// several requests at once, of which one succeeds. nil: there are none.
	Fill func(s *Session) error
}

// minImportSecret is the least length of Import's secret, in bytes.
const minImportSecret = 32

// ImportToken returns the token of the session that is made of an old credential: the only tokens that are not random.
// They are derived (HKDF-SHA256) from secret, at least 32 random bytes kept for this alone, and the credential, so that
// all requests that bring it, on every node, find the one session. Keep the secret for as long as there are old
// credentials: under another one each could be carried over again.
//
// credential is in a form of which there is one only, and was verified or can't be guessed: whoever names it
// gets the session. It panics where the secret is shorter. The error is ErrToken, of a Format whose
// secrets are not 32 bytes.
func (m *Manager) ImportToken(secret []byte, credential string) (*Token, error) {
	if len(secret) < minImportSecret {
		panic(fmt.Sprintf("session: ImportToken with a secret of %d bytes; it wants %d or more, from crypto/rand", len(secret), minImportSecret))
	}
	derived, err := hkdf.Key(sha256.New, secret, nil, "hardy/1 import\x00"+credential, 32)
	if err != nil {
		return nil, fmt.Errorf("session: import: %w", err)
	}
	return m.Token(string(derived))
}

// Import returns the session that was made of an old credential, by its ImportToken, or makes it. read is called
// where there is none yet, and answers with the old session, or nil where the credential opens nothing; then, and where
// there is nothing to carry over, the session is nil, too. Of several requests at once one makes it, as made tells it,
// and all get it. The visitor has to be given the token; a session that was there before is not renewed by it (Touch).
//
// It is no sign-in: Options.MaxPerUser does not count here, and the user's next sign-in sees to it.
//
// Errors: *ExpiredError and ErrRotated with a session, as from Load: what was made of the credential has ended.
// ErrUnavailable. That of read, as it is. Any other, such as ErrTooLarge or that of Fill: the old session
// can't be carried over, which is logged; go on as with a new visitor.
func (m *Manager) Import(ctx context.Context, t *Token, read func() (*Old, error)) (s *Session, made bool, err error) {
	if s, err = m.madeOf(ctx, t); !errors.Is(err, ErrNotFound) {
		return s, false, err
	}
	old, err := read()
	if old == nil || err != nil {
		return nil, false, err
	}
	if s, err = m.carryOver(ctx, t, old); errors.Is(err, ErrExists) {
		s, err = m.Load(ctx, t)
		return s, false, err
	}
	return s, s != nil, err
}

// ImportAhead makes the session of an old credential before its visitor comes with it: for who goes through a whole store of
// old sessions, such as "hardy import". The first request with the credential finds the session by Import. made is
// false where there was one, ended or not, and where there is nothing to carry over.
//
// The session lives as long as the old one would have, and no longer, whatever the manager's lifetimes are: until
// old.Expires, if its visitor does not come; until old.Deadline, or old.Expires where that is zero, if he does. Then its idle
// timeout is what is left until old.Expires, or Options.Idle where that is more. Remember, in Fill, gives its cookie a Max-Age.
//
// Errors: ErrUnavailable. ErrRemember, where Options.AAL allows no session to wait for its visitor for longer than an idle
// timeout. Any other, such as ErrTooLarge or that of Fill: the old session can't be carried over.
func (m *Manager) ImportAhead(ctx context.Context, t *Token, old *Old) (made bool, err error) {
	if m.remember == 0 {
		return false, ErrRemember
	}
	s := m.New()
	rec, err := s.adopt(t, old)
	if err != nil || rec.User == "" && !s.wrote() {
		return false, err
	}
	m.await(&rec, old)
	err = m.bring(ctx, rec)
	if errors.Is(err, ErrExists) {
		return false, nil
	}
	return err == nil, err
}

// await gives r the times of a session whose visitor was last seen in the old one.
func (m *Manager) await(r *Record, old *Old) {
	now := r.Seen
	r.Deadline = earlier(or(old.Deadline, old.Expires), now.Add(m.remember))
	expires := earlier(old.Expires, r.Deadline)
	seen := earlier(now, expires.Add(-m.idle-m.idle/30))
	r.Idle = expires.Sub(seen) / 31 * 30 // and the slack makes up the whole
	purge := r.Purge
	m.renew(r, seen)
	r.Created = seen
	if purge.After(r.Purge) {
		r.Purge = purge
	}
}

// madeOf is Load, but for ErrNotFound.
func (m *Manager) madeOf(ctx context.Context, t *Token) (*Session, error) {
	now := time.Now()
	p := patiently(ctx, now, m.timeout)
	defer p.done()
	var rec Record
	err := m.load(p, t.id, &rec)
	if err != nil {
		return nil, err
	}
	s := &Session{m: m, token: t, rec: new(Record)}
	if err := s.judge(p, &rec, now); err != nil {
		return nil, err
	}
	return s, s.err
}

var (
	errOldExpired = errors.New("session: Old.Expires or Old.Deadline has passed, or Expires is zero")
	errOldLogin   = errors.New("session: Old.Fill sets values; who is signed in is Old.User")
)

// forever is the end of what a Store need keep apart (rule 11).
var forever = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)

// carryOver makes the session, or answers ErrExists.
func (m *Manager) carryOver(ctx context.Context, t *Token, old *Old) (*Session, error) {
	s := m.New() // nobody else has it yet
	rec, err := s.adopt(t, old)
	if err != nil {
		m.log.Error("session: an old session can't be carried over", "user", old.User, "error", err)
		return nil, err
	}
	if rec.User == "" && !s.wrote() {
		return nil, nil
	}
	if err := m.bring(ctx, rec); err != nil {
		return nil, err
	}
	s.token, s.rec, s.base, s.opened, s.stored, s.used = t, &rec, s.merge(nil), true, true, false
	s.drop()
	return s, nil
}

// bring stores the record, or answers ErrExists.
func (m *Manager) bring(ctx context.Context, rec Record) error {
	p := m.insist(ctx, time.Now())
	defer p.done()
	if err := m.ask("create", func() error { return m.store.Create(p, rec) }); err != nil {
		return err
	}
	if m.trace.Began != nil {
		m.trace.Began(rec.Handle, "import")
	}
	m.log.Info("session: carried over", "session", rec.Handle, "user", rec.User)
	return nil
}

// adopt fills the session and makes the record of it.
func (s *Session) adopt(t *Token, old *Old) (Record, error) {
	now := wall()
	if !old.Expires.After(now) || !old.Deadline.IsZero() && !old.Deadline.After(now) {
		return Record{}, errOldExpired
	}
	if old.User != "" {
		if err := checkUser(old.User); err != nil {
			return Record{}, err
		}
	}
	s.rec = &Record{User: old.User, AuthTime: old.AuthTime}
	if old.Fill != nil {
		if err := old.Fill(s); err != nil {
			return Record{}, err
		}
		if s.login || s.leave != stay {
			return Record{}, errOldLogin
		}
	}
	values := s.merge(nil)
	if err := s.m.checkSize(values); err != nil {
		return Record{}, err
	}
	d := remembered(values)
	r := Record{
		ID: t.id, Handle: newHandle(), User: old.User, Version: 1,
		Created: now, AuthTime: old.AuthTime,
		Idle: or(d, s.m.idle), Deadline: now.Add(or(d, s.m.lifetime)),
	}
	if !old.Deadline.IsZero() {
		r.Deadline = earlier(r.Deadline, old.Deadline)
	}
	s.m.renew(&r, now)
	if kept := old.Expires.Add(Tombstone); kept.After(forever) {
		r.Purge = forever
	} else if kept.After(r.Purge) {
		r.Purge = kept
	}
	var err error
	if r.Meta, err = mergeMeta(nil, s.meta); err != nil {
		return Record{}, err
	}
	if r.Data, err = t.vault.Seal(r, Values{values}); err != nil {
		return Record{}, fmt.Errorf("session: seal: %w", err)
	}
	return r, nil
}
