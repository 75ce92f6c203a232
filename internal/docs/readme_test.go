// Package docs holds the tests of what is written beside the code.
package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The program in the README is examples/hello, which compiles, without its doc comment.
func TestReadmeProgram(t *testing.T) {
	_, program, found := strings.Cut(text(t, "examples/hello/main.go"), "\npackage main\n")
	if !found {
		t.Fatal("examples/hello/main.go has no package clause")
	}
	program = "package main\n" + program
	if !strings.Contains(text(t, "README.md"), "```go\n"+program+"```\n") {
		t.Errorf("README.md does not show examples/hello/main.go as it is:\n%s", program)
	}
	lines := 0
	for line := range strings.Lines(program) {
		if strings.TrimSpace(line) != "" {
			lines++
		}
	}
	if lines > 20 {
		t.Errorf("the program has %d lines that are not blank, more than 20", lines)
	}
}

// named is a test's name as the pages write it, in its package.
var named = regexp.MustCompile("`([a-z][a-z0-9/]*)\\.((?:Test|Fuzz|Example)\\w+)`")

// Every test that a page names is there, in the package that it names.
func TestNamedTests(t *testing.T) {
	must := map[string]bool{"README.md": true, "SECURITY.md": true, "docs/security.md": true, "docs/coming-from.md": true}
	for _, doc := range pages(t) {
		all := named.FindAllStringSubmatch(text(t, doc), -1)
		if must[doc] && len(all) == 0 {
			t.Errorf("%s names no test", doc)
		}
		for _, name := range all {
			files, _ := filepath.Glob(filepath.Join(root, name[1], "*_test.go"))
			found := false
			for _, file := range files {
				b, err := os.ReadFile(file)
				found = found || err == nil && strings.Contains(string(b), "func "+name[2]+"(")
			}
			if !found {
				t.Errorf("%s names %s, which is not in %s/", doc, name[2], name[1])
			}
		}
	}
}

// The tree in the README says what there is: each entry exists, and no folder at the top is missing.
func TestReadmeTree(t *testing.T) {
	_, tree, found := strings.Cut(text(t, "README.md"), "```text\n")
	tree, _, ends := strings.Cut(tree, "```")
	if !found || !ends {
		t.Fatal("README.md has no tree")
	}
	listed := map[string]bool{}
	parent := ""
	for line := range strings.Lines(tree) {
		name, _, _ := strings.Cut(strings.TrimLeft(line, " "), " ")
		if strings.HasPrefix(line, " ") {
			name = parent + name
		} else {
			parent = name
		}
		listed[strings.TrimSuffix(name, "/")] = true
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			t.Errorf("the tree lists %s, which is not there", name)
		}
	}
	out, err := exec.Command("go", "list", "-C", root, "-f", "{{.Dir}}", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	for dir := range strings.Lines(string(out)) {
		path, err := filepath.Rel(top, strings.TrimSpace(dir))
		if err != nil {
			t.Fatal(err)
		}
		if first, _, _ := strings.Cut(filepath.ToSlash(path), "/"); !listed[first] {
			t.Errorf("the tree does not list %s/", first)
			listed[first] = true
		}
	}
}

// What the README asks a newcomer to type is there.
func TestReadmeCommands(t *testing.T) {
	readme := text(t, "README.md")
	for _, command := range []string{"go run ./examples/bell", "go run ./examples/api", "make test", "make bench-quick", "make bench-limits"} {
		if !strings.Contains(readme, command) {
			t.Errorf("README.md does not show %s", command)
		}
		if target, ok := strings.CutPrefix(command, "make "); ok && !strings.Contains(text(t, "Makefile"), "\n"+target+":") {
			t.Errorf("the Makefile has no target %s", target)
		}
	}
}
