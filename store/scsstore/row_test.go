package scsstore

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"time"

	"example.com/hardy/session"
)

func at(sec int64, nanos int64) time.Time { return time.Unix(sec, nanos) }

// frozen are the records of testdata/rows.txt, by name.
var frozen = map[string]session.Record{
	"live": {
		ID: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", Handle: "h1", User: "ann", Data: []byte{1, 2, 3}, Meta: []byte("m"),
		Version: 3, Created: at(1_700_000_000, 1), AuthTime: at(1_700_000_001, 2), Seen: at(1_700_000_002, 3),
		Expires: at(1_700_003_600, 4), Deadline: at(1_700_086_400, 5), Purge: at(1_700_090_000, 6), Idle: time.Hour,
	},
	"anonymous": {
		ID: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", Handle: "h2", Version: 1,
		Created: at(1_700_000_000, 0), Seen: at(1_700_000_000, 0), Expires: at(1_700_086_400, 0), Deadline: at(1_700_086_400, 0), Purge: at(1_700_172_800, 0),
	},
	"rotated": {
		ID: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", Handle: "h3", User: "bob", Version: 18446744073709551615,
		Created: at(-1, 0), AuthTime: at(0, 0), Seen: at(1, 0), Expires: at(2, 0), Deadline: at(3, 0), Purge: at(4, 0),
		Ended: session.ReasonRotated, EndedAt: at(1, 500), Next: "HBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQAAAAA",
	},
}

// What earlier versions stored is read for ever.
func TestFrozenRows(t *testing.T) {
	text, err := os.ReadFile("testdata/rows.txt")
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for line := range strings.Lines(string(text)) {
		name, code, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		row, err := hex.DecodeString(code)
		if err != nil {
			t.Fatal(err)
		}
		want, good := frozen[name]
		got, err := records{}.Decode(t.Context(), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", row)
		if !good {
			if err == nil {
				t.Errorf("%s is taken for a record", name)
			}
			continue
		}
		read++
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again, expiry, err := records{}.Encode(t.Context(), got)
		if err != nil || !bytes.Equal(again, row) || !expiry.Equal(want.Purge) {
			t.Errorf("%s is written as %x, until %v, %v", name, again, expiry, err)
		}
		fresh, _, err := records{}.Encode(t.Context(), want)
		if err != nil || !bytes.Equal(fresh, row) {
			t.Errorf("%s as a record is written as %x, %v", name, fresh, err)
		}
	}
	if read != len(frozen) {
		t.Errorf("%d of %d vectors were read", read, len(frozen))
	}
}
