package main

import (
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A flood starts this program in its other parts.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "-part" {
		playPart(os.Args[2])
		return
	}
	os.Exit(m.Run())
}

// Each row of what many users need does its work, and a flood refuses Ann nothing: without figures that mean anything.
func TestMultiUserRows(t *testing.T) {
	c := &config{workers: 2, rounds: 2, span: time.Millisecond, few: 64, multiUser: true}
	only := ""
	if runtime.GOOS != "linux" {
		only = "[^s]$" // no flood
	}
	r, err := run(c, multiUserRows(), regexp.MustCompile(only), regexp.MustCompile(""))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	r.write(&b)
	for _, want := range []string{"| untouched, all set up, none used: beside nothing set up | ≤ 1.05 ×", "| Each.Get, warm, one a session | ≤ 200ns |", "Log.Append: faster than", "| 2,000 requests/s | 0 |", "Ann's p99 beside Eve's flood"} {
		if !strings.Contains(b.String(), want) && !(only != "" && strings.Contains(want, "s ")) {
			t.Errorf("the report lacks %q:\n%s", want, b.String())
		}
	}
}

// A request that takes longer, or allocates more, is told.
func TestCostsNothingBites(t *testing.T) {
	of := func(ns, allocs float64) *figures {
		return &figures{rounds: [modes][]float64{serial: {ns}, parallel: {ns}}, allocs: allocs}
	}
	for _, tt := range []struct {
		ns, allocs float64
		want       mark
	}{{105, 3, pass}, {106, 3, short}, {100, 4, short}} {
		r := &result{row: &row{name: "read"}, figures: map[string]*figures{"with": of(tt.ns, tt.allocs), "without": of(100, 3)}}
		if v := costsNothing("with", "without")(r); v.mark != tt.want {
			t.Errorf("%v", v)
		}
	}
	if v := takes("nobody", time.Second)(&result{row: &row{}, figures: map[string]*figures{}}); v.mark != notRun {
		t.Errorf("%v", v)
	}
	r := &result{row: &row{}, figures: map[string]*figures{"who": {rounds: [modes][]float64{serial: {10}, parallel: {300}}}}}
	if v := takes("who", 200*time.Nanosecond)(r); v.mark != short {
		t.Errorf("%v", v)
	}
}
