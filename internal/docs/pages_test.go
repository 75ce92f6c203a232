package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// exported are the package-level names that the public packages offer, as "session.ErrExpired".
type exported struct{ vars, types map[string]bool }

func exports(t *testing.T) exported {
	t.Helper()
	e := exported{map[string]bool{}, map[string]bool{}}
	for _, dir := range packages(t) {
		files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, decl := range file.Decls {
				gen, ok := decl.(*ast.GenDecl)
				if !ok {
					continue
				}
				for _, spec := range gen.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						e.types[path.Base(dir)+"."+spec.Name.Name] = spec.Name.IsExported()
					case *ast.ValueSpec:
						for _, id := range spec.Names {
							e.vars[path.Base(dir)+"."+id.Name] = id.IsExported() && gen.Tok == token.VAR
						}
					}
				}
			}
		}
	}
	return e
}

// rows are the lines of a page's tables as their cells; heads and rules are not among them.
func rows(t *testing.T, page string) (found []row) {
	t.Helper()
	heading, n, body := "", 0, false
	for line := range strings.Lines(text(t, page)) {
		n++
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "## ") {
			heading = line[3:]
		}
		if !strings.HasPrefix(line, "|") {
			body = false
			continue
		}
		if strings.HasPrefix(line, "|-") {
			body = true
			continue
		}
		if !body {
			continue
		}
		cells := strings.Split(strings.ReplaceAll(strings.Trim(line, "|"), `\|`, "\x00"), "|")
		for i, c := range cells {
			cells[i] = strings.TrimSpace(strings.ReplaceAll(c, "\x00", "|"))
		}
		found = append(found, row{fmt.Sprintf("%s:%d", page, n), heading, cells})
	}
	return found
}

type row struct {
	where, heading string
	cells          []string
}

var codeSpan = regexp.MustCompile("`([^`]+)`")

func spans(cell string) (found []string) {
	for _, m := range codeSpan.FindAllStringSubmatch(cell, -1) {
		found = append(found, m[1])
	}
	return found
}

// Every exported error has its row in docs/errors.md, and every row its error.
func TestErrorsHaveTheirRow(t *testing.T) {
	e := exports(t)
	want := map[string]bool{}
	for name, ok := range e.vars {
		if _, id, _ := strings.Cut(name, "."); ok && strings.HasPrefix(id, "Err") {
			want[name] = true
		}
	}
	for name, ok := range e.types {
		if ok && strings.HasSuffix(name, "Error") {
			want[name] = true
		}
	}
	if len(want) < 20 {
		t.Fatalf("only %d errors were found", len(want))
	}
	told := map[string]bool{}
	for _, r := range rows(t, "docs/errors.md") {
		for _, name := range spans(r.cells[0]) {
			name = strings.TrimPrefix(name, "*")
			if strings.HasPrefix(name, "hardy/1/") {
				told[name] = true
				continue
			}
			if !want[name] {
				t.Errorf("%s: %s is no exported error", r.where, name)
			}
			if told[name] {
				t.Errorf("%s: %s has two rows", r.where, name)
			}
			told[name] = true
			if len(r.cells) != 3 || len(r.cells[1]) < 10 || len(r.cells[2]) < 10 {
				t.Errorf("%s: a row is error, when, what to do", r.where)
			}
		}
	}
	for name := range want {
		if !told[name] {
			t.Errorf("docs/errors.md has no row for %s", name)
		}
	}

	// And what clients are told: every problem type in the source.
	sent := regexp.MustCompile(`"(hardy/1/[a-z-]+)"`)
	sources, err := filepath.Glob(filepath.Join(root, "middleware", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range sent.FindAllSubmatch(source, -1) {
			if !told[string(m[1])] {
				t.Errorf("docs/errors.md has no row for the problem %s (%s)", m[1], filepath.Base(name))
			}
		}
	}
}

// Every row of the security requirements is in docs/security.md, once, with a test that shows it or the word that it
// is not there yet.
func TestSecurityRows(t *testing.T) {
	told := map[string]bool{}
	id := regexp.MustCompile(`^[ACHLK]\d+$`)
	for _, r := range rows(t, "docs/security.md") {
		name := r.cells[0]
		if !id.MatchString(name) {
			continue
		}
		if told[name] {
			t.Errorf("%s: %s has two rows", r.where, name)
		}
		told[name] = true
		shown := r.cells[len(r.cells)-1]
		if !named.MatchString(shown) && !strings.Contains(shown, "Not there yet") {
			t.Errorf("%s: %s names no test, nor says that it is not there yet", r.where, name)
		}
	}
	for _, name := range strings.Fields("A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A14 C1 C2 C3 C4 C5 C6 C7 C8 C9 H1 H2 H3 L1 L2 L3 K1") {
		if !told[name] {
			t.Errorf("docs/security.md has no row %s", name)
		}
	}
}

// covered are the systems that Hardy covers, and how many lines tell what they do.
var covered = map[string]int{"Anvil": 13, "Panel SessionManager": 5, "Supervisely": 5, "Agent guide": 11}

// docs/coming-from.md has a row for each line of the systems that Hardy covers. Rows are numbered as those lines are.
func TestComingFromIsComplete(t *testing.T) {
	told := map[string]map[string]bool{}
	for _, r := range rows(t, "docs/coming-from.md") {
		if covered[r.heading] == 0 {
			continue
		}
		if len(r.cells) != 4 {
			t.Errorf("%s: a row is line, there, in Hardy, what differs", r.where)
			continue
		}
		if told[r.heading] == nil {
			told[r.heading] = map[string]bool{}
		}
		told[r.heading][r.cells[0]] = true
		if len(spans(r.cells[2])) == 0 && !strings.Contains(r.cells[2], "Not there yet") && !strings.Contains(r.cells[2], "](") {
			t.Errorf("%s: says neither how Hardy does it, nor that it is not there yet", r.where)
		}
	}
	for heading, n := range covered {
		for i := range n {
			if !told[heading][fmt.Sprint(i+1)] {
				t.Errorf("docs/coming-from.md, %s: line %d has no row", heading, i+1)
			}
		}
	}
}

// spans puts the code of a table's third column into the book: each span is a type, an expression or a statement. What
// is no type is run by testdata/lines_test.go for the systems that Hardy covers, and must not fail.
func (b *book) spans(t *testing.T, page string) {
	t.Helper()
	e := exports(t)
	known := map[string]bool{}
	for _, r := range rows(t, page) {
		if len(r.cells) != 4 {
			continue
		}
		dir := b.dirName(page, r.heading)
		var n int
		fmt.Sscanf(r.where[strings.LastIndex(r.where, ":")+1:], "%d", &n)
		for _, code := range spans(r.cells[2]) {
			blk := block{page: page, line: n, heading: r.heading, text: code + "\n"}
			if e.types[strings.TrimLeft(code, "*")] {
				blk.text = "var _ " + blk.text
				b.fragment(t, dir, blk)
				continue
			}
			if expr, err := parser.ParseExpr(code); err == nil {
				if _, call := expr.(*ast.CallExpr); !call {
					blk.text = "_ = " + blk.text
				}
			}
			b.lineOfCode(t, dir, blk)
		}
		if !known[dir] {
			known[dir] = true
			write(t, filepath.Join(b.dir, dir, "lines.go"), b.lines())
			if covered[r.heading] > 0 {
				write(t, filepath.Join(b.dir, dir, "lines_test.go"), text(t, "internal/docs/testdata/lines_test.go"))
			}
		}
	}
}

// Links between the pages lead somewhere, to a heading too.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(codeSpan.ReplaceAllString(withoutBlocks(t, page), "code"), -1) {
			u, err := url.Parse(m[1])
			if err != nil {
				t.Errorf("%s: %v", page, err)
				continue
			}
			if u.Scheme != "" {
				continue
			}
			target := page
			if u.Path != "" {
				target = path.Join(path.Dir(page), u.Path)
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s links to %s, which is not there", page, target)
				continue
			}
			if u.Fragment != "" && !slices.Contains(anchors(t, target), u.Fragment) {
				t.Errorf("%s links to %s#%s, and there is no such heading", page, target, u.Fragment)
			}
		}
	}
}

func withoutBlocks(t *testing.T, page string) string {
	t.Helper()
	var out strings.Builder
	inside := false
	for line := range strings.Lines(text(t, page)) {
		if strings.HasPrefix(line, "```") {
			inside = !inside
		} else if !inside {
			out.WriteString(line)
		}
	}
	return out.String()
}

// anchors are the names that GitHub gives to headings.
func anchors(t *testing.T, page string) (names []string) {
	t.Helper()
	drop := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for line := range strings.Lines(withoutBlocks(t, page)) {
		if heading := strings.TrimLeft(line, "#"); len(heading) < len(line) && strings.HasPrefix(heading, " ") {
			name := drop.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
			names = append(names, strings.ReplaceAll(name, " ", "-"))
		}
	}
	return names
}
