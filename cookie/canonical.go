package cookie

import "encoding/base64"

// securecookie writes base64(date | base64(iv ciphertext) | mac), where both are padded, and its decoder also reads
// what it never writes: line breaks anywhere, and other bits behind the last byte. Some changed cookies
// would open, and a list of cookies to be refused could be passed by.
//
// That a value which opened to so many bytes is the one text for them, needs no second encoding: its length leaves no room
// for a line break at either layer, and each layer's last four characters, decoded strictly, have no stray bits. The rest is
// alphabet, which the decoder has checked.

const (
	dateLen = 10 // digits, from 2001 to 2286
	ivLen   = 16
	macLen  = 32
)

// strict refuses stray bits; it never changes.
var strict = base64.URLEncoding.Strict()

// sealedLen is the length of what securecookie makes of n bytes.
func sealedLen(n int) int {
	return strict.EncodedLen(dateLen + 1 + strict.EncodedLen(ivLen+n) + 1 + macLen)
}

// canonical says whether body, which securecookie has opened to n bytes, is how it writes them.
func canonical(body string, n int) bool {
	if n == 0 || len(body) != sealedLen(n) {
		return false
	}
	var text [52]byte // at least the inner layer's last four characters, the bar, and the MAC
	var b [39]byte
	copy(text[:], body)
	if _, err := strict.Decode(b[:], text[:4]); err != nil || b[0] < '1' || b[0] > '9' {
		return false // a date may be read with a sign or zeros before it
	}
	copy(text[:], body[len(body)-len(text):])
	end, err := strict.Decode(b[:], text[:])
	if err != nil {
		return false
	}
	inner := b[end-macLen-5 : end-macLen-1]
	var last [3]byte
	_, err = strict.Decode(last[:], inner)
	return err == nil
}
