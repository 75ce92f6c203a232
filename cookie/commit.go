package cookie

import (
	"net/http"
	"time"
)

// What middleware needs of a jar. A handler has no use for these.

// Touched says whether the jar has been looked into: then the response depends on the visitor, and no shared cache may
// keep it.
func (j *Jar) Touched() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.opened
}

// Changed says whether Commit has a cookie to write.
func (j *Jar) Changed() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.writes()
}

// writes: a jar that came as nothing and ended as nothing needs no cookie.
func (j *Jar) writes() bool { return j.changed && (j.came || len(j.entries) > 0) }

// Commit adds the Set-Cookie line to the header of the response if the jar has changed. Call it just before the header
// leaves. From then on every change answers ErrSent, and Commit does nothing.
func (j *Jar) Commit(h http.Header) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.sent {
		return nil
	}
	j.sent = true
	if !j.writes() {
		return nil
	}
	now := time.Now().Unix()
	j.entries.drop(now)
	latest := int64(0)
	for i := range j.entries {
		latest = max(latest, j.entries[i].expires)
	}
	line := j.spec.template(j.request)
	if len(j.entries) == 0 {
		h["Set-Cookie"] = append(h["Set-Cookie"], line.Delete())
		return nil
	}
	plain := append(make([]byte, 0, 1+j.entries.sizeWith(nil)), formPlain)
	prefix, body, err := j.spec.sealer.seal(j.entries.pack(plain))
	if err != nil {
		return err
	}
	// Only the second that a lifetime was rounded up by could exceed it.
	maxAge := min(latest-now, int64(MaxLifetime/time.Second))
	h["Set-Cookie"] = append(h["Set-Cookie"], line.SetParts(prefix, body, int(maxAge)))
	return nil
}
