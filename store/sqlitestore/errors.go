package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"example.com/hardy/session"
)

// lockPatience bounds the waiting for another process's lock where the caller's context does not. A write
// transaction of ours holds it for less than a millisecond.
const lockPatience = 30 * time.Second

// mends say what to do about a fault. SQLite's own words tell them apart, since every driver passes them on.
var mends = []struct{ words, mend string }{
	{"disk is full", "the disk is full, or a limit reached; make room, nothing else is needed"},
	{"readonly database", "the file or its folder cannot be written; give this user the right to, or mount it writable"},
	{"unable to open database", "the file cannot be opened; it, its -wal, its -shm and their folder must be writable by this user, with room left"},
	{"not a database", "this is not a SQLite database and was left alone; give another path, or move the file away"},
	{"disk image is malformed", "the file is damaged; stop, keep a copy, put back a backup or try the sqlite3 program's .recover; without it all sessions begin anew"},
	{"malformed database schema", "the file is damaged; stop, keep a copy, put back a backup or try the sqlite3 program's .recover; without it all sessions begin anew"},
	{"disk I/O error", "the disk does not take or give what it should; look at the system's log and at the room left"},
	{"no such table", "its tables are gone; stop, put back a backup, or start again with an empty file"},
	{"is locked", "another process has held the lock for long; look for an open transaction (an sqlite3 shell, a backup, a VACUUM)"},
}

// explain names the file in an error, and the mend where one is known. What a caller branches on passes.
func (s *Store) explain(err error) error {
	if err == nil || answer(err) || strings.HasPrefix(err.Error(), "sqlitestore:") {
		return err
	}
	if s.queue.isClosed() && (errors.Is(err, sql.ErrConnDone) || strings.Contains(err.Error(), "is closed")) {
		return s.errClosed()
	}
	if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		for _, m := range mends {
			if strings.Contains(err.Error(), m.words) {
				return fmt.Errorf("sqlitestore: %s: %s: %w", s.name, m.mend, err)
			}
		}
	}
	return fmt.Errorf("sqlitestore: %s: %w", s.name, err)
}

// answer says whether err is one that the contract gives, and no fault.
func answer(err error) bool {
	switch err {
	case nil, session.ErrNotFound, session.ErrExists, session.ErrConflict, session.ErrCapped:
		return true
	}
	return false
}

// locked says whether somebody else's lock is in the way. "locking protocol" is what SQLite says when too
// many connections begin to read at once.
func locked(err error) bool {
	if err == nil {
		return false
	}
	text := err.Error()
	return strings.Contains(text, "is locked") || strings.Contains(text, "locking protocol")
}

// untilFree calls f again and again while a lock is in the way. f does nothing where it meets one.
func untilFree(ctx context.Context, f func() error) error {
	for begin, try := time.Now(), 0; ; try++ {
		err := f()
		if !locked(err) || time.Since(begin) > lockPatience {
			return err
		}
		if late := pause(ctx, try); late != nil {
			return errors.Join(late, err)
		}
	}
}

// pause gives way to who holds the lock. SQLite's own pauses grow to 100 ms and starve the unlucky.
func pause(ctx context.Context, try int) error {
	t := time.NewTimer(rand.N(100 * time.Microsecond << min(try, 6)))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
