package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"example.com/hardy/internal/servers"
)

// Each store on Redis does its work and counts exactly: without figures that mean anything.
func TestRedisRows(t *testing.T) {
	server := "redis://" + servers.StartRedis(t).Addr
	c := &config{workers: 4, rounds: 2, span: time.Millisecond, redis: server}
	any := regexp.MustCompile("")
	r, err := run(c, redisRows(server), any, any)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	r.write(&b)
	for _, want := range []string{
		"read one int, Hardy, serial: faster than scs", "read one int, Hardy, cache, parallel: faster than scs", "| ≥ 50 × |",
		"count, Hardy, parallel: faster than scs", "| ≥ 2.5 × |", "appendonly",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, b.String())
		}
	}
}
