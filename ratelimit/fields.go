package ratelimit

import (
	"encoding/base64"
	"encoding/binary"
	"strconv"

	"example.com/hardy/ratelimit/internal/gcra"
)

// Fields is a version of the RateLimit header fields. The drafts change their meaning, so a server says
// which one it speaks.
type Fields uint8

// Draft11 is draft-ietf-httpapi-ratelimit-headers-11:
//
//	RateLimit-Policy: "burst";q=100;w=60,"daily";q=1000;w=86400
//	RateLimit: "burst";r=50;t=30,"daily";r=950;t=82080
//
// q is the burst, w the whole seconds from empty to full, r what is left, and t the seconds within which
// the client should make do with r. Policies that limit nothing and Shadow ones are left out.
const Draft11 Fields = 11

// AppendPolicy appends the value of RateLimit-Policy; nothing where no policy is to be told. It
// allocates only to enlarge b.
func (v Fields) AppendPolicy(b []byte, r *Result) []byte {
	first := len(b)
	for i := range r.n {
		c := &r.cells[i]
		if !c.told() {
			continue
		}
		b = c.appendName(b, len(b) > first)
		b = append(b, ";q="...)
		b = strconv.AppendInt(b, int64(c.burst), 10)
		if unit := c.policy.Unit; unit != "" && unit != "requests" {
			b = append(b, ";qu="...)
			b = appendString(b, unit)
		}
		if c.burst > 0 {
			b = append(b, ";w="...)
			b = strconv.AppendInt(b, c.span(c.burst), 10)
		}
		b = c.appendPartition(b)
	}
	return b
}

// AppendLimit appends the value of RateLimit. In a refusal t is the policy's Retry-After, and no policy's
// t is later than the response's Retry-After (section 6 of the draft).
func (v Fields) AppendLimit(b []byte, r *Result) []byte {
	first := len(b)
	retry := r.RetrySeconds()
	for i := range r.n {
		c := &r.cells[i]
		if !c.told() {
			continue
		}
		left := c.remaining()
		b = c.appendName(b, len(b) > first)
		b = append(b, ";r="...)
		b = strconv.AppendInt(b, int64(left), 10)
		if t := c.window(left, retry); t > 0 {
			b = append(b, ";t="...)
			b = strconv.AppendInt(b, t, 10)
		}
		b = c.appendPartition(b)
	}
	return b
}

// AppendViolated appends the names of the policies that refused as a JSON array, for the
// violated-policies member of a problem document.
func (r *Result) AppendViolated(b []byte) []byte {
	b = append(b, '[')
	first := len(b)
	for i := range r.n {
		if c := &r.cells[i]; c.refuses() {
			if len(b) > first {
				b = append(b, ',')
			}
			b = appendString(b, c.policy.Name)
		}
	}
	return append(b, ']')
}

func (c *cell) told() bool { return !c.policy.Shadow && !c.Unlimited() }

// window is t: 0 where there is none to tell.
func (c *cell) window(left int, retry int64) int64 {
	switch {
	case c.violated && c.retry() == Never:
		return 0
	case c.violated:
		return max(1, seconds(c.retry()))
	}
	t := c.span(left)
	if left == 0 {
		t = max(1, seconds(c.Wait(c.level, c.Interval).Duration()))
	}
	if retry > 0 {
		t = min(t, retry)
	}
	return t
}

// span is in how many seconds n units refill. What was added to the interval to make it whole ticks is
// left out: 9 a minute are told as w=60, not 61.
func (c *cell) span(n int) int64 {
	return max(1, seconds((c.Cost(n) - gcra.Ticks(n)).Duration()))
}

func (c *cell) appendName(b []byte, more bool) []byte {
	if more {
		b = append(b, ',')
	}
	return appendString(b, c.policy.Name)
}

func (c *cell) appendPartition(b []byte) []byte {
	if !c.policy.Partition {
		return b
	}
	// The hash's own bits would tell an attacker nothing either, but a client needs to compare, not to
	// see the table's index.
	var raw [8]byte
	binary.BigEndian.PutUint64(raw[:], fold(c.id, 0x9e3779b97f4a7c15))
	b = append(b, ";pk=:"...)
	b = base64.StdEncoding.AppendEncode(b, raw[:])
	return append(b, ':')
}

// appendString is a String of RFC 9651 and of JSON alike: the text is printable ASCII (see Policy).
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}
