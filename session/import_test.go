package session_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

var importSecret = []byte(strings.Repeat("i", 32))

// old is ann's session elsewhere, with two rings, whose credential opens for ten days.
func old(t *testing.T) *session.Old {
	return &session.Old{
		Expires:  time.Now().Add(10 * 24 * time.Hour),
		User:     "ann",
		AuthTime: time.Now().Add(-time.Hour),
		Fill:     func(s *session.Session) error { return rings.Set(s, 2) },
	}
}

func importToken(t *testing.T, m *session.Manager, credential string) *session.Token {
	t.Helper()
	token, err := m.ImportToken(importSecret, credential)
	must(t, err)
	return token
}

func TestImportMakesASession(t *testing.T) {
	m, db := newManager(t, nil)
	token := importToken(t, m, "credential")
	was := old(t)
	s, made, err := m.Import(ctx, token, func() (*session.Old, error) { return was, nil })
	must(t, err)
	if !made || s.User() != "ann" || !s.AuthTime().Equal(was.AuthTime.Round(0)) || rings.Get(s) != 2 || s.Handle() == "" {
		t.Errorf("it holds %q, %v, %d, %q", s.User(), s.AuthTime(), rings.Get(s), s.Handle())
	}
	if list, err := m.List(ctx, "ann"); err != nil || len(list) != 1 || list[0].Handle != s.Handle() {
		t.Errorf("List: %v, %v", list, err)
	}
	must(t, rings.Set(s, 3))
	must(t, m.Commit(ctx, s))

	// The next request with the credential finds it, and asks nobody about the old one.
	s, made, err = m.Import(ctx, importToken(t, m, "credential"), func() (*session.Old, error) {
		t.Error("read again")
		return nil, nil
	})
	must(t, err)
	if made || rings.Get(s) != 3 || s.User() != "ann" {
		t.Errorf("found: %q, %d rings", s.User(), rings.Get(s))
	}

	// Another credential, and another secret, are another session.
	for _, other := range []*session.Token{
		importToken(t, m, "credentia"),
		importToken(t, m, "credential "),
		func() *session.Token {
			token, err := m.ImportToken([]byte(strings.Repeat("j", 32)), "credential")
			must(t, err)
			return token
		}(),
	} {
		s, _, err := m.Import(ctx, other, func() (*session.Old, error) { return nil, nil })
		if s != nil || err != nil {
			t.Errorf("found by another credential: %v, %v", s, err)
		}
	}
	if n := count(t, db); n != 1 {
		t.Errorf("%d records", n)
	}
}

// What is not there is not stored.
func TestImportOfNothing(t *testing.T) {
	m, db := newManager(t, nil)
	later := time.Now().Add(time.Hour)
	for name, read := range map[string]func() (*session.Old, error){
		"nobody":    func() (*session.Old, error) { return nil, nil },
		"empty":     func() (*session.Old, error) { return &session.Old{Expires: later}, nil },
		"no values": func() (*session.Old, error) { return &session.Old{Expires: later, Fill: noValues}, nil },
	} {
		if s, made, err := m.Import(ctx, importToken(t, m, name), read); s != nil || made || err != nil {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
	if n := count(t, db); n != 0 {
		t.Errorf("%d records", n)
	}
}

func noValues(*session.Session) error { return nil }

func TestImportThatFails(t *testing.T) {
	m, db := newManager(t, &session.Options{MaxBytes: 100})
	cause := errors.New("the old store is down")
	later := time.Now().Add(time.Hour)
	for name, test := range map[string]struct {
		old  *session.Old
		err  error
		want error
	}{
		"read fails":    {nil, cause, cause},
		"expired":       {&session.Old{Expires: time.Now().Add(-time.Second), User: "ann"}, nil, nil},
		"never ending":  {&session.Old{User: "ann"}, nil, nil},
		"user's name":   {&session.Old{Expires: later, User: "a\x00b"}, nil, session.ErrUser},
		"too large":     {&session.Old{Expires: later, Fill: func(s *session.Session) error { return theme.Set(s, strings.Repeat("x", 200)) }}, nil, session.ErrTooLarge},
		"Fill fails":    {&session.Old{Expires: later, Fill: func(*session.Session) error { return cause }}, nil, cause},
		"Fill signs in": {&session.Old{Expires: later, Fill: func(s *session.Session) error { return s.Login("ann") }}, nil, nil},
		"metadata": {&session.Old{Expires: later, Fill: func(s *session.Session) error {
			return s.SetMeta("device", strings.Repeat("x", 2000))
		}}, nil, session.ErrTooLarge},
	} {
		s, _, err := m.Import(ctx, importToken(t, m, name), func() (*session.Old, error) { return test.old, test.err })
		if s != nil || err == nil || test.want != nil && !errors.Is(err, test.want) || errors.Is(err, session.ErrUnavailable) {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
	if n := count(t, db); n != 0 {
		t.Errorf("%d records", n)
	}
}

func TestImportUnderAStoreThatFails(t *testing.T) {
	for _, op := range []string{"load", "create"} {
		faults := sessiontest.NewFaults(store.NewMemory(nil))
		m := session.NewManager(faults, nil)
		faults.Add(sessiontest.Fault{Op: op, Err: errors.New("down")})
		s, _, err := m.Import(ctx, importToken(t, m, op), func() (*session.Old, error) { return old(t), nil })
		if s != nil || !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("%s: %v, %v", op, s, err)
		}
	}
}

// One of many requests makes the session; all get it.
func TestImportByManyAtOnce(t *testing.T) {
	m, db := newManager(t, nil)
	const n = 16
	var ready, done sync.WaitGroup
	var makers atomic.Int32
	ready.Add(n)
	handles := make([]string, n)
	for i := range n {
		done.Go(func() {
			s, made, err := m.Import(ctx, importToken(t, m, "credential"), func() (*session.Old, error) {
				ready.Done()
				ready.Wait() // all have looked before any has made it
				return old(t), nil
			})
			if err != nil || s.User() != "ann" || rings.Get(s) != 2 {
				t.Errorf("%v, %v", s, err)
				return
			}
			handles[i] = s.Handle()
			if made {
				makers.Add(1)
			}
		})
	}
	done.Wait()
	for _, h := range handles {
		if h == "" || h != handles[0] {
			t.Fatalf("more than one session: %q", handles)
		}
	}
	if got := count(t, db); got != 1 || makers.Load() != 1 {
		t.Errorf("%d records, %d made", got, makers.Load())
	}
}

// However a session of an old credential ended, the credential does not bring it back: not the next day, not the
// minute before it expires itself.
func TestImportedSessionStaysEnded(t *testing.T) {
	ends := map[string]func(m *session.Manager, s *session.Session) error{
		"logout": func(m *session.Manager, s *session.Session) error { return s.Logout() },
		"revoke": func(m *session.Manager, s *session.Session) error { return m.Revoke(ctx, "ann", s.Handle()) },
		"idle":   func(*session.Manager, *session.Session) error { time.Sleep(32 * time.Minute); return nil },
		"a new token, then logout": func(m *session.Manager, s *session.Session) error {
			if err := errors.Join(s.Renew(), s.Save(ctx), s.Logout()); err != nil {
				return err
			}
			return nil
		},
		"another sign-in, then logout": func(m *session.Manager, s *session.Session) error {
			return errors.Join(s.Login("bob"), s.Save(ctx), s.Logout())
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, db := newManager(t, nil)
				was := old(t)
				read := func() (*session.Old, error) { return was, nil }
				s, _, err := m.Import(ctx, importToken(t, m, "credential"), read)
				must(t, err)
				must(t, end(m, s))
				must(t, m.Commit(ctx, s))
				for _, later := range []time.Duration{11 * time.Second, 25 * time.Hour, 8*24*time.Hour + 22*time.Hour} {
					time.Sleep(later)
					for range 10 {
						_, _, err := db.Sweep(ctx, time.Now(), 1000)
						must(t, err)
					}
					if _, _, err := m.Import(ctx, importToken(t, m, "credential"), read); !errors.Is(err, session.ErrExpired) {
						t.Fatalf("%v later: %v", later, err)
					}
				}
				if time.Until(was.Expires) > time.Hour || time.Until(was.Expires) < 0 {
					t.Fatalf("the credential expires in %v", time.Until(was.Expires))
				}
				// And no tombstone is for ever.
				time.Sleep(26 * time.Hour)
				for range 10 {
					_, _, err := db.Sweep(ctx, time.Now(), 1000)
					must(t, err)
				}
				if n := count(t, db); n != 0 {
					t.Errorf("%d records are left", n)
				}
			})
		})
	}
}

// Within the grace of a rotation the old credential reads, as the old token does.
func TestImportWithinTheGrace(t *testing.T) {
	m, _ := newManager(t, nil)
	s, _, err := m.Import(ctx, importToken(t, m, "credential"), func() (*session.Old, error) { return old(t), nil })
	must(t, err)
	must(t, s.Renew())
	must(t, s.Save(ctx))
	s, _, err = m.Import(ctx, importToken(t, m, "credential"), nil)
	if !errors.Is(err, session.ErrRotated) || rings.Get(s) != 2 {
		t.Errorf("%v", err)
	}
}

// An old session may have had a life of its own.
func TestImportRemembered(t *testing.T) {
	m, _ := newManager(t, nil)
	s, _, err := m.Import(ctx, importToken(t, m, "credential"), func() (*session.Old, error) {
		return &session.Old{Expires: time.Now().Add(time.Hour), User: "ann", Fill: func(s *session.Session) error {
			return errors.Join(rings.Set(s, 1), s.Remember(30*24*time.Hour), s.SetMeta("device", "Firefox"))
		}}, nil
	})
	must(t, err)
	if left := s.MaxAge(); left < 29*24*time.Hour || s.Meta()["device"] != "Firefox" {
		t.Errorf("%v, %v", left, s.Meta())
	}
}

// No end of a credential is too far away for a store to keep.
func TestImportOfACredentialThatLivesLong(t *testing.T) {
	m, db := newManager(t, nil)
	s, _, err := m.Import(ctx, importToken(t, m, "credential"), func() (*session.Old, error) {
		return &session.Old{Expires: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), User: "ann"}, nil
	})
	must(t, err)
	must(t, s.Logout())
	must(t, m.Commit(ctx, s))
	page, _, err := db.Scan(ctx, "", 10)
	must(t, err)
	if len(page) != 1 || page[0].Purge.Year() != 2262 {
		t.Errorf("%d records", len(page))
	}
}

// A session that is made ahead of its visitor lives as long as the old one would have: unseen until the credential expires,
// seen until the old deadline. The first request finds it.
func TestImportAhead(t *testing.T) {
	const hour = time.Hour
	for name, test := range map[string]struct {
		expires, deadline time.Duration // of the old session, from now
		visits            []time.Duration
		lives, ends       time.Duration
	}{
		"nobody comes":                  {expires: 20 * hour, lives: 20*hour - time.Second, ends: 20*hour + time.Second},
		"and is not lengthened":         {expires: 20 * hour, visits: []time.Duration{hour, 19 * hour}, lives: 20*hour - time.Second, ends: 20*hour + time.Second},
		"beyond the manager's lifetime": {expires: 90 * hour, visits: []time.Duration{80 * hour}, lives: 90*hour - time.Minute, ends: 90*hour + time.Minute},
		"an old idle timeout":           {expires: 20 * time.Minute, deadline: 20 * hour, lives: 20*time.Minute - time.Second, ends: 20*time.Minute + time.Second},
		"renewed by visits":             {expires: 20 * time.Minute, deadline: hour, visits: []time.Duration{19 * time.Minute, 45 * time.Minute}, lives: 59 * time.Minute, ends: 61 * time.Minute},
		"renewed, and left":             {expires: 20 * time.Minute, deadline: 20 * hour, visits: []time.Duration{19 * time.Minute}, lives: 48 * time.Minute, ends: 51 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, db := newManager(t, nil)
				begin := time.Now()
				was := old(t)
				was.Expires = begin.Add(test.expires)
				if test.deadline > 0 {
					was.Deadline = begin.Add(test.deadline)
				}
				token := importToken(t, m, "credential")
				if made, err := m.ImportAhead(ctx, token, was); err != nil || !made {
					t.Fatal(made, err)
				}
				if made, err := m.ImportAhead(ctx, token, was); err != nil || made {
					t.Errorf("again: %v, %v", made, err)
				}
				load := func() error {
					s, made, err := m.Import(ctx, importToken(t, m, "credential"), func() (*session.Old, error) {
						t.Error("read again")
						return nil, nil
					})
					if err == nil && (made || s.User() != "ann" || rings.Get(s) != 2 || !s.AuthTime().Equal(was.AuthTime.Round(0))) {
						t.Errorf("found: %q, %d rings", s.User(), rings.Get(s))
					}
					if err == nil {
						must(t, m.Touch(ctx, s))
					}
					return err
				}
				for _, at := range test.visits {
					time.Sleep(time.Until(begin.Add(at)))
					must(t, load())
				}
				token = importToken(t, m, "credential")
				time.Sleep(time.Until(begin.Add(test.lives)))
				if _, err := m.Load(ctx, token); err != nil {
					t.Errorf("after %v: %v", test.lives, err)
				}
				time.Sleep(time.Until(begin.Add(test.ends)))
				if err := load(); !errors.Is(err, session.ErrExpired) {
					t.Errorf("after %v: %v", test.ends, err)
				}
				page, _, err := db.Scan(ctx, "", 10)
				must(t, err)
				if r := page[0]; r.Seen.Before(r.Created) || r.Purge.Before(was.Expires.Add(session.Tombstone)) {
					t.Errorf("created %v, seen %v, purge %v", r.Created, r.Seen, r.Purge)
				}
			})
		})
	}
}

// What was ended stays so, and what can't be carried over is told.
func TestImportAheadRefuses(t *testing.T) {
	m, db := newManager(t, &session.Options{MaxBytes: 100})
	later := time.Now().Add(time.Hour)
	for name, test := range map[string]struct {
		old  *session.Old
		want error // nil: any
	}{
		"too large":     {&session.Old{Expires: later, Fill: func(s *session.Session) error { return theme.Set(s, strings.Repeat("x", 200)) }}, session.ErrTooLarge},
		"expired":       {&session.Old{Expires: time.Now().Add(-time.Second), User: "ann"}, nil},
		"past its end":  {&session.Old{Expires: later, Deadline: time.Now().Add(-time.Second), User: "ann"}, nil},
		"user's name":   {&session.Old{Expires: later, User: "a\x00b"}, session.ErrUser},
		"Fill signs in": {&session.Old{Expires: later, Fill: func(s *session.Session) error { return s.Login("ann") }}, nil},
	} {
		if made, err := m.ImportAhead(ctx, importToken(t, m, name), test.old); made || err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: %v, %v", name, made, err)
		}
	}
	if made, err := m.ImportAhead(ctx, importToken(t, m, "empty"), &session.Old{Expires: later, Fill: noValues}); made || err != nil {
		t.Errorf("nothing to carry over: %v, %v", made, err)
	}
	strict := session.NewManager(db, &session.Options{AAL: session.AAL2})
	if _, err := strict.ImportAhead(ctx, importToken(t, strict, "strict"), old(t)); !errors.Is(err, session.ErrRemember) {
		t.Errorf("with AAL2: %v", err)
	}
	if n := count(t, db); n != 0 {
		t.Errorf("%d records", n)
	}
	must(t, ahead(m, importToken(t, m, "left"), &session.Old{Expires: later, User: "ann"}))
	s, err := m.Load(ctx, importToken(t, m, "left"))
	must(t, err)
	must(t, s.Logout())
	must(t, m.Commit(ctx, s))
	if made, err := m.ImportAhead(ctx, importToken(t, m, "left"), old(t)); made || err != nil {
		t.Errorf("after a logout: %v, %v", made, err)
	}
	if _, err := m.Load(ctx, importToken(t, m, "left")); !errors.Is(err, session.ErrExpired) {
		t.Errorf("after a logout: %v", err)
	}
}

func ahead(m *session.Manager, t *session.Token, old *session.Old) error {
	made, err := m.ImportAhead(ctx, t, old)
	if err == nil && !made {
		err = errors.New("not made")
	}
	return err
}

// A deadline of the old session's own holds for one that is made at the first visit, too.
func TestImportKeepsAnOldDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newManager(t, &session.Options{Idle: 2 * time.Hour})
		was := old(t)
		was.Deadline = time.Now().Add(time.Hour)
		token := importToken(t, m, "credential")
		_, _, err := m.Import(ctx, token, func() (*session.Old, error) { return was, nil })
		must(t, err)
		time.Sleep(61 * time.Minute)
		if _, err := m.Load(ctx, token); !errors.Is(err, session.ErrExpired) {
			t.Errorf("past the deadline: %v", err)
		}
	})
}

func TestImportTokenWiring(t *testing.T) {
	m, _ := newManager(t, nil)
	defer func() {
		if why := fmt.Sprint(recover()); !strings.Contains(why, "31 bytes") {
			t.Errorf("panic: %s", why)
		}
	}()
	m.ImportToken(importSecret[:31], "credential")
}
