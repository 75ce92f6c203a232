package servers

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a server may take to answer, or to end when asked to: a busy machine is slow.
const patience = 60 * time.Second

// Process is a server under a test's control. Its methods fail the test where they can't do what they say,
// and belong to the test's goroutine. Those of a shared server are for reading only.
type Process struct {
	// Addr is where it listens, host:port. It stays the same over a restart, as does the data.
	Addr string
	t    testing.TB
	*program
}

// Start starts a server that was killed or stopped and waits until it answers.
func (p *Process) Start() {
	p.t.Helper()
	if err := p.start(); err != nil {
		p.t.Fatal(err)
	}
}

// Stop asks the server to end, as its service manager does, and waits until it has.
func (p *Process) Stop() {
	p.t.Helper()
	if err := p.stop(); err != nil {
		p.t.Fatal(err)
	}
}

// Restart is Stop and Start.
func (p *Process) Restart() {
	p.t.Helper()
	p.Stop()
	p.Start()
}

// Kill ends the server and its children at once (SIGKILL).
func (p *Process) Kill() {
	p.t.Helper()
	if err := p.kill(); err != nil {
		p.t.Fatal(err)
	}
}

// Pause stops the server where it is (SIGSTOP): its connections stay open and nothing answers.
func (p *Process) Pause() {
	p.t.Helper()
	if err := p.pause(); err != nil {
		p.t.Fatal(err)
	}
}

// Resume lets a paused server go on.
func (p *Process) Resume() {
	p.t.Helper()
	if err := p.resume(); err != nil {
		p.t.Fatal(err)
	}
}

// Log returns the last lines that the server printed.
func (p *Process) Log() string { return p.tail(50) }

// program is a server's program: how it is started, and what of it runs.
type program struct {
	name  string
	dir   string           // its data; removed in the end
	begin func() *exec.Cmd // the command, not started
	ready func() error     // nil once it answers
	end   os.Signal        // asks it to end

	mu   sync.Mutex
	cmd  *exec.Cmd     // nil: not running
	done chan struct{} // closed once cmd has ended
}

func (p *program) log() string { return filepath.Join(p.dir, "log") }

func (p *program) tail(lines int) string {
	text, _ := os.ReadFile(p.log())
	all := strings.Split(string(bytes.TrimSpace(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func (p *program) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		return fmt.Errorf("%s runs already", p.name)
	}
	out, err := os.OpenFile(p.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := p.begin()
	cmd.Stdout, cmd.Stderr = out, out
	done := make(chan struct{})
	if err := launch(cmd, done); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	p.cmd, p.done = cmd, done
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		err := p.ready()
		if err == nil {
			return nil
		}
		select {
		case <-done:
			p.cmd = nil
			return fmt.Errorf("%s ended at once; it says:\n%s", p.name, p.tail(20))
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s does not answer: %w; it says:\n%s", p.name, err, p.tail(20))
		}
	}
}

var errNotRunning = errors.New("it is not running")

// signalled sends what f sends to the running server and, with wait, waits for its end.
func (p *program) signalled(f func(*os.Process) error, wait bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return fmt.Errorf("%s: %w", p.name, errNotRunning)
	}
	if err := f(p.cmd.Process); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	if !wait {
		return nil
	}
	select {
	case <-p.done:
		p.cmd = nil
		return nil
	case <-time.After(patience):
		return fmt.Errorf("%s does not end; it says:\n%s", p.name, p.tail(20))
	}
}

func (p *program) stop() error {
	return p.signalled(func(o *os.Process) error { return o.Signal(p.end) }, true)
}
func (p *program) kill() error   { return p.signalled(killTree, true) }
func (p *program) pause() error  { return p.signalled(pauseTree, false) }
func (p *program) resume() error { return p.signalled(resumeTree, false) }

// remove ends the server, whatever state it is in, and takes its data away.
func (p *program) remove() error {
	if err := p.kill(); err != nil && !errors.Is(err, errNotRunning) {
		return err
	}
	return os.RemoveAll(p.dir)
}

// owned returns p under the control of t, at whose end it is removed.
func owned(t testing.TB, addr string, p *program) *Process {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s says:\n%s", p.name, p.tail(20))
		}
		if err := p.remove(); err != nil {
			t.Error(err)
		}
	})
	return &Process{Addr: addr, t: t, program: p}
}
