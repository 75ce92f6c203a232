package testapps_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/hardy/internal/servers"
)

func TestMain(m *testing.M) {
	code := servers.Run(m)
	if dir, err := built(); err == nil {
		os.RemoveAll(filepath.Dir(dir.scs))
	}
	os.Exit(code)
}

// binaries are the application, compiled from one source against scs itself and against compat/scs.
type binaries struct{ scs, hardy string }

// build compiles them once for all tests. They differ by one line of go.mod.
func build(t *testing.T) binaries {
	t.Helper()
	b, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var built = sync.OnceValues(func() (binaries, error) {
	dir, err := os.MkdirTemp("", "hardy-testapps-")
	if err != nil {
		return binaries{}, err
	}
	b := binaries{filepath.Join(dir, "scs"), filepath.Join(dir, "hardy")}
	if err := command("go", "build", "-o", b.hardy, "./app"); err != nil {
		return b, err
	}
	// go.mod without the replace line of scs, and the sums of both modules.
	mod := filepath.Join(dir, "scs.mod")
	text, err := os.ReadFile("go.mod")
	if err != nil {
		return b, err
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		return b, err
	}
	if err := os.WriteFile(mod, []byte(strings.Replace(string(text), "=> ../..\n", "=> "+root+"\n", 1)), 0o600); err != nil {
		return b, err
	}
	if err := command("go", "mod", "edit", "-dropreplace=github.com/alexedwards/scs/v2", mod); err != nil {
		return b, err
	}
	own, err := os.ReadFile("go.sum")
	if err != nil {
		return b, err
	}
	roots, err := os.ReadFile("../../go.sum")
	if err != nil {
		return b, err
	}
	if err := os.WriteFile(filepath.Join(dir, "scs.sum"), append(own, roots...), 0o600); err != nil {
		return b, err
	}
	return b, command("go", "build", "-modfile="+mod, "-mod=mod", "-o", b.scs, "./app")
})

func command(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// The two binaries are what they are called.
func TestBinaries(t *testing.T) {
	b := build(t)
	for path, hardy := range map[string]bool{b.scs: false, b.hardy: true} {
		out, err := exec.Command("go", "version", "-m", path).Output()
		if err != nil {
			t.Fatal(err)
		}
		_, rest, ok := strings.Cut(string(out), "github.com/alexedwards/scs/v2\t")
		line, replaced, _ := strings.Cut(rest, "\n")
		if !ok || !strings.HasPrefix(line, "v2.9.0") || strings.HasPrefix(strings.TrimSpace(replaced), "=>") != hardy {
			t.Errorf("%s is built with scs %s, and then\n%s", path, line, replaced[:min(len(replaced), 100)])
		}
	}
}

// start runs a binary until the test ends, and returns where it serves.
func start(t *testing.T, binary string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Wait()
		log.Close()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		text, _ := os.ReadFile(log.Name())
		t.Fatalf("%s %v: %v\n%s", binary, args, err, text)
	}
	go io.Copy(io.Discard, out)
	return strings.TrimSpace(line)
}
