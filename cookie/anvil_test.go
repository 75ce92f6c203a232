package cookie

import (
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The behaviour of Anvil's cookies, line by line of docs/coming-from.md.

// Anvil 9: local is private to the app, shared belongs to all of the team's apps, and only the server reads and writes
// them.
func TestAnvil9LocalAndShared(t *testing.T) {
	team := func() *Keys { return ringOf(t, masterC, "acme") }
	bellShared, err := NewShared(team(), "example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	gongShared, _ := NewShared(team(), "example.com", nil)
	bell, gong := specOf(t, ringOf(t, masterA, "bell")), specOf(t, ringOf(t, masterB, "gong"))

	shared, line := visit(t, bellShared, "", func(j *Jar) { lang.Set(j, "en") })
	visit(t, gongShared, shared, func(j *Jar) { wants(t, j, lang, "en", true) })
	if !strings.Contains(line, "Domain=example.com") || !strings.Contains(line, "HttpOnly") {
		t.Error(line)
	}
	local, line := visit(t, bell, "", func(j *Jar) { nick.Set(j, "Bob") })
	visit(t, gong, local, func(j *Jar) { wants(t, j, nick, "", false) })
	if strings.Contains(line, "Domain") || !strings.Contains(line, "HttpOnly") {
		t.Error(line)
	}
	if bell.Keys().Shares(team()) {
		t.Error("the app's keys are the team's")
	}
}

// Anvil 10: get and set an item, get with a default, delete, clear; 30 days, or set(3, name="Bob", age=42).
func TestAnvil10Dictionary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := specOf(t, ringOf(t, masterA, "bell"))
		value, _ := visit(t, s, "", func(j *Jar) {
			if got := nick.GetOr(j, "nobody"); got != "nobody" {
				t.Error(got)
			}
			lang.Set(j, "en")
			j.SetFor(3*24*time.Hour, nick.Value("Bob"), age.Value(42))
		})
		visit(t, s, value, func(j *Jar) {
			if nick.Get(j) != "Bob" || age.Get(j) != 42 || !slices.Equal(j.Keys(), []string{"age", "lang", "name"}) {
				t.Error(j.Keys())
			}
		})
		time.Sleep(3 * 24 * time.Hour)
		visit(t, s, value, func(j *Jar) {
			if !slices.Equal(j.Keys(), []string{"lang"}) {
				t.Error(j.Keys())
			}
		})
		time.Sleep(27 * 24 * time.Hour)
		visit(t, s, value, func(j *Jar) {
			if len(j.Keys()) != 0 {
				t.Error(j.Keys())
			}
		})
		value, _ = visit(t, s, "", func(j *Jar) { nick.Set(j, "Bob"); lang.Set(j, "en") })
		value, _ = visit(t, s, value, func(j *Jar) { nick.Delete(j) })
		value, _ = visit(t, s, value, func(j *Jar) {
			if !slices.Equal(j.Keys(), []string{"lang"}) {
				t.Error(j.Keys())
			}
			j.Clear()
		})
		if value != "" {
			t.Error("cleared, and not empty")
		}
	})
}

// Anvil 11: an update takes effect at once; it leaves with the header, so a visitor may navigate away right after.
func TestAnvil11AtOnce(t *testing.T) {
	s := specOf(t, ringOf(t, masterA, "bell"))
	r, _ := http.NewRequest("GET", "/", nil)
	j, h := s.Jar(r), http.Header{}
	nick.Set(j, "Bob")
	wants(t, j, nick, "Bob", true)
	if err := j.Commit(h); err != nil || len(h["Set-Cookie"]) != 1 {
		t.Error(err, h)
	}
}

// Anvil 12: the types of the session's values, about 4 KB, and an error where it is too much.
func TestAnvil12TooLarge(t *testing.T) {
	s := specOf(t, ringOf(t, masterA, "bell"))
	anything := NewKey[any]("anything")
	visit(t, s, "", func(j *Jar) {
		if err := anything.Set(j, map[string]any{"nested": []any{1, 2.5, "x", true, nil, []byte{1}, time.Now()}}); err != nil {
			t.Error(err)
		}
		if err := anything.Set(j, strings.Repeat("x", 4096)); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%v", err)
		}
	})
}

// Anvil 13: its user can't read it, and what is read was put there by the app.
func TestAnvil13Sealed(t *testing.T) {
	s := specOf(t, ringOf(t, masterA, "bell"))
	const secret = "quite a secret nickname"
	value, _ := visit(t, s, "", func(j *Jar) { nick.Set(j, secret) })
	raw, _ := base64.URLEncoding.DecodeString(value[12:])
	inner, _ := base64.URLEncoding.DecodeString(strings.Split(string(raw), "|")[1])
	for _, layer := range []string{value, string(raw), string(inner)} {
		if layer == "" || strings.Contains(layer, secret) || strings.Contains(layer, "name") {
			t.Errorf("readable: %q", layer)
		}
	}
	changed := []byte(value)
	changed[40] ^= 1
	visit(t, s, string(changed), func(j *Jar) { wants(t, j, nick, "", false) })
}
