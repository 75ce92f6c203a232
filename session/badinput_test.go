package session_test

import (
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"os"
	"strings"
	"testing"
	"time"

	"example.com/hardy/session"
	"example.com/hardy/store"
)

// stopsWith runs f and checks that it stops the program with a message that names all of what is wanted.
func stopsWith(t *testing.T, name string, f func(), wants ...string) {
	t.Helper()
	defer func() {
		t.Helper()
		why := recover()
		if why == nil {
			t.Errorf("%s: accepted", name)
			return
		}
		for _, want := range wants {
			if text := fmt.Sprint(why); !strings.Contains(text, want) {
				t.Errorf("%s: the message lacks %q: %s", name, want, text)
			}
		}
	}()
	f()
}

// A key whose values could not be stored and read back stops the program where it is made: the message names the key, the
// part of the type, and what to do instead.
func TestKeyOfATypeThatCannotBeStored(t *testing.T) {
	type upload struct {
		Name string
		File multipart.File
	}
	type closed struct{ _ int }
	type handler struct {
		Name string
		Do   func()
	}
	type nested struct{ Steps map[string][]handler }
	for name, c := range map[string]struct {
		make  func()
		wants []string
	}{
		"chan":                {func() { session.NewKey[chan int]("k") }, []string{`"k"`, "chan int", "running program"}},
		"func":                {func() { session.NewKey[func()]("k") }, []string{`"k"`, "func()", "running program"}},
		"io.Reader":           {func() { session.NewKey[io.Reader]("k") }, []string{`"k"`, "io.Reader", "read the bytes"}},
		"*os.File":            {func() { session.NewKey[*os.File]("k") }, []string{`"k"`, "os.File", "read the bytes"}},
		"an upload":           {func() { session.NewKey[*multipart.FileHeader]("k") }, []string{`"k"`, "multipart.FileHeader", "read the bytes"}},
		"an upload in it":     {func() { session.NewKey[upload]("k") }, []string{`"k"`, ".File", "multipart.File", "read the bytes"}},
		"a func deep in it":   {func() { session.NewKey[[]nested]("k") }, []string{`"k"`, ".Steps", ".Do", "func()"}},
		"an interface":        {func() { session.NewKey[error]("k") }, []string{`"k"`, "error", "concrete type or any"}},
		"nothing is exported": {func() { session.NewKey[closed]("k") }, []string{`"k"`, "exported"}},
		"complex":             {func() { session.NewKey[complex128]("k") }, []string{`"k"`, "two floats"}},
		"an address":          {func() { session.NewKey[uintptr]("k") }, []string{`"k"`, "another process"}},
		"times as map keys":   {func() { session.NewKey[map[time.Time]int]("k") }, []string{`"k"`, "Unix seconds"}},
		"points to itself":    {func() { type p *p; session.NewKey[p]("k") }, []string{`"k"`}},
	} {
		stopsWith(t, name, c.make, c.wants...)
	}
}

// The same in an any is refused at Set, with the reason; the old value stays, and the commit does not fail for it.
func TestValueThatCannotBeStored(t *testing.T) {
	m, _ := newManager(t, nil)
	v := &visitor{t: t, m: m}
	anything := session.NewKey[any]("anything")
	v.do(func(s *session.Session) { must(t, anything.Set(s, "kept")) })
	v.do(func(s *session.Session) {
		for name, bad := range map[string]any{
			"chan": make(chan int), "func": func() {}, "io.Reader": strings.NewReader("x"), "*os.File": os.Stdin,
			"in a list": []any{1, make(chan int)}, "in a map": map[string]any{"a": map[string]any{"b": func() {}}},
		} {
			if err := anything.Set(s, bad); err == nil || !strings.Contains(err.Error(), `"anything"`) {
				t.Errorf("%s: %v", name, err)
			}
		}
		must(t, rings.Set(s, 1))
	})
	v.do(func(s *session.Session) {
		if anything.Get(s) != "kept" || rings.Get(s) != 1 {
			t.Errorf("holds %v, %d", anything.Get(s), rings.Get(s))
		}
	})
}

// Options that can't be served are refused with the field and the mend: by Validate for settings from outside, and by
// NewManager, which stops the program.
func TestBadOptions(t *testing.T) {
	for _, c := range []struct {
		name    string
		options session.Options
		field   string
		wants   []string
	}{
		{"negative idle", session.Options{Idle: -time.Second}, "Idle", []string{"-1s", "negative", "30m"}},
		{"negative lifetime", session.Options{Lifetime: -time.Hour}, "Lifetime", []string{"negative", "24h"}},
		{"lifetime under idle", session.Options{Idle: time.Hour, Lifetime: time.Minute}, "Lifetime", []string{"1m0s", "1h0m0s", "raise", "lower"}},
		{"lifetime under the default idle", session.Options{Lifetime: 10 * time.Minute}, "Lifetime", []string{"10m0s", "30m0s"}},
		{"idle over the default lifetime", session.Options{Idle: 48 * time.Hour}, "Lifetime", []string{"24h0m0s", "48h0m0s"}},
		{"lifetime of 500 days", session.Options{Lifetime: 500 * 24 * time.Hour}, "Lifetime", []string{"400 days"}},
		{"both of 500 days", session.Options{Idle: 500 * 24 * time.Hour, Lifetime: 500 * 24 * time.Hour}, "Lifetime", []string{"400 days"}},
		{"negative size", session.Options{MaxBytes: -1}, "MaxBytes", []string{"-1", "65536"}},
		{"negative store timeout", session.Options{StoreTimeout: -1}, "StoreTimeout", []string{"negative", "2s"}},
	} {
		err := c.options.Validate()
		bad, ok := errors.AsType[*session.OptionError](err)
		if !ok || bad.Field != c.field {
			t.Errorf("%s: Validate: %v", c.name, err)
			continue
		}
		stopsWith(t, c.name, func() { session.NewManager(store.NewMemory(nil), &c.options) }, append(c.wants, "Options."+c.field)...)
	}
	stopsWith(t, "nil store", func() { session.NewManager(nil, nil) }, "store.NewMemory")
	for _, good := range []*session.Options{
		nil, {}, {Idle: time.Nanosecond}, {Idle: time.Hour, Lifetime: time.Hour}, {Lifetime: session.MaxLifetime}, {MaxBytes: 1},
	} {
		if err := good.Validate(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
}

// Arguments from outside never panic: each call answers with its error, and nothing is changed or lost.
func TestBadArguments(t *testing.T) {
	m, db := newManager(t, nil)
	v := &visitor{t: t, m: m}
	v.do(func(s *session.Session) { must(t, rings.Set(s, 1)) })
	long := strings.Repeat("x", 2000)
	v.do(func(s *session.Session) {
		for _, name := range []string{"", "\x00remember", "\x00", long} {
			key := session.NewKey[int](name)
			if err := key.Set(s, 1); err != session.ErrName {
				t.Errorf("Set %.10q: %v", name, err)
			}
			if _, err := key.Update(ctx, s, func(n int) int { return n + 1 }); err != session.ErrName {
				t.Errorf("Update %.10q: %v", name, err)
			}
			if _, err := key.Delete(s); err != session.ErrName {
				t.Errorf("Delete %.10q: %v", name, err)
			}
			if n, ok := key.Lookup(s); n != 0 || ok {
				t.Errorf("Lookup %.10q: %d %v", name, n, ok)
			}
			if n, ok := key.Take(s); n != 0 || ok {
				t.Errorf("Take %.10q: %d %v", name, n, ok)
			}
		}
		var zero session.Key[int]
		if err := zero.Set(s, 1); err != session.ErrName {
			t.Errorf("a key that NewKey has not made: %v", err)
		}
		for _, user := range []string{"", "a\x00b", "\xff", long} {
			if err := s.Login(user); err != session.ErrUser {
				t.Errorf("Login %.10q: %v", user, err)
			}
		}
		for _, d := range []time.Duration{-1, session.MaxLifetime + 1} {
			if err := s.Remember(d); err != session.ErrRemember {
				t.Errorf("Remember(%v): %v", d, err)
			}
		}
		for _, kv := range [][2]string{{"", "v"}, {"\xff", "v"}, {"k", "\xff"}} {
			if err := s.SetMeta(kv[0], kv[1]); err != session.ErrName {
				t.Errorf("SetMeta %q: %v", kv, err)
			}
		}
		if err := s.SetMeta("k", long); !errors.Is(err, session.ErrTooLarge) {
			t.Errorf("SetMeta of %d bytes: %v", len(long), err)
		}
		if err := session.NewKey[string]("long").Set(s, strings.Repeat("x", 70<<10)); !errors.Is(err, session.ErrTooLarge) {
			t.Errorf("Set of 70 KiB: %v", err)
		}
	})
	v.do(func(s *session.Session) {
		if s.User() != "" || rings.Get(s) != 1 || len(s.Keys()) != 1 || len(s.Meta()) != 0 || count(t, db) != 1 {
			t.Errorf("holds %q %v %v", s.User(), s.Keys(), s.Meta())
		}
	})
	for _, secret := range []string{"", "short", strings.Repeat("x", 31), strings.Repeat("x", 33), long} {
		if token, err := m.Token(secret); err != session.ErrToken || token != nil {
			t.Errorf("Token of %d bytes: %v", len(secret), err)
		}
	}
	never, err := m.Token(strings.Repeat("x", 32))
	must(t, err)
	if _, err := m.Load(ctx, never); !errors.Is(err, session.ErrExpired) {
		t.Errorf("a token that was never issued: %v", err)
	}
	for user, handle := range map[string]string{"": "", "nobody": "none", "\x00": "\x00", long: long} {
		if list, err := m.List(ctx, user); len(list) != 0 || err != nil {
			t.Errorf("List %.10q: %v %v", user, list, err)
		}
		if err := m.Revoke(ctx, user, handle); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("Revoke %.10q: %v", user, err)
		}
		if n, err := m.RevokeUser(ctx, user); n != 0 || err != nil {
			t.Errorf("RevokeUser %.10q: %d %v", user, n, err)
		}
	}
	s := m.New()
	if n, err := m.RevokeOthers(ctx, s); n != 0 || err != session.ErrAnonymous {
		t.Errorf("RevokeOthers of nobody: %d %v", n, err)
	}
}

// A context carries one session of each manager; asked for what it does not carry, From says what to do.
func TestBadContext(t *testing.T) {
	m, _ := newManager(t, nil)
	other, _ := newManager(t, nil)
	inner := session.With(ctx, m.New())
	stopsWith(t, "two of one manager", func() { session.With(inner, m.New()) }, "once for each manager")
	stopsWith(t, "two of one manager, another between", func() { session.With(session.With(inner, other.New()), m.New()) }, "once for each manager")
	stopsWith(t, "From without", func() { session.From(ctx) }, "middleware.Sessions", "Options.Skip")
	stopsWith(t, "From of another manager", func() { other.From(inner) }, "this manager")
	if user, handle := session.Peek(ctx); user != "" || handle != "" {
		t.Errorf("Peek without a session: %q %q", user, handle)
	}
}
