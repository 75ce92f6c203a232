package browser

import (
	"bufio"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
)

// startExample starts one of the examples as people do, and says where it is.
func startExample(t *testing.T, name string, args ...string) (site string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	build := exec.Command("go", "build", "-o", program, "./examples/"+name)
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", name, err, out)
	}
	cmd := exec.Command(program, append([]string{"-http", "127.0.0.1:0"}, args...)...)
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(said)
	for site == "" && lines.Scan() {
		site = regexp.MustCompile(`http://[^/ ]+`).FindString(lines.Text())
	}
	rest := make(chan bool)
	go func() {
		defer close(rest)
		for lines.Scan() { // or it would wait for us
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGINT)
		<-rest
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s ended with %v", name, err)
		}
	})
	if site == "" {
		t.Fatalf("%s does not say where it is", name)
	}
	return site
}
