package main

import (
	"bytes"
	"encoding/gob"
	"maps"
	"math/big"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"example.com/hardy/internal/gobwire"
)

// What this program can't know: the types of an app.
type (
	appItem  struct{ N int }
	appRole  string
	appCart  map[string][]appItem
	appOuter struct {
		Tags map[string]string
		List []string
		Any  any
	}
	appKey struct{ A int }
)

func registerApp() {
	register()
	gob.RegisterName("app.Item", appItem{})
	gob.RegisterName("app.Role", appRole(""))
	gob.RegisterName("app.Cart", appCart{})
	gob.RegisterName("app.Outer", appOuter{})
	gob.RegisterName("app.Key", appKey{})
	gob.Register([]any{})
	gob.Register(map[string]any{})
	gob.Register(&big.Int{})
}

// ofPlainTypes has each type that is carried over.
var ofPlainTypes = map[string]any{
	"string": "ann", "empty": "", "bool": true, "int": -7, "int8": int8(-8), "int16": int16(300), "int32": int32(-70000), "int64": int64(1) << 60,
	"uint": uint(7), "uint8": uint8(200), "uint16": uint16(60000), "uint32": uint32(1) << 31, "uint64": uint64(1) << 62,
	"float32": float32(1.5), "float64": 2.25, "bytes": []byte{0, 1, 255}, "strings": []string{"a", ""}, "bools": []bool{true}, "ints": []int{1, -2},
	"time": time.Date(2026, 11, 21, 10, 0, 0, 5, time.UTC), "map": map[string]string{"a": "b"},
	"int32s": []int32{1}, "int64s": []int64{1}, "uints": []uint{1}, "uint32s": []uint32{1}, "uint64s": []uint64{1}, "float32s": []float32{1}, "float64s": []float64{1},
}

// ofOthers is left behind, by the names that gob has for the types.
var ofOthers = map[string]struct {
	value any
	kind  string
}{
	"item": {appItem{3}, "app.Item"}, "role": {appRole("admin"), "app.Role"}, "cart": {appCart{"a": {{1}}}, "app.Cart"},
	"outer": {appOuter{map[string]string{"x": "y"}, []string{"z"}, 4}, "app.Outer"},
	"list":  {[]any{"a", 5, true}, "[]interface {}"}, "big": {big.NewInt(1 << 40), "*big.Int"},
}

// Whatever lies beside them, and whichever is first, plain values come out as they were.
func TestPlainValues(t *testing.T) {
	registerApp()
	deadline := time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)
	values := maps.Clone(ofPlainTypes)
	for name, other := range ofOthers {
		values[name] = other.value
	}
	check := func(left []leftover, also ...leftover) {
		t.Helper()
		want := append([]leftover(nil), also...)
		for name, other := range ofOthers {
			want = append(want, leftover{name, other.kind})
		}
		order := func(a, b leftover) int { return bytes.Compare([]byte(a.Name+a.Type), []byte(b.Name+b.Type)) }
		slices.SortFunc(want, order)
		slices.SortFunc(left, order)
		if !slices.Equal(left, want) {
			t.Fatalf("left behind: %v\nwant %v", left, want)
		}
	}
	for range 50 { // gob's order is that of the map
		row, err := scs.GobCodec{}.Encode(deadline, values)
		if err != nil {
			t.Fatal(err)
		}
		plain, left, err := plainly(row, gobwire.Row)
		if err != nil {
			t.Fatal(err)
		}
		check(left)
		d, got, err := scs.GobCodec{}.Decode(plain)
		if err != nil || !d.Equal(deadline) || !reflect.DeepEqual(got, ofPlainTypes) {
			t.Fatalf("%v, %v, %v", err, d, got)
		}

		wild := map[any]any{7: "x", appKey{1}: []string{"first"}, true: appItem{6}, "nil": nil}
		for name, v := range values {
			wild[name] = v
		}
		var b bytes.Buffer
		if err := gob.NewEncoder(&b).Encode(wild); err != nil {
			t.Fatal(err)
		}
		if plain, left, err = plainly(b.Bytes(), gobwire.Bare); err != nil {
			t.Fatal(err)
		}
		check(left, leftover{"(a key of type int)", "string"}, leftover{"(a key of type app.Key)", "[]string"}, leftover{"(a key of type bool)", "app.Item"})
		all := map[any]any{}
		if err := gob.NewDecoder(bytes.NewReader(plain)).Decode(&all); err != nil {
			t.Fatal(err)
		}
		want := map[any]any{"nil": nil}
		for name, v := range ofPlainTypes {
			want[name] = v
		}
		if !reflect.DeepEqual(all, want) {
			t.Fatalf("%v", all)
		}
	}
}

// Rows without values, and bytes that are none.
func TestPlainValuesOfOddRows(t *testing.T) {
	for _, values := range []map[string]any{nil, {}, {"only": nil}} {
		row, err := scs.GobCodec{}.Encode(time.Now(), values)
		if err != nil {
			t.Fatal(err)
		}
		plain, left, err := plainly(row, gobwire.Row)
		if err != nil || len(left) > 0 {
			t.Errorf("%v: %v, %v", values, left, err)
		}
		if _, got, err := (scs.GobCodec{}).Decode(plain); err != nil || len(got) != len(values) {
			t.Errorf("%v became %v: %v", values, got, err)
		}
	}
	row, err := scs.GobCodec{}.Encode(time.Now(), map[string]any{"a": []string{"b"}})
	if err != nil {
		t.Fatal(err)
	}
	for n := range row {
		if _, _, err := plainly(row[:n], gobwire.Row); err == nil {
			t.Errorf("half a row, of %d bytes, was read", n)
		}
	}
	for _, odd := range []string{"{}", "\x00", "hello, world", "\xff\xff\xff", "\x03\x01\x02\x03"} {
		if _, _, err := plainly([]byte(odd), gobwire.Row); err == nil {
			t.Errorf("%q was read", odd)
		}
		if _, _, err := plainly([]byte(odd), gobwire.Bare); err == nil {
			t.Errorf("%q was read as a map", odd)
		}
	}
}

// A list of anything with a type of the app's own in it can't be looked past: never is anything made up.
func TestPlainValuesBesideNestedTypes(t *testing.T) {
	registerApp()
	for range 20 {
		values := maps.Clone(ofPlainTypes)
		values["flashes"] = []any{"a", appItem{5}, appRole("b")}
		row, err := scs.GobCodec{}.Encode(time.Unix(2e9, 0), values)
		if err != nil {
			t.Fatal(err)
		}
		plain, left, err := plainly(row, gobwire.Row)
		if err == nil {
			t.Errorf("read: left %v, %q", left, plain)
		}
	}
}
