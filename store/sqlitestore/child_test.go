package sqlitestore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"example.com/hardy/session"
)

// Several tests need other processes: they start this test program again, which then does what the
// variable says instead of testing.
const childVar = "HARDY_SQLITESTORE_CHILD"

func TestMain(m *testing.M) {
	if task := os.Getenv(childVar); task != "" {
		if err := child(context.Background(), strings.Split(task, "|")); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// command returns a child that is not started yet. The first argument is the task, the second the file.
func command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	t.Cleanup(func() {
		if cmd.Process != nil {
			cmd.Process.Kill()
		}
	})
	cmd.Env = append(os.Environ(), childVar+"="+strings.Join(args, "|"))
	cmd.Stderr = os.Stderr
	return cmd
}

func child(ctx context.Context, args []string) error {
	s, err := Open(ctx, args[1], nil)
	if err != nil {
		return err
	}
	switch args[0] {
	case "write":
		if s.writer, err = s.hire(ctx); err == nil {
			err = s.writer.exec("PRAGMA synchronous=" + args[3])
		}
		if err == nil { // for many checkpoints in a short time
			err = s.writer.exec("PRAGMA wal_autocheckpoint=150")
		}
		if err == nil {
			return childWrite(ctx, s, args[2])
		}
	case "update":
		n, _ := strconv.Atoi(args[3])
		err = childUpdate(ctx, s, args[2], n)
	case "consume":
		n, _ := strconv.Atoi(args[2])
		limit, _ := strconv.Atoi(args[3])
		err = childConsume(ctx, s, n, limit)
	case "spend":
		err = childSpend(ctx, s)
	case "serve":
		err = childServe(ctx, s, args[2:])
	default:
		err = fmt.Errorf("no task %q", args[0])
	}
	if err != nil {
		return err
	}
	return s.Close()
}

// dataOf is what version v of a record holds.
func dataOf(id string, v uint64) []byte { return fmt.Appendf(nil, "%s in version %d", id, v) }

// childWrite creates, replaces and ends records, and tells of each write once it is acknowledged: "id
// version" or "id ended". It writes rounds records in each of 8 goroutines; 0: until it is killed.
func childWrite(ctx context.Context, s *Store, rounds string) error {
	limit, _ := strconv.Atoi(rounds)
	var wg sync.WaitGroup
	fault := make(chan error, 8)
	for g := range 8 {
		wg.Go(func() {
			for i := 0; limit == 0 || i < limit; i++ {
				if err := childRecord(ctx, s, (g+i)%3 == 0); err != nil {
					fault <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(fault)
	return <-fault
}

func childRecord(ctx context.Context, s *Store, end bool) error {
	r := fresh([]string{"", "ann"}[rand.IntN(2)])
	r.Data = dataOf(r.ID, 1)
	if err := s.Create(ctx, r); err != nil {
		return err
	}
	acknowledge(r.ID, "1")
	for range 4 {
		r = next(r)
		r.Data = dataOf(r.ID, r.Version)
		if err := s.Replace(ctx, r); err != nil {
			return err
		}
		acknowledge(r.ID, strconv.FormatUint(r.Version, 10))
	}
	if end {
		how := session.End{Reason: session.ReasonLogout, At: r.Seen, Purge: r.Purge}
		if _, err := s.End(ctx, r.ID, how); err != nil {
			return err
		}
		acknowledge(r.ID, "ended")
	}
	return nil
}

// acknowledge is one write to the parent, which keeps what it got although this process is killed.
func acknowledge(id, what string) { os.Stdout.WriteString(id + " " + what + "\n") }

// ledger is a parent's own log of what its children acknowledged.
type ledger struct {
	version map[string]uint64
	ended   map[string]bool
}

func newLedger() *ledger { return &ledger{make(map[string]uint64), make(map[string]bool)} }

func (l *ledger) read(r io.Reader, each func()) {
	for lines := bufio.NewScanner(r); lines.Scan(); each() {
		l.note(lines.Text())
	}
}

func (l *ledger) note(line string) {
	id, what, ok := strings.Cut(line, " ")
	switch v, err := strconv.ParseUint(what, 10, 64); {
	case !ok:
	case what == "ended":
		l.ended[id] = true
	case err == nil:
		l.version[id] = max(l.version[id], v)
	}
}

// check compares a file with the ledger: everything that was acknowledged is there, whole.
func (l *ledger) check(path string) error {
	ctx := context.Background()
	s, err := Open(ctx, path, nil)
	if err != nil {
		return fmt.Errorf("Open after the crash: %w", err)
	}
	defer s.Close()
	var verdict string
	if err := s.db.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		return fmt.Errorf("integrity_check: %s, %w", verdict, err)
	}
	for id, v := range l.version {
		r, err := s.Load(ctx, id)
		switch {
		case err != nil:
			return fmt.Errorf("a record that was acknowledged: %w", err)
		case r.Version < v:
			return fmt.Errorf("version %d was acknowledged, %d is there", v, r.Version)
		case l.ended[id] && r.Ended == "":
			return errors.New("an ended session lives")
		case r.Ended == "" && string(r.Data) != string(dataOf(id, r.Version)):
			return fmt.Errorf("version %d holds %q", r.Version, r.Data)
		}
	}
	return nil
}
