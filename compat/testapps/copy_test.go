package testapps_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// compat/scs can't import Hardy's internal packages, as its module's name is another's. What it has a copy of is a copy.
func TestCopies(t *testing.T) {
	const from, to = "../../internal/gobwire", "../scs/internal/gobwire"
	for _, dirs := range [][2]string{{from, to}, {to, from}} {
		files, err := filepath.Glob(filepath.Join(dirs[0], "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", dirs[0], err)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			a, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(filepath.Join(dirs[1], filepath.Base(path)))
			if err != nil || string(a) != string(b) {
				t.Errorf("%s is not what is in %s; copy it from %s: %v", path, dirs[1], from, err)
			}
		}
	}
}
