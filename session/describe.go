package session

// Describe notes what a request tells of where it comes from, such as a device: package middleware calls it before the
// commit, where Options.Describe is set. A session that signs in keeps it in its metadata, beside what the handler
// sets, which goes first. Where a later request of a signed-in session tells something else, that takes the place of what
// was kept, at the commit, and Trace.Changed is told. It counts as no use of the session. An entry that is empty
// says nothing, and one that has no room is left out.
func (m *Manager) Describe(s *Session, entries map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var held map[string]string
	switch {
	case s.err != nil || s.hidden:
		return
	case s.login:
	case s.token != nil && s.leave != end && s.rec.User != "":
		held = decodeMeta(s.rec.Meta)
	default:
		return
	}
	for k, v := range entries {
		if _, set := s.meta[k]; set || v == "" || held[k] == v || s.setMeta(k, v) != nil || held[k] == "" {
			continue
		}
		m.log.Info("session: its description changed", "session", s.rec.Handle, "entry", k, "from", held[k], "to", v)
		if m.trace.Changed != nil {
			m.trace.Changed(s.rec.Handle, k, held[k], v)
		}
	}
}
