package storetest

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"example.com/hardy/session"
)

// random returns n random bytes as base64url.
func random(n int) string { return base64.RawURLEncoding.EncodeToString(randomBytes(n)) }

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// newUser returns a name that no other test uses.
func newUser() string { return "ann-" + random(9) }

// newRecord returns a live record with every field set that a live one can have, each moment with
// nanoseconds of its own, so that fields that are mixed up or cut short show.
func newRecord(user string) session.Record {
	now := time.Now().UTC().Truncate(time.Microsecond)
	r := session.Record{
		ID:       random(32),
		Handle:   random(16),
		User:     user,
		Data:     randomBytes(246),
		Meta:     []byte("meta of " + random(6)),
		Version:  1,
		Created:  now.Add(-2*time.Hour + 101),
		Seen:     now.Add(303),
		Expires:  now.Add(31*time.Minute + 404),
		Deadline: now.Add(22*time.Hour + 505),
		Purge:    now.Add(31*time.Minute + session.Tombstone + 606),
		Idle:     30*time.Minute + 707,
	}
	if user != "" {
		r.AuthTime = now.Add(-time.Hour + 202)
	}
	return r
}

// later returns what a request d after r.Seen replaces r with.
func later(r session.Record, d time.Duration) session.Record {
	r.Version++
	r.Data = randomBytes(len(r.Data) + 5)
	r.Meta = []byte("meta of " + random(6))
	r.Seen = r.Seen.Add(d)
	r.Expires = r.Expires.Add(d)
	r.Purge = r.Purge.Add(d)
	return r
}

// newEnd returns an end of r a minute after it was last seen.
func newEnd(r session.Record, reason session.Reason) session.End {
	e := session.End{Reason: reason, At: r.Seen.Add(time.Minute + 11), Purge: r.Seen.Add(time.Minute + session.Tombstone + 22)}
	if reason == session.ReasonRotated {
		e.Next = random(32)
	}
	return e
}

// ended returns what r has to be after e.
func ended(r session.Record, e session.End) session.Record {
	r.Ended, r.EndedAt, r.Next = e.Reason, e.At, e.Next
	if e.Purge.After(r.Purge) {
		r.Purge = e.Purge
	}
	if !e.KeepData {
		r.Data = nil
	}
	return r
}

// diff describes in which fields got is not want; "" where it is. Moments are compared as moments, and
// nil bytes are the same as no bytes.
func diff(got, want session.Record) string {
	var b strings.Builder
	field := func(name string, same bool, got, want any) {
		if !same {
			fmt.Fprintf(&b, "\n\t%s is %v, want %v", name, got, want)
		}
	}
	moment := func(name string, got, want time.Time) {
		field(name, got.Equal(want), got.UTC().Format(time.RFC3339Nano), want.UTC().Format(time.RFC3339Nano))
	}
	field("ID", got.ID == want.ID, got.ID, want.ID)
	field("Handle", got.Handle == want.Handle, got.Handle, want.Handle)
	field("User", got.User == want.User, clip(got.User), clip(want.User))
	field("Data", bytes.Equal(got.Data, want.Data), clip(string(got.Data)), clip(string(want.Data)))
	field("Meta", bytes.Equal(got.Meta, want.Meta), clip(string(got.Meta)), clip(string(want.Meta)))
	field("Version", got.Version == want.Version, got.Version, want.Version)
	moment("Created", got.Created, want.Created)
	moment("AuthTime", got.AuthTime, want.AuthTime)
	moment("Seen", got.Seen, want.Seen)
	moment("Expires", got.Expires, want.Expires)
	moment("Deadline", got.Deadline, want.Deadline)
	moment("Purge", got.Purge, want.Purge)
	field("Idle", got.Idle == want.Idle, got.Idle, want.Idle)
	field("Ended", got.Ended == want.Ended, got.Ended, want.Ended)
	moment("EndedAt", got.EndedAt, want.EndedAt)
	field("Next", got.Next == want.Next, got.Next, want.Next)
	return b.String()
}

// clip keeps a failure readable where the bytes are many.
func clip(s string) string {
	if len(s) <= 24 {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%q… (%d bytes)", s[:24], len(s))
}
