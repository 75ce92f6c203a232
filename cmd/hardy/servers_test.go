package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/hardy/internal/servers"
)

func TestMain(m *testing.M) { os.Exit(servers.Run(m)) }

// Each command on real servers: from SQLite to Redis, on to PostgreSQL, and back.
func TestServers(t *testing.T) {
	redis, postgres := servers.SharedRedis(t), servers.SharedPostgres(t)
	folder := t.TempDir()
	first, last := "sqlite:"+filepath.Join(folder, "a.db"), "sqlite:"+filepath.Join(folder, "b.db")
	t.Setenv("HARDY_TEST_REDIS", redis.URL()+"#bell")
	t.Setenv("HARDY_TEST_POSTGRES", postgres.URL()+"#bells")
	const n = 700
	handle := fill(t, strings.TrimPrefix(first, "sqlite:"), n)
	stops := []string{first, "env:HARDY_TEST_REDIS", "env:HARDY_TEST_POSTGRES", last}
	for i, to := range stops[1:] {
		m := lines[moved](t, hardy(t, "--json", "move", "--state", filepath.Join(folder, "state"), stops[i], to).must(t, exitOK))[0]
		if m.Copied != n || m.Equal != n {
			t.Errorf("%s to %s: %+v", stops[i], to, m)
		}
	}
	want := lines[counts](t, hardy(t, "--json", "sessions", "count", first).must(t, exitOK))[0]
	for _, at := range stops[1:] {
		if got := lines[counts](t, hardy(t, "--json", "sessions", "count", at).must(t, exitOK))[0]; got.Live != want.Live || got.SignedIn != want.SignedIn || got.Dead["logout"] != want.Dead["logout"] {
			t.Errorf("%s: %+v, want %+v", at, got, want)
		}
		hardy(t, "sessions", "end", at, handle).must(t, exitOK)
		hardy(t, "sessions", "end-user", at, "ann").must(t, exitOK)
		if left := lines[sessionRow](t, hardy(t, "--json", "sessions", "list", "--user", "ann", at)); len(left) != 0 {
			t.Errorf("%s: %d of ann's live on", at, len(left))
		}
	}
	// The servers of tests lose what is not on the disk, and doctor says so.
	for _, at := range stops[1:3] {
		got := hardy(t, "doctor", "--store", at).must(t, exitFindings)
		for _, want := range []string{"heard of the end", "clock", "durability", "ended ones may come back"} {
			if !strings.Contains(got.out, want) {
				t.Errorf("%s says nothing of %q:\n%s", at, want, got.out)
			}
		}
		if !strings.Contains(got.messages, "1 to mend") {
			t.Errorf("%s%s", got.out, got.messages)
		}
	}
}
