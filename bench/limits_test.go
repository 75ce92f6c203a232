package main

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

func small() *config {
	return &config{workers: 2, rounds: 2, span: time.Millisecond, million: 10_000, limits: true}
}

// Every limiter does its work, and the report can be written: without figures that mean anything.
func TestLimitRows(t *testing.T) {
	any := regexp.MustCompile("")
	r, err := run(small(), limitRows(), any, any)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	r.write(&b)
	for _, want := range []string{
		"| hot key, Hardy, serial: beside x/time, one limiter | ≤ 1 × (aim 0.6) |", "fastest peer | ≤ 1.15 × |",
		"| 1 M keys, Hardy: bytes a key | ≤ 64 (aim 40) |", "| leftmost entry forged |",
		"| Hardy, as many stale ones go |", "one caller a core: p99.99 | ≤ 1ms |",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, b.String())
		}
	}
}

// The check of a row notices a limiter that admits too much, too little, or fails.
func TestLimitChecksBite(t *testing.T) {
	one := func(*config) []string { return []string{"a"} }
	always := func(ok bool, err error) func(terms) limiter {
		return func(terms) limiter {
			first := true
			return func(string) (bool, error) {
				if first {
					first = false
					return true, nil
				}
				return ok, err
			}
		}
	}
	for _, tt := range []struct {
		name    string
		open    func(terms) limiter
		refused bool
	}{
		{"refuses all", always(false, nil), false},
		{"admits all", always(true, nil), true},
		{"fails", always(false, http.ErrAbortHandler), false},
	} {
		j, err := decide(tt.name, tt.open, one, 10, tt.refused).make(small())
		if err != nil {
			t.Fatal(err)
		}
		j.do(0, 100)
		if j.check() == nil {
			t.Errorf("a limiter that %s passed the check", tt.name)
		}
	}

	none := guard{"none", func(_ int, next http.Handler) http.Handler { return next }, draftLeft}
	j, err := answer(small(), none)
	if err != nil {
		t.Fatal(err)
	}
	j.do(0, 100)
	if j.check() == nil {
		t.Error("a middleware without fields passed the check")
	}
}

// The spoof table tells a middleware that limits nobody from one that counts all alike and one that is right.
func TestSpoofTableBites(t *testing.T) {
	nobody := bouncer{wrap: func(_ string, next http.Handler) http.Handler { return next }}
	for _, b := range bouncers() {
		for _, trick := range tricks() {
			if got := spoof(nobody, trick); got != "**100 of 100 pass**" {
				t.Fatalf("%s, without a limit: %s", trick.name, got)
			}
			if got := spoof(b, trick); strings.Contains(got, "only") {
				t.Errorf("%s, %s: %s", b.name, trick.name, got)
			}
		}
	}
}
