// Mutate takes the checks of Hardy out, one by one, and shows the test that fails without each:
//
//	go run ./internal/mutate [-run regexp] [-v]
//
// It works on a copy of the module. It exits with 1 where the tests pass without a check, and where a check is no longer found in
// the code exactly as mutations.go has it.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

func main() {
	only := flag.String("run", "", "only the checks whose name matches")
	verbose := flag.Bool("v", false, "show what the failing tests print")
	flag.Parse()
	pattern, err := regexp.Compile(*only)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, pattern, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only *regexp.Regexp, verbose bool) error {
	var chosen []mutation
	for _, m := range mutations {
		if only.MatchString(m.check) {
			chosen = append(chosen, m)
		}
	}
	root, err := command(ctx, ".", "go", "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "hardy-mutate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := bench{dir: dir, verbose: verbose}
	if err := b.copy(ctx, strings.TrimSpace(root)); err != nil {
		return err
	}
	var missing []error
	for _, m := range chosen {
		if _, err := b.apply(m); err != nil {
			missing = append(missing, err)
		}
	}
	if len(missing) > 0 {
		return errors.Join(missing...)
	}

	// What fails anyhow proves nothing.
	var all []suite
	for _, m := range chosen {
		for _, s := range m.suites {
			if !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	for _, s := range all {
		if killer, out := b.test(ctx, s); killer != "" {
			return fmt.Errorf("%s fails with every check in place: %s\n%s", s, killer, out)
		}
	}

	start := time.Now()
	const row = "%-50s %-34s %s\n"
	fmt.Printf(row, "CHECK TAKEN OUT", "IN", "FAILS WITHOUT IT")
	survived, broken := 0, 0
	for _, m := range chosen {
		undo, err := b.apply(m)
		if err != nil {
			return err
		}
		for _, write := range undo.changed {
			if err := write(); err != nil {
				return err
			}
		}
		killer := ""
		for _, s := range m.suites {
			var out string
			killer, out = b.test(ctx, s)
			if killer == notBuilt { // which shows nothing
				broken++
				fmt.Fprintln(os.Stderr, out)
				break
			}
			if killer != "" {
				killer = strings.TrimPrefix(s.pkg, "./") + "." + killer
				if verbose {
					fmt.Fprintf(os.Stderr, "--- %s\n%s\n", m.check, out)
				}
				break
			}
		}
		for _, write := range undo.original {
			if err := write(); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if killer == "" {
			survived++
			killer = "SURVIVED"
		}
		fmt.Printf(row, m.check, strings.TrimPrefix(m.edits[0].file, "github.com/"), killer)
	}
	fmt.Printf("\n%d checks, %d survived, %v\n", len(chosen), survived, time.Since(start).Round(time.Second))
	if survived+broken > 0 {
		return fmt.Errorf("the tests pass without %d of the checks, and without %d the code does not compile", survived, broken)
	}
	return nil
}

// bench is the copy on which the checks are taken out.
type bench struct {
	dir     string
	verbose bool
}

// vendored are modules of others in which a check of ours rests.
var vendored = []string{"github.com/gorilla/securecookie"}

// copy copies the module at root, those of nested, and what is in vendored.
func (b *bench) copy(ctx context.Context, root string) error {
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if d.IsDir() {
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && path != root && !slices.Contains(nested, filepath.ToSlash(rel)) || strings.HasPrefix(d.Name(), ".") && path != root || d.Name() == "tmp" {
				return filepath.SkipDir
			}
			return os.MkdirAll(filepath.Join(b.dir, rel), 0o777)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		return copyFile(path, filepath.Join(b.dir, rel))
	})
	if err != nil {
		return err
	}
	for _, module := range vendored {
		from, err := command(ctx, b.dir, "go", "list", "-m", "-f", "{{.Dir}}", module)
		if err != nil {
			return err
		}
		to := filepath.Join(b.dir, module)
		if err := os.MkdirAll(to, 0o777); err != nil {
			return err
		}
		files, err := filepath.Glob(filepath.Join(strings.TrimSpace(from), "*"))
		if err != nil {
			return err
		}
		for _, path := range files {
			if strings.HasSuffix(path, ".go") || filepath.Base(path) == "go.mod" {
				if err := copyFile(path, filepath.Join(to, filepath.Base(path))); err != nil {
					return err
				}
			}
		}
		if _, err := command(ctx, b.dir, "go", "mod", "edit", "-replace="+module+"=./"+module); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o666)
}

// steps are how a mutation gets into the copy, and out again.
type steps struct{ changed, original []func() error }

// apply looks every edit up: each must be there exactly once.
func (b *bench) apply(m mutation) (steps, error) {
	before, after := map[string]string{}, map[string]string{}
	for _, e := range m.edits {
		path := filepath.Join(b.dir, e.file)
		if _, ok := after[path]; !ok {
			text, err := os.ReadFile(path)
			if err != nil {
				return steps{}, fmt.Errorf("%s: %w", m.check, err)
			}
			before[path], after[path] = string(text), string(text)
		}
		next, err := e.in(after[path])
		if err != nil {
			return steps{}, fmt.Errorf("%s: %w", m.check, err)
		}
		after[path] = next
	}
	var s steps
	for path := range after {
		s.changed = append(s.changed, func() error { return os.WriteFile(path, []byte(after[path]), 0o666) })
		s.original = append(s.original, func() error { return os.WriteFile(path, []byte(before[path]), 0o666) })
	}
	return s, nil
}

// notBuilt is no test's name.
const notBuilt = "DOES NOT COMPILE"

var failed = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// test runs a suite and returns the test that failed, "" where all pass.
func (b *bench) test(ctx context.Context, s suite) (killer, out string) {
	args := []string{"test", "-short", "-count=1", "-failfast", "-vet=off", "-timeout=90s", "-mod=mod"}
	if s.run != "" {
		args = append(args, "-run", s.run)
	}
	module, pkg := s.module()
	out, err := command(ctx, filepath.Join(b.dir, module), "go", append(args, pkg)...)
	if err == nil {
		return "", ""
	}
	switch names := failed.FindStringSubmatch(out); {
	case strings.Contains(out, "[build failed]") || strings.Contains(out, "[setup failed]"):
		return notBuilt, out
	case strings.Contains(out, "panic: test timed out"):
		return "(does not end)", out
	case names != nil:
		return names[1], out[strings.Index(out, "--- FAIL: "):] // without the log of all tests before
	case strings.Contains(out, "panic:") || strings.Contains(out, "fatal error:"):
		return "(panics)", out
	}
	return "(fails)", out
}

func command(ctx context.Context, dir, name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	c.WaitDelay = 5 * time.Second
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out.String())
	}
	return out.String(), nil
}
