package sqlitestore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"example.com/hardy/session"
)

// wantFault checks that an error names the file and the mend.
func wantFault(t *testing.T, what string, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: %q does not say %q", what, err, w)
		}
	}
}

func execute(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOpenRefuses: each error names the file and the mend, and the file is left as it was.
func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		make  func(path string)
		words []string
	}{
		{"a folder", func(path string) { os.Mkdir(path, 0o700) }, []string{"is a folder", "give the path of a file"}},
		{"no parent folder", func(path string) { os.Remove(filepath.Dir(path)) }, []string{"its folder must exist"}},
		{"a text", func(path string) { os.WriteFile(path, bytes.Repeat([]byte("not a database "), 999), 0o600) },
			[]string{"not a SQLite database", "give another path"}},
		{"another application's file", func(path string) { execute(t, path, "PRAGMA application_id=7") },
			[]string{"another application", "0x7", "give another path"}},
		{"another application's tables", func(path string) { execute(t, path, "CREATE TABLE users (name)") },
			[]string{"other tables", "sqlitestore.New"}},
		{"a newer schema", func(path string) {
			open(t, path).Close()
			execute(t, path, "UPDATE hardy_store SET schema = 99")
		}, []string{"newer Hardy", "schema 99", "update this program"}},
		{"a damaged header", func(path string) {
			open(t, path).Close()
			scribble(t, path, 0, 100)
		}, []string{"not a SQLite database"}},
		{"a damaged schema", func(path string) {
			open(t, path).Close()
			scribble(t, path, 100, 4096)
		}, []string{"damaged", "backup"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "folder", "s.db")
			os.Mkdir(filepath.Dir(path), 0o700)
			c.make(path)
			before, _ := os.ReadFile(path)
			s, err := Open(t.Context(), path, nil)
			if err == nil {
				s.Close()
			}
			wantFault(t, "Open", err, append(c.words, path)...)
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Errorf("the file was changed")
			}
		})
	}
	for _, path := range []string{"", ":memory:", "file:x?mode=memory"} {
		_, err := Open(t.Context(), path, nil)
		wantFault(t, "Open of "+path, err, "store.NewMemory")
	}
}

func scribble(t *testing.T, path string, from, to int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xa5}, int(to-from)), from); err != nil {
		t.Fatal(err)
	}
}

// TestDamageMetAtRunTime: what lies beyond the schema is met when it is read.
func TestDamageMetAtRunTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	s := open(t, path)
	r := fresh("ann")
	for range 200 {
		r = fresh("ann")
		must(t, s.Create(t.Context(), r))
	}
	must(t, s.Close())
	info, err := os.Stat(path)
	must(t, err)
	scribble(t, path, 4096, info.Size())
	s, err = Open(t.Context(), path, nil)
	if err == nil {
		_, err = s.Load(t.Context(), r.ID)
		s.Close()
	}
	wantFault(t, "Load from a damaged file", err, path, "damaged", "backup")
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// small mounts a file system of so many bytes.
func small(t *testing.T, bytes int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("NOT RUN: mounting a small file system needs root on Linux")
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d", bytes), "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("NOT RUN: a small file system cannot be mounted here: %v %s", err, out)
	}
	t.Cleanup(func() { exec.Command("umount", "-l", dir).Run() })
	return dir
}

// TestDiskFullAndRoomAgain: errors while the disk is full, reads and ends all the while,
// and no restart needed once there is room. Nothing acknowledged is lost.
func TestDiskFullAndRoomAgain(t *testing.T) {
	t.Run("file system", func(t *testing.T) {
		dir := small(t, 2<<20)
		ballast := filepath.Join(dir, "ballast")
		must(t, os.WriteFile(ballast, make([]byte, 1<<20), 0o600))
		fillUp(t, filepath.Join(dir, "s.db"), func(*Store) {}, func(*Store) { must(t, os.Remove(ballast)) })
	})
	t.Run("page limit", func(t *testing.T) {
		fillUp(t, filepath.Join(t.TempDir(), "s.db"),
			func(s *Store) { limitPages(t, s, 100) }, func(s *Store) { limitPages(t, s, 1000) })
	})
}

func limitPages(t *testing.T, s *Store, n int) {
	t.Helper()
	must(t, s.write(t.Context(), func(w *writer) error { return w.exec(fmt.Sprintf("PRAGMA max_page_count=%d", n)) }))
}

func fillUp(t *testing.T, path string, narrow, widen func(*Store)) {
	ctx := t.Context()
	s := open(t, path)
	narrow(s)
	var kept []session.Record
	var fault error
	for range 2000 {
		r := fresh("ann")
		r.Data = bytes.Repeat([]byte{7}, 5000)
		if fault = s.Create(ctx, r); fault != nil {
			break
		}
		kept = append(kept, r)
	}
	wantFault(t, "Create on a full disk", fault, path, "make room")
	fault = s.Create(ctx, big())
	wantFault(t, "the next Create", fault, path, "make room")
	if len(kept) < 10 {
		t.Fatalf("only %d records before the disk was full", len(kept))
	}
	check := func(when string) {
		t.Helper()
		for i, r := range kept {
			if got, err := s.Load(ctx, r.ID); err != nil || !bytes.Equal(got.Data, r.Data) {
				t.Fatalf("%s, record %d of %d: %d bytes, %v", when, i, len(kept), len(got.Data), err)
			}
		}
	}
	check("on a full disk")
	widen(s)
	must(t, s.Create(ctx, big()))
	check("with room again")
	must(t, s.Close())
	s = open(t, path)
	check("after a restart")
	n, err := s.Count(ctx)
	if err != nil || n != len(kept)+1 {
		t.Errorf("%d records are there, %d were acknowledged (%v)", n, len(kept)+1, err)
	}
}

func big() session.Record {
	r := fresh("ann")
	r.Data = make([]byte, 60_000)
	return r
}

// TestOpenOnAFullDisk: the error names the file.
func TestOpenOnAFullDisk(t *testing.T) {
	dir := small(t, 256<<10)
	os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 1<<20), 0o600) // as far as it goes
	path := filepath.Join(dir, "s.db")
	_, err := Open(t.Context(), path, nil)
	wantFault(t, "Open", err, path, "room")
	must(t, os.Remove(filepath.Join(dir, "ballast")))
	must(t, open(t, path).Create(t.Context(), fresh("ann")))
}

// TestReadOnlyFile.
func TestReadOnlyFile(t *testing.T) {
	dir := small(t, 2<<20)
	path := filepath.Join(dir, "s.db")
	s := open(t, path)
	must(t, s.Create(t.Context(), fresh("ann")))
	must(t, s.Close())
	remount := func(how string) {
		t.Helper()
		if out, err := exec.Command("mount", "-o", "remount,"+how, dir).CombinedOutput(); err != nil {
			t.Skipf("NOT RUN: remount: %v %s", err, out)
		}
	}
	remount("ro")
	_, err := Open(t.Context(), path, nil)
	wantFault(t, "Open", err, path, "writ")
	remount("rw")
	open(t, path)
}

// TestReadOnlyAtRunTime: errors meanwhile, recovery without a restart.
func TestReadOnlyAtRunTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	s := open(t, path)
	r := fresh("ann")
	must(t, s.Create(t.Context(), r))
	only := func(on int) {
		t.Helper()
		if _, err := s.writer.conn.ExecContext(t.Context(), fmt.Sprintf("PRAGMA query_only=%d", on)); err != nil {
			t.Fatal(err)
		}
	}
	only(1)
	wantFault(t, "Create", s.Create(t.Context(), fresh("ann")), path, "cannot be written")
	_, err := s.Load(t.Context(), r.ID)
	must(t, err)
	if s.writer != nil {
		only(0)
	}
	must(t, s.Create(t.Context(), fresh("ann")))
}

// TestFileTakenAway: what is written to a file without a name would be lost, so it is refused.
func TestFileTakenAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	s := open(t, path)
	must(t, s.Create(t.Context(), fresh("ann")))
	must(t, os.Rename(path, path+".away"))
	wantFault(t, "Create", s.Create(t.Context(), fresh("ann")), path, "removed or replaced", "put it back")
	must(t, os.WriteFile(path, nil, 0o600))
	wantFault(t, "Create", s.Create(t.Context(), fresh("ann")), path, "removed or replaced", "put it back")
	must(t, os.Rename(path+".away", path))
	must(t, s.Create(t.Context(), fresh("ann")))
}

// TestSomebodyElsesLock: a lock of another process is waited for, and what a caller sees
// is its own deadline, never "database is locked".
func TestSomebodyElsesLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	s := open(t, path)
	db, err := sql.Open("sqlite", path)
	must(t, err)
	defer db.Close()
	other, err := db.Conn(t.Context())
	must(t, err)
	defer other.Close()
	lock := func(text string) {
		t.Helper()
		if _, err := other.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	lock("BEGIN IMMEDIATE")
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	r := fresh("ann")
	err = s.Create(short, r)
	wantFault(t, "Create at its deadline", err, path, "nothing was stored")
	if !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "is locked") {
		t.Errorf("Create at its deadline: %v", err)
	}
	done := make(chan error)
	go func() { done <- s.Create(t.Context(), fresh("ann")) }()
	if _, err := s.Load(t.Context(), r.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("a Load meanwhile: %v", err)
	}
	select {
	case err := <-done:
		t.Errorf("Create did not wait: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	lock("ROLLBACK")
	must(t, <-done)
	must(t, s.Create(t.Context(), r)) // it was not stored
}
