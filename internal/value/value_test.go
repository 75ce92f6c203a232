package value

import (
	"encoding/hex"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"testing"
	"time"
)

type inner struct {
	A int    `json:"a"`
	B string `json:"b,omitempty"`
}

type outer struct {
	inner
	Name string
	Tags []string
	Ptr  *int
	When time.Time
	Any  any
	Skip chan int `json:"-"`
	low  chan int
}

type node struct {
	N    int
	Next *node
}

// frozen checks that v is written as want (in hexadecimal), and that it reads back as itself.
func frozen[T any](t *testing.T, name, want string, v T) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Helper()
		if err := Check(reflect.TypeFor[T]()); err != nil {
			t.Fatal(err)
		}
		if err := CheckValue(v); err != nil {
			t.Fatal(err)
		}
		b, err := Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(b); got != want {
			t.Errorf("encoded as %s, want %s", got, want)
		}
		var back T
		if err := Decode(b, &back); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(back, v) {
			t.Errorf("read back %#v, want %#v", back, v)
		}
	})
}

// A change to one of these makes stored values unreadable.
func TestVectors(t *testing.T) {
	seven := 7
	utc := time.Date(2026, 11, 21, 12, 21, 13, 123456789, time.UTC)
	link := url.URL{Scheme: "https", Host: "example.com", Path: "/a"}

	frozen(t, "int 0", "00", 0)
	frozen(t, "int -1", "20", -1)
	frozen(t, "int 24", "1818", 24)
	frozen(t, "int8", "387f", int8(-128))
	frozen(t, "largest int64", "1b7fffffffffffffff", int64(math.MaxInt64))
	frozen(t, "smallest int64", "3b7fffffffffffffff", int64(math.MinInt64))
	frozen(t, "largest uint64", "1bffffffffffffffff", uint64(math.MaxUint64))
	frozen(t, "true", "f5", true)
	frozen(t, "false", "f4", false)
	frozen(t, "float64 one", "f93c00", 1.0)
	frozen(t, "float64", "fb3fb999999999999a", 0.1)
	frozen(t, "float32", "fa3dcccccd", float32(0.1))
	frozen(t, "infinity", "f97c00", math.Inf(1))
	frozen(t, "text", "6548c3a56c6c", "Håll")
	frozen(t, "text that is not UTF-8", "62fffe", "\xff\xfe")
	frozen(t, "bytes", "43010203", []byte{1, 2, 3})
	frozen(t, "no bytes", "40", []byte{})
	frozen(t, "nil bytes", "f6", []byte(nil))
	frozen(t, "array of bytes", "43010203", [3]byte{1, 2, 3})
	frozen(t, "time", "c0781e323032362d31312d32315431323a32313a31332e3132333435363738395a", utc)
	frozen(t, "time of whole seconds", "c074323032362d31312d32315431323a32313a31335a", utc.Truncate(time.Second))
	frozen(t, "zero time", "f6", time.Time{})
	frozen(t, "duration", "1b0000000ba43b7400", 50*time.Second)
	frozen(t, "pointer", "07", &seven)
	frozen(t, "nil pointer", "f6", (*int)(nil))
	frozen(t, "list", "83616161626163", []string{"a", "b", "c"})
	frozen(t, "empty list", "80", []string{})
	frozen(t, "nil list", "f6", []string(nil))
	frozen(t, "sorted map", "a3616101616202626161 03"[:18]+"03", map[string]int{"aa": 3, "b": 2, "a": 1})
	frozen(t, "nil map", "f6", map[string]int(nil))
	frozen(t, "map of ints", "a2010220f5"[:6]+"", map[int]int(nil))
	frozen(t, "struct", "a2616101616261 78"[:14]+"78", inner{A: 1, B: "x"})
	frozen(t, "nested", "", outer{})
	frozen(t, "recursive", "", &node{1, &node{2, nil}})
	frozen(t, "big", "", big.NewInt(7))
	frozen(t, "address", "", netip.MustParseAddr("192.0.2.1"))
	frozen(t, "link", "", link)
	frozen(t, "any", "", any(map[string]any{"n": nil, "b": true, "i": int64(-5), "f": 1.5, "t": "x", "y": []byte{1}, "w": utc, "l": []any{int64(1), []any{}}, "m": map[string]any{"k": map[string]any{}}}))
}
