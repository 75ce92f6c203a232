package linear

import (
	"errors"
	"fmt"
	"time"

	"example.com/hardy/session"
)

// record is a session.Record that == compares. One without an id is not there.
type record struct {
	id, handle, user, data, meta                      string
	version                                           uint64
	created, authTime, seen, expires, deadline, purge moment
	idle                                              time.Duration
	ended                                             session.Reason
	endedAt                                           moment
	next                                              string
}

// moment is nanoseconds since 1970; 0 is the zero time.
type moment int64

func momentOf(t time.Time) moment {
	if t.IsZero() {
		return 0
	}
	return moment(t.UnixNano())
}

func (m moment) time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(m))
}

func recordOf(r session.Record) record {
	return record{
		id: r.ID, handle: r.Handle, user: r.User, data: string(r.Data), meta: string(r.Meta), version: r.Version,
		created: momentOf(r.Created), authTime: momentOf(r.AuthTime), seen: momentOf(r.Seen),
		expires: momentOf(r.Expires), deadline: momentOf(r.Deadline), purge: momentOf(r.Purge),
		idle: r.Idle, ended: r.Ended, endedAt: momentOf(r.EndedAt), next: r.Next,
	}
}

func (r record) session() session.Record {
	return session.Record{
		ID: r.id, Handle: r.handle, User: r.user, Data: []byte(r.data), Meta: []byte(r.meta), Version: r.version,
		Created: r.created.time(), AuthTime: r.authTime.time(), Seen: r.seen.time(),
		Expires: r.expires.time(), Deadline: r.deadline.time(), Purge: r.purge.time(),
		Idle: r.idle, Ended: r.ended, EndedAt: r.endedAt.time(), Next: r.next,
	}
}

// call is what a client asks of one record.
type call struct {
	op op
	id string
	// Create and Replace: what they store. Touch: Seen, Expires and Purge.
	record record
	how    how    // End
	user   string // List
}

type op string

const (
	create  op = "Create"
	load    op = "Load"
	replace op = "Replace"
	touch   op = "Touch"
	end     op = "End"
	list    op = "List"
)

// how is a session.End.
type how struct {
	reason   session.Reason
	at       moment
	purge    moment
	next     string
	keepData bool
}

// answer is what came back.
type answer struct {
	err    string // of the errors that the contract knows; lost: another one
	record record // Load, End; List: what it shows of the record, if any
	cause  string // lost: the error; for the reader
}

const lost = "no answer"

// known are the errors that say what happened.
var known = []error{session.ErrNotFound, session.ErrExists, session.ErrConflict}

func answerOf(err error) answer {
	if err == nil {
		return answer{}
	}
	for _, k := range known {
		if errors.Is(err, k) {
			return answer{err: k.Error()}
		}
	}
	return answer{err: lost, cause: err.Error()}
}

// apply is the contract of session.Store for one record: what a call answers, and what is there afterwards.
func apply(r record, c call) (answer, record) {
	absent := r.id == ""
	live := func(now moment) bool { return !absent && r.ended == "" && r.expires > now }
	switch c.op {
	case create:
		if !absent {
			return answerOf(session.ErrExists), r
		}
		return answer{}, c.record
	case load:
		if absent {
			return answerOf(session.ErrNotFound), r
		}
		return answer{record: r}, r
	case replace:
		n := c.record
		if !live(n.seen) {
			return answerOf(session.ErrNotFound), r
		}
		if n.version != r.version+1 {
			return answerOf(session.ErrConflict), r
		}
		r.version, r.data, r.meta, r.idle, r.deadline = n.version, n.data, n.meta, n.idle, n.deadline
		return answer{}, forward(r, n)
	case touch:
		if !live(c.record.seen) {
			return answerOf(session.ErrNotFound), r
		}
		return answer{}, forward(r, c.record)
	case end:
		if absent {
			return answerOf(session.ErrNotFound), r
		}
		last := answer{record: r}
		if r.ended != "" {
			return last, r
		}
		r.ended, r.endedAt, r.next, r.purge = c.how.reason, c.how.at, c.how.next, max(r.purge, c.how.purge)
		if !c.how.keepData {
			r.data = ""
		}
		return last, r
	case list:
		if r.user != c.user || r.ended != "" {
			return answer{}, r
		}
		shown := r
		shown.data = ""
		return answer{record: shown}, r
	}
	panic("linear: no such call: " + c.op)
}

// forward is rule 5.
func forward(r, n record) record {
	r.seen, r.expires, r.purge = max(r.seen, n.seen), max(r.expires, n.expires), max(r.purge, n.purge)
	return r
}

// allows says whether a record may answer so, in a history whose last moment is now: who had expired by then may have
// lost its Data to a sweep, but no sooner than session.SweepLag afterwards.
func (want answer) allows(got answer, now moment) bool {
	if got.err == lost || got == want {
		return true
	}
	if want.record.id != "" && want.record.expires <= now-moment(session.SweepLag) && got.record.data == "" {
		want.record.data = ""
	}
	return got == want
}

func (c call) String() string {
	switch c.op {
	case create:
		return fmt.Sprintf("Create(%s, user %s, %q, until %v)", short(c.id), short(c.record.user), c.record.data, c.record.expires)
	case replace:
		return fmt.Sprintf("Replace(%s, version %d, %q, at %v, until %v)", short(c.id), c.record.version, c.record.data, c.record.seen, c.record.expires)
	case touch:
		return fmt.Sprintf("Touch(%s, at %v, until %v)", short(c.id), c.record.seen, c.record.expires)
	case end:
		return fmt.Sprintf("End(%s, %s, keep %v)", short(c.id), c.how.reason, c.how.keepData)
	case list:
		return fmt.Sprintf("List(%s), of it %s", short(c.user), short(c.id))
	}
	return fmt.Sprintf("%s(%s)", c.op, short(c.id))
}

func (a answer) String() string {
	if a.err != "" {
		return a.err
	}
	return a.record.String()
}

func (r record) String() string {
	if r.id == "" {
		return "-"
	}
	s := fmt.Sprintf("version %d, %q, seen %v, until %v", r.version, r.data, r.seen, r.expires)
	if r.ended != "" {
		s += ", ended: " + string(r.ended)
	}
	return s
}

func (m moment) String() string { return m.time().UTC().Format("05.000") }

// short is enough to tell one from the other.
func short(s string) string { return s[:min(len(s), 4)] }
