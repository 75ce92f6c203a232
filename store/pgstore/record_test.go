package pgstore

import (
	"crypto/rand"
	"encoding/base64"
	"testing"
	"time"

	"example.com/hardy/session"
)

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// newRecord returns a live record of user.
func newRecord(user string) session.Record {
	now := time.Now()
	r := session.Record{
		ID: base64.RawURLEncoding.EncodeToString(random(32)), Handle: base64.RawURLEncoding.EncodeToString(random(16)),
		User: user, Data: random(250), Meta: []byte("meta"), Version: 1,
		Created: now, Seen: now, Expires: now.Add(31 * time.Minute), Deadline: now.Add(24 * time.Hour),
		Purge: now.Add(31*time.Minute + session.Tombstone), Idle: 30 * time.Minute,
	}
	if user != "" {
		r.AuthTime = now
	}
	return r
}

// later returns what replaces r.
func later(r session.Record) session.Record {
	r.Version++
	r.Data = random(len(r.Data))
	r.Seen, r.Expires, r.Purge = r.Seen.Add(1), r.Expires.Add(1), r.Purge.Add(1)
	return r
}

func mustCreate(t testing.TB, s *Store, r session.Record) {
	t.Helper()
	if err := s.Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}
