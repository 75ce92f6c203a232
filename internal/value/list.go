package value

// A list that grows at its end and shrinks at its beginning need not be decoded for it.

// List takes a list's head off its encoding, and returns how many items follow. ok is false for anything that Encode
// does not write for a list.
func List(b []byte) (n int, items []byte, ok bool) {
	major, count, items, ok := shortest(b)
	if !ok || major != 4 || count > uint64(len(items)) {
		return 0, nil, false
	}
	return int(count), items, true
}

// AppendList appends the head of a list of n items; the caller appends the items.
func AppendList(b []byte, n int) []byte { return head(b, 4<<5, uint64(n)) }

// Skip returns what follows the first item of items. ok is false where that is not whole, or not as Encode writes it.
func Skip(items []byte) (rest []byte, ok bool) { return skip(items, 0) }

func skip(b []byte, depth int) ([]byte, bool) {
	if len(b) == 0 || depth > maxDepth {
		return nil, false
	}
	if b[0]>>5 == 7 { // true, false, null, a float
		size := 1
		if info := b[0] & 31; info >= 24 && info <= 27 {
			size += 1 << (info - 24)
		} else if info > 27 {
			return nil, false
		}
		if size > len(b) {
			return nil, false
		}
		return b[size:], true
	}
	major, n, rest, ok := shortest(b)
	if !ok {
		return nil, false
	}
	within := uint64(0) // items
	switch major {
	case 2, 3: // bytes, text
		if n > uint64(len(rest)) {
			return nil, false
		}
		return rest[n:], true
	case 4:
		within = n
	case 5:
		within = 2 * n
	case 6: // a tag
		within = 1
	}
	if within > uint64(len(rest)) {
		return nil, false
	}
	for range within {
		if rest, ok = skip(rest, depth+1); !ok {
			return nil, false
		}
	}
	return rest, true
}
