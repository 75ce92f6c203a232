package servers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// SmallDisk mounts a file system of so many bytes that the server may write to, and returns its folder. A test that
// may not mount is skipped; that is so under CI too, where a container may have no right to.
func (p *Postgres) SmallDisk(t testing.TB, bytes int) (dir string) {
	t.Helper()
	dir = folder(t, "disk")
	if os.Getuid() != 0 {
		t.Skip("NOT RUN: mounting a small file system needs root")
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d", bytes), "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("NOT RUN: a small file system cannot be mounted here: %v %s", err, out)
	}
	t.Cleanup(func() {
		exec.Command("umount", "-l", dir).Run()
		os.Remove(dir)
	})
	own := filepath.Join(dir, "postgres")
	if err := os.Mkdir(own, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := account(exec.Command("true"), postgresUser, own); err != nil {
		t.Fatal(err)
	}
	return own
}
