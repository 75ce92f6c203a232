package cookie

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func sealerOf(t testing.TB) *Sealer {
	return ringOf(t, masterA+","+masterB+",revoked:"+masterC, "bell").Sealer("session", "__Host-bell-session")
}

func TestSealOpen(t *testing.T) {
	s := sealerOf(t)
	for n := range 300 {
		plain := bytes.Repeat([]byte{0, 0xff, '|'}, n)[:n]
		kept := bytes.Clone(plain)
		value, err := s.Seal(plain)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(plain, kept) {
			t.Fatal("the caller's bytes were changed") // securecookie encrypts in place
		}
		o, outcome := s.Open(value)
		if outcome != OK || !bytes.Equal(o.Plain, plain) || o.KeyID != idOf(t, masterA) || o.Retired {
			t.Fatalf("%d bytes: %v", n, outcome)
		}
		again, _ := s.Seal(plain)
		if again == value {
			t.Fatal("sealed twice to the same text")
		}
	}
}

// Every change, deletion and insertion of one byte and every truncation is refused.
func TestEveryByteCounts(t *testing.T) {
	s := sealerOf(t)
	for n := range 4 { // so that the padding of both layers takes each of its forms
		value, err := s.Seal([]byte("0123456789abcdef0123456789abcdef"[:32-n]))
		if err != nil {
			t.Fatal(err)
		}
		refused := func(how, changed string) {
			t.Helper()
			if changed == value {
				return
			}
			if o, outcome := s.Open(changed); outcome == OK || o.Plain != nil {
				t.Errorf("%s: opened", how)
			}
		}
		for i := range len(value) + 1 {
			refused("truncated behind", value[:i])
			refused("truncated before", value[i:])
			if i < len(value) {
				refused("deleted", value[:i]+value[i+1:])
			}
			for c := range 256 {
				if n > 0 && !strings.ContainsRune("\n\r =.-_AB/+|", rune(c)) {
					continue // all bytes once, the telling ones for each form
				}
				refused("inserted", value[:i]+string([]byte{byte(c)})+value[i:])
				if i < len(value) {
					refused("changed", value[:i]+string([]byte{byte(c)})+value[i+1:])
				}
			}
		}
		refused("line break", strings.Replace(value, value[40:44], value[40:44]+"\r\n", 1))
		refused("doubled", value+value)
		refused("quoted", `"`+value+`"`)
		refused("padded", value+"=")
	}
}

// A14: a cookie opens under its own name, app, purpose and key only, and no two uses share keys
// by running into each other.
func TestA14BoundToItsUse(t *testing.T) {
	value, err := ringOf(t, masterA, "bell").Sealer("session", "name").Seal([]byte("token"))
	if err != nil {
		t.Fatal(err)
	}
	for what, row := range map[string]struct {
		master, app, purpose, name string
		want                       Outcome
	}{
		"its own":         {masterA, "bell", "session", "name", OK},
		"another name":    {masterA, "bell", "session", "other", Tampered},
		"another purpose": {masterA, "bell", "local", "name", Tampered},
		"another app":     {masterA, "gong", "session", "name", Tampered},
		"a team":          {masterA, "acme", "session", "name", Tampered},
		"another key":     {masterB, "bell", "session", "name", UnknownKey},
		"shifted by one":  {masterA, "bells", "ession", "name", Tampered},
		"shifted back":    {masterA, "bell", "sessionn", "ame", Tampered},
		"joined":          {masterA, "bellsession", "n", "ame", Tampered},
	} {
		if _, outcome := ringOf(t, row.master, row.app).Sealer(row.purpose, row.name).Open(value); outcome != row.want {
			t.Errorf("%s: %v, want %v", what, outcome, row.want)
		}
	}
	// In the name of another key of the ring: the id is authenticated, and one key is tried.
	both := ringOf(t, masterA+","+masterB, "bell").Sealer("session", "name")
	if _, outcome := both.Open(strings.Replace(value, idOf(t, masterA), idOf(t, masterB), 1)); outcome != Tampered {
		t.Errorf("under another id: %v", outcome)
	}
}

func TestOutcomes(t *testing.T) {
	s := sealerOf(t)
	value, _ := s.Seal([]byte("token"))
	var traced []OpenedInfo
	s.keys.Trace = &Trace{Opened: func(i OpenedInfo) { traced = append(traced, i) }}
	for what, row := range map[string]struct {
		value string
		want  Outcome
	}{
		"opened":             {value, OK},
		"empty":              {"", NotOurs},
		"another program's":  {"eyJhbGciOiJIUzI1NiJ9.e30.abc", NotOurs},
		"NULs":               {strings.Repeat("\x00", 100), NotOurs},
		"later version":      {"v2" + value[2:], NotOurs},
		"no body":            {value[:12], NotOurs},
		"id that is none":    {"v1.!!!!!!!!.AAAA", NotOurs},
		"unknown key":        {"v1.AAAAAAAA." + value[12:], UnknownKey},
		"no base64":          {value[:12] + "!", Tampered},
		"short":              {value[:12] + "AAAA", Tampered},
		"longest looked at":  {value[:12] + strings.Repeat("A", 4096-len(s.name)-12), Tampered},
		"one byte too large": {value[:12] + strings.Repeat("A", 4096-len(s.name)-11), TooLarge},
		"garbage of 1 MiB":   {strings.Repeat("x", 1<<20), TooLarge},
	} {
		traced = nil
		o, outcome := s.Open(row.value)
		if outcome != row.want || (o.Plain != nil) != (outcome == OK) {
			t.Errorf("%s: %v, want %v", what, outcome, row.want)
		}
		if len(traced) != 1 || traced[0].Outcome != row.want || traced[0].Cookie != s.name {
			t.Errorf("%s: traced %+v", what, traced)
		}
	}
}

// C4: what a browser would drop is refused when it is sealed, to the byte.
func TestC4Size(t *testing.T) {
	s := sealerOf(t)
	largest := 0
	for n := 2000; ; n++ {
		value, err := s.Seal(make([]byte, n))
		if errors.Is(err, ErrTooLarge) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(s.name)+len(value) > 4096 {
			t.Fatalf("%d bytes sealed to %d", n, len(s.name)+len(value))
		}
		if _, outcome := s.Open(value); outcome != OK {
			t.Fatalf("%d bytes: %v", n, outcome)
		}
		largest = n
	}
	if largest < 2200 {
		t.Errorf("only %d bytes fit", largest)
	}
}

// A14: an end asked for is kept by the server, in a replay too.
func TestA14SealUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sealerOf(t)
		start := time.Now()
		value, err := s.SealUntil([]byte("invitation"), start.Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour - time.Second)
		if o, outcome := s.Open(value); outcome != OK || string(o.Plain) != "invitation" ||
			!o.Issued.Equal(start) || !o.Expires.Equal(start.Add(time.Hour)) {
			t.Errorf("after 59:59: %v, %v to %v", outcome, o.Issued, o.Expires)
		}
		time.Sleep(time.Second)
		if o, outcome := s.Open(value); outcome != Expired || o.Plain != nil {
			t.Errorf("after an hour: %v", outcome)
		}
	})
	// From a clock that is ahead: by a minute it may be.
	s := sealerOf(t)
	var ahead [2]string
	for i, d := range []time.Duration{30 * time.Second, 2 * time.Minute} {
		b := append(make([]byte, 0, 17), formDated)
		b = append64(append64(b, time.Now().Add(d).Unix()), time.Now().Add(time.Hour).Unix())
		prefix, body, _ := s.seal(append(b, 'x'))
		ahead[i] = prefix + body
	}
	if _, outcome := s.Open(ahead[0]); outcome != OK {
		t.Errorf("issued in 30 s: %v", outcome)
	}
	if _, outcome := s.Open(ahead[1]); outcome != Expired {
		t.Errorf("issued in 2 min: %v", outcome)
	}
}

func append64(b []byte, v int64) []byte {
	for shift := 56; shift >= 0; shift -= 8 {
		b = append(b, byte(v>>shift))
	}
	return b
}

// forged is the sealed form by other means, for values that Seal would not make.
type forged struct {
	master string
	date   string
	plain  []byte
	inner  func(string) string // changes the inner base64, before the MAC
	mac    func(mac func(string) []byte, bound, date, inner string) []byte
}

func (f forged) value(t testing.TB) string {
	t.Helper()
	const app, purpose, name = "bell", "session", "__Host-bell-session"
	key, err := base64.RawURLEncoding.DecodeString(f.master)
	if err != nil {
		t.Fatal(err)
	}
	id, _ := hkdf.Key(sha256.New, key, nil, "hardy/1 key id", 6)
	prefix := "v1." + base64.RawURLEncoding.EncodeToString(id) + "."
	info := "hardy/1\x04" + app + "\x07" + purpose + "\x13" + name
	keys, _ := hkdf.Key(sha256.New, key, nil, info, 64)
	block, _ := aes.NewCipher(keys[32:])
	b := make([]byte, 16+len(f.plain)) // an IV of zeros
	cipher.NewCTR(block, b[:16]).XORKeyStream(b[16:], f.plain)
	inner := base64.URLEncoding.EncodeToString(b)
	if f.inner != nil {
		inner = f.inner(inner)
	}
	date := f.date
	if date == "" {
		date = "1795264873"
	}
	sum := func(s string) []byte {
		h := hmac.New(sha256.New, keys[:32])
		h.Write([]byte(s))
		return h.Sum(nil)
	}
	mac := sum(prefix + name + "|" + date + "|" + inner)
	if f.mac != nil {
		mac = f.mac(sum, prefix+name, date, inner)
	}
	return prefix + base64.URLEncoding.EncodeToString([]byte(date+"|"+inner+"|"+string(mac)))
}

// Frozen: each line of testdata/vectors.txt is a name, an outcome, the plain text in hexadecimal, and a value. What one
// version has sealed every later one opens, and what one refuses none accepts. (That is the class of CVE-2026-40372, a MAC
// over the wrong bytes.)
func TestVectors(t *testing.T) {
	file, err := os.ReadFile("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	s := sealerOf(t)
	positive, negative := 0, 0
	for line := range strings.Lines(string(file)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(line, "#") {
			continue
		}
		if len(fields) != 4 {
			t.Fatalf("%q has no four fields", line)
		}
		o, outcome := s.Open(fields[3])
		if outcome.String() != fields[1] || hex.EncodeToString(o.Plain) != fields[2] {
			t.Errorf("%s: %v %x, want %s %s", fields[0], outcome, o.Plain, fields[1], fields[2])
		}
		if outcome == OK {
			positive++
		} else {
			negative++
		}
	}
	if positive < 4 || negative < 12 {
		t.Errorf("only %d positive and %d negative vectors", positive, negative)
	}
}

// The same by construction: even who has the key cannot make a second text for one value.
func TestForged(t *testing.T) {
	s := sealerOf(t)
	token := []byte("\x0012345678901234567890123456789012")
	stray := func(s string) string { // other bits behind the last byte
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		i := strings.IndexByte(s, '=') - 1
		return s[:i] + string(alphabet[strings.IndexByte(alphabet, s[i])+1]) + s[i+1:]
	}
	if _, outcome := s.Open(forged{master: masterA, plain: token}.value(t)); outcome != OK {
		t.Fatalf("the form has changed: %v", outcome)
	}
	for what, f := range map[string]forged{
		"empty":                {plain: nil},
		"line break inside":    {plain: token, inner: func(s string) string { return s[:8] + "\n" + s[8:] }},
		"line breaks, aligned": {plain: token, inner: func(s string) string { return s[:8] + "\n\r\n\r" + s[8:] }},
		"stray bits inside":    {plain: token, inner: stray},
		"signed date":          {plain: token, date: "+795264873"},
		"date with zeros":      {plain: token, date: "0795264873"},
		"long date":            {plain: token, date: "01795264873"},
		"short MAC":            {plain: token, mac: func(sum func(string) []byte, b, d, i string) []byte { return sum(b + "|" + d + "|" + i)[:16] }},
		"MAC without name":     {plain: token, mac: func(sum func(string) []byte, b, d, i string) []byte { return sum(d + "|" + i) }},
		"MAC without date":     {plain: token, mac: func(sum func(string) []byte, b, d, i string) []byte { return sum(b + "|" + i) }},
		"MAC of part":          {plain: token, mac: func(sum func(string) []byte, b, d, i string) []byte { return sum(b + "|" + d + "|" + i[:8]) }},
		"MAC of the cookie name alone": {plain: token, mac: func(sum func(string) []byte, b, d, i string) []byte {
			return sum("__Host-bell-session|" + d + "|" + i)
		}},
		"zero MAC": {plain: token, mac: func(func(string) []byte, string, string, string) []byte { return make([]byte, 32) }},
		"no MAC":   {plain: token, mac: func(func(string) []byte, string, string, string) []byte { return nil }},
	} {
		f.master = masterA
		if o, outcome := s.Open(f.value(t)); outcome != Tampered || o.Plain != nil {
			t.Errorf("%s: %v, want tampered", what, outcome)
		}
	}
	if _, outcome := s.Open(forged{master: masterA, plain: []byte{9, 1}}.value(t)); outcome != NotOurs {
		t.Errorf("a form of a later version: %v", outcome)
	}
	if _, outcome := s.Open(forged{master: masterA, plain: []byte{formDated, 1}}.value(t)); outcome != NotOurs {
		t.Errorf("dated, without dates: %v", outcome)
	}
}

// FuzzSeal: open(seal(x)) = x.
func FuzzSeal(f *testing.F) {
	for _, seed := range []string{"", "x", "v1.AAAAAAAA.", strings.Repeat("|", 2300)} {
		f.Add([]byte(seed))
	}
	s := sealerOf(f)
	f.Fuzz(func(t *testing.T, plain []byte) {
		value, err := s.Seal(plain)
		if errors.Is(err, ErrTooLarge) && len(plain) > 2000 {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if o, outcome := s.Open(value); outcome != OK || !bytes.Equal(o.Plain, plain) {
			t.Fatalf("%v", outcome)
		}
	})
}

// FuzzOpen: never a panic, and accepted means canonical: the text is what its own bytes encode to. at, with and cut
// change a genuine value, so that more than the envelope is met.
func FuzzOpen(f *testing.F) {
	s := sealerOf(f)
	genuine, err := s.Seal([]byte("a token of some length or other"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add("v1.AAAAAAAA.AAAA", 0, "", 0)
	f.Add("", 20, "\n", 0)
	f.Add("", len(genuine)-2, "x", 1)
	f.Add("", 3, "AAAAAAAA", 8)
	f.Add("", 134, "\n\n\n\n", 0)
	f.Fuzz(func(t *testing.T, value string, at int, with string, cut int) {
		if value == "" {
			at = min(max(at, 0), len(genuine))
			cut = min(max(cut, 0), len(genuine)-at)
			value = genuine[:at] + with + genuine[at+cut:]
		}
		_, outcome := s.Open(value)
		if outcome != OK {
			return
		}
		prefix, body := value[:12], value[12:]
		b, err := base64.URLEncoding.DecodeString(body)
		if err != nil || prefix+base64.URLEncoding.EncodeToString(b) != value || value != genuine {
			t.Fatalf("%q opened, beside %q", value, genuine)
		}
	})
}
