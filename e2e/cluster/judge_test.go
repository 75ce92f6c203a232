package cluster

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// account is what one session's visitor was told, and so what any later answer has to agree with.
type account struct {
	visitor
	acks    []ack     // its counts that were acknowledged, 1 first
	unsure  int       // counts that were not answered since
	begun   time.Time // its first request was sent
	born    time.Time // and answered
	leaving time.Time // a sign-out was sent; zero: none
	left    time.Time // it was acknowledged
	gone    bool      // the engine lost it, and may
}

type ack struct {
	n  int
	at time.Time
}

func (a *account) count() int {
	if len(a.acks) == 0 {
		return 0
	}
	return a.acks[len(a.acks)-1].n
}

// events are what happened to the engine so that it may have forgotten what it acknowledged.
type events struct {
	// emptied is when all records were deleted, from the order to its acknowledgement.
	emptied span
	// failovers are when what an old primary acknowledged may not have reached the new one.
	failovers []span
}

// mayForget says whether what was acknowledged at a moment may be forgotten by a failover.
func (e events) mayForget(at time.Time) bool {
	return slices.ContainsFunc(e.failovers, func(s span) bool { return s.within(at) })
}

type span struct{ from, to time.Time }

// before says whether at lies before the span, or there is none.
func (s span) before(at time.Time) bool { return s.from.IsZero() || at.Before(s.from) }

// after says whether at lies after the span.
func (s span) after(at time.Time) bool { return !s.to.IsZero() && at.After(s.to) }

func (s span) within(at time.Time) bool { return !s.before(at) && !s.after(at) }

// verdict is what an answer means for the account.
type verdict uint8

const (
	fine      verdict = iota
	over              // the session has ended, rightly
	lost              // 503: nobody knows
	forgotten         // the engine forgot an acknowledged write or end in a failover
)

// judge compares an answer to a GET or a count, sent at a moment, with the account, and brings that up to date. An
// error is a broken promise.
func (a *account) judge(path string, sent time.Time, r reply, ev events) (verdict, error) {
	out, err := r.outcome()
	if err != nil {
		return fine, err
	}
	add := path != "/"
	set := r.header.Get("Set-Cookie")
	if set != "" && !a.born.IsZero() && out != ended {
		return fine, fmt.Errorf("%s sets a cookie for a session that has one", path)
	}
	switch out {
	case unsure:
		if add {
			a.unsure++
		}
		if set != "" { // its count failed, its beginning did not
			a.begun, a.born = sent, time.Now()
		}
		return lost, nil
	case ended:
		switch {
		case !a.leaving.IsZero():
			if a.left.IsZero() {
				a.left = time.Now() // it was the sign-out that nobody answered
			}
			return over, nil
		case !ev.emptied.before(time.Now()) && !ev.emptied.after(a.begun):
			if said := r.header.Get("WWW-Authenticate"); !strings.Contains(said, `reason="unknown"`) {
				return over, fmt.Errorf("a session that the store does not know any more is refused with %s", said)
			}
			a.gone = true
			return over, nil
		case ev.mayForget(a.born):
			a.gone = true
			return forgotten, nil
		}
		return fine, fmt.Errorf("a live session is refused: %s", r.header.Get("WWW-Authenticate"))
	}
	if !a.left.IsZero() && sent.After(a.left) {
		if ev.mayForget(a.left) {
			return forgotten, nil
		}
		return fine, fmt.Errorf("a session is served %v after its end was acknowledged", sent.Sub(a.left))
	}
	if !a.born.IsZero() && a.born.Before(ev.emptied.from) && ev.emptied.after(sent) {
		return fine, fmt.Errorf("a session is served %v after the store was emptied: %s", sent.Sub(ev.emptied.to), r.body)
	}
	var n int
	if add {
		n, err = r.number()
	} else {
		var v values
		v, err = r.values()
		n = v.A
	}
	if err != nil {
		return fine, err
	}
	least, most := a.count(), a.count()+a.unsure
	if add {
		least, most = least+1, most+1
	}
	v := fine
	switch {
	case n > most:
		return fine, fmt.Errorf("%s answers %d, but at most %d were counted", path, n, most)
	case n < least:
		kept := n // the last count that it builds upon
		if add {
			kept--
		}
		for _, ack := range a.acks {
			if ack.n > kept && !ev.mayForget(ack.at) {
				return fine, fmt.Errorf("%s answers %d, but %d were acknowledged, the %dth %v before", path, n, a.count(), ack.n, sent.Sub(ack.at))
			}
		}
		for len(a.acks) > 0 && a.count() > kept {
			a.acks = a.acks[:len(a.acks)-1]
		}
		v = forgotten
	default:
		a.unsure -= n - least
	}
	if n > a.count() {
		a.acks = append(a.acks, ack{n, time.Now()})
	}
	if a.born.IsZero() {
		a.begun, a.born = sent, time.Now()
	}
	return v, nil
}

// TestJudgeFindsLies: answers that break a promise are found, and only these.
func TestJudgeFindsLies(t *testing.T) {
	now := time.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	ok := func(body string) reply { return reply{status: 200, body: body} }
	refused := reply{status: 401, header: map[string][]string{"Www-Authenticate": {`Session error="expired", reason="unknown"`}}}
	busy := reply{status: 503, header: map[string][]string{"Retry-After": {"1"}}}
	live := func() *account {
		return &account{born: ago(9 * time.Second), acks: []ack{{1, ago(9 * time.Second)}, {2, ago(5 * time.Second)}}}
	}
	unsure := func(n int) *account { a := live(); a.unsure = n; return a }
	gone := func(d time.Duration) *account { a := live(); a.leaving, a.left = ago(d), ago(d); return a }
	leaving := func() *account { a := live(); a.leaving = ago(time.Second); return a }
	emptied := events{emptied: span{ago(2 * time.Second), ago(time.Second)}}
	failover := events{failovers: []span{{ago(time.Minute), ago(50 * time.Second)}, {ago(6 * time.Second), ago(time.Second)}}}
	for _, c := range []struct {
		name  string
		a     *account
		path  string
		r     reply
		ev    events
		want  verdict
		wrong bool
	}{
		{"a count", live(), "/add/a", ok("3"), events{}, fine, false},
		{"a read", live(), "/", ok(`{"A":2}`), events{}, fine, false},
		{"a blank session", live(), "/", ok(`{"A":0}`), events{}, fine, true},
		{"a count begins again", live(), "/add/a", ok("1"), events{}, fine, true},
		{"a count twice", live(), "/add/a", ok("4"), events{}, fine, true},
		{"a count that was not answered", unsure(1), "/add/a", ok("4"), events{}, fine, false},
		{"more than were not answered", unsure(1), "/", ok(`{"A":4}`), events{}, fine, true},
		{"a 503", live(), "/add/a", busy, events{}, lost, false},
		{"a 503 without Retry-After", live(), "/add/a", reply{status: 503}, events{}, fine, true},
		{"a 500", live(), "/add/a", reply{status: 500}, events{}, fine, true},
		{"a live session refused", live(), "/", refused, events{}, fine, true},
		{"an ended session refused", gone(time.Second), "/", refused, events{}, over, false},
		{"an ended session served", gone(time.Second), "/", ok(`{"A":2}`), events{}, fine, true},
		{"perhaps ended, refused", leaving(), "/", refused, events{}, over, false},
		{"perhaps ended, served", leaving(), "/", ok(`{"A":2}`), events{}, fine, false},
		{"emptied, refused", live(), "/", refused, emptied, over, false},
		{"being emptied, refused", live(), "/", refused, events{emptied: span{from: ago(time.Second)}}, over, false},
		{"emptied, blank", live(), "/", ok(`{"A":0}`), emptied, fine, true},
		{"failover, the last count forgotten", live(), "/", ok(`{"A":1}`), failover, forgotten, false},
		{"failover, an old count forgotten", live(), "/", ok(`{"A":0}`), failover, fine, true},
		{"failover, a live session refused", live(), "/", refused, failover, fine, true},
		{"failover, the last end forgotten", gone(2 * time.Second), "/", ok(`{"A":2}`), failover, forgotten, false},
		{"failover, an old end forgotten", gone(8 * time.Second), "/", ok(`{"A":2}`), failover, fine, true},
		{"a cookie for a session that has one", live(), "/", reply{status: 200, body: `{"A":2}`, header: map[string][]string{"Set-Cookie": {"x=y"}}}, events{}, fine, true},
	} {
		got, err := c.a.judge(c.path, now, c.r, c.ev)
		if (err != nil) != c.wrong || err == nil && got != c.want {
			t.Errorf("%s: %d, %v; want %d, wrong %v", c.name, got, err, c.want, c.wrong)
		}
	}
}
