package value

import (
	"bytes"
	"encoding/hex"
	"io"
	"log/slog"
	"math"
	"math/big"
	"mime/multipart"
	"net"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"
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
	_    chan int
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
		if quick, err := Append([]byte{7}, v); err != nil || !bytes.Equal(quick[1:], b) || quick[0] != 7 {
			t.Errorf("Append: %x (%v), Encode: %x", quick, err, b)
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
	frozen(t, "sorted map", "a361610161620262616103", map[string]int{"aa": 3, "b": 2, "a": 1})
	frozen(t, "nil map", "f6", map[string]int(nil))
	frozen(t, "map of ints", "a201022003", map[int]int{1: 2, -1: 3})
	frozen(t, "struct", "a261610161626178", inner{A: 1, B: "x"})
	frozen(t, "nested", "a661610063416e79f663507472f6644e616d65606454616773f6645768656ef6", outer{})
	frozen(t, "recursive", "a2614e01644e657874a2614e02644e657874f6", &node{1, &node{2, nil}})
	frozen(t, "big", "07", big.NewInt(7))
	frozen(t, "address", "44c0000201", netip.MustParseAddr("192.0.2.1"))
	frozen(t, "link", "5568747470733a2f2f6578616d706c652e636f6d2f61", link)
	frozen(t, "any", "a96162f56166f93e00616924616c820180616da1616ba0616ef6617461786177c0781e323032362d31312d32315431323a32313a31332e3132333435363738395a61794101", any(map[string]any{"n": nil, "b": true, "i": int64(-5), "f": 1.5, "t": "x", "y": []byte{1},
		"w": utc, "l": []any{int64(1), []any{}}, "m": map[string]any{"k": map[string]any{}}}))
}

// Append is Encode, at every length of a head.
func TestAppend(t *testing.T) {
	check := func(a, b []byte, err error, of any) {
		t.Helper()
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("%v: %x, want %x (%v)", of, a, b, err)
		}
	}
	for shift := range 64 {
		for _, n := range []int64{1<<shift - 1, 1 << shift, 1<<shift + 1, -1 << shift, -1<<shift - 1, 23, 24} {
			a, _ := Append(nil, n)
			b, err := Encode(n)
			check(a, b, err, n)
			a, _ = Append(nil, int(n))
			check(a, b, err, n)
		}
	}
	for _, n := range []int{0, 1, 23, 24, 255, 256, 65535, 65536} {
		text := strings.Repeat("x", n)
		a, _ := Append(nil, text)
		b, err := Encode(text)
		check(a, b, err, n)
	}
	if _, err := Append(nil, any(make(chan int))); err == nil {
		t.Error("a chan was encoded")
	}
}

// Zones keep their offset, not their name.
func TestTimeInZone(t *testing.T) {
	in := time.Date(2026, 11, 21, 12, 21, 13, 5, time.FixedZone("IST", 5*3600+1800))
	b, err := Encode(in)
	if err != nil {
		t.Fatal(err)
	}
	var out time.Time
	if err := Decode(b, &out); err != nil {
		t.Fatal(err)
	}
	if !out.Equal(in) || out.Format(time.RFC3339Nano) != "2026-11-21T12:21:13.000000005+05:30" {
		t.Errorf("read back %v, want %v", out, in)
	}
}

// Inside an any, values read back as plain kinds.
func TestPlainKinds(t *testing.T) {
	type prefs struct {
		Lang string `json:"lang"`
	}
	for _, row := range []struct{ stored, read any }{
		{int8(3), int64(3)},
		{uint64(math.MaxInt64), int64(math.MaxInt64)},
		{float32(0.5), 0.5},
		{3.0, 3.0}, // a float stays one
		{[]string{"a"}, []any{"a"}},
		{prefs{"en"}, map[string]any{"lang": "en"}},
		{map[string]int{"a": 1}, map[string]any{"a": int64(1)}},
		{time.Second, int64(1e9)},
		{&prefs{"en"}, map[string]any{"lang": "en"}},
	} {
		if err := CheckValue(row.stored); err != nil {
			t.Errorf("%#v: %v", row.stored, err)
			continue
		}
		b, err := Encode(row.stored)
		if err != nil {
			t.Fatal(err)
		}
		var got any
		if err := Decode(b, &got); err != nil || !reflect.DeepEqual(got, row.read) {
			t.Errorf("%#v read back as %#v (%v), want %#v", row.stored, got, err, row.read)
		}
	}
}

// What Encode has not written is refused, and the answer never quotes it.
func TestRefusedBytes(t *testing.T) {
	for name, row := range map[string]struct {
		hex  string
		into any
	}{
		"empty":                        {"", new(any)},
		"trailing bytes":               {"0101", new(int)},
		"cut short":                    {"18", new(int)},
		"duplicate key":                {"a26461616161016461616161 02", new(any)},
		"duplicate key, typed":         {"a2616101616102", new(map[string]int)},
		"duplicate field":              {"a2616101616102", new(inner)},
		"indefinite list":              {"9f01ff", new(any)},
		"indefinite text":              {"7f6161ff", new(any)},
		"33 levels":                    {strings.Repeat("81", 33) + "00", new(any)},
		"too large for int64":          {"1bffffffffffffffff", new(any)},
		"too small for int64":          {"3bffffffffffffffff", new(any)},
		"key that is no text":          {"a10102", new(any)},
		"key of bytes":                 {"a1416101", new(any)},
		"undefined":                    {"f7", new(any)},
		"simple value":                 {"f820", new(any)},
		"list that claims 2^32":        {"9a ffffffff", new(any)},
		"text that claims 2^62":        {"7b3fffffffffffffff", new(any)},
		"time without its tag":         {"74323032362d31312d32315431323a32313a31335a", new(time.Time)},
		"time that is none":            {"c06468616c6c", new(time.Time)},
		"text for a number":            {"6568656c6c6f", new(int)},
		"number too large for its int": {"190100", new(int8)},
	} {
		b, err := hex.DecodeString(strings.ReplaceAll(row.hex, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		err = Decode(b, row.into)
		if err == nil {
			t.Errorf("%s: accepted as %#v", name, reflect.ValueOf(row.into).Elem())
			continue
		}
		for _, secret := range []string{"aaaa", "hall", "hello", "256", "18446744073709551615"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %v quotes what was stored", name, err)
			}
		}
	}
}

func TestDepth(t *testing.T) {
	nested := func(n int) (v any) {
		for range n {
			v = []any{v}
		}
		return v
	}
	if err := CheckValue(nested(maxDepth)); err != nil {
		t.Errorf("%d levels: %v", maxDepth, err)
	}
	b, _ := Encode(nested(maxDepth))
	if err := Decode(b, new(any)); err != nil {
		t.Errorf("%d levels passed CheckValue and not Decode: %v", maxDepth, err)
	}
	if CheckValue(nested(maxDepth+1)) == nil {
		t.Errorf("%d levels accepted", maxDepth+1)
	}
	list := &node{}
	for range maxDepth - 1 {
		list = &node{Next: list}
	}
	if err := CheckValue(list); err != nil {
		t.Errorf("%d nodes: %v", maxDepth, err)
	}
	if CheckValue(&node{Next: list}) == nil {
		t.Errorf("%d nodes accepted", maxDepth+1)
	}
}

// What cannot outlive the request is refused with the reason.
func TestCheckRefuses(t *testing.T) {
	type self *self
	type onlyWrites struct{ textWriter }
	for _, row := range []struct {
		of   reflect.Type
		says []string
	}{
		{reflect.TypeFor[io.Reader](), []string{"io.Reader", "don't outlive their request"}},
		{reflect.TypeFor[*os.File](), []string{"os.File", "don't outlive their request"}},
		{reflect.TypeFor[multipart.File](), []string{"multipart.File", "don't outlive their request"}},
		{reflect.TypeFor[*multipart.FileHeader](), []string{"multipart.FileHeader", "don't outlive their request"}},
		{reflect.TypeFor[multipart.Form](), []string{"multipart.Form", "don't outlive their request"}},
		{reflect.TypeFor[bytes.Buffer](), []string{"bytes.Buffer", "read the bytes"}},
		{reflect.TypeFor[chan int](), []string{"chan int", "running program"}},
		{reflect.TypeFor[func()](), []string{"func()", "running program"}},
		{reflect.TypeFor[complex128](), []string{"two floats"}},
		{reflect.TypeFor[uintptr](), []string{"address"}},
		{reflect.TypeFor[unsafe.Pointer](), []string{"address"}},
		{reflect.TypeFor[error](), []string{"concrete type or any"}},
		{reflect.TypeFor[sync.Mutex](), []string{"no exported field"}},
		{reflect.TypeFor[self](), []string{"itself"}},
		{reflect.TypeFor[onlyWrites](), []string{"MarshalText but no UnmarshalText"}},
		{reflect.TypeFor[map[float64]int](), []string{"key", "float64"}},
		{reflect.TypeFor[map[any]int](), []string{"key"}},
		{reflect.TypeFor[map[*int]int](), []string{"key"}},
		{reflect.TypeFor[map[time.Time]int](), []string{"key", "Unix seconds"}},
		{reflect.TypeFor[struct {
			A struct{ B []map[string]chan int }
		}](), []string{".A.B[][]: chan int"}},
	} {
		err := Check(row.of)
		if err == nil {
			t.Errorf("%s accepted", row.of)
			continue
		}
		for _, s := range row.says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%s: %q does not say %q", row.of, err, s)
			}
		}
	}
}

func TestCheckAccepts(t *testing.T) {
	for _, of := range []reflect.Type{
		reflect.TypeFor[any](), reflect.TypeFor[struct{}](), reflect.TypeFor[map[string]struct{}](),
		reflect.TypeFor[outer](), reflect.TypeFor[node](), reflect.TypeFor[[]node](), reflect.TypeFor[url.Values](),
		reflect.TypeFor[net.IP](), reflect.TypeFor[netip.Addr](), reflect.TypeFor[map[netip.Addr]int](),
		reflect.TypeFor[big.Int](), reflect.TypeFor[*big.Rat](), reflect.TypeFor[slog.Level](),
		reflect.TypeFor[map[[16]byte]bool](), reflect.TypeFor[struct {
			sync.Mutex
			N int
		}](),
	} {
		if err := Check(of); err != nil {
			t.Error(err)
		}
	}
}

func TestDynamic(t *testing.T) {
	for _, row := range []struct {
		of   reflect.Type
		want bool
	}{
		{reflect.TypeFor[int](), false},
		{reflect.TypeFor[map[string][]inner](), false},
		{reflect.TypeFor[any](), true},
		{reflect.TypeFor[map[string]any](), true},
		{reflect.TypeFor[outer](), true},
		{reflect.TypeFor[node](), true}, // a list may lead back to itself
		{reflect.TypeFor[time.Time](), true},
	} {
		if got := Dynamic(row.of); got != row.want {
			t.Errorf("Dynamic(%s) = %v", row.of, got)
		}
	}
}

func TestCheckValueRefuses(t *testing.T) {
	ring := &node{}
	ring.Next = ring
	self := map[string]any{}
	self["secret"] = self
	var pointer any
	pointer = &pointer
	mean := time.Date(1850, 1, 1, 0, 0, 0, 0, time.FixedZone("LMT", 3208))

	for name, row := range map[string]struct {
		err  error
		says string
	}{
		"file in a map":        {CheckValue(map[string]any{"secret": os.Stdin}), "at []: os.File cannot be stored: open files"},
		"chan in a struct":     {CheckValue(outer{Any: []any{1, make(chan int)}}), "at .Any[]: chan int"},
		"reader in an any":     {CheckValue(any(strings.NewReader("secret"))), "open files"},
		"upload":               {CheckValue(any(&multipart.FileHeader{})), "uploads"},
		"int keys in an any":   {CheckValue(any(map[int]string{})), "keys of a map are strings"},
		"large uint in an any": {CheckValue(any([]uint64{math.MaxUint64})), "largest int64"},
		"big.Int in an any":    {CheckValue(any(big.NewInt(1))), "store its text"},
		"map in itself":        {CheckValue(self), "contains itself"},
		"ring":                 {CheckValue(ring), "contains itself"},
		"pointer to itself":    {CheckValue(pointer), "contains itself"},
		"local mean time":      {CheckValue(mean), "store t.UTC()"},
		"time in a struct":     {CheckValue(outer{When: mean}), "at .When"},
		"year 10000":           {CheckValue(any([]any{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)})), "years 0 to 9999"},
	} {
		switch {
		case row.err == nil:
			t.Errorf("%s accepted", name)
		case !strings.Contains(row.err.Error(), row.says):
			t.Errorf("%s: %q does not say %q", name, row.err, row.says)
		case strings.Contains(row.err.Error(), "secret"):
			t.Errorf("%s: %q quotes the value", name, row.err)
		}
	}
	// The type itself, where it is not inside an any, may hold these.
	if err := CheckValue(map[int]any{1: uint8(3)}); err != nil {
		t.Error(err)
	}
}

type textWriter struct{ A int }

func (textWriter) MarshalText() ([]byte, error) { return []byte("x"), nil }

// What is accepted can be encoded, and that is stable.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"00", "a1616101", "8101", "c074323032362d31312d32315431323a32313a31335a", "f97e00", "a26161f9000061628040", "c24101"} {
		b, _ := hex.DecodeString(seed)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = Decode(b, new(outer))
		_ = Decode(b, new(map[string]inner))
		_ = Decode(b, new(int))
		_ = Decode(b, new(*string))
		var v any
		if Decode(b, &v) != nil || CheckValue(v) != nil {
			return
		}
		once, err := Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		var again any
		if err := Decode(once, &again); err != nil {
			t.Fatalf("%x, encoded from %x: %v", once, b, err)
		}
		twice, err := Encode(again)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%x became %x (%v)", once, twice, err)
		}
	})
}

func BenchmarkEncodeInt(b *testing.B) {
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if _, err := Encode(n & 0xff); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeInt(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		var n int
		if err := Decode([]byte{0x18, 42}, &n); err != nil || n != 42 {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkCheckValue(b *testing.B) {
	b.ReportAllocs()
	v := map[string]any{"name": "Bob", "age": 42, "tags": []any{"a", "b"}}
	for b.Loop() {
		if err := CheckValue(v); err != nil {
			b.Fatal(err)
		}
	}
}
