package value

import "testing"

// What is read without the library is what the library reads, and what Append wrote.
func FuzzQuick(f *testing.F) {
	for _, b := range [][]byte{{0}, {0x17}, {0x18, 24}, {0x18, 1}, {0x20}, {0x39, 1, 0}, {0x3b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {0x1b, 0xff, 0, 0, 0, 0, 0, 0, 0}, {0x61, 'a'}, {0x61}, {0x62, 'a'}, {0xf4}, {0xf5}, {0xf6}, {0x1c}, {0xff}, {0x61, 0xff}, {0, 0}} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		same[int](t, b)
		same[int64](t, b)
		same[string](t, b)
		same[bool](t, b)
		same[uint8](t, b)
		same[any](t, b)
	})
}

func same[T any](t *testing.T, b []byte) {
	t.Helper()
	v, ok := quick[T](b)
	if !ok {
		return
	}
	theirs, err := slow[T](b)
	if err != nil || any(v) != any(theirs) {
		t.Errorf("%x: %v beside %v, %v", b, v, theirs, err)
	}
	if again, err := Append(nil, v); err != nil || string(again) != string(b) {
		t.Errorf("%x would be written %x, %v", b, again, err)
	}
}

func TestQuickIsTaken(t *testing.T) {
	for _, n := range []int{0, 23, 24, 255, 256, 65535, 65536, 1 << 32, 1<<63 - 1, -1, -24, -25, -257, -1 << 63} {
		b, _ := Append(nil, n)
		if got, ok := quick[int](b); !ok || got != n {
			t.Errorf("%d: %d, %v", n, got, ok)
		}
	}
	b := []byte{0x18, 42}
	if n := testing.AllocsPerRun(100, func() { Read[int](b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
