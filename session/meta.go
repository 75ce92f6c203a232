package session

import (
	"fmt"
	"maps"
	"unicode/utf8"

	"example.com/hardy/internal/value"
)

// Meta returns a copy of the session's metadata; see SetMeta.
func (s *Session) Meta() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	if s.dead() || s.hidden {
		return map[string]string{}
	}
	held := s.rec.Meta
	if s.leave == end || s.apart {
		held = nil
	}
	m := decodeMeta(held)
	applyMeta(m, s.meta)
	return m
}

// SetMeta sets one entry of the session's metadata, or removes it where v is "": what lists of sessions show,
// such as the name of a device. It is merged entry by entry like values, and kept over a rotation. Unlike
// values it is readable to who can read the store, and can be changed by who can write to it: nothing
// private, and no rights. All of it has room in 1,024 bytes (ErrTooLarge).
func (s *Session) SetMeta(k, v string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k == "" || !utf8.ValidString(k) || !utf8.ValidString(v) {
		s.used = true
		return ErrName
	}
	if err := s.writable(); err != nil {
		return err
	}
	return s.setMeta(k, v)
}

func (s *Session) setMeta(k, v string) error {
	next := map[string]string{k: v}
	for old, v := range s.meta {
		if old != k {
			next[old] = v
		}
	}
	var held []byte
	if s.leave != end && !s.apart {
		held = s.rec.Meta
	}
	if _, err := mergeMeta(held, next); err != nil {
		return err
	}
	s.meta = next
	return nil
}

func mergeMeta(held []byte, changes map[string]string) ([]byte, error) {
	if len(changes) == 0 {
		return held, nil
	}
	m := decodeMeta(held)
	applyMeta(m, changes)
	if len(m) == 0 {
		return nil, nil
	}
	b, err := value.Encode(m)
	if err != nil {
		return nil, err
	}
	if len(b) > maxMeta {
		return nil, fmt.Errorf("%w: metadata of %d bytes, of %d allowed", ErrTooLarge, len(b), maxMeta)
	}
	return b, nil
}

// Meta is stored as the CBOR of a map[string]string; nil is the empty one.
func decodeMeta(b []byte) map[string]string {
	m := map[string]string{}
	if b == nil || value.Decode(b, &m) != nil {
		return map[string]string{}
	}
	return m
}

func applyMeta(m, changes map[string]string) {
	maps.Copy(m, changes)
	for k, v := range changes {
		if v == "" {
			delete(m, k)
		}
	}
}
