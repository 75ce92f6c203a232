package ratelimit

import "time"

// CallsPerMinute is a policy of n calls a minute for each session: the agent guide's, with 100. The
// first n come at once, and the next when a part of the minute has passed. It counts by all that the key
// has, so that a visitor without a session can be counted by address: middleware.BySession does.
func CallsPerMinute(n int) Policy {
	return Policy{Name: "session", Limit: Per(n, time.Minute), Burst: n}
}
