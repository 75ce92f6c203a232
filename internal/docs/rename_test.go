package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// scripts/rename gives a copy of this repository another path: in one commit, gofmt-ed, with nothing of the old path
// left, and everything compiles. What is stored and sent stays as it was: the vectors of all formats pass.
func TestRename(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it compiles the whole module under another path")
	}
	old, _, _ := strings.Cut(text(t, "go.mod"), "\n")
	old = strings.TrimPrefix(old, "module ")
	const path = "git.test/a.b/hardy"
	dir := t.TempDir()
	run := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=", "GIT_CONFIG_GLOBAL=/dev/null",
			"GIT_AUTHOR_NAME=test", "GIT_AUTHOR_EMAIL=test@localhost", "GIT_COMMITTER_NAME=test", "GIT_COMMITTER_EMAIL=test@localhost")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
		return string(out)
	}

	// The tree as it stands, changes that are not committed yet among them.
	list := exec.Command("git", "ls-files", "-co", "--exclude-standard")
	list.Dir = root
	files, err := list.Output()
	if err != nil {
		t.Skipf("not a checkout: %v", err)
	}
	for name := range strings.Lines(string(files)) {
		name = strings.TrimSpace(name)
		from := filepath.Join(root, name)
		info, err := os.Stat(from)
		if err != nil {
			continue // deleted, and not committed yet
		}
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, content, info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "docs", "neighbour.txt"), old+"-two, "+old+".js and my."+old+" stay; "+old+". and "+old+"/cookie move\n")
	run("git", "init", "-q")
	run("git", "add", "-A")
	run("git", "commit", "-qm", "before")

	for _, bad := range [][]string{{}, {old}, {"hardy"}, {"https://" + path}, {path, path}, {"git.test/$(id)"}} {
		if out, err := exec.Command(filepath.Join(dir, "scripts/rename"), bad...).CombinedOutput(); err == nil {
			t.Errorf("rename %q was accepted: %s", bad, out)
		}
	}
	run("scripts/rename", path)

	if n := strings.TrimSpace(run("git", "rev-list", "--count", "HEAD")); n != "2" {
		t.Errorf("%s commits, want the one before and one more", n)
	}
	if left := run("git", "status", "--porcelain"); left != "" {
		t.Errorf("the tree has changes:\n%s", left)
	}
	neighbour, err := os.ReadFile(filepath.Join(dir, "docs", "neighbour.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if want := old + "-two, " + old + ".js and my." + old + " stay; " + path + ". and " + path + "/cookie move\n"; string(neighbour) != want {
		t.Errorf("text became %q, want %q", neighbour, want)
	}
	run("git", "rm", "-q", "docs/neighbour.txt")
	if out, err := exec.Command("git", "-C", dir, "grep", "-nF", old).CombinedOutput(); err == nil {
		t.Errorf("the old path is left in\n%s", out)
	}
	if bad := run("gofmt", "-l", "."); bad != "" {
		t.Errorf("not gofmt-ed: %s", bad)
	}
	for _, mod := range strings.Fields(run("git", "ls-files", "go.mod", "*/go.mod")) {
		run("go", "-C", filepath.Dir(mod), "list", "-m") // a nested module still is one
	}
	run("go", "vet", "./...") // tests too
	run("go", "test", "-count=1", "-run", "Vectors|Frozen", "./cookie", "./internal/frame", "./internal/value")
}
