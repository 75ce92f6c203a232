package frame

import (
	"bytes"
	"encoding/hex"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// The vectors are frozen: stored sessions and jars have this form.
func TestVectors(t *testing.T) {
	for _, v := range []struct {
		name    string
		changes []Change
		hex     string
	}{
		{"empty", nil, "01"},
		{"one", []Change{{"a", []byte{0x05}}}, "01" + "0161" + "0105"},
		{"sorted", []Change{{"b", []byte{2}}, {"a", []byte{1}}}, "01" + "0161" + "0101" + "0162" + "0102"},
		{"empty value", []Change{{"a", []byte{}}}, "01" + "0161" + "00"},
		{"long value", []Change{{"a", make([]byte, 128)}}, "01" + "0161" + "8001" + strings.Repeat("00", 128)},
	} {
		t.Run(v.name, func(t *testing.T) {
			if got := hex.EncodeToString(Apply(nil, v.changes)); got != v.hex {
				t.Errorf("got %s, want %s", got, v.hex)
			}
			b, _ := hex.DecodeString(v.hex)
			if _, err := Parse(b); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	for _, v := range []struct{ name, hex string }{
		{"nothing", ""},
		{"unknown format", "02"},
		{"descending keys", "01" + "0162" + "0102" + "0161" + "0101"},
		{"key twice", "01" + "0161" + "0101" + "0161" + "0101"},
		{"key without value", "01" + "0161"},
		{"value cut off", "01" + "0161" + "0205"},
		{"length not the shortest", "01" + "8100" + "61" + "0105"},
		{"length beyond the end", "01" + "ffffffffffffffffff01"},
		{"trailing byte", "01" + "0161" + "0105" + "00"},
	} {
		t.Run(v.name, func(t *testing.T) {
			b, err := hex.DecodeString(v.hex)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Parse(b); err == nil {
				t.Error("accepted")
			}
		})
	}
}

// Apply agrees with a map over random histories.
func TestApplyIsAMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	model, f := map[string]string{}, Frame(nil)
	for range 2000 {
		var changes []Change
		for range rng.IntN(6) {
			key := string(rune('a' + rng.IntN(12)))
			if rng.IntN(3) == 0 {
				changes = append(changes, Change{key, nil})
				delete(model, key)
			} else {
				value := strings.Repeat("x", rng.IntN(200))
				changes = append(changes, Change{key, []byte(value)})
				model[key] = value
			}
		}
		f = Apply(f, changes)
		if _, err := Parse(f); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for k, v := range f.All() {
			got[k] = string(v)
		}
		if !maps.Equal(got, model) {
			t.Fatalf("got %v, want %v", got, model)
		}
		for _, k := range slices.Sorted(maps.Keys(model)) {
			if v, ok := f.Get(k); !ok || string(v) != model[k] {
				t.Fatalf("Get(%q) = %q, %v", k, v, ok)
			}
		}
		if _, ok := f.Get("zz"); ok {
			t.Fatal("found what is not there")
		}
	}
}

// What Parse accepts, Apply would have written: one form for one content.
func FuzzParse(f *testing.F) {
	f.Add([]byte{1})
	f.Add([]byte(Apply(nil, []Change{{"a", []byte{1}}, {"bb", nil}, {"c", make([]byte, 300)}})))
	f.Fuzz(func(t *testing.T, b []byte) {
		parsed, err := Parse(b)
		if err != nil {
			return
		}
		var all []Change
		for k, v := range parsed.All() {
			all = append(all, Change{k, v})
		}
		if again := Apply(nil, all); !bytes.Equal(again, b) {
			t.Errorf("accepted %x, which would be written %x", b, again)
		}
	})
}
