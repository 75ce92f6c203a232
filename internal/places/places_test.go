package places

import (
	"slices"
	"testing"
)

func TestOver(t *testing.T) {
	first := func(r string) byte { return r[0] }
	for _, c := range []struct {
		all   []string
		limit int
		want  []string
	}{
		{nil, 1, nil},
		{[]string{"a"}, 2, nil},
		{[]string{"a"}, 1, []string{"a"}},
		{[]string{"a1", "b1", "a2"}, 3, nil},
		{[]string{"a1", "b1", "a2"}, 2, []string{"a1", "a2"}},
		{[]string{"b1", "a1", "a2"}, 2, []string{"b1"}},
		{[]string{"b1", "a1", "a2"}, 1, []string{"b1", "a1", "a2"}},
		{[]string{"b1", "a1", "a2", "c1", "d1"}, 2, []string{"b1", "a1", "a2", "c1"}},
	} {
		if got := Over(c.all, first, c.limit); !slices.Equal(got, c.want) {
			t.Errorf("of %q, at most %d: %q, want %q", c.all, c.limit, got, c.want)
		}
	}
}
