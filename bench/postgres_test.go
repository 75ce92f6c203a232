package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"example.com/hardy/internal/servers"
)

// Each store on PostgreSQL does its work, counts exactly, and leaves no database behind: without figures that mean
// anything.
func TestPostgresRows(t *testing.T) {
	p := servers.StartPostgres(t)
	c := &config{workers: 4, rounds: 2, span: time.Millisecond, postgres: p.URL()}
	any := regexp.MustCompile("")
	r, err := run(c, postgresRows(c.postgres), any, any)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	r.write(&b)
	for _, want := range []string{"read one int, Hardy, serial: faster than scs", "count, Hardy, parallel: faster than scs", "| ≥ 1.5 × |", "| ≥ 0.9 × |"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, b.String())
		}
	}
	if left := p.SQL("SELECT count(*) FROM pg_database WHERE datname LIKE 'hardy_bench%'"); left != "0" {
		t.Errorf("%s databases are left behind", left)
	}
}
