package session_test

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"strings"
	"testing"
	"time"

	"example.com/hardy/session"
)

var sealedRecord = session.Record{
	Handle: "yEL8oEPSUKjUDU1jM7tD5w", User: "ann", Version: 7,
	Created:  time.Unix(1_700_000_000, 0),
	AuthTime: time.Unix(1_700_000_100, 123_456_789),
	Seen:     time.Unix(1_700_000_200, 0),
	Deadline: time.Unix(1_700_080_000, 0),
}

var sealedValues = map[string]string{"n_rings": "\x03", "theme": "\x64dark"}

// frozenData was sealed by the first version of the format under the token of 32 times 't'. What is stored must open for ever.
const (
	frozenID   = "Hx6jaXXh9yPqhHzc1Pek5Q1VhjUlnaq0fl5BQx3pFoA"
	frozenData = "0175ffde214e8bae77881ae03db6b550b0c69a6b9775beb79f68b35f2798df9b1e7b3890cf5134f88d26cae97006d14862a43a54"
)

func sealedVault(t *testing.T) (string, session.Vault) {
	t.Helper()
	id, vault, err := session.Sealed.Derive(strings.Repeat("t", 32))
	if err != nil {
		t.Fatal(err)
	}
	return id, vault
}

func opened(v session.Values) map[string]string {
	m := map[string]string{}
	for name, b := range v.All() {
		m[name] = string(b)
	}
	return m
}

func TestFrozenData(t *testing.T) {
	id, vault := sealedVault(t)
	if id != frozenID {
		t.Errorf("the id is %s", id)
	}
	r := sealedRecord
	r.ID = frozenID
	var err error
	if r.Data, err = hex.DecodeString(frozenData); err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(r)
	if err != nil {
		again, _ := vault.Seal(r, session.NewValues(func(yield func(string, []byte) bool) {
			for name, b := range sealedValues {
				if !yield(name, []byte(b)) {
					return
				}
			}
		}))
		t.Fatalf("%v; as it would be sealed now: %x", err, again)
	}
	if got := opened(v); !maps.Equal(got, sealedValues) {
		t.Errorf("opened to %v", got)
	}
}

// Data are bound to whose they are and to the version they were written for, and to nothing that a Touch or an End moves.
func TestDataAreBound(t *testing.T) {
	id, vault := sealedVault(t)
	r := sealedRecord
	r.ID = id
	var err error
	if r.Data, err = vault.Seal(r, session.NewValues(maps.All(map[string][]byte{"theme": []byte("\x64dark")}))); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		change func(*session.Record)
		opens  bool
	}{
		"nothing":          {func(*session.Record) {}, true},
		"id":               {func(r *session.Record) { r.ID = strings.Repeat("A", 43) }, false},
		"user":             {func(r *session.Record) { r.User = "eve" }, false},
		"no user":          {func(r *session.Record) { r.User = "" }, false},
		"handle":           {func(r *session.Record) { r.Handle = "another" }, false},
		"end of the id":    {func(r *session.Record) { r.ID, r.User = r.ID[:42], r.ID[42:]+r.User }, false},
		"end of the user":  {func(r *session.Record) { r.User, r.Handle = "an", "n"+r.Handle }, false},
		"older version":    {func(r *session.Record) { r.Version-- }, false},
		"newer version":    {func(r *session.Record) { r.Version++ }, false},
		"AuthTime":         {func(r *session.Record) { r.AuthTime = r.AuthTime.Add(1) }, false},
		"no AuthTime":      {func(r *session.Record) { r.AuthTime = time.Time{} }, false},
		"AuthTime's place": {func(r *session.Record) { r.AuthTime = r.AuthTime.In(time.FixedZone("", 3600)) }, true},
		"Seen":             {func(r *session.Record) { r.Seen = r.Seen.Add(time.Hour) }, true},
		"Expires":          {func(r *session.Record) { r.Expires = r.Expires.Add(time.Hour) }, true},
		"the end":          {func(r *session.Record) { r.Ended, r.EndedAt = session.ReasonRotated, r.Seen }, true},
		"Meta":             {func(r *session.Record) { r.Meta = []byte{1} }, true},
		"no Data":          {func(r *session.Record) { r.Data = nil }, false},
		"cut off":          {func(r *session.Record) { r.Data = r.Data[:len(r.Data)-1] }, false},
		"form":             {func(r *session.Record) { r.Data = append([]byte{2}, r.Data[1:]...) }, false},
		"one bit": {func(r *session.Record) {
			r.Data = append(r.Data[:20:20], append([]byte{r.Data[20] ^ 1}, r.Data[21:]...)...)
		}, false},
	} {
		changed := r
		row.change(&changed)
		v, err := vault.Open(changed)
		if (err == nil) != row.opens {
			t.Errorf("with another %s: %v, want it to open: %v", name, err, row.opens)
		}
		if err != nil && len(opened(v)) != 0 {
			t.Errorf("with another %s: values beside the error", name)
		}
	}
	_, another, err := session.Sealed.Derive(strings.Repeat("u", 32))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := another.Open(r); err == nil {
		t.Error("another token opens them")
	}
}

// Nothing that a stolen store holds is the key to a session's values.
func TestStolenStoreHoldsNoKey(t *testing.T) {
	id, vault := sealedVault(t)
	r := sealedRecord
	r.ID = id
	var err error
	if r.Data, err = vault.Seal(r, session.NewValues(maps.All(map[string][]byte{"theme": []byte("\x64dark")}))); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil {
		t.Fatal(err)
	}
	// The id as the key, with what is authenticated beside it known to all.
	if _, twin, err := session.Sealed.Derive(string(raw)); err == nil {
		if _, err := twin.Open(r); err == nil {
			t.Error("the id is a token")
		}
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		t.Fatal(err)
	}
	// CTR with GCM's first counter: whether the tag fits does not matter to a thief.
	counter := append(r.Data[1:13:13], 0, 0, 0, 2)
	plain := make([]byte, len(r.Data)-1-12-16)
	cipher.NewCTR(block, counter).XORKeyStream(plain, r.Data[13:len(r.Data)-16])
	if strings.Contains(string(plain), "dark") {
		t.Errorf("the id is the key: %q", plain)
	}
}
