package gobwire_test

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/hardy/internal/gobwire"
)

type (
	item  struct{ N int }
	role  string
	cart  map[string][]item
	outer struct {
		Tags map[string]string
		List []string
		Any  any
		Next *outer
	}
	key struct{ A int }
	row struct {
		Deadline time.Time
		Values   map[string]any
	}
)

// register is what an application does at its start.
var register = sync.OnceFunc(func() {
	for _, v := range []any{item{}, role(""), cart{}, outer{}, key{}, []any{}, map[string]any{}, map[string]string{}, map[string]int{}, time.Time{}, &big.Int{}, [2]int{}, []item{}} {
		gob.Register(v)
	}
})

// values has what sessions hold, each of which gob defines in another way.
var values = map[string]any{
	"text": "ann", "empty": "", "yes": true, "int": -7, "int64": int64(1) << 60, "uint": uint(7), "float": 2.25, "bytes": []byte{0, 1, 255},
	"nil": nil, "time": time.Date(2026, 11, 21, 10, 0, 0, 5, time.UTC), "texts": []string{"a", ""}, "ints": []int{1, -2}, "map": map[string]string{"a": "b"},
	"counts": map[string]int{"a": 1}, "item": item{3}, "role": role("admin"), "cart": cart{"a": {{1}}}, "array": [2]int{1, 2}, "items": []item{{1}, {2}},
	"outer": outer{map[string]string{"x": "y"}, []string{"z"}, 4, &outer{List: []string{"w"}}}, "list": []any{"a", 5, true}, "big": big.NewInt(1 << 40),
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// some are the values of those names, and others that are under no text.
func some(names ...string) (map[string]any, map[any]any) {
	texts, all := map[string]any{}, map[any]any{7: "x", key{1}: []string{"first"}, true: item{6}, nil: 1}
	for _, name := range names {
		texts[name], all[name] = values[name], values[name]
	}
	return texts, all
}

// What a kept decoder makes of data is what a new one does, in whatever order types are met.
func TestDecode(t *testing.T) {
	register()
	rows, bare := gobwire.NewDecoders(gobwire.Row), gobwire.NewDecoders(gobwire.Bare)
	names := slices.Sorted(maps.Keys(values))
	deadline := time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range 60 {
				texts, all := some(names[i%7 : len(names)-worker]...)
				if got, err := gobwire.Decode[row](rows, encode(t, &row{deadline, texts})); err != nil || !reflect.DeepEqual(*got, row{deadline, texts}) {
					t.Errorf("%v, %v", got, err)
				}
				if got, err := gobwire.Decode[map[any]any](bare, encode(t, all)); err != nil || !reflect.DeepEqual(*got, all) {
					t.Errorf("%v, %v", got, err)
				}
			}
		})
	}
	group.Wait()
}

// Decoding twice is cheaper than decoding twice anew: otherwise nothing was kept. Allocations tell it on a busy machine.
func TestDecodersAreKept(t *testing.T) {
	register()
	d := gobwire.NewDecoders(gobwire.Row)
	data := encode(t, &row{time.Now(), map[string]any{"item": item{1}, "cart": cart{"a": {{1}}}}})
	kept := testing.AllocsPerRun(100, func() { gobwire.Decode[row](d, data) })
	fresh := testing.AllocsPerRun(100, func() { gob.NewDecoder(bytes.NewReader(data)).Decode(new(row)) })
	if kept > fresh*3/4 { // the race detector drops some
		t.Errorf("%.0f allocations, and %.0f with a new decoder", kept, fresh)
	}
}

// More kinds of data than are kept are decoded all the same, and so is what can't be split.
func TestDecodeOfOddData(t *testing.T) {
	register()
	d := gobwire.NewDecoders(gobwire.Bare)
	names := slices.Sorted(maps.Keys(values))
	for i := range 1 << 7 {
		_, all := some()
		for bit := range 7 {
			if i>>bit&1 != 0 {
				all[names[bit]] = values[names[bit]]
			}
		}
		if got, err := gobwire.Decode[map[any]any](d, encode(t, all)); err != nil || !reflect.DeepEqual(*got, all) {
			t.Fatalf("%d: %v, %v", i, got, err)
		}
	}
	nested := map[any]any{"list": []any{item{1}, map[string]any{"b": role("c")}}, "outer": outer{Any: cart{}}, "text": "ann"}
	if _, ok := gobwire.Of(encode(t, nested), gobwire.Bare, nil); ok {
		t.Error("types that are met within a value were looked past")
	}
	for range 3 {
		if got, err := gobwire.Decode[map[any]any](d, encode(t, nested)); err != nil || !reflect.DeepEqual(*got, nested) {
			t.Errorf("%v, %v", got, err)
		}
	}
	data := encode(t, map[any]any{"text": "ann", "item": item{1}})
	for n := range data {
		if got, err := gobwire.Decode[map[any]any](d, data[:n]); err == nil {
			t.Errorf("half the data, %d bytes, became %v", n, *got)
		}
	}
	data = encode(t, map[any]any{"text": "ann"})
	s, ok := gobwire.Of(data, gobwire.Bare, nil)
	if !ok || !bytes.HasSuffix(data, s.Message) {
		t.Fatalf("%q of %q", s.Message, data)
	}
	data[len(data)-len(s.Message)]-- // the message says that it is shorter than it is
	if got, err := gobwire.Decode[map[any]any](d, data); err == nil {
		t.Errorf("a damaged length: %v", *got)
	}
}

// What is left out is gone, and nothing else, though others rest on what was defined with it.
func TestOfLeavesOut(t *testing.T) {
	register()
	for range 30 {
		texts, all := some(slices.Collect(maps.Keys(values))...)
		var left []string
		keep := func(name []byte, text bool, kind []byte) bool {
			if text && len(kind) > 0 && kind[0] != 'e' && kind[0] != 'g' && kind[0] != '*' { // example.com/…, [1]gobwire
				return true
			}
			left = append(left, fmt.Sprintf("%s %t %s", name, text, kind))
			return false
		}
		s, ok := gobwire.Of(encode(t, &row{time.Unix(1, 0), texts}), gobwire.Row, keep)
		if !ok {
			t.Fatal("not split")
		}
		var got row
		if err := gob.NewDecoder(bytes.NewReader(s.Bytes())).Decode(&got); err != nil || len(got.Values)+len(left) != len(texts) || len(left) == 0 {
			t.Fatalf("%v: %v, left %q", err, got.Values, left)
		}
		for name, v := range got.Values {
			if !reflect.DeepEqual(v, texts[name]) {
				t.Errorf("%s: %v", name, v)
			}
		}
		left = nil
		if s, ok = gobwire.Of(encode(t, all), gobwire.Bare, keep); !ok {
			t.Fatal("not split")
		}
		var bare map[any]any
		if err := gob.NewDecoder(bytes.NewReader(s.Bytes())).Decode(&bare); err != nil || len(bare)+len(left) != len(all) || !slices.Contains(left, "int false string") {
			t.Fatalf("%v: %v, left %q", err, bare, left)
		}
	}
}

// Whatever the data, what was split once is split the same way again, and damage is no panic. (gob itself can't be asked: it
// panics and takes minutes over data that somebody has made up.)
func FuzzOf(f *testing.F) {
	register()
	texts, all := some(slices.Collect(maps.Keys(values))...)
	f.Add(encode(f, &row{time.Unix(2e9, 0), texts}))
	f.Add(encode(f, all))
	f.Add(encode(f, map[any]any{"a": []any{item{1}}, "b": item{2}}))
	f.Add(encode(f, &row{time.Unix(2e9, 0), nil}))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, shape := range []gobwire.Shape{gobwire.Bare, gobwire.Row} {
			s, ok := gobwire.Of(data, shape, nil)
			if !ok {
				continue
			}
			if again, ok := gobwire.Of(s.Bytes(), shape, nil); !ok || !bytes.Equal(again.Bytes(), s.Bytes()) {
				t.Errorf("%q became %q, and then %q", data, s.Bytes(), again.Bytes())
			}
		}
	})
}
