package main

import "strings"

// nested are modules of their own whose checks are taken out, too. Their replace lines lead to the copy of the root.
var nested = []string{"cmd/hardy", "compat/gorilla", "compat/scs"}

// module returns the folder of the module that the suite's package is in, and the package from there.
func (s suite) module() (dir, pkg string) {
	for _, m := range nested {
		if rest, ok := strings.CutPrefix(s.pkg, "./"+m); ok {
			return m, "." + rest
		}
	}
	return ".", s.pkg
}

var (
	likeSCS     = suite{"./compat/scs", ""}
	likeGorilla = suite{"./compat/gorilla", ""}
	wire        = suite{"./internal/gobwire", ""}
	carrying    = suite{"./cmd/hardy", "TestMove$|TestImportSCS/SQLite|TestImportGorilla|TestImportKeeps|TestImportRefuses|PlainValues"}
)

// ofCompat are those of other libraries' APIs on Hardy, and of moving and importing from the command line.
var ofCompat = []mutation{
	one("scs: an ended row", "compat/scs/rows.go", "if d.end != nil {\n\t\trec.Data", "if d.end != nil && d.err != nil {\n\t\trec.Data", likeSCS),
	one("scs: a row under its key's hash", "compat/scs/engine.go", "return hashToken(secret), vault(f), nil", "return secret, vault(f), nil", likeSCS),
	one("scs: a value is copied for who may change it", "compat/scs/session.go", "c, _ := deepCopy(reflect.ValueOf(v))", "c := reflect.ValueOf(v)", likeSCS),
	one("scs: the values are copied before one is set", "compat/scs/session.go", "sd.values, sd.shared = maps.Clone(sd.values), false", "_, sd.shared = maps.Clone(sd.values), false", likeSCS),
	one("scs: a row is another one if its bytes are", "compat/scs/rows.go", "known != nil && bytes.Equal(known.row, row)", "known != nil && bytes.HasPrefix(row, known.row[:1])", likeSCS),
	one("scs: the next token is not in the row", "compat/scs/rows.go", "t.next = \"\" // it", "t.next = rec.Next // it", likeSCS),
	one("scs: a sealed token is none of scs's", "compat/scs/engine.go", "|| text[:1] == byID ||", "||", likeSCS),

	one("gorilla: a sign-out", "compat/gorilla/save.go", "x.hardy.Logout()\n\t\tif err := x.st.manager.Commit(x.r.Context(), x.hardy); err != nil && !errors", "if err := x.st.manager.Commit(x.r.Context(), x.hardy); err != nil && !errors", likeGorilla),
	one("gorilla: a new token at a sign-in", "compat/gorilla/save.go", "err = x.hardy.Renew()", "err = nil", likeGorilla),
	one("gorilla: no empty session is stored", "compat/gorilla/save.go", "if len(x.s.Values) == 0 {\n\t\t\treturn nil\n\t\t}\n\t\treturn x.begin()", "return x.begin()", likeGorilla),
	one("gorilla: merged with what others have stored", "compat/gorilla/save.go", "if bytes.Equal(theirs, x.stored) {", "if theirs != nil || bytes.Equal(theirs, x.stored) {", likeGorilla),
	one("gorilla: what another user has left", "compat/gorilla/save.go", "x.leaveBehind(set)\n", "", likeGorilla),
	one("gorilla: development keys on loopback only", "compat/gorilla/store.go", "if st.keys.Dev() && !st.o.AllowDevKeys {", "if false {", likeGorilla),
	one("gorilla: an old row is known by itself", "compat/gorilla/import.go", "if id == \"\" {", "if true || id == \"\" {", likeGorilla),

	one("import: ahead, until the old end", "session/import.go", "earlier(or(old.Deadline, old.Expires), now.Add(m.remember))", "now.Add(m.remember)", sessions),
	one("import: ahead, the visitor was seen there", "session/import.go", "seen := earlier(now, expires.Add(-m.idle-m.idle/30))", "seen := now", sessions),
	one("import: an old deadline", "session/import.go", "r.Deadline = earlier(r.Deadline, old.Deadline)", "r.Deadline = earlier(r.Deadline, r.Deadline)", sessions),
	one("hardy import: an expired row", "cmd/hardy/importscs.go", "if !expires.After(time.Now()) {\n\t\t\treturn c, errExpiredThere\n\t\t}\n", "", carrying),
	one("hardy import: a row's deadline", "cmd/hardy/importscs.go", "if expires.IsZero() || deadline.Before(expires) {", "if expires.IsZero() {", carrying),
	one("hardy import: a dry run", "cmd/hardy/import.go", "if !i.dry {", "if true {", carrying),
	one("hardy import: no secret on the command line", "cmd/hardy/import.go", "default:\n\t\treturn nil, usage(", "default:\n\t\tsecret = []byte(arg)\n\tcase \"\\x00\":\n\t\treturn nil, usage(", carrying),
	one("hardy import: who is signed in", "cmd/hardy/import.go", "return \"\", fmt.Errorf(\"the user's value is of type %s\", l.Type)", "return \"\", nil", carrying),
	one("hardy import: keys that are asked for", "cmd/hardy/import.go", "return !slices.Contains(i.take, name)\n", "return false\n", carrying),
	one("hardy import: types of the app's own", "cmd/hardy/gobvalues.go", "len(kind) > 0 && !slices.Contains(plainTypes, string(kind))", "len(kind) > 0 && !slices.Contains(plainTypes, \"string\")", carrying),
	one("gob: what a type that goes has defined", "internal/gobwire/gobwire.go", "s.Definitions = append(s.Definitions, AppendBytes(nil, start[:len(start)-len(r.B)]))", "_ = start", wire),
	one("gob: a damaged length", "internal/gobwire/gobwire.go", "|| in.after != 0 {", "{", wire),
	one("hardy move: where it came to is forgotten at the end", "cmd/hardy/move.go", "if err := mark.remove(); err != nil {", "if err := error(nil); err != nil {", carrying),
	one("hardy move: not onto itself", "cmd/hardy/move.go", "if old.text == new.text {", "if old.text == new.text+\"x\" {", carrying),
}
