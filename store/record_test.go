package store_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"testing"
	"time"

	"example.com/hardy/session"
)

// epoch is the present of these tests.
var epoch = time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC)

// record returns live record number i, with an id and a handle that look random.
func record(i int, user string, size int) session.Record {
	sum := sha256.Sum256(binary.LittleEndian.AppendUint64(nil, uint64(i)))
	return session.Record{
		ID:      base64.RawURLEncoding.EncodeToString(sum[:]),
		Handle:  base64.RawURLEncoding.EncodeToString(sum[16:]),
		User:    user,
		Data:    make([]byte, size),
		Version: 1,
		Created: epoch, Seen: epoch,
		Expires:  epoch.Add(31 * time.Minute),
		Deadline: epoch.Add(24 * time.Hour),
		Purge:    epoch.Add(31*time.Minute + session.Tombstone),
		Idle:     30 * time.Minute,
	}
}

func logout(r session.Record) session.End {
	return session.End{Reason: session.ReasonLogout, At: r.Seen, Purge: r.Seen.Add(session.Tombstone)}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
