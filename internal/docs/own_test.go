package docs

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The program of the README, pasted into a module of its own with the commands that the README tells, runs and counts.
func TestOwnModule(t *testing.T) {
	t.Parallel()
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	program := ""
	for _, b := range blocks(t, "README.md") {
		if b.info == "go" {
			program = strings.Replace(b.text, "localhost:8080", address, 1)
			break
		}
	}
	write(t, filepath.Join(dir, "main.go"), program)
	run("mod", "init", "own.test")
	told := 0
	for line := range strings.Lines(text(t, "README.md")) {
		if command, ok := strings.CutPrefix(strings.TrimSpace(line), "go mod "); ok && strings.HasPrefix(line, "    ") {
			told++
			run(append([]string{"mod"}, strings.Fields(strings.Replace(command, "../hardy", top, 1))...)...)
		}
	}
	if told < 2 {
		t.Fatalf("the README tells %d go mod commands", told)
	}
	run("build", "-o", "own", ".")

	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	server := exec.CommandContext(ctx, filepath.Join(dir, "own"))
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer server.Wait()
	defer stop()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := http.Client{Jar: jar}
	for _, want := range []string{"The bell rang 1 times.\n", "The bell rang 2 times.\n"} {
		var got []byte
		for {
			resp, err := browser.Get("http://" + address)
			if err == nil {
				got, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond) // until the process listens
		}
		if string(got) != want {
			t.Fatalf("it says %q, want %q", got, want)
		}
	}
}
