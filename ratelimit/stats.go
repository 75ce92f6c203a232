package ratelimit

// MaxBytes is what the limiter's tables take when they are full. Nothing a client sends makes them
// larger.
func (l *Limiter) MaxBytes() (n int64) {
	for i := range l.groups {
		n += l.groups[i].table.maxBytes()
	}
	return n
}

// Stats is what a limiter holds at a moment.
type Stats struct {
	Keys  int   // kept, those included that would be dropped when room is needed
	Bytes int64 // what their tables take now
}

// Stats counts; it locks one shard after another, so it is for a metrics page, not for every request.
func (l *Limiter) Stats() (st Stats) {
	for i := range l.groups {
		t := &l.groups[i].table
		words := 0
		for j := range t.shards {
			s := &t.shards[j]
			s.mu.Lock()
			st.Keys += int(s.used)
			words += len(s.words)
			s.mu.Unlock()
		}
		st.Bytes += t.bytes(words)
	}
	return st
}
