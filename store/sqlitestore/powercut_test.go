package sqlitestore

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestPowerCut: strace records every write and every fsync of a child that
// writes under load, with their bytes. For many moments the test then builds what a disk would hold after
// a power cut: all that was synced, and of the rest any part, torn at sectors. Each time the file must be
// sound and hold everything that was acknowledged before. So it shows that fsync comes before the
// acknowledgement, through checkpoints too. It takes for granted that the file's name is on the disk.
func TestPowerCut(t *testing.T) {
	cuts := 60
	if testing.Short() || raceDetector {
		cuts = 15
	}
	tape := record(t, "FULL")
	if tape.syncs < 20 || tape.checkpoints == 0 {
		t.Fatalf("the tape shows %d syncs and %d writes by checkpoints; the test would show nothing", tape.syncs, tape.checkpoints)
	}
	for range cuts {
		at := tape.firstAck + 1 + rand.IntN(len(tape.events)-tape.firstAck)
		if err := tape.cut(t, at); err != nil {
			t.Fatalf("cut at event %d of %d: %v", at, len(tape.events), err)
		}
	}
	t.Logf("%d cuts, %d events, %d syncs, %d pages checkpointed", cuts, len(tape.events), tape.syncs, tape.checkpoints)
}

// TestPowerCutBites: the same without a sync at each commit loses what was acknowledged.
func TestPowerCutBites(t *testing.T) {
	tape := record(t, "NORMAL")
	for range 60 {
		if tape.cut(t, tape.firstAck+1+rand.IntN(len(tape.events)-tape.firstAck)) != nil {
			return
		}
	}
	t.Error("60 cuts at synchronous=NORMAL lost nothing: TestPowerCut shows nothing either")
}

// event is a write to a file, a sync that has begun or is done, or an acknowledgement.
type event struct {
	kind   string // write, truncate, sync, synced, ack
	file   string // "", "-wal" or "-journal"
	data   []byte
	offset int64
	begun  int // of synced: the event at which that sync began
}

type tape struct {
	events      []event
	firstAck    int
	syncs       int
	checkpoints int // pages written to the database itself after the first acknowledgement
}

// between returns what lies between two marks, decoded from strace's \x00 notation.
func between(s, open, shut string) []byte {
	_, s, _ = strings.Cut(s, open)
	s, _, _ = strings.Cut(s, shut)
	b, _ := hex.DecodeString(strings.ReplaceAll(s, `\x`, ""))
	return b
}

// record runs a child under strace.
func record(t *testing.T, synchronous string) *tape {
	t.Helper()
	strace, err := exec.LookPath("strace")
	switch {
	case err != nil && os.Getenv("CI") != "":
		t.Fatal("strace is not installed")
	case err != nil:
		t.Skip("NOT RUN: strace is not installed (Debian: apt-get install strace, or scripts/need-servers)")
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path, log := filepath.Join(dir, "s.db"), filepath.Join(dir, "log")
	cmd := command(t, "write", path, "30", synchronous)
	cmd.Args = append([]string{strace, "-f", "--seccomp-bpf", "-y", "-xx", "-s", "100000",
		"-e", "trace=pwrite64,write,ftruncate,fsync,fdatasync,unlink", "-o", log}, cmd.Path)
	cmd.Path = strace
	if err := cmd.Run(); err != nil {
		if b, _ := os.ReadFile(log); len(b) == 0 {
			t.Skipf("NOT RUN: strace does not work here: %v", err)
		}
		t.Fatal(err)
	}
	f, err := os.Open(log)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tp := &tape{firstAck: -1}
	syncing := make(map[string]int) // thread to the event at which its sync began
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		// "12 fsync(3<…>) = 0", or "12 fsync(3<…> <unfinished ...>" and later "12 <... fsync resumed>) = 0"
		thread, rest, _ := strings.Cut(lines.Text(), " ")
		rest = strings.TrimSpace(rest)
		_, result, done := strings.Cut(rest, " = ")
		if again, ok := strings.CutPrefix(rest, "<... "); ok {
			call, _, _ := strings.Cut(again, " ")
			tp.leave(thread, call, strings.TrimSpace(result), syncing)
			continue
		}
		call, args, ok := strings.Cut(rest, "(")
		if !ok {
			continue
		}
		args, _, _ = strings.Cut(args, ") ")
		tp.enter(t, path, call, strings.TrimSuffix(args, " <unfinished ...>"), thread, syncing)
		if done {
			tp.leave(thread, call, strings.TrimSpace(result), syncing)
		}
	}
	if tp.firstAck < 0 {
		t.Fatal("the tape shows no acknowledgement")
	}
	return tp
}

// enter notes a system call that begins: a write may reach the disk from then on.
func (tp *tape) enter(t *testing.T, path, call, args, thread string, syncing map[string]int) {
	file, ours := strings.CutPrefix(string(between(args, "<", ">")), path)
	if file == "-shm" {
		return // rebuilt at the start
	}
	numbers := strings.Split(args, ", ")
	last, _ := strconv.ParseInt(strings.TrimSpace(numbers[len(numbers)-1]), 10, 64)
	switch {
	case call == "write" && strings.HasPrefix(args, "1<"):
		if tp.firstAck < 0 {
			tp.firstAck = len(tp.events)
		}
		tp.events = append(tp.events, event{kind: "ack", data: between(args, `"`, `"`)})
	case !ours:
	case call == "pwrite64":
		data := between(args, `"`, `"`)
		if strconv.Itoa(len(data)) != numbers[len(numbers)-2] {
			t.Fatalf("the tape holds %d bytes of a write of %s", len(data), numbers[len(numbers)-2])
		}
		if file == "" && tp.firstAck >= 0 {
			tp.checkpoints++
		}
		tp.events = append(tp.events, event{kind: "write", file: file, data: data, offset: last})
	case call == "ftruncate":
		tp.events = append(tp.events, event{kind: "truncate", file: file, offset: last})
	case call == "fsync" || call == "fdatasync":
		syncing[thread] = len(tp.events)
		tp.events = append(tp.events, event{kind: "sync", file: file})
	case call == "write":
		t.Fatalf("a write without a place: %.100s", args)
	}
}

// leave notes a sync that is done. Only what was written before it began is safe.
func (tp *tape) leave(thread, call, result string, syncing map[string]int) {
	begun, ok := syncing[thread]
	if !ok || call != "fsync" && call != "fdatasync" {
		return
	}
	delete(syncing, thread)
	if result == "0" {
		tp.syncs++
		tp.events = append(tp.events, event{kind: "synced", file: tp.events[begun].file, begun: begun})
	}
}

// cut builds what the disk may hold after the first n events and compares it with what was acknowledged.
func (tp *tape) cut(t *testing.T, n int) error {
	t.Helper()
	acknowledged := newLedger()
	safe := map[string]int{} // up to which event each file is synced
	for _, e := range tp.events[:n] {
		switch e.kind {
		case "ack":
			acknowledged.note(strings.TrimSpace(string(e.data)))
		case "synced":
			safe[e.file] = max(safe[e.file], e.begun)
		}
	}
	files := map[string][]byte{"": nil}
	for i, e := range tp.events[:n] {
		synced := i < safe[e.file]
		switch e.kind {
		case "truncate":
			if synced || rand.IntN(2) == 0 {
				files[e.file] = resize(files[e.file], e.offset)
			}
		case "write":
			for from := 0; from < len(e.data); from += 512 {
				if synced || rand.IntN(3) > 0 {
					part := e.data[from:min(from+512, len(e.data))]
					at := e.offset + int64(from)
					files[e.file] = resize(files[e.file], max(int64(len(files[e.file])), at+int64(len(part))))
					copy(files[e.file][at:], part)
				}
			}
		}
	}
	path := filepath.Join(t.TempDir(), "s.db")
	for suffix, content := range files {
		if suffix == "-journal" {
			continue // of the time before the first acknowledgement
		}
		if err := os.WriteFile(path+suffix, content, 0o600); err != nil {
			return fmt.Errorf("the test itself: %w", err)
		}
	}
	return acknowledged.check(path)
}

func resize(b []byte, n int64) []byte {
	if n <= int64(len(b)) {
		return b[:n]
	}
	return append(b, make([]byte, n-int64(len(b)))...)
}
