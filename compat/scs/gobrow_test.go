package scs

import (
	"bytes"
	"encoding/gob"
	"maps"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2/internal/gobwire"
)

type exotic struct {
	A int
	B []string
}

func init() { gob.Register(exotic{}) }

// same compares two readings of a row; NaN is what it is.
func same(a, b map[string]any) bool {
	return maps.EqualFunc(a, b, func(x, y any) bool {
		fx, okx := x.(float64)
		fy, oky := y.(float64)
		if okx && oky {
			return math.Float64bits(fx) == math.Float64bits(fy)
		}
		return reflect.DeepEqual(x, y)
	})
}

// What is written directly is what gob writes, and each reads the other's.
func TestRowsWrittenDirectly(t *testing.T) {
	if ownShape().id == 0 {
		t.Fatal("rows can't be written directly with this encoding/gob")
	}
	zone := time.FixedZone("here", 3600)
	for _, deadline := range []time.Time{time.Now().UTC(), time.Now(), time.Unix(0, 0), time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, zone), time.Date(2026, 1, 1, 0, 0, 0, 0, time.FixedZone("odd", 3601))} {
		for _, v := range []any{
			nil, "", "text", "名前\x00\xff", string(make([]byte, 300)), 0, 1, -1, 63, 64, -64, -65, 127, 128, math.MaxInt, math.MinInt,
			int64(5), int64(math.MinInt64), int32(math.MaxInt32), int32(math.MinInt32), true, false, 0.0, math.Copysign(0, -1), 1.5,
			math.NaN(), math.Inf(-1), math.MaxFloat64, uint(0), uint(math.MaxUint), uint64(255), uint64(256), uint64(math.MaxUint64),
			[]byte{}, []byte("bytes"), make([]byte, 70_000),
		} {
			values := map[string]any{"name": v}
			want, err := encodeByGob(deadline, values)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := writeRow(deadline, values)
			if !ok || !bytes.Equal(got, want) {
				t.Errorf("%T %v: %v, written as %x, by gob as %x", v, v, ok, got, want)
			}
			wantAt, wantValues, err := decodeByGob(want)
			at, read, ok := readRow(want)
			if err != nil || !ok || !reflect.DeepEqual(at, wantAt) || !same(read, wantValues) {
				t.Errorf("%T %v: read as %v, %v, by gob as %v, %v", v, v, at, read, wantAt, wantValues)
			}
		}
	}
	many := map[string]any{"": 1, "a": "x", "b": true, "c": nil, "d": []byte("b")}
	row, ok := writeRow(time.Now(), many)
	_, read, err := decodeByGob(row)
	if !ok || err != nil || !same(read, many) {
		t.Errorf("gob reads %v, %v", read, err)
	}
	if row, ok = writeRow(time.Now(), map[string]any{}); !ok {
		t.Error("an empty session can't be written")
	}
	if _, read, err = decodeByGob(row); err != nil || len(read) != 0 {
		t.Errorf("gob reads an empty session as %v, %v", read, err)
	}
	for _, v := range []any{exotic{}, []string{"a"}, time.Now(), int8(1), float32(1), complex(1, 1)} {
		values := map[string]any{"v": v, "n": 1}
		if _, ok := writeRow(time.Now(), values); ok {
			t.Errorf("%T is written directly", v)
		}
		if row, err := encodeByGob(time.Now(), values); err == nil {
			if _, _, ok := readRow(row); ok {
				t.Errorf("%T is read directly", v)
			}
			if _, _, err := (GobCodec{}).Decode(row); err != nil {
				t.Errorf("%T: %v", v, err)
			}
		}
	}
}

// FuzzReadRow: what is read directly, gob reads to the same end. The definitions in front are this process's own, or
// nothing would be read directly.
func FuzzReadRow(f *testing.F) {
	for _, values := range []map[string]any{
		{"n": 1}, {"n": -300, "s": "text", "b": true, "f": 1.5, "i": int64(9), "u": uint(7), "y": []byte("bytes"), "nil": nil},
		{}, {"i32": int32(-5), "u64": uint64(1 << 60)},
	} {
		row, err := encodeByGob(time.Unix(1_700_000_000, 5).UTC(), values)
		if err != nil {
			f.Fatal(err)
		}
		_, rest, ok := splitRow(row)
		if !ok {
			f.Fatal("the values of a row are not found")
		}
		f.Add(rest)
		f.Add(rest[:len(rest)-1])
	}
	f.Fuzz(func(t *testing.T, rest []byte) {
		body := append(gobwire.AppendInt(nil, ownShape().id), rest...)
		row := append(gobwire.AppendUint(bytes.Clone(ownShape().definitions), uint64(len(body))), body...)
		at, values, ok := readRow(row)
		if !ok {
			return
		}
		wantAt, want, err := decodeByGob(row)
		if err != nil {
			t.Fatalf("read directly as %v, %v; gob: %v", at, values, err)
		}
		if !reflect.DeepEqual(at, wantAt) || !same(values, want) {
			t.Fatalf("read directly as %v, %v; by gob as %v, %v", at, values, wantAt, want)
		}
	})
}
