package linear

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"example.com/hardy/session"
)

// client calls one store, one call after the other.
type client struct {
	*history
	n     int
	store session.Store
	rng   *rand.Rand
	skew  time.Duration
	seen  map[string]record // the last it knows of each
	count int
}

// now is this client's clock.
func (c *client) now() time.Time {
	return c.base.Add(time.Duration(c.begun.Load()) * pace).Add(c.skew).Add(time.Duration(c.rng.IntN(1000)))
}

// work makes this client's calls, at random.
func (c *client) work() {
	for i := range calls {
		id := c.shared[c.rng.IntN(records)]
		var a answer
		switch n := c.rng.IntN(100); {
		case i == 0 && c.n < records:
			a = c.create(c.newRecord(c.shared[c.n]))
		case n < 8:
			a = c.create(c.newRecord(id))
		case n < 36:
			a = c.load(id)
		case n < 66:
			a = c.replace(id)
		case n < 80:
			a = c.touch(id)
		case n < 85:
			a = c.end(id, c.newHow())
		default:
			a = c.list(c.users[c.rng.IntN(10)/7])
		}
		c.rest(a)
	}
}

// rest is what a client does between its calls: a little of nothing, so that clients of a fast store meet. Who got no
// answer waits for the end of the fault: calls without an answer say little, and make the search long.
func (c *client) rest(a answer) {
	if a.err != lost {
		if c.rng.IntN(4) == 0 {
			time.Sleep(time.Duration(c.rng.IntN(100)) * time.Microsecond)
		}
		return
	}
	for deadline := time.Now().Add(callTime); ; {
		time.Sleep(time.Duration(1+c.rng.IntN(4)) * time.Millisecond)
		if !c.faulty.Load() || time.Now().After(deadline) {
			return
		}
	}
}

// insist makes a call until it is answered.
func (c *client) insist(f func() answer) error {
	for deadline := time.Now().Add(lastTime); ; {
		a := f()
		if a.err != lost {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.New(a.cause)
		}
		c.rest(a)
	}
}

// rotate replaces one session by its successor again and again, as a manager does: the new record before the old
// one ends. What follows begins when what comes before has been answered, so that one of them is always there.
func (c *client) rotate() {
	var old string
	for range calls / 3 {
		next := c.newRecord(c.newID())
		next.handle, next.user = c.handle, c.users[0]
		if c.create(next).err != "" && !c.there(next.id) {
			continue // it may come yet, and changes nothing
		}
		if old == "" {
			c.mu.Lock()
			c.rotary = c.clock()
			c.mu.Unlock()
		} else {
			how := c.newHow()
			how.reason, how.next = session.ReasonRotated, next.id
			if c.insist(func() answer { return c.end(old, how) }) != nil {
				return
			}
		}
		old = next.id
	}
}

// there says whether a record is there, where its Create was not answered.
func (c *client) there(id string) bool {
	var a answer
	err := c.insist(func() answer {
		a = c.load(id)
		return a
	})
	return err == nil && a.err == ""
}

// clock is the time by which calls are put in order.
func (h *history) clock() int64 { return int64(time.Since(h.start)) }

// ask makes a call. Some callers are impatient, as a browser is that goes away.
func (c *client) ask(f func(ctx context.Context) answer) (a answer, from, to int64, nothing bool) {
	c.begun.Add(1)
	limit := callTime
	if c.rng.IntN(25) == 0 && c.n < clients {
		limit = time.Duration(c.rng.IntN(3000)) * time.Microsecond
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	nothing = ctx.Err() != nil // rule 12: where an error comes back, nothing happened
	from = c.clock()
	a = f(ctx)
	return a, from, c.clock(), nothing
}

// record makes a call that touches one record and writes it down.
func (c *client) record(what call, f func(ctx context.Context) answer) answer {
	a, from, to, nothing := c.ask(f)
	if a.err == lost {
		if what.op == load || nothing {
			return a
		}
		to = endless
	}
	a.cause = ""
	c.note(done{c.n, what, a, from, to})
	return a
}

func (c *client) newRecord(id string) record {
	now := c.now()
	idle := time.Hour
	if id == c.shared[0] {
		idle = 1500 * time.Millisecond // the one that expires
	}
	user := c.users[0]
	if id == c.shared[records-1] != (c.rng.IntN(5) == 0) {
		user = c.users[1]
	}
	r := record{
		id: id, handle: random(16), user: user, data: c.words(), meta: c.words(), version: 1,
		created: momentOf(now.Add(-time.Minute)), authTime: momentOf(now.Add(-time.Second)), seen: momentOf(now),
		deadline: momentOf(now.Add(24 * time.Hour)), idle: idle,
	}
	return r.until()
}

// until sets what follows from Seen.
func (r record) until() record {
	r.expires = min(r.seen+moment(r.idle), r.deadline)
	r.purge = r.expires + moment(session.Tombstone)
	return r
}

// words are data that no other call stores.
func (c *client) words() string {
	c.count++
	return fmt.Sprintf("%d of client %d", c.count, c.n)
}

func (c *client) newHow() how {
	at := momentOf(c.now())
	return how{reason: session.ReasonLogout, at: at, purge: at + moment(session.Tombstone), keepData: c.rng.IntN(2) == 0}
}

func (c *client) create(r record) answer {
	a := c.record(call{op: create, id: r.id, record: r}, func(ctx context.Context) answer {
		return answerOf(c.store.Create(ctx, r.session()))
	})
	if a.err == "" {
		c.seen[r.id] = r
	}
	return a
}

func (c *client) load(id string) answer {
	a := c.record(call{op: load, id: id}, func(ctx context.Context) answer {
		r, err := c.store.Load(ctx, id)
		if err != nil {
			return answerOf(err)
		}
		return answer{record: recordOf(r)}
	})
	if a.err == "" {
		c.seen[id] = a.record
	}
	return a
}

// replace writes the version after the last that this client knows: another one's may have come between.
func (c *client) replace(id string) answer {
	r, ok := c.seen[id]
	if !ok {
		r = c.newRecord(id)
	}
	r.version++
	r.data, r.meta, r.seen = c.words(), c.words(), momentOf(c.now())
	r = r.until()
	if c.rng.IntN(10) == 0 {
		r.deadline -= moment(time.Minute)
	}
	// What a caller may not change is left to the store.
	r.ended, r.endedAt, r.next = "", 0, ""
	a := c.record(call{op: replace, id: id, record: r}, func(ctx context.Context) answer {
		return answerOf(c.store.Replace(ctx, r.session()))
	})
	if a.err == "" {
		c.seen[id] = r
	}
	return a
}

func (c *client) touch(id string) answer {
	r := c.newRecord(id)
	return c.record(call{op: touch, id: id, record: r}, func(ctx context.Context) answer {
		return answerOf(c.store.Touch(ctx, id, r.seen.time(), r.expires.time(), r.purge.time()))
	})
}

func (c *client) end(id string, how how) answer {
	return c.record(call{op: end, id: id, how: how}, func(ctx context.Context) answer {
		r, err := c.store.End(ctx, id, session.End{
			Reason: how.reason, At: how.at.time(), Purge: how.purge.time(), Next: how.next, KeepData: how.keepData,
		})
		if err != nil {
			return answerOf(err)
		}
		return answer{record: recordOf(r)}
	})
}

func (c *client) list(user string) answer {
	var shown []session.Record
	a, from, to, _ := c.ask(func(ctx context.Context) answer {
		var err error
		shown, err = c.store.List(ctx, user)
		return answerOf(err)
	})
	if a.err != "" {
		return a
	}
	l := listing{client: c.n, user: user, from: from, to: to, shown: make(map[string]record)}
	for _, r := range shown {
		l.shown[r.ID] = recordOf(r)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tally.calls++
	if len(shown) != len(l.shown) {
		c.strange = fmt.Sprintf("List(%s) shows a record twice", short(user))
	}
	c.lists = append(c.lists, l)
	return a
}
