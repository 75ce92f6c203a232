//go:build unix

package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// A file that is reached by a link is changed where it lies: the app may read it by another name.
func TestKeyFileBehindALink(t *testing.T) {
	folder := t.TempDir()
	file, link := filepath.Join(folder, "bell.keys"), filepath.Join(folder, "current")
	hardy(t, "key", "new", file).must(t, exitOK)
	hardy(t, "key", "new", file).must(t, exitOK)
	if err := os.Symlink("bell.keys", link); err != nil {
		t.Skip(err)
	}
	id := lines[keyRow](t, hardy(t, "--json", "key", "list", link))[1].ID
	hardy(t, "key", "revoke", link, id).must(t, exitOK)
	if row := lines[keyRow](t, hardy(t, "--json", "key", "list", file))[1]; row.State != "revoked" {
		t.Errorf("revoked by the link; the file itself says %s", row.State)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is none any more: %v, %v", info.Mode(), err)
	}
}

// An administrator who changes the app's keys does not take them away from the app.
func TestKeyFileKeepsItsOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	file := filepath.Join(t.TempDir(), "bell.keys")
	hardy(t, "key", "new", file).must(t, exitOK)
	if err := os.Chown(file, 1234, 1235); err != nil {
		t.Fatal(err)
	}
	hardy(t, "key", "new", file).must(t, exitOK)
	like := filepath.Join(t.TempDir(), "like")
	if err := os.WriteFile(like, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(like, 1234, 1235); err != nil {
		t.Fatal(err)
	}
	a, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.Stat(like)
	if err != nil {
		t.Fatal(err)
	}
	if owner(a) != owner(b) || a.Mode().Perm() != 0o600 {
		t.Errorf("the file belongs to %v, mode %v", owner(a), a.Mode())
	}
}

func owner(i fs.FileInfo) [2]uint32 {
	s := i.Sys().(*syscall.Stat_t)
	return [2]uint32{s.Uid, s.Gid}
}

// Of two commands at once neither loses its change.
func TestKeyFileChangedByManyAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bell.keys")
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { hardy(t, "key", "new", file) })
	}
	all.Wait()
	if rows := lines[keyRow](t, hardy(t, "--json", "key", "list", file).must(t, exitOK)); len(rows) != 20 {
		t.Errorf("%d keys of 20", len(rows))
	}
}
