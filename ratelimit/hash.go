package ratelimit

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// hasher turns a key into 64 bits. It is seeded anew in each limiter, so nobody outside can search for
// two keys that share a bucket; by chance, a key shares with one of a million others once in 18 million
// million.
type hasher struct {
	seed   maphash.Seed
	secret [6]uint64 // one a part, so that equal texts in two parts differ
}

func newHasher() hasher {
	h := hasher{seed: maphash.MakeSeed()}
	for i := range h.secret {
		h.secret[i] = maphash.String(maphash.MakeSeed(), "hardy/1") | 1
	}
	return h
}

// fingerprint of the parts named by by (0: of all). Never 0, which marks a free place.
func (h *hasher) fingerprint(k *Key, by By) uint64 {
	if by == 0 {
		by = byAll
	}
	sum := h.secret[5]
	if by&ByAddr != 0 && k.Addr.IsValid() {
		var b [18]byte
		hi, lo, n, v6 := network(k.Addr)
		binary.LittleEndian.PutUint64(b[:], hi)
		binary.LittleEndian.PutUint64(b[8:], lo)
		b[16] = byte(n)
		if v6 {
			b[17] = 6
		}
		sum = fold(sum^maphash.Bytes(h.seed, b[:]), h.secret[0])
	}
	if by&ByUser != 0 && k.User != "" {
		sum = fold(sum^maphash.String(h.seed, k.User), h.secret[1])
	}
	if by&BySession != 0 && k.Session != "" {
		sum = fold(sum^maphash.String(h.seed, k.Session), h.secret[2])
	}
	if by&ByRoute != 0 && k.Route != "" {
		sum = fold(sum^maphash.String(h.seed, k.Route), h.secret[3])
	}
	if by&ByName != 0 && k.Name != "" {
		sum = fold(sum^maphash.String(h.seed, k.Name), h.secret[4])
	}
	return max(sum, 1)
}

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}
