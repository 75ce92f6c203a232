package servers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
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

func killTree(p *os.Process) error   { return signalTree(p, syscall.SIGKILL) }
func pauseTree(p *os.Process) error  { return signalTree(p, syscall.SIGSTOP) }
func resumeTree(p *os.Process) error { return signalTree(p, syscall.SIGCONT) }

// signalTree signals p and its children. It is stopped meanwhile, so that it starts no others.
func signalTree(p *os.Process, s syscall.Signal) error {
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	pids, err := children(p.Pid)
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return p.Signal(s)
}

func children(parent int) ([]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it ended meanwhile
		}
		// pid (name) state parent …, and a name may hold anything
		name := strings.LastIndexByte(string(text), ')')
		var pid, ppid int
		var state string
		fmt.Sscan(string(text), &pid)
		fmt.Sscan(string(text[name+1:]), &state, &ppid)
		if ppid == parent {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
