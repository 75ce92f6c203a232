package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/session"
	"example.com/hardy/store/sqlitestore"
)

// said is what one run of the command answered.
type said struct {
	code          int
	out, messages string
}

func hardy(t *testing.T, args ...string) said {
	t.Helper()
	var out, messages bytes.Buffer
	code := run(t.Context(), args, &out, &messages)
	return said{code, out.String(), messages.String()}
}

func (s said) must(t *testing.T, code int) said {
	t.Helper()
	if s.code != code {
		t.Fatalf("exit code %d, want %d: %s%s", s.code, code, s.out, s.messages)
	}
	return s
}

func lines[T any](t *testing.T, s said) (rows []T) {
	t.Helper()
	for line := range strings.Lines(s.out) {
		var row T
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		rows = append(rows, row)
	}
	return rows
}

// A ring is rotated as cookie.Keys says, and at each step an app can read the file and open what was sealed before.
func TestKeysRotateAndAreRevoked(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bell.keys")
	keys := func() *cookie.Keys {
		k, err := cookie.KeysFromFile(file, "bell")
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	hardy(t, "key", "new", file).must(t, exitOK)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	first := keys()
	sealed, err := first.Sealer("session", "name").Seal([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	hardy(t, "key", "new", file).must(t, exitOK)
	if keys().PrimaryID() != first.PrimaryID() {
		t.Error("a new key must not seal before all instances have it")
	}
	rows := lines[keyRow](t, hardy(t, "--json", "key", "rotate", file).must(t, exitOK))
	if second := keys(); len(rows) != 2 || rows[0].State != "primary" || rows[0].ID != second.PrimaryID() || second.PrimaryID() == first.PrimaryID() {
		t.Fatalf("%+v", rows)
	}
	if _, outcome := keys().Sealer("session", "name").Open(sealed); outcome != cookie.OK {
		t.Errorf("after the rotation: %v", outcome)
	}
	hardy(t, "key", "retire", file, rows[0].ID).must(t, exitOK)
	if keys().PrimaryID() != first.PrimaryID() {
		t.Error("with the primary key retired, the next one seals")
	}
	hardy(t, "key", "rotate", file, rows[0].ID).must(t, exitOK)
	hardy(t, "key", "revoke", file, first.PrimaryID()).must(t, exitOK)
	if _, outcome := keys().Sealer("session", "name").Open(sealed); outcome != cookie.RevokedKey {
		t.Errorf("after the revocation: %v", outcome)
	}
	hardy(t, "key", "drop", file, first.PrimaryID()).must(t, exitOK)
	if _, outcome := keys().Sealer("session", "name").Open(sealed); outcome != cookie.UnknownKey {
		t.Errorf("after the drop: %v", outcome)
	}
}

// What would lock everybody out, or a mistaken id, changes nothing.
func TestKeyRefuses(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "bell.keys")
	hardy(t, "key", "new", file).must(t, exitOK)
	before, _ := os.ReadFile(file)
	id := lines[keyRow](t, hardy(t, "--json", "key", "list", file))[0].ID
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"retire", file, id}, exitUsage, "only one that can seal"},
		{[]string{"drop", file, id}, exitUsage, "seals"},
		{[]string{"revoke", file, id}, exitFailed, "all are revoked"},
		{[]string{"rotate", file}, exitUsage, "seals already"},
		{[]string{"rotate", file, "nonesuch"}, exitAbsent, "no key nonesuch"},
		{[]string{"list", filepath.Join(folder, "absent")}, exitAbsent, "key new"},
		{[]string{"list"}, exitUsage, "accepts 1 arg"},
		{[]string{"new", filepath.Join(folder, "no", "folder")}, exitFailed, "no such file"},
	} {
		got := hardy(t, append([]string{"key"}, c.args...)...).must(t, c.code)
		if !strings.Contains(got.messages, c.says) {
			t.Errorf("%v: %s", c.args, got.messages)
		}
	}
	if after, _ := os.ReadFile(file); !bytes.Equal(before, after) {
		t.Error("the file changed")
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := hardy(t, "key", "list", file).must(t, exitFailed); !strings.Contains(got.messages, "chmod 600") {
		t.Error(got.messages)
	}
}

// No command but "new" without a file prints a key.
func TestKeysAreNotPrinted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bell.keys")
	all := hardy(t, "key", "new", file)
	for range 2 {
		more := hardy(t, "key", "new", file)
		all.out += more.out + more.messages
	}
	for _, args := range [][]string{{"key", "rotate", file}, {"key", "list", file}, {"doctor", "--keys", file}, {"key", "list", file, "--json"}} {
		more := hardy(t, args...)
		all.out += more.out + more.messages
	}
	f, err := readKeyFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range f.lines {
		if l.master != "" && strings.Contains(all.out+all.messages, l.master) {
			t.Fatal("a key was printed")
		}
	}
}

// Entries that share a line, comments and revoked keys come through a change.
func TestKeyFileKeepsWhatPeopleWrote(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bell.keys")
	a, b, c := cookie.NewMaster(), cookie.NewMaster(), cookie.NewMaster()
	text := fmt.Sprintf("# ours\n\n%s, %s # two of them\nrevoked: %s # leaked in May\n", a, b, c)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	hardy(t, "key", "rotate", file).must(t, exitOK)
	got, _ := os.ReadFile(file)
	if want := fmt.Sprintf("# ours\n\n%s\n%s # two of them\nrevoked:%s # leaked in May\n", b, a, c); string(got) != want {
		t.Errorf("%d bytes, want %d", len(got), len(want)) // keys are not for logs
	}
}

// fill makes sessions of a few kinds and returns the handle of one of ann's.
func fill(t *testing.T, path string, n int) (handle string) {
	t.Helper()
	db, err := sqlitestore.Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	m := session.NewManager(db, &session.Options{Logger: quiet})
	word := session.NewKey[string]("word")
	for i := range n {
		s := m.New()
		err := word.Set(s, "a secret canary")
		if err == nil && i%3 > 0 {
			err = s.Login([]string{"", "ann", "bob\x1b[2J"}[i%3])
		}
		if err == nil {
			err = s.Save(t.Context())
		}
		if err == nil && i%10 == 9 {
			if err = s.Logout(); err == nil {
				err = m.Commit(t.Context(), s)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if i%3 == 1 {
			handle = s.Handle()
		}
	}
	return handle
}

func TestSessions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	handle := fill(t, path, 60)
	at := "sqlite:" + path

	c := lines[counts](t, hardy(t, "--json", "sessions", "count", at).must(t, exitOK))[0]
	if c.Live != 54 || c.Live != c.SignedIn+c.Anonymous || c.Dead["logout"] != 6 {
		t.Errorf("%+v", c)
	}
	rows := lines[sessionRow](t, hardy(t, "--json", "sessions", "list", at).must(t, exitOK))
	if len(rows) != c.Live {
		t.Errorf("%d live in the list, %d in the count", len(rows), c.Live)
	}
	if every := lines[sessionRow](t, hardy(t, "--json", "sessions", "list", "--all", at)); len(every) != 60 {
		t.Errorf("%d with --all", len(every))
	}
	people := hardy(t, "sessions", "list", at).must(t, exitOK)
	if strings.Contains(people.out, "\x1b") || !strings.Contains(people.out, `"bob\x1b[2J"`) {
		t.Error("a user's name reaches the terminal as it is")
	}
	if strings.Contains(people.out, "canary") {
		t.Error("a value was printed")
	}
	anns := lines[sessionRow](t, hardy(t, "--json", "sessions", "list", "--user", "ann", at))
	if len(anns) != 18 {
		t.Errorf("%d of ann's", len(anns))
	}

	hardy(t, "sessions", "end", "--user", "bob", at, handle).must(t, exitAbsent)
	hardy(t, "sessions", "end", "--user", "ann", at, handle).must(t, exitOK)
	hardy(t, "sessions", "end", at, handle).must(t, exitAbsent)
	for _, r := range rows {
		if r.User == "" { // found without a user's list
			hardy(t, "sessions", "end", at, r.Handle).must(t, exitOK)
			break
		}
	}
	if got := hardy(t, "sessions", "end-user", at, "ann").must(t, exitOK); strings.TrimSpace(got.out) != "17 ended" {
		t.Error(got.out)
	}
	if left := lines[counts](t, hardy(t, "--json", "sessions", "count", at))[0]; left.Live != c.Live-19 || left.Dead["revoked"] != 19 {
		t.Errorf("%+v", left)
	}
}

// An address with a password comes from a variable or a file alone, and is not printed.
func TestAddresses(t *testing.T) {
	folder := t.TempDir()
	secret := filepath.Join(folder, "address")
	if err := os.WriteFile(secret, []byte("sqlite:"+filepath.Join(folder, "absent.db")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HARDY_TEST_STORE", "postgres://u:hunter2@127.0.0.1:1/x")
	for _, c := range []struct {
		arg  string
		code int
		says string
	}{
		{"redis://:hunter2@localhost/0", exitUsage, "process list"},
		{"postgres://localhost/x?password=hunter2", exitUsage, "process list"},
		{"mysql://localhost/x", exitUsage, "is no store"},
		{"nonsense", exitUsage, "is no store"},
		{"sqlite:", exitUsage, "wants a path"},
		{"sqlite:" + filepath.Join(folder, "absent.db"), exitAbsent, "no such file"},
		{"env:HARDY_TEST_ABSENT", exitUsage, "HARDY_TEST_ABSENT"},
		{"file:" + secret, exitFailed, "chmod 600"},
		{"env:HARDY_TEST_STORE", exitFailed, "127.0.0.1"},
	} {
		got := hardy(t, "sessions", "count", c.arg).must(t, c.code)
		if !strings.Contains(got.messages, c.says) || strings.Contains(got.messages, "hunter2") {
			t.Errorf("%s: %s", c.arg, got.messages)
		}
	}
	if err := os.Chmod(secret, 0o600); err != nil {
		t.Fatal(err)
	}
	hardy(t, "sessions", "count", "file:"+secret).must(t, exitAbsent)
	if got, err := os.ReadDir(folder); err != nil || len(got) != 1 {
		t.Errorf("looking made %d files", len(got)-1)
	}
}

func TestMove(t *testing.T) {
	folder := t.TempDir()
	from, to := filepath.Join(folder, "a.db"), filepath.Join(folder, "b.db")
	fill(t, from, 1200)
	state := filepath.Join(folder, "state")
	args := []string{"--json", "move", "--state", state, "sqlite:" + from, "sqlite:" + to}
	m := lines[moved](t, hardy(t, args...).must(t, exitOK))[0]
	if m.Copied != 1200 || m.Equal != 1200 || m.Newer != 0 {
		t.Errorf("%+v", m)
	}
	if _, err := os.Stat(state); err == nil {
		t.Error("the bookmark stays after the end")
	}
	// Once more: nothing to do, and what ended meanwhile is newer in the new store.
	hardy(t, "sessions", "end-user", "sqlite:"+to, "ann").must(t, exitOK)
	m = lines[moved](t, hardy(t, args...).must(t, exitOK))[0]
	if m.Copied != 0 || m.Present != 1200 || m.Newer != 360 {
		t.Errorf("again: %+v", m)
	}
	// A stopped move goes on from its bookmark.
	if err := os.WriteFile(state, []byte(`{"Cursor":"nonsense"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := hardy(t, args...); got.code != exitFailed {
		t.Errorf("a bookmark of nonsense: %d", got.code)
	}
	hardy(t, "move", "sqlite:"+from, "sqlite:"+from).must(t, exitUsage)
}

func TestDoctor(t *testing.T) {
	folder := t.TempDir()
	file, path := filepath.Join(folder, "keys"), filepath.Join(folder, "s.db")
	hardy(t, "key", "new", file).must(t, exitOK)
	fill(t, path, 10)
	began := time.Now()
	got := hardy(t, "doctor", "--keys", file, "--store", "sqlite:"+path).must(t, exitOK)
	if !strings.Contains(got.out, "heard of the end") {
		t.Error(got.out)
	}
	if c := lines[counts](t, hardy(t, "--json", "sessions", "count", "sqlite:"+path))[0]; c.Live != 9 {
		t.Errorf("the probe lives on: %+v, %v", c, time.Since(began))
	}
	got = hardy(t, "doctor", "--keys", file, "--team-keys", file).must(t, exitFindings)
	if !strings.Contains(got.out, "team mate") {
		t.Error(got.out)
	}
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	rows := lines[finding](t, hardy(t, "--json", "doctor", "--keys", file).must(t, exitFindings))
	if len(rows) != 1 || rows[0].OK || !strings.Contains(rows[0].Mend, "chmod 600") {
		t.Errorf("%+v", rows)
	}
	hardy(t, "doctor").must(t, exitUsage)
}

func TestManualAndCompletion(t *testing.T) {
	folder := t.TempDir()
	hardy(t, "man", folder).must(t, exitOK)
	page, err := os.ReadFile(filepath.Join(folder, "hardy-sessions-end.1"))
	if err != nil || !bytes.Contains(page, []byte("handle")) {
		t.Errorf("%s, %v", page, err)
	}
	for _, name := range []string{"hardy-import.1", "hardy-import-scs.1", "hardy-import-gorilla.1"} {
		if page, err := os.ReadFile(filepath.Join(folder, name)); err != nil || !bytes.Contains(page, []byte("secret")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := hardy(t, "__complete", "import", ""); !strings.Contains(got.out, "gorilla") || !strings.Contains(got.out, "scs") {
		t.Errorf("completion of import: %s", got.out)
	}
	if got := hardy(t, "completion", "bash").must(t, exitOK); !strings.Contains(got.out, "hardy") {
		t.Error("no completion")
	}
}

// A script that mistypes "revoke" must not go on as if the key were revoked.
func TestMistypedCommands(t *testing.T) {
	for _, args := range [][]string{{"key", "revok", "file", "id"}, {"sessions", "end-usr", "sqlite:s.db", "ann"}, {"import", "jwt", "sqlite:s.db", "sqlite:t.db"}, {"nonsense"}} {
		hardy(t, args...).must(t, exitUsage)
	}
	hardy(t, "key").must(t, exitOK) // help
}

// A password among the parameters is as secret as one before the host.
func TestParametersThatAreSecret(t *testing.T) {
	for _, at := range []string{
		"postgres://u@127.0.0.1:1/x?password=hunter2&sslmode=disable", "postgres:///x?host=127.0.0.1&port=1&password=hunter2",
		"postgres://u:hunter2@127.0.0.1:1/x?sslpassword=hunter2",
	} {
		t.Setenv("HARDY_TEST_STORE", at)
		a, err := parseAddress("env:HARDY_TEST_STORE")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(a.String(), "hunter2") || !strings.Contains(a.String(), "127.0.0.1") {
			t.Errorf("doctor shows %s", a)
		}
		hardy(t, "sessions", "count", at).must(t, exitUsage)
	}
}
