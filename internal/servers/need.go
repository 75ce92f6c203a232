package servers

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// missing skips the test, or fails it where CI is set: there everything has to run.
func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("this test needs %s", what)
	}
	t.Skipf("NOT RUN: this test needs %s", what)
}

// find returns the path of a program: from PATH, where Debian keeps the servers', or where it keeps the newest
// PostgreSQL's.
func find(t testing.TB, name, pkg string) string {
	t.Helper()
	needSystem(t)
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, pattern := range []string{"/usr/sbin/", "/usr/lib/postgresql/*/bin/"} {
		if paths, _ := filepath.Glob(pattern + name); len(paths) > 0 {
			return slices.Max(paths)
		}
	}
	missing(t, fmt.Sprintf("%s (Debian: apt-get install %s, or scripts/need-servers)", name, pkg))
	return ""
}

// freePort returns a port that nothing listens on. It lies below those that the kernel gives to outgoing
// connections, so that none of these takes it while its server is down.
func freePort() int {
	for {
		port := 20000 + rand.IntN(12000)
		l, err := net.Listen("tcp", local(port))
		if err == nil {
			l.Close()
			return port
		}
	}
}

func local(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// folder makes a folder that every account may search, as those servers need that run under one of their own.
func folder(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hardy-"+name+"-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// launched starts what make describes, on another port where somebody else was faster.
func launched(t testing.TB, describe func(port int) *program) (*program, string) {
	t.Helper()
	var err error
	for range 4 {
		port := freePort()
		p := describe(port)
		if err = p.start(); err == nil {
			return p, local(port)
		}
		p.remove()
	}
	t.Fatal(err)
	return nil, ""
}
