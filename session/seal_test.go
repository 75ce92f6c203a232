package session_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"iter"
	"sync"
	"testing"
	"testing/synctest"

	"example.com/hardy/internal/value"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

// Agent guide, 6: an encryptor with a key of its own for each session: encrypt, decrypt; cleanup forgets the key.
func TestAgentGuideEncryption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, db := newManager(t, quiet())
		ann, bob := signIn(t, m, "ann"), signIn(t, m, "bob")
		seal := func(v *visitor, text string) (sealed []byte) {
			v.do(func(s *session.Session) {
				var err error
				sealed, err = s.Seal([]byte(text))
				must(t, err)
			})
			return sealed
		}
		open := func(v *visitor, sealed []byte) (string, error) {
			s, _ := v.arrive()
			data, err := s.Open(sealed)
			return string(data), err
		}
		const text = "the launch code is 00000000"
		one, again, bobs, empty := seal(ann, text), seal(ann, text), seal(bob, text), seal(ann, "")
		if bytes.Equal(one, again) || bytes.Contains(one, []byte("launch")) || len(one) != len(text)+29 {
			t.Errorf("sealed as %x and %x", one, again)
		}
		for want, sealed := range map[string][]byte{text: one, "": empty} {
			if got, err := open(ann, sealed); err != nil || got != want {
				t.Errorf("%q opens as %q, %v", want, got, err)
			}
		}
		if _, err := open(ann, nil); !errors.Is(err, session.ErrNotSealed) {
			t.Errorf("nothing opens: %v", err)
		}
		if _, err := open(ann, bobs); !errors.Is(err, session.ErrNotSealed) {
			t.Errorf("ann opens bob's: %v", err)
		}
		if _, err := open(&visitor{t: t, m: m}, one); !errors.Is(err, session.ErrNotSealed) {
			t.Errorf("a stranger opens ann's: %v", err)
		}
		for i := range one {
			bad := bytes.Clone(one)
			bad[i] ^= 1
			if _, err := open(ann, bad); !errors.Is(err, session.ErrNotSealed) {
				t.Fatalf("byte %d changed: %v", i, err)
			}
			if _, err := open(ann, one[:i]); !errors.Is(err, session.ErrNotSealed) {
				t.Fatalf("%d bytes of it: %v", i, err)
			}
		}
		// The key is not among what can be read, and survives what the session survives.
		ann.do(func(s *session.Session) {
			if len(s.Keys()) > 0 {
				t.Errorf("the session shows %q", s.Keys())
			}
			must(t, theme.Set(s, "dark"))
		})
		old := &visitor{t, m, ann.token}
		ann.do(func(s *session.Session) { must(t, s.Renew()) })
		for what, v := range map[string]*visitor{"after Renew": ann, "with the old token, in the grace": old} {
			if got, err := open(v, one); got != text || err != nil {
				t.Errorf("%s: %q %v", what, got, err)
			}
		}
		ann.do(func(s *session.Session) { must(t, s.Clear()) })
		ann.do(func(s *session.Session) { must(t, s.Login("ann")) })
		if got, err := open(ann, one); got != text || err != nil {
			t.Errorf("after Clear and Login: %q %v", got, err)
		}
		page, _, err := db.Scan(ctx, "", 100)
		must(t, err)
		for _, r := range page {
			if bytes.Contains(r.Data, []byte("seal")) {
				t.Error("the name of the key can be read in the store")
			}
		}
		// Another user has another one, and after the end there is none.
		last := &visitor{t, m, ann.token}
		ann.do(func(s *session.Session) { must(t, s.Login("carl")) })
		if _, err := open(ann, one); !errors.Is(err, session.ErrNotSealed) {
			t.Errorf("carl opens ann's: %v", err)
		}
		if _, err := open(last, one); !errors.Is(err, session.ErrRotated) {
			t.Errorf("ann's token, replaced by carl's: %v", err)
		}
		_, err = m.RevokeUser(ctx, "bob")
		must(t, err)
		s, _ := bob.arrive()
		if e, ok := errors.AsType[*session.ExpiredError](second(s.Open(bobs))); !ok || e.Reason != session.ReasonRevoked {
			t.Errorf("after the end: %v", e)
		}
		if _, err := s.Seal([]byte("x")); !errors.Is(err, session.ErrExpired) {
			t.Errorf("Seal after the end: %v", err)
		}
	})
}

func second[T any](_ T, err error) error { return err }

// Requests that seal for the first time at once get one key: what each of them sealed opens.
func TestSealAtOnce(t *testing.T) {
	m, _ := newManager(t, quiet())
	v := signIn(t, m, "ann")
	var sealed [20][]byte
	var group sync.WaitGroup
	for i := range sealed {
		s, err := v.arrive()
		must(t, err)
		group.Go(func() {
			var err error
			if sealed[i], err = s.Seal([]byte("one")); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	s, err := v.arrive()
	must(t, err)
	for i, b := range sealed {
		if data, err := s.Open(b); string(data) != "one" || err != nil {
			t.Errorf("%d: %q %v", i, data, err)
		}
	}
}

func TestSealAndTheStore(t *testing.T) {
	faults := sessiontest.NewFaults(store.NewMemory(nil))
	m := session.NewManager(faults, quiet())
	v := &visitor{t: t, m: m}
	var sealed []byte
	v.do(func(s *session.Session) { // on a blank session it begins one
		var err error
		sealed, err = s.Seal([]byte("x"))
		must(t, err)
	})
	if v.token == nil {
		t.Fatal("no session has begun")
	}
	calls := faults.Calls("")
	s, err := v.arrive()
	must(t, err)
	again, err := s.Seal([]byte("y"))
	must(t, err)
	for _, b := range [][]byte{sealed, again} {
		_, err := s.Open(b)
		must(t, err)
	}
	must(t, v.leave(s))
	if n := faults.Calls("") - calls; n != 1 {
		t.Errorf("sealing again and opening asked the store %d times beside the load", n-1)
	}
	late := m.New()
	m.Sent(late)
	if _, err := late.Seal([]byte("x")); !errors.Is(err, session.ErrSent) {
		t.Errorf("on a blank session, after the answer: %v", err)
	}
	faults.Add(sessiontest.Fault{Op: "create", Err: errors.New("down")})
	if _, err := m.New().Seal([]byte("x")); !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("with the store down: %v", err)
	}
}

// What Seal has made stays readable: the vector is frozen.
func TestFrozenSeal(t *testing.T) {
	const key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	const sealed = "0199c6ec2eefe8d5e06ce857d5ff28d2c834dd70a70e70b4bb2a07742c0ddb8f9b35"
	raw, err := hex.DecodeString(key)
	must(t, err)
	b, err := value.Encode(raw)
	must(t, err)
	m := session.NewManager(store.NewMemory(nil), &session.Options{Format: keyed{b}, Logger: quiet().Logger})
	v := &visitor{t: t, m: m}
	v.do(func(s *session.Session) { must(t, rings.Set(s, 1)) })
	s, err := v.arrive()
	must(t, err)
	box, err := hex.DecodeString(sealed)
	must(t, err)
	if data, err := s.Open(box); string(data) != "hello" || err != nil {
		t.Errorf("%q %v", data, err)
	}
	box[0] = 2 // a form that is not there yet
	if _, err := s.Open(box); !errors.Is(err, session.ErrNotSealed) {
		t.Errorf("another form: %v", err)
	}
}

// keyed is the default format with a given key of Seal in every session.
type keyed struct{ key []byte }

func (k keyed) NewSecret() string { return session.Sealed.NewSecret() }
func (k keyed) Derive(secret string) (string, session.Vault, error) {
	id, v, err := session.Sealed.Derive(secret)
	return id, keyedVault{v, k.key}, err
}

type keyedVault struct {
	session.Vault
	key []byte
}

func (v keyedVault) Open(r session.Record) (session.Values, error) {
	held, err := v.Vault.Open(r)
	return session.NewValues(iter.Seq2[string, []byte](func(yield func(string, []byte) bool) {
		for name, b := range held.All() {
			if !yield(name, b) {
				return
			}
		}
		yield("\x00seal", v.key)
	})), err
}
