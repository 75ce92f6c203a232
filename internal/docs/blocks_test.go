package docs

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The Go in the docs compiles, in a module of its own that finds Hardy by a replace line, as the README tells it.
//
// A block that begins with a package clause is a file of its own. The others are fragments, and those below one "##"
// heading are one package together: what one of them declares, the next ones know. A fragment is declarations, or it
// is statements, which then stand in a function with ctx, w and r as a handler has them. Imports are added. A block
// whose fence says "go everywhere" is part of every package of its page; it declares what the page takes for granted.
//
// testdata/<page>/<heading>_test.go, where there is one, is put beside the fragments of that heading and run.
func TestBlocksCompile(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	for _, page := range pages(t) {
		b.add(t, page)
	}
	if b.files < 20 {
		t.Errorf("only %d Go blocks were found", b.files)
	}
	b.spans(t, "docs/coming-from.md")
	b.behaviours(t)
	b.run(t, "vet", "./...")
	b.run(t, "test", "-count=1", "./...")
}

// pages are the Markdown files at the top and in docs/.
func pages(t *testing.T) (found []string) {
	t.Helper()
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		names, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			rel, err := filepath.Rel(root, name)
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, filepath.ToSlash(rel))
		}
	}
	return found
}

// block is a fenced block of a page.
type block struct {
	page    string
	line    int // of its first line
	info    string
	heading string // the "##" above it
	text    string
}

func (b block) String() string { return fmt.Sprintf("%s:%d", b.page, b.line) }

func blocks(t *testing.T, page string) (found []block) {
	t.Helper()
	heading := ""
	var open *block
	n := 0
	for line := range strings.Lines(text(t, page)) {
		n++
		bare := strings.TrimRight(line, "\r\n")
		info, fence := strings.CutPrefix(bare, "```")
		switch {
		case open == nil && fence:
			open = &block{page: page, line: n + 1, info: info, heading: heading}
		case open != nil && bare == "```":
			found = append(found, *open)
			open = nil
		case open != nil:
			open.text += line
		case strings.HasPrefix(bare, "## "):
			heading = bare[3:]
		}
	}
	if open != nil {
		t.Errorf("%s: the block is not closed", open)
	}
	return found
}

// book is the module that the blocks are written into.
type book struct {
	dir     string
	module  string            // Hardy's path
	imports map[string]string // package name → path
	files   int
	sources map[string]int // what lies in each folder, to name files
	shared  map[string][]block
}

func newBook(t *testing.T) *book {
	t.Helper()
	b := &book{dir: t.TempDir(), imports: map[string]string{}, sources: map[string]int{}, shared: map[string][]block{}}
	mod := text(t, "go.mod")
	first, rest, _ := strings.Cut(mod, "\n")
	module, ok := strings.CutPrefix(first, "module ")
	if !ok {
		t.Fatalf("go.mod begins with %q", first)
	}
	b.module = module
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	// With Hardy's own requirements in it, no network is asked but for what recipes.mod adds.
	write(t, filepath.Join(b.dir, "go.mod"), fmt.Sprintf("module docs.test\n%s\nrequire %[2]s v0.0.0\n\nreplace %[2]s => %[3]s\n"+
		"\nrequire %[2]s/compat/gorilla v0.0.0\n\nreplace %[2]s/compat/gorilla => %[3]s/compat/gorilla\n%[4]s",
		rest, module, top, text(t, "internal/docs/testdata/recipes.mod")))
	write(t, filepath.Join(b.dir, "go.sum"), text(t, "go.sum")+text(t, "internal/docs/testdata/recipes.sum"))

	for _, p := range strings.Fields("bufio bytes context crypto/sha256 database/sql encoding/json errors fmt html/template io io/fs log log/slog maps math/rand/v2" +
		" net net/http net/http/httptest net/netip net/url os os/signal slices strconv strings sync sync/atomic syscall testing testing/synctest time" +
		" github.com/coder/websocket") {
		b.imports[path.Base(strings.TrimSuffix(p, "/v2"))] = p
	}
	for _, p := range packages(t) {
		b.imports[path.Base(p)] = path.Join(module, p)
	}
	return b
}

// packages are the public packages, as paths below the module's. Reading the folders, and not what go list says, lets
// go test see when a cached result is out of date.
func packages(t *testing.T) (found []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			switch base := path.Base(rel); {
			case rel == ".":
				return nil
			case strings.HasPrefix(base, ".") || slices.Contains([]string{"internal", "testdata", "examples", "docs", "tmp"}, base):
				return fs.SkipDir
			}
			if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
				return fs.SkipDir // a module of its own
			}
			return nil
		}
		if strings.HasSuffix(rel, ".go") && !strings.HasSuffix(rel, "_test.go") {
			if _, err := os.Stat(name); err != nil {
				return err
			}
			if dir := path.Dir(rel); !slices.Contains(found, dir) {
				found = append(found, dir)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// add puts the blocks of a page into the book.
func (b *book) add(t *testing.T, page string) {
	t.Helper()
	var fragments []block
	for _, blk := range blocks(t, page) {
		switch {
		case blk.info == "go everywhere":
			b.shared[page] = append(b.shared[page], blk)
		case blk.info != "go":
			if strings.HasPrefix(blk.info, "go ") {
				t.Errorf("%s: a fence of Go says go, or go everywhere", blk)
			}
		case strings.HasPrefix(blk.text, "package "):
			b.file(t, blk)
		default:
			fragments = append(fragments, blk)
		}
		if blk.info == "go" || blk.info == "go everywhere" {
			b.files++
			formatted(t, blk)
		}
	}
	for _, blk := range fragments {
		b.fragment(t, b.dirName(page, blk.heading), blk)
	}
}

func formatted(t *testing.T, blk block) {
	t.Helper()
	want, err := format.Source([]byte(blk.text))
	if err != nil {
		t.Errorf("%s: %v", blk, err)
	} else if !bytes.Equal(want, []byte(blk.text)) {
		t.Errorf("%s: not gofmt-ed; it should read\n%s", blk, want)
	}
}

func (b *book) file(t *testing.T, blk block) {
	t.Helper()
	dir := b.dirName(blk.page, blk.heading) + fmt.Sprint("_", b.files)
	name := "block.go"
	if first, _, _ := strings.Cut(blk.text, "\n"); strings.HasSuffix(first, "_test") {
		name = "block_test.go"
	}
	write(t, filepath.Join(b.dir, dir, name), fmt.Sprintf("//line %s:%d\n%s", blk.page, blk.line, blk.text))
}

var notWord = regexp.MustCompile(`[^a-z0-9]+`)

func slug(s string) string {
	return strings.Trim(notWord.ReplaceAllString(strings.ToLower(s), "_"), "_")
}

func (b *book) dirName(page, heading string) string {
	return slug(strings.TrimSuffix(page, ".md")) + "_" + slug(heading)
}

// fragment writes a fragment, and before the first of a package what its page takes for granted.
func (b *book) fragment(t *testing.T, dir string, blk block) {
	t.Helper()
	b.source(t, dir, blk, func() (string, error) { return b.wrap(blk) })
}

// lineOfCode writes one of the lines that are run.
func (b *book) lineOfCode(t *testing.T, dir string, blk block) {
	t.Helper()
	b.source(t, dir, blk, func() (string, error) {
		name := fmt.Sprint("line", b.sources[dir])
		return b.statements(blk, fmt.Sprintf("func init() { lines = append(lines, line{%q, %s}) }\n\nfunc %[2]s", fmt.Sprintf("%s: %s", blk, strings.TrimSpace(blk.text)), name),
			"(failed error)", map[string]string{"err": "if failed == nil {\nfailed = err\n}\n"}, "return failed\n")
	})
}

// lines is what the lines of one package are kept in.
func (b *book) lines() string {
	return `package recipe

import (
	"context"
	"net/http"
)

type line struct {
	code string
	run  func(context.Context, http.ResponseWriter, *http.Request) error
}

var lines []line
`
}

func (b *book) source(t *testing.T, dir string, blk block, source func() (string, error)) {
	t.Helper()
	if b.sources[dir] == 0 {
		b.sources[dir]++
		for _, shared := range b.shared[blk.page] {
			b.fragment(t, dir, shared)
		}
	}
	b.sources[dir]++
	text, err := source()
	if err != nil {
		t.Errorf("%s: %v", blk, err)
		return
	}
	write(t, filepath.Join(b.dir, dir, fmt.Sprintf("block%d.go", b.sources[dir])), text)
}

// wrap makes a file of a fragment.
func (b *book) wrap(blk block) (string, error) {
	line := fmt.Sprintf("//line %s:%d\n", blk.page, blk.line)
	declarations := line + blk.text
	if file, err := parser.ParseFile(token.NewFileSet(), "", "package recipe\n"+declarations, 0); err == nil {
		return b.head(file) + declarations, nil
	}
	return b.statements(blk, "func _", "", nil, "")
}

// statements makes a func of a fragment, with ctx, w and r as a handler has them. What the fragment declares counts as
// used: as uses says, else left to the reader.
func (b *book) statements(blk block, head, results string, uses map[string]string, end string) (string, error) {
	line := fmt.Sprintf("//line %s:%d\n", blk.page, blk.line)
	source := head + "(ctx context.Context, w http.ResponseWriter, r *http.Request) " + results + " {\n" + line + blk.text
	file, err := parser.ParseFile(token.NewFileSet(), blk.page, "package recipe\n"+source+"\n}\n", 0)
	if err != nil {
		return "", err
	}
	for _, name := range declared(file) {
		if use, ok := uses[name]; ok {
			source += use
		} else {
			source += "_ = " + name + "\n"
		}
	}
	return b.head(file) + source + end + "}\n", nil
}

// head is package clause and imports for what a file names.
func (b *book) head(file *ast.File) string {
	paths := map[string]bool{}
	for _, id := range file.Unresolved {
		if p, ok := b.imports[id.Name]; ok {
			paths[p] = true
		}
	}
	head := "package recipe\n"
	for p := range paths {
		head += fmt.Sprintf("import %q\n", p)
	}
	return head
}

// declared are the variables of the function's own block.
func declared(file *ast.File) (names []string) {
	body := file.Decls[len(file.Decls)-1].(*ast.FuncDecl).Body
	add := func(e ast.Expr) {
		if id, ok := e.(*ast.Ident); ok && id.Name != "_" && !slices.Contains(names, id.Name) {
			names = append(names, id.Name)
		}
	}
	for _, s := range body.List {
		switch s := s.(type) {
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE {
				for _, e := range s.Lhs {
					add(e)
				}
			}
		case *ast.DeclStmt:
			for _, spec := range s.Decl.(*ast.GenDecl).Specs {
				if v, ok := spec.(*ast.ValueSpec); ok {
					for _, id := range v.Names {
						add(id)
					}
				}
			}
		}
	}
	return names
}

// behaviours puts the tests of headings beside their fragments.
func (b *book) behaviours(t *testing.T) {
	t.Helper()
	tests, err := filepath.Glob("testdata/*/*_test.go")
	if err != nil || len(tests) == 0 {
		t.Fatalf("testdata holds no tests: %v", err)
	}
	for _, name := range tests {
		page, heading := filepath.Base(filepath.Dir(name)), strings.TrimSuffix(filepath.Base(name), "_test.go")
		dir := filepath.Join(b.dir, "docs_"+page+"_"+heading)
		if _, err := os.Stat(dir); err != nil {
			t.Errorf("%s is for a heading of docs/ that has no Go block", name)
			continue
		}
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, filepath.Base(name)), string(content))
	}
}

func (b *book) run(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// The JavaScript in the docs parses.
func TestScriptsParse(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("NOT RUN: there is no node")
	}
	for _, page := range pages(t) {
		for _, blk := range blocks(t, page) {
			if blk.info != "js" {
				continue
			}
			name := filepath.Join(t.TempDir(), "block.js")
			write(t, name, blk.text)
			if out, err := exec.Command(node, "--check", name).CombinedOutput(); err != nil {
				t.Errorf("%s: %s", blk, out)
			}
		}
	}
}
