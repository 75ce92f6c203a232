package servers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	terminate = syscall.SIGTERM
	interrupt = syscall.SIGINT
)

func needSystem(testing.TB) {}

// launch starts cmd, which the kernel ends when this process ends, however that happens; done is closed once
// cmd has ended. The signal comes when the thread that started cmd ends, so that thread is kept until then.
func launch(cmd *exec.Cmd, done chan<- struct{}) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Setpgid = true // an interrupt at the keyboard is for the test
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			cmd.Wait()
			close(done)
		}
	}()
	return <-started
}

// account makes cmd run under an account of this machine where the test runs as root, which some servers refuse, and
// gives the account its folder.
func account(cmd *exec.Cmd, name, dir string) error {
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return os.Chown(dir, uid, gid)
}

// killTree kills p and its children, and returns when the children are gone: what they hold keeps a PostgreSQL
// from starting anew.
func killTree(p *os.Process) error {
	pids, err := signalTree(p, syscall.SIGKILL)
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(patience); slices.ContainsFunc(pids, runs); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			return errors.New("its children do not end")
		}
	}
	return nil
}

func pauseTree(p *os.Process) error {
	_, err := signalTree(p, syscall.SIGSTOP)
	return err
}

func resumeTree(p *os.Process) error {
	_, err := signalTree(p, syscall.SIGCONT)
	return err
}

// signalTree signals p and its children, which it returns. It is stopped meanwhile, so that it starts no others.
func signalTree(p *os.Process, s syscall.Signal) (pids []int, err error) {
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return nil, err
	}
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	for _, path := range all {
		pid, _ := strconv.Atoi(filepath.Base(path))
		if _, parent := stat(pid); parent != p.Pid {
			continue
		}
		pids = append(pids, pid)
		if err := syscall.Kill(pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
			return nil, err
		}
	}
	return pids, p.Signal(s)
}

// runs says whether there is a process that holds anything yet: a zombie does not.
func runs(pid int) bool {
	state, _ := stat(pid)
	return state != "" && state != "Z" && state != "X"
}

// stat returns the state of a process and its parent; "" where there is none.
func stat(pid int) (state string, parent int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", 0
	}
	// pid (name) state parent …, and a name may hold anything
	name := strings.LastIndexByte(string(text), ')')
	fmt.Sscan(string(text[name+1:]), &state, &parent)
	return state, parent
}
