package value

import (
	"bytes"
	"math"
	"testing"
	"time"
)

// items are values of all kinds, each as Encode writes it.
func items(t testing.TB) (all [][]byte) {
	t.Helper()
	for _, v := range []any{
		nil, true, false, 0, 23, 24, -1, -300, math.MaxInt64, math.MinInt64, 0.0, 1.5, 1e300, math.Inf(1), math.NaN(),
		"", "text", []byte{}, bytes.Repeat([]byte{0xff}, 300), time.Unix(1, 2), []any{}, []any{1, []any{"two", nil}},
		map[string]any{}, map[string]any{"a": 1, "b": map[string]any{"c": []byte("d")}},
	} {
		b, err := Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}

func TestSkip(t *testing.T) {
	after := []byte{0xf6, 1, 2, 3}
	for _, item := range items(t) {
		if rest, ok := Skip(append(bytes.Clone(item), after...)); !ok || !bytes.Equal(rest, after) {
			t.Errorf("after %x follows %x, %v", item, rest, ok)
		}
		for n := range item {
			if _, ok := Skip(item[:n]); ok {
				t.Errorf("%d bytes of %x are whole", n, item)
			}
		}
	}
	for _, bad := range [][]byte{{0xff}, {0x9f, 1, 0xff}, {0x1c}, {0x18, 1}, {0xfc}, {0xfb, 1}, bytes.Repeat([]byte{0x81}, 1000), {0xbb, 255, 255, 255, 255, 255, 255, 255, 255}} {
		if _, ok := Skip(bad); ok {
			t.Errorf("%x is an item", bad)
		}
	}
}

func TestList(t *testing.T) {
	all := items(t)
	for n := range len(all) + 1 {
		list := AppendList(nil, n)
		for _, item := range all[:n] {
			list = append(list, item...)
		}
		var whole []any
		if err := Decode(list, &whole); err != nil || len(whole) != n {
			t.Fatalf("%d items: %v", n, err)
		}
		again, err := Encode(whole)
		if count, _, ok := List(list); !ok || count != n || err != nil || !bytes.Equal(list, again) {
			t.Errorf("a list of %d items: %d %v; written again %x, %v", n, count, ok, again, err)
		}
	}
	for _, bad := range [][]byte{nil, {0x60}, {0xa0}, {0x9f, 0xff}, {0x82, 1}} {
		if _, _, ok := List(bad); ok {
			if n, rest, _ := List(bad); n > len(rest) {
				t.Errorf("%x is a list", bad)
			}
		}
	}
}

// What Skip goes over, Decode reads, and the other way round for what Encode has written.
func FuzzSkip(f *testing.F) {
	for _, item := range items(f) {
		f.Add(item)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var v any
		if Decode(b, &v) != nil {
			return
		}
		again, err := Encode(v)
		if err != nil || !bytes.Equal(again, b) {
			return
		}
		if rest, ok := Skip(b); !ok || len(rest) != 0 {
			t.Errorf("%x is a value; Skip leaves %x, %v", b, rest, ok)
		}
	})
}
