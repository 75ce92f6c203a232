package session

import "example.com/hardy/internal/frame"

// Keys returns the names of all values, in ascending order.
func (s *Session) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	var names []string
	for name := range s.current().All() {
		if !internal(name) {
			names = append(names, name)
		}
	}
	return names
}

// get returns the CBOR of one value as the request sees it. It decodes nothing else.
func (s *Session) get(name string) (b []byte, ok bool, handle string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	if !internal(name) {
		b, ok = s.lookup(name)
	}
	return b, ok, s.rec.Handle
}

func (s *Session) lookup(name string) ([]byte, bool) {
	if s.dead() {
		return nil, false
	}
	for _, list := range [...][]frame.Change{s.changes, s.inherited} {
		for i := len(list) - 1; i >= 0; i-- {
			if list[i].Key == name {
				return list[i].Value, list[i].Value != nil
			}
		}
	}
	if s.cleared && !internal(name) {
		return nil, false
	}
	return s.base.Get(name)
}

// current is the frame as the request sees it.
func (s *Session) current() frame.Frame {
	if s.dead() {
		return nil
	}
	return s.merge(s.base)
}

// merge makes this request's changes on base.
func (s *Session) merge(base frame.Frame) frame.Frame {
	if s.cleared {
		var kept []frame.Change
		for name, v := range base.All() {
			if internal(name) {
				kept = append(kept, frame.Change{Key: name, Value: v})
			}
		}
		base = frame.Apply(nil, kept)
	}
	switch {
	case len(s.inherited) > 0:
		return frame.Apply(base, append(s.inherited[:len(s.inherited):len(s.inherited)], s.changes...))
	case len(s.changes) > 0 || base == nil:
		return frame.Apply(base, s.changes)
	}
	return base
}

// internal names belong to Hardy; keys of the application never begin with NUL.
func internal(name string) bool { return name != "" && name[0] == 0 }

// rememberKey holds the time.Duration given to Remember.
const rememberKey = "\x00remember"
