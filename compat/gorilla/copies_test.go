package gorilla

import (
	"encoding/gob"
	"math/big"
	"net/url"
	"reflect"
	"testing"
	"time"
)

type leaf struct {
	Name string
	Tags []string
	At   time.Time
	sum  int
}

type tree struct {
	Leaves []leaf
	ByName map[string]*leaf
	Any    any
	Next   *tree
	Grid   [2][]int
}

func aTree() tree {
	return tree{
		Leaves: []leaf{{"a", []string{"x", "y"}, time.Unix(1, 2), 3}},
		ByName: map[string]*leaf{"a": {Name: "b", Tags: []string{"z"}}, "nil": nil},
		Any:    map[string]any{"list": []any{1, "two", []byte{3}}},
		Next:   &tree{Leaves: []leaf{}},
		Grid:   [2][]int{{1}, nil},
	}
}

// A copy is equal, and whatever is done to it does nothing to what it was copied from.
func TestCopiesStandByThemselves(t *testing.T) {
	link, err := url.Parse("https://ann:secret@example.com/a?b=c#d")
	if err != nil {
		t.Fatal(err)
	}
	fresh := func() map[any]any {
		return map[any]any{
			"tree": aTree(), "pointer": &tree{Grid: [2][]int{{7}, {8}}}, "list": []any{aTree(), nil}, "bytes": []byte("b"), "url": link,
			"map": map[any]any{1: []string{"a"}}, "nil list": []string(nil), "nil map": map[string]int(nil), "text": "t", 5: 6, "time": time.Unix(5, 0), "nothing": nil,
		}
	}
	of := fresh()
	own, ok := copies(of)
	if !ok || !reflect.DeepEqual(own, of) || !reflect.DeepEqual(own, fresh()) {
		t.Fatalf("%v: %#v", ok, own)
	}
	if set, gone := changes(of, own); set != nil || gone != nil {
		t.Errorf("changed: %v, %v", set, gone)
	}
	for k, spoil := range map[any]func(v any){
		"tree":    func(v any) { v.(tree).Leaves[0].Tags[1] = "spoilt" },
		"pointer": func(v any) { v.(*tree).Grid[0][0] = 9 },
		"list":    func(v any) { v.([]any)[0].(tree).ByName["a"].Tags[0] = "spoilt" },
		"bytes":   func(v any) { v.([]byte)[0] = 'c' },
		"map":     func(v any) { v.(map[any]any)[1].([]string)[0] = "spoilt" },
		"url":     func(v any) { v.(*url.URL).Path = "/spoilt" },
	} {
		own, _ := copies(of)
		spoil(own[k])
		if !reflect.DeepEqual(of, fresh()) {
			t.Fatalf("%v: the original changed, too", k)
		}
		if set, gone := changes(of, own); len(set) != 1 || set[0] != k || gone != nil {
			t.Errorf("%v: changed: %v, %v", k, set, gone)
		}
	}
	deep, _ := copies(of)
	deep["tree"].(tree).Any.(map[string]any)["list"].([]any)[2].([]byte)[0] = 0
	if set, _ := changes(of, deep); len(set) != 1 || !reflect.DeepEqual(of, fresh()) {
		t.Errorf("deep inside: %v", set)
	}
}

func TestChanges(t *testing.T) {
	was := map[any]any{"a": 1, "b": "x", "c": []int{1}, "d": true}
	now := map[any]any{"a": int64(1), "b": "x", "c": []int{1, 2}, "e": nil}
	set, gone := changes(was, now)
	if len(set) != 3 || len(gone) != 1 || gone[0] != "d" {
		t.Errorf("%v, %v", set, gone)
	}
	for _, k := range set {
		if k == "b" {
			t.Error("b is the same")
		}
	}
}

// What a type keeps to itself can't be copied from outside, and is said so, however deep it lies.
func TestWhatCannotBeCopied(t *testing.T) {
	for name, v := range map[string]any{
		"big.Int": big.NewInt(7), "in a list": []any{big.NewInt(7)}, "in a map": map[string]*big.Int{"a": big.NewInt(7)},
		"in a struct": struct{ N *big.Int }{big.NewInt(7)}, "in an array": [1]*big.Int{big.NewInt(7)}, "a channel": make(chan int),
	} {
		if _, ok := copies(map[any]any{"v": v}); ok {
			t.Errorf("%s was copied", name)
		}
	}
}

// Values that can't be copied are found out by decoding once more, and are not shared with the next request.
func TestValuesThatCannotBeCopied(t *testing.T) {
	gob.Register(&big.Int{})
	stored, err := encode(map[any]any{"n": big.NewInt(7), "user": "ann"})
	if err != nil {
		t.Fatal(err)
	}
	v := &visit{stored: stored}
	now, err := decode(stored)
	if err != nil {
		t.Fatal(err)
	}
	now["n"].(*big.Int).SetInt64(8)
	if set, gone := changes(v.base(), now); len(set) != 1 || set[0] != "n" || gone != nil {
		t.Errorf("%v, %v", set, gone)
	}
}
