package testapps_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/scs-2.9.0.txt anew")

// scsList is what scs 2.9.0 exports, as "go test -run '^TestAPIListIsOfSCS$' . -update" has found it.
const scsList = "testdata/scs-2.9.0.txt"

// added is all that compat/scs exports beside it.
var added = []string{
	"github.com/alexedwards/scs/v2: field SessionManager.Hardy github.com/alexedwards/scs/v2.Hardy",
	"github.com/alexedwards/scs/v2: field Session.Hardy github.com/alexedwards/scs/v2.Hardy",
	"github.com/alexedwards/scs/v2: field Hardy.Keys *example.com/hardy/cookie.Keys",
	"github.com/alexedwards/scs/v2: field Hardy.Logger *log/slog.Logger",
	"github.com/alexedwards/scs/v2: field Hardy.Trace *example.com/hardy/session.Trace",
	"github.com/alexedwards/scs/v2: type Hardy struct",
}

// An application that compiles against scs does so against compat/scs: nothing that scs exports is missing or of another type, and
// nothing is exported beside it that is not listed here.
func TestPublicAPI(t *testing.T) {
	text, err := os.ReadFile(scsList)
	if err != nil {
		t.Fatal(err)
	}
	want := append(strings.Split(strings.TrimSpace(string(text)), "\n"), added...)
	if len(want) < 100 {
		t.Fatalf("%d lines are not the API of scs", len(want))
	}
	got := exports(t)
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("compat/scs has not: %s", line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("scs has not: %s", line)
		}
	}
}

// The list is what scs 2.9.0 itself exports.
func TestAPIListIsOfSCS(t *testing.T) {
	dir := filepath.Dir(build(t).scs)
	got := strings.Join(exports(t, "-modfile="+filepath.Join(dir, "scs.mod"), "-mod=mod"), "\n") + "\n"
	if *update {
		if err := os.WriteFile(scsList, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(scsList)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(text) {
		t.Errorf("%s is not what scs exports:\n%s", scsList, got)
	}
}

// exports lists what the packages of scs's module export, as the compiler has it.
func exports(t *testing.T, flags ...string) (lines []string) {
	t.Helper()
	const scs = "github.com/alexedwards/scs/v2"
	packages := []string{scs, scs + "/memstore", scs + "/mockstore"}
	cmd := exec.Command("go", append(append([]string{"list", "-export", "-deps", "-json=ImportPath,Export"}, flags...), packages...)...)
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	var messages strings.Builder
	cmd.Stderr = &messages
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, messages.String())
	}
	files := make(map[string]string)
	for in := json.NewDecoder(bytes.NewReader(out)); in.More(); {
		var p struct{ ImportPath, Export string }
		if err := in.Decode(&p); err != nil {
			t.Fatal(err)
		}
		files[p.ImportPath] = p.Export
	}
	in := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) { return os.Open(files[path]) })
	for _, path := range packages {
		p, err := in.Import(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range p.Scope().Names() {
			if o := p.Scope().Lookup(name); o.Exported() {
				for _, line := range describe(o) {
					lines = append(lines, path+": "+strings.ReplaceAll(line, "interface{}", "any"))
				}
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// describe says what an exported name is, a line for each thing that a caller can name.
func describe(o types.Object) (lines []string) {
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	switch o := o.(type) {
	case *types.Const:
		say("const %s %s = %s", o.Name(), o.Type(), o.Val())
	case *types.Var:
		say("var %s %s", o.Name(), o.Type())
	case *types.Func:
		say("func %s%s", o.Name(), unnamed(o.Signature()))
	case *types.TypeName:
		named, under := o.Type(), o.Type().Underlying()
		switch u := under.(type) {
		case *types.Struct:
			say("type %s struct", o.Name())
			for f := range u.Fields() {
				if f.Exported() {
					say("field %s.%s %s", o.Name(), f.Name(), f.Type())
				}
			}
			for m := range types.NewMethodSet(types.NewPointer(named)).Methods() {
				if m.Obj().Exported() {
					byValue := types.NewMethodSet(named).Lookup(m.Obj().Pkg(), m.Obj().Name()) != nil
					say("method %s.%s%s, by value: %t", o.Name(), m.Obj().Name(), unnamed(m.Type().(*types.Signature)), byValue)
				}
			}
		case *types.Interface:
			say("type %s interface of %d methods", o.Name(), u.NumMethods())
			for m := range u.Methods() {
				say("method %s.%s%s", o.Name(), m.Name(), unnamed(m.Signature()))
			}
		default:
			say("type %s %s", o.Name(), under)
			for m := range types.NewMethodSet(named).Methods() {
				say("method %s.%s%s", o.Name(), m.Obj().Name(), unnamed(m.Type().(*types.Signature)))
			}
		}
	}
	return lines
}

// unnamed is a signature without the names of its parameters, which no caller can see.
func unnamed(s *types.Signature) string {
	tuple := func(t *types.Tuple) *types.Tuple {
		var vars []*types.Var
		for v := range t.Variables() {
			vars = append(vars, types.NewParam(token.NoPos, nil, "", v.Type()))
		}
		return types.NewTuple(vars...)
	}
	return strings.TrimPrefix(types.NewSignatureType(nil, nil, nil, tuple(s.Params()), tuple(s.Results()), s.Variadic()).String(), "func")
}
