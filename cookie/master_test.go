package cookie

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

// Fixed keys of the tests and vectors. They are public, and so good for nothing else.
const (
	masterA = "q83n2mZTRPsuGQ4GLwXf4N3xW1bRz2JkHq0v9ycVbT4"
	masterB = "Zk1oXy3vTq7bI0aWcR5dPu9LgE2nHs8JfM4tYwQxK6A"
	masterC = "B7pQz-_xA0eYv3uKd9TnS5mG1LhW2rXcJ8kfU6oiE4M"
)

// text is a Source that a test can change.
type text string

func (s *text) Masters(context.Context) (string, error) { return string(*s), nil }

func ringOf(t testing.TB, masters, app string) *Keys {
	t.Helper()
	s := text(masters)
	k, err := NewKeys(t.Context(), &s, app)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeysRefused(t *testing.T) {
	b64 := base64.RawURLEncoding.EncodeToString
	counting := make([]byte, 32)
	for i := range counting {
		counting[i] = byte(i * 3)
	}
	for what, row := range map[string]struct {
		text, app string
		want      error
	}{
		"no keys":                 {"", "bell", ErrNoPrimary},
		"only a comment":          {"# none yet\n", "bell", ErrNoPrimary},
		"all revoked":             {"revoked:" + masterA, "bell", ErrNoPrimary},
		"31 bytes":                {b64([]byte(masterA)[:31]), "bell", ErrKeyForm},
		"33 bytes":                {b64([]byte(masterA)[:33]), "bell", ErrKeyForm},
		"hexadecimal":             {strings.Repeat("0f1e2d3c", 8), "bell", ErrKeyForm},
		"standard base64":         {strings.Replace(masterC, "-_", "+/", 1), "bell", ErrKeyForm},
		"padded":                  {masterA + "=", "bell", ErrKeyForm},
		"stray bits":              {masterA[:42] + "5", "bell", ErrKeyForm},
		"space inside":            {masterA[:20] + " " + masterA[20:], "bell", ErrKeyForm},
		"secret":                  {"changeme", "bell", ErrKeyForm},
		"bad one behind good":     {masterA + ",x", "bell", ErrKeyForm},
		"bad revoked":             {masterA + ",revoked:x", "bell", ErrKeyForm},
		"zeros":                   {strings.Repeat("A", 43), "bell", ErrKeyWeak},
		"aaaa":                    {strings.Repeat("a", 42) + "Y", "bell", ErrKeyWeak},
		"text as bytes":           {b64([]byte("correct horse battery staple 123")), "bell", ErrKeyWeak},
		"a password as bytes":     {b64([]byte("Tr0ub4dor&3xKq!zW9#vLm%pY7@sHj2^")), "bell", ErrKeyWeak},
		"words as text":           {"correcthorsebatterystaplemumblinggibberishY", "bell", ErrKeyWeak},
		"words in camel case":     {"CorrectHorseBatteryStapleMumblingGibberishY", "bell", ErrKeyWeak},
		"counting":                {b64(counting), "bell", ErrKeyWeak},
		"sixteen bytes twice":     {b64([]byte(strings.Repeat("\x8fX\x1c\x02\xd3\xb4\xa7\x95n\xe0\xf1Ks\x19\xc8=", 2))), "bell", ErrKeyWeak},
		"hexadecimal of 43":       {"0a9f3be7c1d25846fe09b3a7d1c86e524f0b9a3e7d8Q", "bell", ErrKeyForm},
		"twice":                   {masterA + "," + masterA, "bell", ErrKeyTwice},
		"twice, once revoked":     {masterA + ",revoked:" + masterA, "bell", ErrKeyTwice},
		"no app":                  {masterA, "", ErrApp},
		"app with a space":        {masterA, "my bell", ErrApp},
		"app that ends the field": {masterA, "bell; Domain=x", ErrApp},
		"long app":                {masterA, strings.Repeat("a", 65), ErrApp},
	} {
		t.Run(what, func(t *testing.T) {
			s := text(row.text)
			_, err := NewKeys(t.Context(), &s, row.app)
			if !errors.Is(err, row.want) {
				t.Fatalf("%v, want %v", err, row.want)
			}
			if !strings.HasPrefix(err.Error(), "cookie: ") {
				t.Errorf("%q does not say which package speaks", err)
			}
			for line := range strings.SplitSeq(row.text, ",") {
				if len(line) > 5 && strings.Contains(err.Error(), strings.TrimPrefix(line, "revoked:")) {
					t.Errorf("%q quotes a key", err)
				}
			}
		})
	}
	if _, err := NewKeys(t.Context(), nil, "bell"); err == nil {
		t.Error("no source accepted")
	}
}

func TestRingText(t *testing.T) {
	k := ringOf(t, "# new, since November\n  "+masterB+" # promoted\r\n\n"+masterA+",revoked: "+masterC+"\n", "bell")
	a, b, c := idOf(t, masterA), idOf(t, masterB), idOf(t, masterC)
	for id, want := range map[string]State{a: Retired, b: Primary, c: Revoked, "AAAAAAAA": Unknown, "": Unknown} {
		if got := k.State(id); got != want {
			t.Errorf("State(%q) = %v, want %v", id, got, want)
		}
	}
	if k.PrimaryID() != b || k.App() != "bell" || k.Dev() {
		t.Error(k.PrimaryID(), k.App(), k.Dev())
	}
	// The first key may be the revoked one: the next seals.
	if k := ringOf(t, "revoked:"+masterA+","+masterB, "bell"); k.PrimaryID() != b {
		t.Error("a revoked key is primary")
	}
}

func idOf(t testing.TB, master string) string {
	t.Helper()
	m, err := parseMaster(master)
	if err != nil {
		t.Fatal(err)
	}
	return m.id
}

func TestNewMaster(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		m := NewMaster()
		if _, err := parseMaster(m); err != nil || seen[m] {
			t.Fatal(err, "or repeated")
		}
		seen[m] = true
	}
}

// FuzzKeys: the text of a ring never panics, and what is accepted has one primary key and no key twice.
func FuzzKeys(f *testing.F) {
	for _, seed := range []string{masterA, masterA + "," + masterB, "revoked:" + masterA + "\n" + masterB, "#,\n,revoked:,"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		masters, err := parseMasters(text)
		if err != nil {
			return
		}
		primaries, ids := 0, map[string]bool{}
		for _, m := range masters {
			if m.state == Primary {
				primaries++
			}
			ids[m.id] = true
		}
		if primaries != 1 || len(ids) != len(masters) {
			t.Fatal(primaries, len(ids), len(masters))
		}
	})
}
