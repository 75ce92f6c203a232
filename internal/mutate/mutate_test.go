package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every check is in the code exactly as mutations.go has it, and the tests to run are there. What taking it out does is
// shown by make mutate, which takes minutes.
func TestMutationsApply(t *testing.T) {
	var vendor string
	named := map[string]bool{}
	for _, m := range mutations {
		if named[m.check] {
			t.Errorf("two mutations are called %q", m.check)
		}
		named[m.check] = true
		if len(m.suites) == 0 {
			t.Errorf("%s: no tests to run", m.check)
		}
		texts := map[string]string{}
		for _, e := range m.edits {
			path := filepath.Join("../..", e.file)
			if strings.HasPrefix(e.file, vendored[0]) {
				if vendor == "" {
					dir, err := command(t.Context(), ".", "go", "list", "-m", "-f", "{{.Dir}}", vendored[0])
					if err != nil {
						t.Fatal(err)
					}
					vendor = strings.TrimSpace(dir)
				}
				path = filepath.Join(vendor, filepath.Base(e.file))
			}
			if _, ok := texts[path]; !ok {
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				texts[path] = string(b)
			}
			next, err := e.in(texts[path])
			if err != nil {
				t.Errorf("%s: %v", m.check, err)
				continue
			}
			texts[path] = next
		}
	}
	// Those that must be there.
	for _, check := range []string{
		"MAC compared", "canonical form", "purpose in the key", "AAD: id", "store: version", "manager: ended",
		"store: ended, at Replace and Touch", "manager: expiry", "store: expired, at Replace and Touch", "Origin of WebSockets", "Origin of the reset",
	} {
		if !named[check] {
			t.Errorf("no mutation takes out %q", check)
		}
	}
}

func TestSuites(t *testing.T) {
	test := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w+)\(`)
	var seen []suite
	for _, m := range mutations {
		for _, s := range m.suites {
			if slices.Contains(seen, s) {
				continue
			}
			seen = append(seen, s)
			files, err := filepath.Glob(filepath.Join("../..", s.pkg, "*_test.go"))
			if err != nil {
				t.Fatal(err)
			}
			chosen := regexp.MustCompile(s.run)
			n := 0
			for _, path := range files {
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				for _, name := range test.FindAllStringSubmatch(string(b), -1) {
					if chosen.MatchString(name[1]) {
						n++
					}
				}
			}
			if n == 0 {
				t.Errorf("%s runs no test", s)
			}
		}
	}
}
