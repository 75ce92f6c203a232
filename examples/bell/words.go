package main

import (
	"fmt"
	"time"

	"example.com/hardy/session"
)

// ending completes "The session before this one has ended: …".
func ending(reason session.Reason) string {
	switch reason {
	case session.ReasonIdle:
		return "nobody rang for a while"
	case session.ReasonLifetime:
		return "it reached its full age"
	case session.ReasonLogout:
		return "it was signed out"
	case session.ReasonRevoked, session.ReasonEvicted:
		return "it was ended from another place"
	}
	return "the server no longer has it"
}

// spell says how long d is, in its largest unit.
func spell(d time.Duration) string {
	for _, unit := range []struct {
		name string
		span time.Duration
	}{{"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}} {
		if n := int(d.Round(unit.span) / unit.span); n > 1 || n == 1 && d >= unit.span {
			if n == 1 {
				return "1 " + unit.name
			}
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	return "a moment"
}

// ago says how long ago t was.
func ago(t time.Time) string {
	if d := time.Since(t); d >= 2*time.Second {
		return spell(d) + " ago"
	}
	return "just now"
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
