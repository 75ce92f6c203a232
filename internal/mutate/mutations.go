package main

import (
	"fmt"
	"slices"
	"strings"
)

// mutation is one check, and how it is taken out.
type mutation struct {
	check  string
	edits  []edit
	suites []suite // in which a test must fail, the likeliest first
}

// edit replaces text that stands in the file exactly once.
type edit struct{ file, old, new string }

func (e edit) in(text string) (string, error) {
	if n := strings.Count(text, e.old); n != 1 {
		return "", fmt.Errorf("%s has this %d times, not once; bring internal/mutate/mutations.go up to the code:\n%s", e.file, n, e.old)
	}
	return strings.Replace(text, e.old, e.new, 1), nil
}

// suite is the tests of one package, or of those whose names match run.
type suite struct{ pkg, run string }

func (s suite) String() string { return s.pkg + " " + s.run }

var (
	cookies  = suite{"./cookie", ""}
	leases   = suite{"./session/lease", ""}
	header   = suite{"./internal/cookieheader", ""}
	frames   = suite{"./internal/frame", ""}
	values   = suite{"./internal/value", ""}
	memory   = suite{"./store", "Memory"}
	sessions = suite{"./session", ""}
	said     = suite{"./internal/secrets", ""}
	// over HTTP
	rows    = suite{"./middleware", "^(Test[ACHLK][0-9]|TestAttack|TestEdited|TestCommitFailure|TestKeysRotate|TestBadCookies)"}
	rest    = suite{"./middleware", "Origin|Reset|StartOver|StartsOver|LocalPath|Ended|Renew|Idle|Lifetime|Outcomes|Writer|Panic|Crawler|Wiring|DevKeys|Options|Double"}
	desk    = suite{"./middleware", "DevUsers"}
	imports = suite{"./middleware", "Import"}
	writer  = suite{"./middleware", "Writer|Hijack|Hint|Commit|Panic|Jar|Header|Sent|Keys|Rotat|Nest|Two|Wiring"}
	access  = suite{"./middleware", "^(TestA8|TestA12|TestA13|TestRequireUser|TestWrong|TestDevice)"}
	replay  = []suite{sessions, rows, rest}
	overHTT = []suite{rows, rest}
)

func one(check, file, old, new string, suites ...suite) mutation {
	return mutation{check, []edit{{file, old, new}}, suites}
}

// mutations are the checks that a promise rests on.
var mutations = slices.Concat(ofSessions, ofLimits, ofCompat)

// ofSessions are those of cookies, sessions and their stores. Those of one file stand together.
var ofSessions = []mutation{
	// Sealed cookies.
	one("MAC compared", "github.com/gorilla/securecookie/securecookie.go",
		"if len(mac) == len(mac2) && subtle.ConstantTimeCompare(mac, mac2) == 1 {", "if subtle.ConstantTimeCompare(mac, mac2) < 2 {", cookies, rows),
	one("canonical form", "cookie/seal.go", "|| !canonical(body, len(b)) {", "|| len(b) == 0 {", cookies),
	one("canonical form: no stray bits", "cookie/canonical.go", "var strict = base64.URLEncoding.Strict()", "var strict = base64.URLEncoding", cookies),
	one("canonical form: no line breaks", "cookie/canonical.go",
		"if len(body)/4*3-padding != date+1+strict.EncodedLen(ivLen+n)+1+macLen {", "if padding < 0 {", cookies),
	one("app in the key", "cookie/seal.go", "[]string{s.keys.app, s.purpose, s.name}", "[]string{s.purpose, s.name}", cookies),
	one("purpose in the key", "cookie/seal.go", "[]string{s.keys.app, s.purpose, s.name}", "[]string{s.keys.app, s.name}", cookies),
	{"cookie's name in key and MAC", []edit{
		{"cookie/seal.go", "[]string{s.keys.app, s.purpose, s.name}", "[]string{s.keys.app, s.purpose}"},
		{"cookie/seal.go", "prefix, prefix + s.name, sc}", "prefix, prefix, sc}"},
	}, []suite{cookies}},
	one("parts of the key told apart", "cookie/seal.go", "info += string(binary.AppendUvarint(nil, uint64(len(part)))) + part", "info += part", cookies),
	one("key revoked", "cookie/seal.go", "if c.state == Revoked {\n\t\treturn o, RevokedKey\n\t}", "", cookies),
	one("sealed value's expiry", "cookie/seal.go", "!now.Before(o.Expires) || ", "", cookies),
	one("sealed value from the future", "cookie/seal.go", " || o.Issued.After(now.Add(skew))", "", cookies),
	one("size before opening", "cookie/seal.go", "if len(s.name)+len(value) > cookieheader.MaxBytes {", "if len(value) < 0 {", cookies, rows),
	one("size of what is sealed", "cookie/seal.go", "if len(s.name)+len(c.prefix)+sealedLen(len(b)) > cookieheader.MaxBytes {", "if len(b) < 0 {", cookies),
	one("jar: size at Set", "cookie/jar.go",
		"if len(j.spec.Name())+len(version)+idLen+1+sealedLen(1+j.entries.sizeWith(next)) > cookieheader.MaxBytes {", "if len(next) < 0 {", cookies, rows),
	one("jar: ErrSent", "cookie/jar.go", "if j.sent {\n\t\treturn ErrSent\n\t}\n\tj.open()", "j.open()", cookies),
	one("jar: each value's expiry", "cookie/entries.go", "func (e *entry) live(now int64) bool { return now < e.expires }", "func (e *entry) live(now int64) bool { return true }", cookies),
	one("jar: 400 days", "cookie/jar.go", "if d <= 0 || d > MaxLifetime {", "if d <= 0 {", cookies),
	one("jar: written only if changed", "cookie/commit.go", "return j.changed && (j.came || len(j.entries) > 0)", "return len(j.entries) > 0", cookies, rows),
	one("two cookies of one name", "internal/cookieheader/find.go", "n++", "n = 1", header, cookies, rows),
	one("3,001 cookies", "internal/cookieheader/find.go", "return count > maxCookies", "return false", header, rows),
	one("U+2000 before a name", "internal/cookieheader/find.go",
		"func space(c byte) bool { return c == ' ' ||", "func space(c byte) bool { return c == ' ' || c == 0xe2 || c == 0x80 ||", header, rows),
	one("HttpOnly", "internal/cookieheader/template.go", `tail := "; HttpOnly"`, `tail := ""`, header, cookies, rows),
	one("Secure", "internal/cookieheader/template.go", `tail += "; Secure"`, `tail += ""`, header, cookies, rows),
	one("__Host- without Domain", "internal/cookieheader/template.go", `if strings.HasPrefix(lower, "__host-") && (a.Domain != "" || !a.Secure) {`, `if lower == "" {`, header, cookies),

	// Keys.
	one("key file: others' rights", "cookie/source.go", "mode&0o077 != 0 && ", "mode == 0o1000 && ", cookies),
	one("key file: regular", "cookie/source.go", "if !info.Mode().IsRegular() {", "if false {", cookies),
	one("keys: 32 bytes", "cookie/master.go", "if err != nil || len(b) != masterBytes {", "if err != nil {", cookies),
	one("keys: entropy", "cookie/master.go", "case distinct < 20 || steps < 16 || letters < 18:", "case distinct < 1:", cookies),
	one("keys: text", "cookie/master.go", "case printable:", "case printable && distinct < 1:", cookies),
	one("keys: twice", "cookie/master.go", "if other.id == m.id {", "if other.id == m.id && i < 0 {", cookies),
	one("keys: the team's are its own", "cookie/keys.go", "if theirs := states[id]; state != Revoked && theirs != Unknown && theirs != Revoked {", "if theirs := states[id]; state > Revoked && theirs != Unknown {", cookies, rows),
	one("opened cookie printed as nothing", "cookie/redact.go", "func (o Opened) Format(f fmt.State, _ rune)   { io.WriteString(f, o.String()) }", "", cookies, said),
	one("value for a jar printed as nothing", "cookie/redact.go", "func (v Value) Format(f fmt.State, _ rune)   { io.WriteString(f, v.String()) }", "", cookies, said),
	one("development keys on loopback only", "internal/devkeys/devkeys.go", "case ok && !tcp.IP.IsLoopback():", "case ok && tcp == nil:", rest),
	one("development keys: the server's own address", "internal/devkeys/devkeys.go", "server != nil && exposed(server.Addr)", "false", rest),

	// Stored values.
	one("AAD: id", "session/format.go", "[...]string{r.ID, r.User, r.Handle}", "[...]string{r.User, r.Handle}", sessions),
	one("AAD: user", "session/format.go", "[...]string{r.ID, r.User, r.Handle}", "[...]string{r.ID, r.Handle}", replay...),
	one("AAD: handle", "session/format.go", "[...]string{r.ID, r.User, r.Handle}", "[...]string{r.ID, r.User}", replay...),
	one("AAD: version", "session/format.go", "b = binary.BigEndian.AppendUint64(b, r.Version)", "", replay...),
	one("AAD: time of authentication", "session/format.go", "uint64(r.AuthTime.UnixNano())", "0", replay...),
	one("AAD: fields told apart", "session/format.go", "b = binary.AppendUvarint(b, uint64(len(field)))", "", replay...),
	one("id and key from different hashes", "session/format.go", "key := derive(dataLabel, v.secret)", "key := derive(idLabel, v.secret)", sessions, said),
	one("token's length", "session/format.go", "if len(secret) != 32 {", "if len(secret) < 0 {", replay...),
	one("frame: names in order, none twice", "internal/frame/frame.go", "if !ok || last != nil && bytes.Compare(key, last) <= 0 {", "if !ok || last != nil && bytes.Equal(key, b) {", frames),
	one("frame: shortest lengths", "internal/frame/frame.go", "w > 1 && b[w-1] == 0 || ", "", frames),
	one("CBOR: no name twice", "internal/value/modes.go", "DupMapKey:            cbor.DupMapKeyEnforcedAPF,", "DupMapKey:            cbor.DupMapKeyQuiet,", values),
	one("corrupt: ended", "session/session.go", "s.drop()\n\ts.met(ReasonCorrupt, now)", "s.drop()", replay...),

	// The manager judges.
	one("manager: expiry", "session/reason.go", "case r.Expires.After(judged):", "case r.Expires.After(judged) || r.Ended == \"\":", replay...),
	one("manager: ended", "session/reason.go", "return r.Ended, r.EndedAt", "return \"\", r.EndedAt", replay...),
	one("manager: a record that is gone", "session/load.go", "s.met(ReasonUnknown, time.Time{})\n\t\treturn nil", "s.forget()\n\t\treturn nil", replay...),
	one("grace ends", "session/session.go", "reason == ReasonRotated && time.Now().Before(since.Add(Grace))", "reason == ReasonRotated", replay...),
	one("grace begins", "session/session.go", "reason == ReasonRotated && time.Now().Before(since.Add(Grace))", "reason == ReasonRotated && since.IsZero()", replay...),
	one("grace shows nothing after a login: Data", "session/rotate.go", "KeepData: !s.login && !s.insists,", "KeepData: !s.insists,", replay...),
	one("grace shows nothing after an unlock", "session/rotate.go", "KeepData: !s.login && !s.insists,", "KeepData: !s.login,", sessions),
	one("a third click takes a place of its own", "session/rotate.go", "case n <= 2:", "case n >= 0:", sessions),
	one("a third click takes a place of its own: no record yet", "session/birth.go", "if n >= 2 {", "if n < 0 {", sessions),
	one("grace shows nothing after a login: user", "session/load.go", "s.hidden = rec.Data == nil", "s.hidden = false", replay...),
	one("deadline bounds the renewal", "session/load.go", "r.Expires = earlier(r.Deadline, r.until())", "r.Expires = r.idleEnd()", replay...),
	one("throttle of Touch", "session/load.go", "if !s.due {\n\t\treturn nil\n\t}", "", rows, sessions),
	one("throttle of Touch: requests at once", "session/renewals.go", "if f := r.flight; f != nil {", "if f := r.flight; false {", sessions),
	one("a Touch that fails is everyone's", "session/renewals.go", "return false, f.err\n", "return false, nil\n", sessions),
	one("Reload beside a pending Login", "session/load.go", "if s.token == nil || s.leave != stay || s.err != nil && s.err != ErrRotated {", "if s.token == nil || s.err != nil && s.err != ErrRotated {", sessions),
	one("the old token ends with its successor", "session/load.go", "if dead != \"\" {", "if dead == \"never\" {", sessions),
	one("Touch meets an end", "session/load.go", "err = s.fetch(p, time.Now())\n\t\tif err == nil {\n\t\t\terr = s.err\n\t\t}", "err = nil", sessions, rows, rest),
	one("refused write fails the commit", "session/change.go", "s.fail = s.err\n\t\treturn s.err", "return s.err", replay...),
	one("ErrSent: birth", "session/change.go", "if s.token == nil && s.sent {\n\t\treturn ErrSent\n\t}", "", sessions, rest),
	one("ErrSent: Login", "session/login.go", "if s.sent {\n\t\treturn ErrSent\n\t}\n\ts.unlock()", "s.unlock()", sessions, rest),
	one("Login: a user's name", "session/login.go", "if err := checkUser(user); err != nil {\n\t\treturn err\n\t}", "", replay...),
	one("Login of another user starts from nothing", "session/login.go", "s.base, s.inherited, s.changes, s.cleared, s.meta = nil, nil, nil, false, nil", "", replay...),
	one("Login takes a new handle for another user", "session/login.go", "s.apart = s.token != nil", "s.apart = false", replay...),
	one("Login comes with a new token", "session/login.go", "if s.token != nil && s.leave == stay {\n\t\ts.leave = rotate\n\t}\n\ts.inherited", "s.inherited", replay...),
	one("an ended session can't be used", "session/session.go", "return s.err != nil && s.err != ErrRotated\n", "return false\n", replay...),
	one("size: at Set", "session/change.go", "if sum <= s.m.maxBytes {", "if sum >= 0 {", replay...),
	one("size: after a merge", "session/write.go", "if err := s.m.checkSize(values); err != nil {\n\t\treturn err\n\t}\n\tnext := *s.rec", "next := *s.rec", sessions, rest),
	one("size: metadata", "session/meta.go", "if len(b) > maxMeta {", "if false {", replay...),
	one("names that are Hardy's own", "session/change.go", "len(name) <= maxName && !internal(name)", "len(name) <= maxName", sessions, rest),
	one("Logout follows a rotation", "session/finish.go", "if err != nil || last.Ended != ReasonRotated || last.Next == \"\" {", "if true {", replay...),
	one("RevokeUser looks again", "session/users.go", "if len(live) == 0 {\n\t\t\treturn len(ended), nil", "if len(live) == 0 || len(ended) > 0 {\n\t\t\treturn len(ended), nil", rows),
	one("RevokeOthers spares this one", "session/users.go", "func(r *Record) bool { return r.ID != own }", "func(r *Record) bool { return r.ID != own || true }", sessions),
	one("rotation: others' writes come along", "session/rotate.go", "if last.Version == s.rec.Version || s.apart {", "if true {", append(replay, suite{"./middleware", "Interleavings"})...),
	one("rotation: the loser of two ends its own", "session/rotate.go", "s.withdraw(ctx, rec.ID)\n\tif s.login {", "if s.login {", append(replay, suite{"./middleware", "Interleavings"})...),
	one("rotation: the loser of two sends no cookie", "session/rotate.go", "s.withdraw(ctx, rec.ID)\n\tif s.login {", "if reason == ReasonRotated {\n\t\ts.settle(t, rec, values, \"renew\")\n\t\treturn nil\n\t}\n\tif s.login {", append(replay, suite{"./middleware", "Interleavings"})...),
	one("cap: counted at sign-in", "session/cap.go", "if s.login && s.m.capper != nil {", "if s.login && false {", sessions),
	one("cap: refused, not evicted", "session/cap.go", "limit, !s.m.refuseLogin)", "limit, true)", sessions),
	one("cap: a refused sign-in leaves nothing pending", "session/cap.go", "s.unlogin()\n", "", sessions),
	one("cap: a refused sign-in shows the former values", "session/cap.go", "s.base, s.opened = nil, false", "_ = s.base", sessions),
	one("cap: the places that are given up", "internal/places/places.go", "<= last {", "< last {", sessions),
	one("cap: the records of one session share a place", "store/capper.go", "string { return o.handle }", "string { return o.id }", sessions),
	one("cap: negative", "session/cap.go", "limit < 0 {", "limit < -9 {", sessions),
	one("cap: a store that can't", "session/cap.go", "if m.capper, ok = m.store.(Capper); !ok {", "if m.capper, ok = m.store.(Capper); !ok && o == nil {", sessions),
	one("seal: bound to its use", "session/seal.go", "sealed[1:], []byte(sealLabel))", "sealed[1:], nil)", sessions),
	one("seal: form", "session/seal.go", "sealed[0] != sealForm", "sealed[0] > 9", sessions),
	one("seal: one key for all who begin at once", "session/seal.go", "if b = held; !ok {", "if b = held; true {", sessions),
	one("seal: its key is no value", "session/values.go", "if !internal(name) {\n\t\t\tnames", "if name != rememberKey {\n\t\t\tnames", sessions),
	one("log: number", "session/log.go", "n+1 > l.options.Max || ", "", sessions),
	one("log: size", "session/log.go", "min(l.options.MaxBytes, s.roomFor(l.name))", "s.roomFor(l.name)", sessions),
	one("log: room in the session", "session/log.go", "min(l.options.MaxBytes, s.roomFor(l.name))", "l.options.MaxBytes", sessions),
	one("log: an entry without room", "session/log.go", "if n == 0 {", "if n == 0 && len(items) > 0 {", sessions),
	one("live: news of an end", "session/watch.go", "\tdefault:\n\t\tw.end(h, &ExpiredError{e.Reason, e.At})", "\tcase e.Next == \"never\":\n\t\tw.end(h, &ExpiredError{e.Reason, e.At})", sessions),
	one("live: news that were missed", "session/watch.go", "for _, h := range w.held {\n\t\t\tw.ask(h)\n\t\t}\n\t\treturn", "return", sessions),
	one("live: an end before anybody held on", "session/watch.go", "w.start()\n\t\tw.ask(h)", "w.start()", sessions),
	one("live: a rotation is followed", "session/watch.go", "case e.Reason == ReasonRotated && e.Next != \"\":", "case e.Reason == ReasonUnknown:", sessions),
	one("live: a rotation that was missed is followed", "session/watch.go", "case reason == ReasonRotated && rec.Next != \"\":", "case reason == ReasonUnknown:", sessions),
	one("live: another user's successor", "session/watch.go", "case rec.User != h.rec.User:", "case rec.User == \"never\":", sessions),
	one("live: another user's successor, held already", "session/watch.go", "if h != nil && h.rec.User != rec.User {", "if h != nil && h.gone {", sessions),
	one("live: idle timeout and lifetime", "session/watch.go", "case reason != \"\":\n\t\tw.end(", "case reason == ReasonUnknown:\n\t\tw.end(", sessions),
	one("live: a store that is down, at first", "session/watch.go", "now.Sub(h.rec.until()) >= unsureFor", "true", sessions),
	one("live: a store that is down for long", "session/watch.go", "now.Sub(h.rec.until()) >= unsureFor", "false", sessions),
	one("live: no stream keeps a session alive by itself", "session/watch.go", "renew := h.renewing > 0 &&", "renew := h.renewing >= 0 &&", sessions),
	one("live: KeepAlive", "session/watch.go", "if f.renews {\n\t\th.renewing++", "if f.renews && h.gone {\n\t\th.renewing++", sessions),
	one("live: KeepAlive ends", "session/watch.go", "if f.renews {\n\t\th.renewing--", "if f.renews && h.gone {\n\t\th.renewing--", sessions),
	one("live: who begins as the last one leaves", "session/watch.go", "if ctx.Err() != nil { // those are", "if ctx == nil { // those are", sessions),
	one("live: a watcher that fails", "session/watch.go", "if now.Sub(asked) >= pollEvery {", "if now.Before(asked) {", sessions),
	one("live: Run lets go", "session/watch.go", "for _, h := range w.held {\n\t\t\tw.end(h, cause)", "for _, h := range w.held {\n\t\t\t_ = cause\n\t\t\tw.ask(h)", sessions),
	one("live: Run waits", "session/watch.go", "for w.calls > 0 {", "for w.calls < 0 {", sessions),
	// What lives as long as a session.
	one("each: of one user", "session/lease/doc.go", "h.user = s.User()", "h.user = \"\"", leases),
	one("each: of one session", "session/lease/doc.go", "if h.handle = s.Handle(); h.handle == \"\" {", "if h.handle = \"h\"; s.Handle() == \"\" {", leases),
	one("lease: none of an ended session", "session/lease/doc.go", "if err := s.Err(); err != nil {\n\t\treturn h, err\n\t}", "", leases),
	one("each: made once", "session/lease/each.go", "case ready || gone != nil:", "case ready && gone != nil || gone != nil:", leases),
	one("each: ended while it was made", "session/lease/each.go", "go e.close(v)", "_ = v", leases),
	one("each: closed at the end", "session/lease/each.go", "if last && ready {", "if ready && err == nil {", leases),
	one("each: per user, at the last end", "session/lease/each.go", "last := len(o.sessions) == 0 && o.gone == nil", "last := o.gone == nil", leases),
	one("pool: given back once", "session/lease/lease.go", "if !l.over.CompareAndSwap(false, true) {", "if l.over.CompareAndSwap(false, true); false {", leases),
	one("pool: taken away at the end", "session/lease/lease.go", "s.OnEnd(func(error) { l.end(l.drop) })", "s.OnEnd(func(error) {})", leases),
	one("pool: nothing of a request in a worker", "session/lease/lease.go", "p.pool.Acquire(bare{ctx})", "p.pool.Acquire(ctx)", leases),
	one("pool: reset before the next", "session/lease/lease.go", "if err := l.p.reset(l.w.value); err != nil {", "if err := error(nil); err != nil {", leases),
	one("pool: one that can't be reset is closed", "session/lease/lease.go", "\t\t\tl.drop()\n\t\t\treturn", "", leases),
	one("pool: each session's part", "session/lease/pool.go", "int64(p.o.PerSession)", "int64(p.o.Max)", leases),
	one("pool: each user's part", "session/lease/pool.go", "int64(p.o.PerUser)", "int64(p.o.Max)", leases),
	one("pool: panics", "session/lease/doc.go", "if v := recover(); v != nil {", "if v := any(nil); v != nil {", leases),
	one("pool: idle ones", "session/lease/run.go", "res.IdleDuration() >= p.o.Idle", "false", leases),
	one("pool: the minimum stays", "session/lease/run.go", "if spare > 0 && ", "if ", leases),
	one("pool: the minimum is made", "session/lease/run.go", "p.size() < p.min {", "p.size() < 0 {", leases),
	// Who may come in.
	one("AAL: above its limits", "session/aal.go", "if o.AAL != 0 && f.asked > f.most {", "if o.AAL > AAL3 && f.asked > f.most {", sessions),
	one("AAL: Remember", "session/login.go", "d > s.m.remember {", "d > MaxLifetime {", sessions),
	one("AAL3: no lock", "session/aal.go", "if o.Lock && o.AAL == AAL3 {", "if o.Lock && o.AAL > AAL3 {", sessions),
	one("lock: the answer names the page that unlocks", "middleware/lock.go", "`Session error=\"locked\", unlock=\"`+h.locked+`\"`", "`Session error=\"locked\"`", access),
	one("lock: at Load", "session/load.go", "case rec.idled(now):\n\t\ts.err = ErrLocked", "case rec.idled(now) && rec.Idle == 0:\n\t\ts.err = ErrLocked", sessions),
	one("lock: at a late Touch", "session/load.go", "if s.rec.idled(now) { // since", "if false { // since", sessions),
	one("lock: at a late write", "session/write.go", "&& !s.rec.idled(now) {", "{", sessions),
	one("lock: of streams", "session/watch.go", "case rec.idled(now):\n\t\tw.end(h, ErrLocked)", "case rec.idled(now):\n\t\th.rec = rec", sessions),
	one("lock: KeepAlive unlocks nothing", "session/watch.go", " && !rec.idled(now) // a locked", " // a locked", sessions),
	one("lock: the context after unlocking", "session/lock.go", "s.part() // its Context has ended", "// its Context has ended", sessions),
	one("lock: whose it is", "session/lock.go", "if _, err := s.token.vault.Open(*s.rec); err != nil {", "if err := error(nil); err != nil {", sessions),
	one("lock: unlocking comes with a new token", "session/lock.go", "s.leave, s.insists = rotate, true", "s.insists = true", sessions),
	one("lock: unlocked twice at once", "session/rotate.go", "(s.login || s.insists)", "s.login", sessions),
	one("lock: another manager's", "session/lock.go", "if reason == \"\" && !m.lock && r.idled(now) {", "if reason == \"never\" {", sessions),
	one("lock: 401", "middleware/sessions.go", "if err == session.ErrLocked && !aware && !h.unlock.match(r) {", "if err == session.ErrLocked && !aware && false {", access),
	one("lock: a link clears no cookie", "middleware/startover.go", " && !errors.Is(err, session.ErrLocked)", "", access),
	one("lock: a page to unlock on", "middleware/wiring.go", "case m.Locks() && o.Unlock == \"\":", "case m.Locks() && o.Unlock == \"x\":", access),
	one("RequireUser", "middleware/access.go", "case s.User() == \"\":\n", "case s.User() == \"x\":\n", access),
	one("RequireUser: replaced moments ago", "middleware/access.go", "s.Err() == session.ErrRotated: // somebody", "false: // somebody", access),
	one("RequireFresh", "middleware/access.go", "case h.fresh > 0 && time.Since(s.AuthTime()) > h.fresh:", "case h.fresh < 0:", access),
	one("RequireUser: its way back stays here", "middleware/access.go", "if login != \"\" && !isPath(login) {", "if login == \"x\" {", access),
	one("Device: cut", "middleware/device/device.go", "bits = 24", "bits = 32", suite{"./middleware/device", ""}),
	one("Describe: what the handler says goes first", "session/describe.go", "set || v == \"\"", "v == \"\" || !set && false", sessions),
	one("Describe: signed-in only", "session/describe.go", "s.leave != end && s.rec.User != \"\":", "s.leave != end:", sessions),
	one("a client that hangs up stops no commit", "session/manager.go", "at: now.Add(m.timeout), insist: true}", "at: now.Add(m.timeout)}", sessions, rows, rest, suite{"./middleware", "HangUp"}),
	one("the store's deadline", "session/manager.go", "at: now.Add(m.timeout), insist: true}", "at: now.Add(m.timeout * 100), insist: true}", sessions, rows),
	one("errors of a store", "session/manager.go", `return fmt.Errorf("%w (%s): %w", ErrUnavailable, op, err)`, "return ErrNotFound", replay...),
	one("token printed as nothing", "session/token.go", "func (t *Token) Format(f fmt.State, _ rune)", "func (t *Token) Print(f fmt.State, _ rune)", said),
	one("session printed as nothing", "session/redact.go", "func (s *Session) Format(f fmt.State, _ rune)", "func (s *Session) Print(f fmt.State, _ rune)", said),

	// The memory store.
	one("store: version", "store/memory.go", "case r.Version != e.version+1:", "case r.Version == 0:", memory),
	one("store: ended, at Replace and Touch", "store/entry.go", "return !e.hasEnded() && e.expires > now", "return e.expires > now", memory),
	one("store: expired, at Replace and Touch", "store/entry.go", "return !e.hasEnded() && e.expires > now", "return !e.hasEnded()", memory),
	one("store: Create over another's", "store/memory.go", "if there != nil {\n\t\tm.count.Add(-1)\n\t\treturn nil, session.ErrExists\n\t}", "_ = there", memory),
	one("store: Replace creates nothing", "store/memory.go", "case e == nil || !e.writable(now):\n\t\ts.mu.Unlock()\n\t\treturn session.ErrNotFound", "case e == nil:\n\t\ts.mu.Unlock()\n\t\treturn m.Create(ctx, r)\n\tcase !e.writable(now):\n\t\ts.mu.Unlock()\n\t\treturn session.ErrNotFound", memory),
	one("store: the first end wins", "store/memory.go", "if first = !e.hasEnded(); first {", "if first = true; first {", memory),
	one("store: an end takes the Data", "store/entry.go", "if !how.KeepData {\n\t\te.data = nil\n\t}", "", memory),
	one("store: no moment moves back", "store/entry.go", "e.seen, e.expires, e.purge = max(e.seen, seen), max(e.expires, expires), max(e.purge, purge)", "e.seen, e.expires, e.purge = seen, expires, purge", memory),
	// Each of the two hides what the other lets through, but for a moment.
	{"store: List shows no ended ones", []edit{
		{"store/users.go", "live := !e.hasEnded()", "live := true"},
		{"store/memory.go", "if first && last.User != \"\" {", "if first && last.User == \"nobody\" {"},
	}, []suite{memory}},
	one("store: List shows no Data", "store/users.go", "r.ID, r.Data = e.id.String(), nil", "r.ID = e.id.String()", memory),
	one("store: ids are canonical", "store/key.go", "return k, (bad|a|b|c)&notSextet == 0 && c&3 == 0", "return k, true", memory),

	// The middleware.
	one("a store that is down is no new visitor", "middleware/sessions.go", "h.answer(w, r, unavailable)\n\t\t\treturn\n\t\t}\n\t\th.carrier.Drop(r)", "s, e = h.manager.New(), &session.ExpiredError{}\n\t\t}\n\t\th.carrier.Drop(r)", overHTT...),
	one("401 before the handler", "middleware/sessions.go", "h.ended == Fresh || h.ended == Restart && h.carrier.Pages() && opensPage(r):", "true:", overHTT...),
	one("API clients start over by no page", "middleware/sessions.go", "h.ended == Restart && h.carrier.Pages() && opensPage(r):", "h.ended == Restart && opensPage(r):", writer),
	one("API clients send a token", "middleware/sessions.go", "if (carried.State == Missing || carried.State == Invalid) && !aware", "if carried.State == Invalid && !aware", writer),
	one("session and jar of one cookie", "middleware/wiring.go", "if h.carrier.Name() == name {", "if name == \"\" {", writer),
	one("Aware routes see the end", "middleware/sessions.go", "case aware:\n", "case aware && h.ended == Fresh:\n", overHTT...),
	one("loads that act on nothing keep the cookie", "middleware/sessions.go", "case actsOnNothing(r):", "case false:", overHTT...),
	one("prefetches and Passive routes don't renew", "middleware/sessions.go", "err == nil && !prefetch(r) && !h.passive.match(r)", "err == nil", overHTT...),
	one("re-sealing rides on a write of its own", "middleware/sessions.go", "case d.Due, x.carried.Stale && d.Stored && x.unmoved(d.Token),", "case d.Due, x.carried.Stale && x.unmoved(d.Token),", overHTT...),
	one("re-sealing: the token still opens it", "middleware/sessions.go", "case d.Due, x.carried.Stale && d.Stored && x.unmoved(d.Token),", "case d.Due, x.carried.Stale && d.Stored,", rows),
	one("revoked key, opened before", "middleware/carriers.go", "switch c.keys.State(known.key) {", "switch cookie.Primary {", overHTT...),
	one("failed commit: the handler's header goes", "middleware/writer.go", "clear(h)\n\tmaps.Copy(h, w.entry)", "maps.Copy(h, w.entry)", writer),
	one("failed commit: the handler's body goes", "middleware/writer.go", "func (w *writer) Write(b []byte) (int, error) {\n\tif !w.send() {", "func (w *writer) Write(b []byte) (int, error) {\n\tif w.send(); false {", rows, writer),
	one("1xx is no answer", "middleware/writer.go", "if code >= 100 && code < 200 && code != http.StatusSwitchingProtocols || w.send() {", "if w.send() {", writer),
	one("Hijack says that a cookie is due", "middleware/sessions.go", "s.Err() == nil && s.Token() != x.carried.Token", "false", writer),
	one("a panic commits nothing", "middleware/sessions.go", "case !x.returned:\n", "case !x.returned && x.writer.state == refused:\n", writer),
	one("private, no-store", "middleware/private.go", "if cookie || shared(cc) {", "if cookie || shared(cc) && len(cc) > 9 {", overHTT...),
	one("private, no-store over public", "middleware/private.go", `strings.EqualFold(name, "public") ||`, "", overHTT...),
	one("Vary", "middleware/private.go", "f[1] = vary\n\t\th[\"Vary\"] = f[1:2:2]\n", "", overHTT...),
	one("SameSite=None refused", "middleware/wiring.go", "case 0, http.SameSiteLaxMode, http.SameSiteStrictMode:", "case 0, http.SameSiteLaxMode, http.SameSiteStrictMode, http.SameSiteNoneMode:", overHTT...),
	one("shared ring is the team's own", "middleware/cookies.go", "case o.Shared.Shares(keys):", "case false:", overHTT...),
	one("import: the token is derived from the secret", "session/import.go", "hkdf.Key(sha256.New, secret, nil,", "hkdf.Key(sha256.New, secret[:0], nil,", sessions),
	one("import: and from the credential", "session/import.go", `"hardy/1 import\x00"+credential`, `"hardy/1 import\x00"`, sessions),
	one("import: the tombstone outlives the credential", "session/import.go", "\t\tr.Purge = kept\n", "\t\t_ = kept\n", sessions, imports),
	one("import: the slower of two tabs gets the session", "session/import.go", "s, err = m.Load(ctx, t)\n\t\treturn s, false, err", "return nil, false, err", sessions, imports),
	one("import: no sign-in in Fill", "session/import.go", "if s.login || s.leave != stay {", "if false {", sessions),
	one("import: an expired credential", "middleware/import.go", `if credential == "" || old != nil && !old.Expires.After(time.Now()) {`, `if credential == "" {`, imports),
	one("import: an old store that is down", "middleware/import.go", `return nil, "", nil, err`+"\n\t}\n\tif credential", `return nil, "", nil, nil`+"\n\t}\n\tif credential", imports),
	one("import: beside no token of ours", "middleware/sessions.go", "case h.olds != nil && c.State != Invalid:", "case h.olds != nil:", imports),
	one("import: a late answer", "middleware/sessions.go", "x.carried.imported && x.unmoved(d.Token):", "x.carried.imported:", imports),
	one("import: retired once the cookie has arrived", "middleware/sessions.go", "return d.Stored && !x.carried.imported && x.h.olds.retire(h, x.r, false), nil", "return false, nil", imports),
	one("import: a sign-out reaches the credential", "middleware/import.go", "\t\ti.bury(ctx, token, old)\n", "\t\t_ = old\n", imports),
	one("import: a sign-out takes the old cookie back", "middleware/sessions.go", "x.h.carrier.Clear(h, x.r)\n\t\tx.h.olds.retire(h, x.r, true)", "x.h.carrier.Clear(h, x.r)", imports),
	one("import: a younger credential is let be", "middleware/import.go", "s == nil {\n\t\treturn false\n\t}\n\tif i.End", "s == nil && over {\n\t\treturn false\n\t}\n\tif i.End", imports),
	one("import: the reset finds the end", "middleware/startover.go", "return olds.ended(r)", "return false, nil", imports),
	one("Origin of WebSockets", "middleware/origin.go", "if handshake(r) && !h.passes(r) {", "if false && !h.passes(r) {", overHTT...),
	one("Origin: the host", "middleware/origin.go", "return sameHost(scheme, host, r.Host) && ", `return host != "" && `, overHTT...),
	one("Origin: Fetch Metadata", "middleware/origin.go", `return len(site) == 1 && site[0] == "same-origin"`, "return true", overHTT...),
	one("Origin: none, with a cookie", "middleware/origin.go", `return len(r.Header["Cookie"]) == 0`, "return true", overHTT...),
	one("Origin of the reset", "middleware/reset.go", "h.checked = h.origin.Handler(http.HandlerFunc(h.reset))", "h.checked = http.HandlerFunc(h.reset)", rest),
	one("reset: only the ended", "middleware/reset.go", "if ended {\n\t\th.carrier.Drop(r)", "if ended || true {\n\t\th.carrier.Drop(r)", rest),
	one("DevUsers: development keys only", "middleware/devusers.go", "if keys == nil || !keys.Dev() {", "if keys == nil {", desk),
	one("DevUsers: from this computer only", "middleware/devusers.go", "remote.Addr().Unmap().IsLoopback() && here.Addr().Unmap().IsLoopback()", "(remote.Addr().IsValid() || here.Addr().IsValid())", desk),
	one("DevUsers: not through a proxy", "middleware/devusers.go", `if field == "Via" || forwards(field) {`, `if field == "" {`, desk),
	one("DevUsers: forms of its own only", "middleware/devusers.go", "http.NewCrossOriginProtection().Handler(Sessions(m, keys, &own)(seat))", "Sessions(m, keys, &own)(seat)", desk),
	one("DevUsers: below its own host only", "middleware/devusers.go", "below && (len(seat) != 1 || !strings.Contains(devSeats, seat))", `below && seat == ""`, desk),
	one("reset: POST only", "middleware/reset.go", "if r.Method != http.MethodPost {", "if false {", rest),
	one("starting over: not on another site's link", "middleware/startover.go", `case "", "none", "same-origin":`, `case "", "none", "same-origin", "cross-site", "same-site":`, rest),
	one("way back: two slashes", "middleware/wayback.go", `if strings.Contains(path, "//") {`, "if false {", rest),
	one("way back: backslash and control characters", "middleware/wayback.go", `if s[i] < ' ' || s[i] == 0x7f || s[i] == '\\' {`, "if s[i] == 1 {", rest),
}
