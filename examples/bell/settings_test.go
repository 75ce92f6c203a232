package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestBellRefusesToStart(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("XDG_STATE_HOME", folder)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-http", ":8080"}, "this computer only"},
		{[]string{"-http", "0.0.0.0:8080"}, "this computer only"},
		{[]string{"-http", "[::]:8080"}, "this computer only"},
		{[]string{"-http", "192.0.2.1:8080"}, "this computer only"},
		{[]string{"-http", "localhost.example.com:8080"}, "this computer only"},
		{[]string{"-http", "8080"}, "an address looks like"},
		{[]string{"-http", "127.0.0.1:99999"}, "choose another address"},
		{[]string{"-idle", "-1s"}, "negative"},
		{[]string{"-idle", "48h"}, "Lifetime"},
		{[]string{"-idle", "soon"}, "soon"},
		{[]string{"-tls-cert", "cert.pem"}, "go together"},
		{[]string{"-tls-key", "key.pem", "-http", "0.0.0.0:8443"}, "go together"},
		{[]string{"-db", folder}, folder},
		{[]string{"-keys", filepath.Join(folder, "no", "bell.keys")}, "-keys"},
		{[]string{"-loud"}, "-loud"},
		{[]string{"loud"}, "loud"},
	} {
		var out bytes.Buffer
		err := run(t.Context(), c.args, &out)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want an error that says %q", c.args, err, c.want)
		}
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-h"}, &out); !errors.Is(err, flag.ErrHelp) || !strings.Contains(out.String(), "-idle") {
		t.Errorf("-h: %v\n%s", err, out.String())
	}
}

// What the bell makes is readable to its user alone, and what is there it takes.
func TestBellMakesItsFiles(t *testing.T) {
	state := t.TempDir()
	t.Setenv("XDG_STATE_HOME", state)
	set, err := parse(nil, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(state, "hardy-bell")
	if set.db != filepath.Join(folder, "bell.db") || set.keys != filepath.Join(folder, "bell.keys") {
		t.Errorf("files: %s, %s", set.db, set.keys)
	}
	first, err := openKeyrings(set.keys)
	if err != nil {
		t.Fatal(err)
	}
	again, err := openKeyrings(set.keys)
	if err != nil {
		t.Fatal(err)
	}
	if first.bell.PrimaryID() != again.bell.PrimaryID() || first.bell.Shares(first.team) || first.bell.Shares(first.two) {
		t.Error("the rings are not kept, or not of their own")
	}
	for name, want := range map[string]os.FileMode{".": 0o700, "bell.keys": 0o600, "two.keys": 0o600, "team.keys": 0o600} {
		info, err := os.Stat(filepath.Join(folder, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(folder, ".*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}

	os.Chmod(set.keys, 0o644)
	if _, err := openKeyrings(set.keys); err == nil || !strings.Contains(err.Error(), "owner") {
		t.Errorf("keys that others can read: %v", err)
	}
}

func TestPasswords(t *testing.T) {
	for _, c := range []struct {
		user, password string
		want           bool
	}{{"ann", demoPassword, true}, {"bob", demoPassword, true}, {"ann", "anvi", false}, {"", "", false}, {"nobody", demoPassword, false}} {
		if got := signsIn(c.user, c.password); got != c.want {
			t.Errorf("%s with %s: %v", c.user, c.password, got)
		}
	}
	for _, h := range []hash{"", "anvil", "$argon2i$v=19$m=8,t=1,p=1$YWJjZGVmZ2g$YWJjZGVmZ2hhYmNkZWZnaA", "$argon2id$v=19$m=8,t=0,p=1$YWJjZGVmZ2g$YWJjZGVmZ2hhYmNkZWZnaA", "$argon2id$v=19$m=8,t=1,p=1$YWJjZGVmZ2g$"} {
		if h.matches("") {
			t.Errorf("%q matches", h)
		}
	}
	if annsHash == bobsHash {
		t.Error("one password shows as one hash")
	}
}

func TestSpell(t *testing.T) {
	for d, want := range map[time.Duration]string{
		24*time.Hour - time.Millisecond: "24 hours", time.Hour: "1 hour", 90 * time.Minute: "2 hours", 30 * time.Minute: "30 minutes",
		10 * time.Second: "10 seconds", time.Second: "1 second", 100 * time.Millisecond: "a moment", 59*time.Minute + 59*time.Second: "60 minutes",
	} {
		if got := spell(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

// Ctrl+C lets a request under way finish, and what it stores is there at the next start.
func TestBellFinishesRequests(t *testing.T) {
	folder := t.TempDir()
	site, stop := start(t, folder)
	address := strings.TrimPrefix(site, "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /note/unlock HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 16\r\nExpect: 100-continue\r\n\r\n", address)
	answers := bufio.NewReader(conn)
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("before the form is sent: %q, %v", line, err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	for { // until it takes no one new
		late, err := net.Dial("tcp", address)
		if err != nil {
			break
		}
		late.Close()
		time.Sleep(time.Millisecond)
	}
	fmt.Fprintf(conn, "password=%s", demoNotePassword)
	answers.ReadString('\n') // the empty line after the 100
	resp, err := http.ReadResponse(answers, nil)
	if err != nil || resp.StatusCode != http.StatusSeeOther || len(resp.Cookies()) != 1 {
		t.Fatalf("the answer is %v, %v", resp, err)
	}
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}

	again, _ := start(t, folder)
	r, _ := http.NewRequest("GET", again+"/note", nil)
	r.AddCookie(resp.Cookies()[0])
	resp, err = http.DefaultClient.Do(r)
	if status, page := read(t, resp, err); status != 200 || !strings.Contains(page, "You may change it") {
		t.Errorf("after the restart: %d\n%s", status, page)
	}
}
