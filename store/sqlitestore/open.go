package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"modernc.org/sqlite"
)

// creating lets one Open at a time make its file. Closing the descriptor that made it drops every lock of
// this process on that file (POSIX), so no other Open may be using the file by then.
var creating sync.Mutex

// Open keeps sessions in the file at path, and makes it where there is none; its folder must exist. The
// file belongs to Hardy alone. It, its -wal and its -shm are given mode 0600 (group and others lose what
// they had). To be opened by several processes, one user must run them.
//
// It refuses, with an error that says how to mend it, and leaves untouched: a folder, a file that is not
// a database, another application's database, and one of a newer Hardy. ctx bounds the opening alone.
func Open(ctx context.Context, path string, o *Options) (*Store, error) {
	if path == "" || path == ":memory:" || strings.HasPrefix(path, "file:") {
		return nil, fmt.Errorf("sqlitestore: %q is not the path of a file; to keep sessions in memory use store.NewMemory", path)
	}
	file, err := prepare(path)
	if err != nil {
		return nil, err
	}
	connector, err := sqlite.NewConnector(dsn(file))
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: %s: %w", path, err)
	}
	db := sql.OpenDB(connector)
	readers := max(4, 2*runtime.GOMAXPROCS(0))
	conns := readers + 3 // one writes; List, Scan and Count find one too
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	s := newStore(db, path, o)
	s.owned, s.path, s.readers = true, file, make(chan struct{}, readers)
	if s.file, err = os.Stat(file); err == nil {
		err = s.setUp(ctx)
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// dsn names the file in a way that no character of its path is taken for a parameter.
func dsn(file string) string {
	path := filepath.ToSlash(file)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/…
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: "_error_rc=1&_dqs=0&_defensive=1&_pragma=busy_timeout(100)&_pragma=synchronous(FULL)"}
	return u.String()
}

// prepare sees to it that there is a file which only its owner can read, and returns its whole name. It
// opens no file that is there: see creating.
func prepare(path string) (string, error) {
	file, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("sqlitestore: %s: %w", path, err)
	}
	if err := create(file); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("sqlitestore: %s cannot be made; its folder must exist and be writable, with room left: %w", path, err)
	}
	if file, err = filepath.EvalSymlinks(file); err != nil { // SQLite puts -wal and -shm beside the target
		return "", fmt.Errorf("sqlitestore: %s: %w", path, err)
	}
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return "", fmt.Errorf("sqlitestore: %s: %w", path, err)
	case info.IsDir():
		return "", fmt.Errorf("sqlitestore: %s is a folder; give the path of a file, such as %s", path, filepath.Join(path, "sessions.db"))
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("sqlitestore: %s is not a regular file (%v); give the path of one", path, info.Mode().Type())
	}
	return file, secure(path, file)
}

func create(file string) error {
	creating.Lock()
	defer creating.Unlock()
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// secure takes from group and others what they may do with the file and its companions.
func secure(path, file string) error {
	if runtime.GOOS == "windows" {
		return nil // it has no such modes; the folder's access list counts
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(file + suffix)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().Perm()&0o077 == 0 {
			continue
		}
		if err == nil {
			err = os.Chmod(file+suffix, info.Mode().Perm()&^0o077)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("sqlitestore: others can read %s and that cannot be changed; run as its owner, or chmod 600 it: %w", path+suffix, err)
		}
	}
	return nil
}
