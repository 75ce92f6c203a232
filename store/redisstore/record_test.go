package redisstore

import (
	"crypto/rand"
	"encoding/base64"
	"time"

	"example.com/hardy/session"
)

func newID() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// fresh returns a record as the manager creates it.
func fresh(user string) session.Record {
	now := time.Now()
	r := session.Record{
		ID: newID(), Handle: newID()[:22], User: user, Data: make([]byte, 250), Version: 1, Created: now, Seen: now,
		Expires: now.Add(31 * time.Minute), Deadline: now.Add(24 * time.Hour), Purge: now.Add(25 * time.Hour), Idle: 30 * time.Minute,
	}
	rand.Read(r.Data)
	return r
}

// next is what a request that counts stores.
func next(r session.Record) session.Record {
	r.Version++
	r.Seen = time.Now()
	r.Expires, r.Purge = r.Seen.Add(31*time.Minute), r.Seen.Add(25*time.Hour)
	return r
}
