package cookie

import (
	"bytes"
	"encoding/base64"
)

// securecookie writes base64(date | base64(iv ciphertext) | mac), both padded, and its decoder also reads what it never
// writes: line breaks anywhere, and other bits behind the last byte. Some changed cookies would open, and a list of
// cookies to be refused could be passed by.
//
// That a value which opened to n bytes is the one text for them needs no second encoding. How long it is leaves no room
// for a line break at either layer, and the last four characters of each, decoded strictly, have no stray bits. The rest
// is alphabet, which the decoder has checked.

const (
	ivLen  = 16
	macLen = 32
)

// strict refuses stray bits; it never changes.
var strict = base64.URLEncoding.Strict()

// sealedLen is the length of what securecookie makes of n bytes, with a date of ten digits (until the year 2286).
func sealedLen(n int) int {
	return strict.EncodedLen(10 + 1 + strict.EncodedLen(ivLen+n) + 1 + macLen)
}

// canonical says whether body, which securecookie has opened to n bytes, is how it writes them.
func canonical(body string, n int) bool {
	var text [52]byte // of the MAC, the bar before it, and the four characters before that
	if n == 0 || len(body) < len(text) || len(body)%4 != 0 {
		return false
	}
	var b [39]byte
	copy(text[:16], body)
	if _, err := strict.Decode(b[:], text[:16]); err != nil {
		return false
	}
	date := bytes.IndexByte(b[:12], '|')
	if date < 1 || b[0] < '1' || b[0] > '9' {
		return false // a date also reads with a sign or zeros before it
	}
	copy(text[:], body[len(body)-len(text):])
	end, err := strict.Decode(b[:], text[:])
	if err != nil || end < 4+1+macLen { // line breaks among them
		return false
	}
	padding := len(b) - end
	if len(body)/4*3-padding != date+1+strict.EncodedLen(ivLen+n)+1+macLen {
		return false
	}
	var last [3]byte
	_, err = strict.Decode(last[:], b[end-macLen-5:end-macLen-1])
	return err == nil
}
