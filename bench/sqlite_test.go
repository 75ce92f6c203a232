package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Each store on SQLite does its work, counts exactly, and leaves no file behind: without figures that mean
// anything.
func TestSQLiteRows(t *testing.T) {
	c := &config{workers: 4, rounds: 2, span: time.Millisecond, sqlite: true, dir: t.TempDir()}
	any := regexp.MustCompile("")
	r, err := run(c, sqliteRows(), any, any)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	r.write(&b)
	for _, want := range []string{"parallel: faster than scs NORMAL", "| ≥ 3 × |", "| ≥ 5 × |", "serial: faster than scs FULL", "written and synced"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, b.String())
		}
	}
	if left, err := os.ReadDir(c.dir); len(left) > 0 || err != nil {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// The bar takes the fastest of the peers, in the mode that it is for.
func TestAheadTakesTheFastest(t *testing.T) {
	of := func(ns float64) *figures {
		return &figures{rounds: [modes][]float64{serial: {1}, parallel: {ns}}}
	}
	r := &result{row: &row{name: "count"}, figures: map[string]*figures{"we": of(10), "slow": of(90), "fast": of(40)}}
	for _, tt := range []struct {
		least float64
		want  mark
	}{{4, pass}, {4.1, short}} {
		if v := ahead("we", tt.least, parallel, "slow", "fast", "absent")(r); v.mark != tt.want || v.got != "4.00 ×" || !strings.HasSuffix(v.what, "than fast") {
			t.Errorf("%v", v)
		}
	}
	if v := ahead("we", 1, parallel, "absent")(r); v.mark != notRun {
		t.Errorf("%v", v)
	}
}
