//go:build !linux

package servers

import (
	"errors"
	"os"
	"os/exec"
	"testing"
)

var terminate, interrupt = os.Interrupt, os.Interrupt

var errLinux = errors.New("servers are started on Linux only")

// SmallDisk is not there on this system.
func (p *Postgres) SmallDisk(t testing.TB, bytes int) string {
	t.Helper()
	needSystem(t)
	return ""
}

func needSystem(t testing.TB) {
	t.Helper()
	missing(t, "a Linux: servers are started there only")
}

func launch(*exec.Cmd, chan<- struct{}) error { return errLinux }
func account(*exec.Cmd, string, string) error { return errLinux }
func killTree(*os.Process) error              { return errLinux }
func pauseTree(*os.Process) error             { return errLinux }
func resumeTree(*os.Process) error            { return errLinux }
