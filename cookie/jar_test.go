package cookie

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var (
	nick = NewKey[string]("name")
	age  = NewKey[int]("age")
	lang = NewKey[string]("lang")
)

func specOf(t testing.TB, keys *Keys) *Spec {
	t.Helper()
	s, err := NewLocal(keys, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// visit is one request with the given value of the cookie ("": without it); it returns the value that the browser has
// afterwards, and the Set-Cookie line ("": none).
func visit(t testing.TB, s *Spec, value string, f func(*Jar)) (after, line string) {
	t.Helper()
	r := httptest.NewRequest("GET", "/", nil)
	if value != "" {
		r.Header.Set("Cookie", s.Name()+"="+value)
	}
	jar := s.Jar(r)
	f(jar)
	h := http.Header{}
	changed := jar.Changed()
	if err := jar.Commit(h); err != nil {
		t.Fatal(err)
	}
	lines := h.Values("Set-Cookie")
	if changed != (len(lines) == 1) || len(lines) > 1 {
		t.Fatalf("Changed said %v, and %d cookies were set", changed, len(lines))
	}
	if len(lines) == 0 {
		return value, ""
	}
	c, err := http.ParseSetCookie(lines[0])
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != s.Name() {
		t.Errorf("the cookie is called %s", c.Name)
	}
	return c.Value, lines[0]
}

func wants[T comparable](t testing.TB, j *Jar, k Key[T], want T, there bool) {
	t.Helper()
	if got, ok := k.Lookup(j); got != want || ok != there {
		t.Errorf("%s: %v, %v; want %v, %v", k.Name(), got, ok, want, there)
	}
}

// 30 days, kept by the server.
func TestJarLastsThirtyDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := specOf(t, ringOf(t, masterA, "bell"))
		value, line := visit(t, s, "", func(j *Jar) {
			if err := nick.Set(j, "Bob"); err != nil {
				t.Error(err)
			}
		})
		if !strings.Contains(line, "; Max-Age=2592000;") {
			t.Errorf("%s does not last 30 days", line)
		}
		time.Sleep(29*24*time.Hour + 23*time.Hour)
		if _, line := visit(t, s, value, func(j *Jar) { wants(t, j, nick, "Bob", true) }); line != "" {
			t.Errorf("reading wrote %s", line)
		}
		time.Sleep(time.Hour + time.Minute) // 30 d 1 min; the browser would have dropped it, this is a replay
		visit(t, s, value, func(j *Jar) {
			wants(t, j, nick, "", false)
			if keys := j.Keys(); len(keys) != 0 {
				t.Errorf("Keys: %v", keys)
			}
			if was, err := nick.Delete(j); was || err != nil {
				t.Error("an expired value was there to delete")
			}
		})
	})
}

// Two values of different types set in one call for 3 days go while their neighbour stays.
func TestJarSeveralForThreeDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := specOf(t, ringOf(t, masterA, "bell"))
		value, line := visit(t, s, "", func(j *Jar) {
			if err := lang.Set(j, "en"); err != nil {
				t.Error(err)
			}
			if err := j.SetFor(3*24*time.Hour, nick.Value("Bob"), age.Value(42)); err != nil {
				t.Error(err)
			}
		})
		if !strings.Contains(line, "; Max-Age=2592000;") {
			t.Errorf("%s does not last as long as the longest value", line)
		}
		time.Sleep(3*24*time.Hour - time.Second)
		visit(t, s, value, func(j *Jar) {
			wants(t, j, nick, "Bob", true)
			wants(t, j, age, 42, true)
		})
		time.Sleep(time.Second)
		value, _ = visit(t, s, value, func(j *Jar) {
			wants(t, j, nick, "", false)
			wants(t, j, age, 0, false)
			wants(t, j, lang, "en", true)
			if err := age.Set(j, 43); err != nil {
				t.Error(err)
			}
		})
		visit(t, s, value, func(j *Jar) {
			if keys := j.Keys(); !slices.Equal(keys, []string{"age", "lang"}) {
				t.Errorf("Keys: %v", keys)
			}
		})
	})
}

// Set then Get in one request, Delete, Clear, and what is written of it.
func TestJarInOneRequest(t *testing.T) {
	s := specOf(t, ringOf(t, masterA, "bell"))
	value, set := visit(t, s, "", func(j *Jar) {
		if j.Touched() {
			t.Error("touched before anybody looked")
		}
		wants(t, j, nick, "", false)
		if !j.Touched() || j.Changed() {
			t.Error("a look is no change, and is a touch")
		}
		if nick.GetOr(j, "stranger") != "stranger" {
			t.Error("GetOr")
		}
		if err := nick.Set(j, "Bob"); err != nil {
			t.Error(err)
		}
		wants(t, j, nick, "Bob", true)
		if err := nick.Set(j, "Ann"); err != nil {
			t.Error(err)
		}
		wants(t, j, nick, "Ann", true)
		if err := age.SetFor(j, time.Hour, 42); err != nil {
			t.Error(err)
		}
		if err := lang.Set(j, "en"); err != nil {
			t.Error(err)
		}
	})
	value, _ = visit(t, s, value, func(j *Jar) {
		was, err := age.Delete(j)
		if !was || err != nil {
			t.Error(was, err)
		}
		if was, _ := age.Delete(j); was {
			t.Error("deleted twice")
		}
		wants(t, j, nick, "Ann", true)
	})
	value, _ = visit(t, s, value, func(j *Jar) {
		wants(t, j, age, 0, false)
		if v, ok := lang.Take(j); !ok || v != "en" {
			t.Error("Take", v, ok)
		}
		if _, ok := lang.Take(j); ok {
			t.Error("taken twice")
		}
	})
	value, cleared := visit(t, s, value, func(j *Jar) {
		if keys := j.Keys(); !slices.Equal(keys, []string{"name"}) {
			t.Errorf("Keys: %v", keys)
		}
		if err := j.Clear(); err != nil {
			t.Error(err)
		}
		wants(t, j, nick, "", false)
	})
	if value != "" {
		t.Errorf("left %q behind", value)
	}
	// C8: the deletion has the attributes of what it deletes.
	attributes := func(line string) string {
		c, _ := http.ParseSetCookie(line)
		c.Value, c.MaxAge = "", 0
		return c.String()
	}
	if attributes(set) != attributes(cleared) || !strings.Contains(cleared, "Max-Age=0") {
		t.Errorf("set by\n%s\ncleared by\n%s", set, cleared)
	}
	// The last value's deletion deletes the cookie, and nothing at all is written for a jar that stays empty.
	value, _ = visit(t, s, "", func(j *Jar) { nick.Set(j, "Bob") })
	if _, line := visit(t, s, value, func(j *Jar) { nick.Delete(j) }); !strings.Contains(line, "Max-Age=0") {
		t.Errorf("%q", line)
	}
	if _, line := visit(t, s, "", func(j *Jar) { nick.Set(j, "Bob"); j.Clear() }); line != "" {
		t.Errorf("%q", line)
	}
	if _, line := visit(t, s, "", func(j *Jar) { j.Clear() }); line != "" {
		t.Errorf("%q", line)
	}
	// Clear also removes what can't be read.
	if _, line := visit(t, s, "garbage", func(j *Jar) { j.Clear() }); !strings.Contains(line, "Max-Age=0") {
		t.Errorf("%q", line)
	}
}

// C1, C2, C3, C5, C9: the attributes of every cookie, set or deleted.
func TestC1Attributes(t *testing.T) {
	keys, team := ringOf(t, masterA, "bell"), ringOf(t, masterB, "acme")
	overTLS := func(*http.Request) bool { return true }
	for what, row := range map[string]struct {
		make func() (*Spec, error)
		want string
	}{
		"local":    {func() (*Spec, error) { return NewLocal(keys, nil) }, "__Host-bell-local=; Path=/; HttpOnly; Secure; SameSite=Lax"},
		"strict":   {func() (*Spec, error) { return NewLocal(keys, &Options{SameSite: http.SameSiteStrictMode}) }, "__Host-bell-local=; Path=/; HttpOnly; Secure; SameSite=Strict"},
		"shared":   {func() (*Spec, error) { return NewShared(team, "example.com", nil) }, "__Secure-acme-shared=; Path=/; Domain=example.com; HttpOnly; Secure; SameSite=Lax"},
		"insecure": {func() (*Spec, error) { return NewLocal(keys, &Options{InsecureHTTP: true}) }, "bell-local=; Path=/; HttpOnly; SameSite=Lax"},
		"insecure, over TLS": {func() (*Spec, error) { return NewLocal(keys, &Options{InsecureHTTP: true, TLS: overTLS}) },
			"bell-local=; Path=/; HttpOnly; Secure; SameSite=Lax"},
		"insecure, shared": {func() (*Spec, error) { return NewShared(team, "home.example", &Options{InsecureHTTP: true}) },
			"acme-shared=; Path=/; Domain=home.example; HttpOnly; SameSite=Lax"},
	} {
		s, err := row.make()
		if err != nil {
			t.Fatal(err)
		}
		value, set := visit(t, s, "", func(j *Jar) {
			if err := nick.SetFor(j, MaxLifetime, "Bob"); err != nil {
				t.Error(err)
			}
		})
		_, cleared := visit(t, s, value, func(j *Jar) { j.Clear() })
		for _, line := range []string{set, cleared} {
			c, err := http.ParseSetCookie(line)
			if err != nil {
				t.Fatal(err)
			}
			if c.MaxAge > 34560000 { // C5
				t.Errorf("%s: Max-Age %d", what, c.MaxAge)
			}
			c.Value, c.MaxAge = "", 0
			if c.String() != row.want {
				t.Errorf("%s: %s, want %s", what, c, row.want)
			}
		}
	}
	for what, make := range map[string]func() (*Spec, error){
		"no keys":   func() (*Spec, error) { return NewLocal(nil, nil) },
		"no domain": func() (*Spec, error) { return NewShared(team, "", nil) },
		"one label": func() (*Spec, error) { return NewShared(team, "localhost", nil) },
		"None without TLS": func() (*Spec, error) {
			return NewLocal(keys, &Options{InsecureHTTP: true, SameSite: http.SameSiteNoneMode})
		},
		"no such SameSite":  func() (*Spec, error) { return NewLocal(keys, &Options{SameSite: 77}) },
		"domain with extra": func() (*Spec, error) { return NewShared(team, "example.com; Secure", nil) },
	} {
		if _, err := make(); err == nil || !strings.HasPrefix(err.Error(), "cookie: ") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A team's jar is one for all its apps, and no app's own jar can be read with the team's keys.
func TestSharedJar(t *testing.T) {
	one, err := NewShared(ringOf(t, masterB, "acme"), "example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	two, _ := NewShared(ringOf(t, masterB, "acme"), "example.com", nil)
	value, _ := visit(t, one, "", func(j *Jar) { lang.Set(j, "en") })
	visit(t, two, value, func(j *Jar) { wants(t, j, lang, "en", true) })

	local := specOf(t, ringOf(t, masterA, "bell"))
	for _, other := range []*Spec{local, specOf(t, ringOf(t, masterB, "acme")), specOf(t, ringOf(t, masterB, "bell"))} {
		visit(t, other, value, func(j *Jar) { wants(t, j, lang, "", false) })
	}
	otherTeam, _ := NewShared(ringOf(t, masterB, "umbrella"), "example.com", nil)
	visit(t, otherTeam, value, func(j *Jar) { wants(t, j, lang, "", false) })
}

// C4: too large is said at Set, to the byte, and the jar keeps what it had.
func TestC4JarTooLarge(t *testing.T) {
	s := specOf(t, ringOf(t, masterA, "bell"))
	blob := NewKey[[]byte]("blob")
	largest := 0
	value, line := visit(t, s, "", func(j *Jar) {
		nick.Set(j, "Bob")
		for n := 2000; ; n++ {
			err := blob.Set(j, make([]byte, n))
			if errors.Is(err, ErrTooLarge) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			largest = n
		}
		if err := j.SetFor(time.Hour, nick.Value("Ann"), lang.Value(strings.Repeat("x", 4000))); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%v", err)
		}
		wants(t, j, nick, "Bob", true) // all or none
		if got := len(blob.Get(j)); got != largest {
			t.Errorf("the jar holds %d bytes, want %d", got, largest)
		}
		if err := nick.Set(j, "Al"); err != nil {
			t.Errorf("a refusal is sticky: %v", err)
		}
	})
	if pair, _, _ := strings.Cut(line, ";"); len(pair)-1 > 4096 || len(pair)-1 < 4080 || largest < 2150 {
		t.Errorf("%d bytes in a cookie of %d", largest, len(pair)-1)
	}
	visit(t, s, value, func(j *Jar) { wants(t, j, nick, "Al", true) })
}

// The size that Set reckons with is the size of the cookie that goes out.
func TestSizeIsExact(t *testing.T) {
	s := specOf(t, ringOf(t, masterA, "bell"))
	for _, n := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 100, 127, 128, 250, 300, 1900} {
		text := strings.Repeat("x", n)
		more := []Value{nick.Value(text), lang.Value("en"), nick.Value(text + "y"), NewKey[bool](strings.Repeat("k", 1+n/10)).Value(true)}
		var reckoned int
		value, _ := visit(t, s, "", func(j *Jar) {
			nick.Set(j, "before")
			if err := j.SetFor(DefaultLifetime, more...); err != nil {
				t.Fatal(err)
			}
			reckoned = len(s.Name()) + 12 + sealedLen(1+j.entries.sizeWith(j.entries[:1])) // over itself
		})
		if got := len(s.Name()) + len(value); got != reckoned {
			t.Errorf("%d: %d bytes, reckoned with %d", n, got, reckoned)
		}
	}
}

// Frozen: how values lie in a jar. What one version has packed every later one reads.
func TestFrozenJar(t *testing.T) {
	const packed = "01" + // format
		"03" + "616765" + "07" + "80a7b98007" + "182a" + // age: 42 until the year 2029
		"04" + "6e616d65" + "09" + "80a7b98007" + "63426f62" // name: "Bob"
	b, err := hex.DecodeString(packed)
	if err != nil {
		t.Fatal(err)
	}
	read, err := parseEntries(b, 1795264873)
	if err != nil || len(read) != 2 || read[0].expires != 1879987072 {
		t.Fatalf("%+v, %v", read, err)
	}
	slices.Reverse(read) // they are sorted as they are packed
	if got := hex.EncodeToString(read.pack(nil)); got != packed {
		t.Errorf("packed as %s", got)
	}
	for name, text := range map[string]string{
		"no expiry":          "01" + "03" + "616765" + "00",
		"long expiry":        "01" + "03" + "616765" + "08" + "80a7b9808700" + "182a",
		"expiry over int64":  "01" + "03" + "616765" + "0b" + "ffffffffffffffffff01" + "00",
		"descending":         "01" + "0162" + "02" + "0500" + "0161" + "02" + "0500",
		"another format":     "02",
		"nothing":            "",
		"key without value":  "01" + "03" + "616765",
		"two under one name": "01" + "0161" + "02" + "0500" + "0161" + "02" + "0500",
	} {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseEntries(b, 0); err == nil {
			t.Errorf("%s accepted", name)
		}
	}
	synctest.Test(t, func(t *testing.T) { // begins in 2000
		s := specOf(t, ringOf(t, masterA, "bell"))
		sealed, _ := s.sealer.Seal(b)
		visit(t, s, sealed, func(j *Jar) {
			wants(t, j, age, 42, true)
			wants(t, j, nick, "Bob", true)
		})
	})
}

// C7: two cookies of one name are none, and the trace says so.
func TestC7TwoOfOneName(t *testing.T) {
	keys := ringOf(t, masterA, "bell")
	var told string
	keys.Trace = &Trace{Duplicate: func(cookie string, n int) { told = fmt.Sprint(cookie, " ", n) }}
	s := specOf(t, keys)
	value, _ := visit(t, s, "", func(j *Jar) { nick.Set(j, "Bob") })
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Add("Cookie", s.Name()+"="+value+"; x=y")
	r.Header.Add("Cookie", s.Name()+"="+value)
	j := s.Jar(r)
	wants(t, j, nick, "", false)
	if told != "__Host-bell-local 2" {
		t.Errorf("traced %q", told)
	}
	h := http.Header{}
	if err := nick.Set(j, "Ann"); err != nil {
		t.Error(err)
	}
	if err := j.Commit(h); err != nil || len(h["Set-Cookie"]) != 1 {
		t.Error(err, h)
	}
}

// C6: one cookie a jar, however full it is; no chunks.
func TestC6OneCookie(t *testing.T) {
	s := specOf(t, ringOf(t, masterA, "bell"))
	visit(t, s, "", func(j *Jar) { // visit counts
		for i := range 40 {
			if err := NewKey[string](fmt.Sprint("key", i)).Set(j, "some value of some length, or so"); err != nil {
				t.Fatal(i, err)
			}
		}
	})
}

// Whatever a client sends reads as nothing, and the next Set replaces it.
func TestBadCookies(t *testing.T) {
	keys := ringOf(t, masterA, "bell")
	s := specOf(t, keys)
	outcomes := map[string]Outcome{}
	var what string
	keys.Trace = &Trace{Opened: func(i OpenedInfo) { outcomes[what] = i.Outcome }}
	garbled, _ := s.sealer.Seal([]byte("no frame"))
	for name, row := range map[string]struct {
		value string
		want  Outcome
	}{
		"garbage":   {"%%%///", NotOurs},
		"NULs":      {strings.Repeat("\x00", 50), NotOurs},
		"oversize":  {"v1." + strings.Repeat("A", 5000), TooLarge},
		"forged":    {"v1." + keys.PrimaryID() + ".AAAA", Tampered},
		"dropped":   {"v1.AAAAAAAA.AAAA", UnknownKey},
		"not a jar": {garbled, OK}, // and then undecodable
	} {
		what = name
		_, line := visit(t, s, row.value, func(j *Jar) {
			wants(t, j, nick, "", false)
			if err := nick.Set(j, "Bob"); err != nil {
				t.Error(err)
			}
		})
		if outcomes[name] != row.want || line == "" {
			t.Errorf("%s: %v, want %v; %q", name, outcomes[name], row.want, line)
		}
	}
	// 3,001 cookies: net/http shows none of them, and so do we.
	r := httptest.NewRequest("GET", "/", nil)
	value, _ := visit(t, s, "", func(j *Jar) { nick.Set(j, "Bob") })
	r.Header.Set("Cookie", strings.Repeat("a=b; ", 3000)+s.Name()+"="+value)
	wants(t, s.Jar(r), nick, "", false)
}

// A value that no longer decodes into its type is absent and traced, and can be replaced.
func TestUndecodable(t *testing.T) {
	keys := ringOf(t, masterA, "bell")
	var told string
	keys.Trace = &Trace{Undecodable: func(cookie, key string, err error) { told = cookie + " " + key + " " + err.Error() }}
	s := specOf(t, keys)
	value, _ := visit(t, s, "", func(j *Jar) { NewKey[string]("age").Set(j, "forty-two") })
	visit(t, s, value, func(j *Jar) {
		wants(t, j, age, 0, false)
		if !strings.HasPrefix(told, "__Host-bell-local age ") || strings.Contains(told, "forty") {
			t.Errorf("traced %q", told)
		}
		if err := age.Set(j, 42); err != nil {
			t.Error(err)
		}
		wants(t, j, age, 42, true)
	})
}

func TestLifetimes(t *testing.T) {
	s := specOf(t, ringOf(t, masterA, "bell"))
	visit(t, s, "", func(j *Jar) {
		for _, d := range []time.Duration{0, -time.Second, MaxLifetime + 1} {
			if err := nick.SetFor(j, d, "Bob"); !errors.Is(err, ErrLifetime) {
				t.Errorf("%v: %v", d, err)
			}
		}
		for _, d := range []time.Duration{1, time.Second, MaxLifetime} {
			if err := nick.SetFor(j, d, "Bob"); err != nil {
				t.Errorf("%v: %v", d, err)
			}
			wants(t, j, nick, "Bob", true)
		}
	})
}

// After the header has left, every change is an error at the call, and nothing else is.
func TestErrSent(t *testing.T) {
	s := specOf(t, ringOf(t, masterA, "bell"))
	value, _ := visit(t, s, "", func(j *Jar) { nick.Set(j, "Bob") })
	var jar *Jar
	visit(t, s, value, func(j *Jar) { jar = j })
	if err := nick.Set(jar, "Ann"); !errors.Is(err, ErrSent) {
		t.Errorf("Set: %v", err)
	}
	if err := jar.SetFor(time.Hour, age.Value(1)); !errors.Is(err, ErrSent) {
		t.Errorf("SetFor: %v", err)
	}
	if was, err := nick.Delete(jar); !was || !errors.Is(err, ErrSent) {
		t.Errorf("Delete: %v, %v", was, err)
	}
	if was, err := age.Delete(jar); was || err != nil {
		t.Errorf("Delete of nothing: %v, %v", was, err)
	}
	if err := jar.Clear(); !errors.Is(err, ErrSent) {
		t.Errorf("Clear: %v", err)
	}
	if v, ok := nick.Take(jar); v != "" || ok {
		t.Errorf("Take: %v, %v", v, ok)
	}
	wants(t, jar, nick, "Bob", true) // reading goes on
	h := http.Header{}
	if err := jar.Commit(h); err != nil || len(h) != 0 {
		t.Error("committed twice", err, h)
	}
}

// For jars too: NewKey[any] is a dictionary.
func TestDictionary(t *testing.T) {
	s := specOf(t, ringOf(t, masterA, "bell"))
	dictionary := NewKey[any]("anything")
	when := time.Date(2026, 11, 21, 12, 0, 0, 123456789, time.FixedZone("", 3600))
	stored := map[string]any{
		"map": map[string]any{"list": []any{int64(1), "two", 3.5, true, nil, []byte{4}}},
		"int": int64(-1 << 63), "empty": map[string]any{}, "text": "Håll",
	}
	value, _ := visit(t, s, "", func(j *Jar) {
		if err := dictionary.Set(j, stored); err != nil {
			t.Fatal(err)
		}
		if err := NewKey[any]("when").Set(j, when); err != nil {
			t.Fatal(err)
		}
		for _, refused := range []any{make(chan int), func() {}, strings.NewReader("x"), map[string]any{"f": strings.NewReader("x")}} {
			if err := dictionary.Set(j, refused); err == nil {
				t.Errorf("%T accepted", refused)
			}
		}
	})
	visit(t, s, value, func(j *Jar) {
		if got := dictionary.Get(j); !reflect.DeepEqual(got, stored) {
			t.Errorf("%#v", got)
		}
		if got, _ := NewKey[any]("when").Get(j).(time.Time); !got.Equal(when) || got.Format(time.RFC3339Nano) != when.Format(time.RFC3339Nano) {
			t.Errorf("%v", got)
		}
	})
}

func TestNewKeyPanics(t *testing.T) {
	for what, f := range map[string]func(){
		"running program": func() { NewKey[chan int]("x") },
		"don't outlive": func() {
			NewKey[struct {
				F interface{ Read([]byte) (int, error) }
			}]("x")
		},
		"a name has":                func() { NewKey[int]("") },
		"wants a purpose":           func() { ringOf(t, masterA, "bell").Sealer("", "x") },
		"middleware.Cookies(keys":   func() { Local(t.Context()) },
		"no shared jar":             func() { Shared(NewContext(t.Context(), &Jar{}, nil)) },
		"no jar in this context":    func() { Local(NewContext(t.Context(), nil, &Jar{})) },
		"put middleware.Cookies ar": func() { Shared(t.Context()) },
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "cookie: ") || !strings.Contains(got, what) {
					t.Errorf("panicked with %q, want %q", got, what)
				}
			}()
			f()
		}()
	}
	var zero Key[int]
	visit(t, specOf(t, ringOf(t, masterA, "bell")), "", func(j *Jar) {
		if zero.Set(j, 1) == nil {
			t.Error("a Key that NewKey has not made was accepted")
		}
	})
}

func TestContext(t *testing.T) {
	s := specOf(t, ringOf(t, masterA, "bell"))
	r := httptest.NewRequest("GET", "/", nil)
	local, shared := s.Jar(r), s.Jar(r)
	ctx := NewContext(r.Context(), local, shared)
	if Local(ctx) != local || Shared(ctx) != shared {
		t.Error("not the jars that were put in")
	}
}

// The goroutines of one request share its jar.
func TestJarConcurrent(t *testing.T) {
	s := specOf(t, ringOf(t, masterA, "bell"))
	value, _ := visit(t, s, "", func(j *Jar) {
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				k := NewKey[int](fmt.Sprint("k", i))
				for n := range 50 {
					if err := k.Set(j, n); err != nil || k.Get(j) != n {
						t.Error(err, k.Get(j))
					}
					j.Keys()
					NewKey[int]("other").Delete(j)
				}
			})
		}
		group.Wait()
	})
	visit(t, s, value, func(j *Jar) {
		if keys := j.Keys(); len(keys) != 8 {
			t.Errorf("%v", keys)
		}
	})
}

// FuzzJar: what a jar's sealed bytes may be, they never panic, and what is read packs to what reads the same.
func FuzzJar(f *testing.F) {
	f.Add((entries{{"a", 1 << 40, []byte{1}}, {"b", 1 << 40, []byte{0x61, 'x'}}}).pack(nil))
	f.Add([]byte{1, 0, 0})
	const now = 1795264873
	f.Fuzz(func(t *testing.T, b []byte) {
		read, err := parseEntries(b, now)
		if err != nil {
			return
		}
		again, err := parseEntries(read.pack(nil), now)
		if err != nil || !reflect.DeepEqual(again, read) {
			t.Fatalf("%v became %v (%v)", read, again, err)
		}
	})
}
