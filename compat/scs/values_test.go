package scs

import (
	"math/big"
	"reflect"
	"testing"
	"time"
)

type node struct {
	Name string
	Next *node
	Kids []*node
	Any  any
	when time.Time
}

type secretive struct{ p *int }

type plainStruct struct {
	A    string
	B    [2]int
	c    float64
	When time.Time
}

func TestTraits(t *testing.T) {
	n := 1
	for _, c := range []struct {
		v    any
		want trait
	}{
		{nil, immutable}, {"text", immutable}, {1, immutable}, {uint8(1), immutable}, {time.Now(), immutable}, {plainStruct{c: 1}, immutable},
		{[2]string{}, immutable}, {struct{}{}, immutable}, {complex(1, 1), immutable}, {time.Second, immutable},
		{[]byte("b"), copyable}, {[]string{"a"}, copyable}, {map[string]int{}, copyable}, {&plainStruct{}, copyable},
		{[1][]int{}, copyable}, {map[string]map[string][]int{}, copyable}, {struct{ L []int }{}, copyable},
		{node{}, copyable}, {map[string]any{"a": []any{1, "x", nil}}, copyable},
		{secretive{}, unique}, {big.NewInt(1), unique}, {func() {}, unique}, {make(chan int), unique}, {map[*int]int{&n: 1}, unique},
		{[]any{secretive{&n}}, unique}, {map[string]any{"deep": []any{map[string]any{"f": func() {}}}}, unique},
	} {
		if got := traitOf(c.v); got != c.want {
			t.Errorf("%T: %d, want %d", c.v, got, c.want)
		}
	}
}

func TestDeepCopy(t *testing.T) {
	make := func() any {
		return map[string]any{
			"list":  []any{1, "x", []string{"a", "b"}, nil},
			"tree":  &node{Name: "root", Kids: []*node{{Name: "kid", Any: map[string]int{"n": 1}}, nil}, Next: &node{when: time.Unix(1, 0)}},
			"array": [2][]int{{1}, nil},
			"bytes": []byte("bytes"), "none": []string(nil), "empty": map[string]int{}, "struct": struct{ P *int }{new(int)},
		}
	}
	original, want := make(), make()
	c, ok := deepCopy(reflect.ValueOf(original))
	if !ok || !reflect.DeepEqual(c.Interface(), want) {
		t.Fatalf("copied %v as %v", original, c)
	}
	m := c.Interface().(map[string]any)
	m["list"].([]any)[2].([]string)[0] = "spoiled"
	m["tree"].(*node).Kids[0].Any.(map[string]int)["n"] = 99
	m["tree"].(*node).Next.Name = "spoiled"
	m["array"].([2][]int)[0][0] = 99
	m["bytes"].([]byte)[0] = 'x'
	m["empty"].(map[string]int)["new"] = 1
	*m["struct"].(struct{ P *int }).P = 5
	delete(m, "none")
	if !reflect.DeepEqual(original, want) {
		t.Errorf("a change to the copy shows in the original: %v", original)
	}
}
