package main

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// Every contestant of every row does its work, and the report can be written: without figures that mean
// anything.
func TestRows(t *testing.T) {
	c := &config{workers: 2, rounds: 2, span: time.Millisecond, few: 64, many: 40_000, million: 10_000}
	any := regexp.MustCompile("")
	r, err := run(c, rows(), any, any)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	r.write(&b)
	if !strings.Contains(b.String(), "| read one int, Hardy warm: faster than scs | ≥ 8 ×") {
		t.Errorf("no verdict in\n%s", b.String())
	}
}

func TestMedian(t *testing.T) {
	for _, row := range []struct {
		v    []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{1, 4, 2, 100, 3, 0}, 2.5}} {
		if got := median(row.v); got != row.want {
			t.Errorf("median(%v) = %v, want %v", row.v, got, row.want)
		}
	}
}

// A check that can't fail shows nothing.
func TestChecksBite(t *testing.T) {
	c := &config{workers: 1}
	begun := func() *requests {
		s := newHardy()
		j, err := visitEach(c, s.site, s.read, 3, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		r := j.(*requests)
		r.do(0, 30)
		return r
	}
	tests := []struct {
		name   string
		verify func(*requests) error
		break_ func(*requests)
	}{
		{"a wrong value was read", readRight, func(r *requests) { r.workers[0].sink.sum++ }},
		{"a visit was not counted", countedRight, func(r *requests) {}},
		{"the value changed", stillThere, func(r *requests) { r.workers[0].visitors[0].first++ }},
		{"a stranger left a session", leftNothing, func(r *requests) {}},
		{"an answer was an error", readRight, func(r *requests) { r.workers[0].sink.bad++ }},
		{"an answer is missing", readRight, func(r *requests) { r.workers[0].visitors[0].visits++ }},
	}
	for _, tt := range tests {
		r := begun()
		r.verify = tt.verify
		tt.break_(r)
		if err := r.check(); err == nil {
			t.Errorf("%s, and the check passed", tt.name)
		}
	}
	warm := begun()
	warm.verify = readRight
	if err := (&shown{warm, newKeys(), true}).check(); err == nil {
		t.Error("no cookie was opened, and the check took it for cold")
	}
}
