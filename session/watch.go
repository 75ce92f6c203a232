package session

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

const (
	pollEvery  = 10 * time.Second // how often a store that is no Watcher is asked about each session that is held
	scanEvery  = time.Second      // the soonest after a look at whose time is up comes the next
	retryAfter = time.Second      // after the store gave no answer
	unsureFor  = time.Minute      // past its known end, for as long a session is held that the store can't be asked about
	lookers    = 16               // calls of the store at once
)

// watch tells those who hold on to a session of its end: open streams, leases. It works with two goroutines while
// somebody holds on, or Run runs, and none for each session: one listens to the store's Watcher; one asks the
// store about sessions whose time may be up, or whose end may have been missed.
type watch struct {
	m    *Manager
	some atomic.Int32 // sessions held: lets a request that ends one pass by where nobody holds on

	mu     sync.Mutex
	held   map[string]*held // by id of the record; where that was rotated, of its successor
	runs   int              // calls of Run under way
	stop   context.CancelFunc
	wake   chan struct{} // holds one token while look has something to do
	asked  []*held       // the store is to be asked about
	scanAt time.Time     // when the first of held may have run out
	down   time.Time     // since when the store gives no answer; zero: it does

	calls int // of OnEnd's funcs, under way
	quiet sync.Cond
}

func (w *watch) init(m *Manager) { w.m, w.held, w.quiet.L = m, map[string]*held{}, &w.mu }

// held is one session that somebody holds on to.
type held struct {
	rec       Record // as last seen, without Data and Meta; its User never changes
	followers []*follower
	renewing  int  // followers that keep it alive
	asked     bool // it stands in watch.asked
	gone      bool // it has ended, or nobody holds on to it any more
}

// follower is one who holds on. Its func is called once, under the lock, and returns at once.
type follower struct {
	ended  func(error)
	renews bool
	at     *held // nil: no more
	place  int   // in at.followers
}

// due is when the store must be asked about h.
func (h *held) due() time.Time {
	if h.renewing > 0 {
		return earlier(h.rec.Seen.Add(h.rec.slack()), h.rec.until())
	}
	return h.rec.until()
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// follow lets f hold on to the session of rec, which may have ended since rec was read.
func (w *watch) follow(rec Record, f *follower) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.held[rec.ID]
	if h != nil && h.rec.User != rec.User { // it was moved there, and nobody has looked yet whose that is
		w.end(h, &ExpiredError{ReasonRotated, rec.AuthTime})
		h = nil
	}
	if h == nil {
		rec.Data, rec.Meta = nil, nil
		h = &held{rec: rec}
		w.held[rec.ID] = h
		w.some.Add(1)
		w.start()
		w.ask(h)
	}
	h.add(f)
	w.scanBy(h.due())
}

func (h *held) add(f *follower) {
	f.at, f.place = h, len(h.followers)
	h.followers = append(h.followers, f)
	if f.renews {
		h.renewing++
	}
}

// leave lets go, and says whether f was still holding on.
func (w *watch) leave(f *follower) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := f.at
	if h == nil {
		return false
	}
	last := len(h.followers) - 1
	h.followers[f.place] = h.followers[last]
	h.followers[f.place].place = f.place
	h.followers[last] = nil
	h.followers = h.followers[:last]
	f.at = nil
	if f.renews {
		h.renewing--
	}
	if last == 0 {
		w.drop(h)
	}
	return true
}

// drop forgets h.
func (w *watch) drop(h *held) {
	if w.held[h.rec.ID] == h {
		delete(w.held, h.rec.ID)
	}
	h.gone = true
	w.some.Add(-1)
	w.rest()
}

// start lets the two goroutines work, where they do not yet.
func (w *watch) start() {
	if w.stop != nil {
		return
	}
	var ctx context.Context
	ctx, w.stop = context.WithCancel(context.Background())
	w.wake, w.scanAt, w.down = make(chan struct{}, 1), time.Time{}, time.Time{}
	go w.listen(ctx)
	go w.look(ctx, w.wake)
}

// rest stops them where nobody holds on.
func (w *watch) rest() {
	if len(w.held) == 0 && w.runs == 0 && w.stop != nil {
		w.stop()
		w.stop, w.asked = nil, nil
	}
}

// run lets the goroutines work until ctx is done. Then everybody is let go, with its cause: the process is about
// to end.
func (w *watch) run(ctx context.Context) (done func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs++
	w.start()
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		cause := context.Cause(ctx)
		for _, h := range w.held {
			w.end(h, cause)
		}
		w.runs--
		w.rest()
		for w.calls > 0 {
			w.quiet.Wait()
		}
	}
}

// end tells the followers of h, and forgets it.
func (w *watch) end(h *held, err error) {
	followers := h.followers
	h.followers, h.renewing = nil, 0
	w.drop(h)
	for _, f := range followers {
		f.at = nil
		f.ended(err)
	}
}

// ask lets look ask the store about h.
func (w *watch) ask(h *held) {
	if h.asked || h.gone {
		return
	}
	h.asked = true
	w.asked = append(w.asked, h)
	w.nudge()
}

// nudge wakes look.
func (w *watch) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watch) scanBy(t time.Time) {
	if w.scanAt.IsZero() || t.Before(w.scanAt) {
		w.scanAt = t
		w.nudge()
	}
}

// listen hears of ends from the store, as long as ctx lasts.
func (w *watch) listen(ctx context.Context) {
	watcher, ok := w.m.store.(Watcher)
	asked := time.Now() // or told
	for ctx.Err() == nil {
		pause := retryAfter
		if ok {
			told := false
			err := watcher.Watch(ctx, func(e Ended) {
				told = true
				w.hear(e)
			})
			now := time.Now()
			if told {
				asked = now
			}
			switch {
			case ctx.Err() != nil:
				return
			case errors.Is(err, errors.ErrUnsupported): // a wrapper around a store that can't
				ok = false
			default:
				w.m.log.Warn("session: the store no longer tells of ends; asking it again", "error", err)
				if now.Sub(asked) >= pollEvery {
					asked = now
					w.hear(Ended{})
				}
			}
		} else {
			w.hear(Ended{})
			pause = pollEvery
		}
		wait(ctx, pause)
	}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// hear takes the news of one end.
func (w *watch) hear(e Ended) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.ID == "" { // some may have been missed
		for _, h := range w.held {
			w.ask(h)
		}
		return
	}
	h := w.held[e.ID]
	switch {
	case h == nil:
	case e.Reason == ReasonRotated && e.Next != "":
		if h = w.move(h, e.Next); h != nil {
			w.ask(h) // whose is it now?
		}
	default:
		w.end(h, &ExpiredError{e.Reason, e.At})
	}
}

// move lets h stand under the id of its successor, before the store is asked about that: so no news of the
// successor's end is missed. Where somebody holds on to that already, the two become one: then it returns nil.
func (w *watch) move(h *held, id string) *held {
	delete(w.held, h.rec.ID)
	h.rec.ID = id
	other := w.held[id]
	if other == nil {
		w.held[id] = h
		return h
	}
	if other.rec.User != h.rec.User { // after a sign-in the successor is another user's
		w.end(h, &ExpiredError{ReasonRotated, other.rec.AuthTime})
		return nil
	}
	for _, f := range h.followers {
		other.add(f)
	}
	h.followers = nil
	w.drop(h)
	w.scanBy(other.due())
	return nil
}

// look asks the store about what may have ended, as long as ctx lasts.
func (w *watch) look(ctx context.Context, wake <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-timer.C:
		}
		timer.Reset(w.scan(time.Now()))
		w.checkAll(ctx)
	}
}

// scan asks for those whose time may be up, and returns when to come again.
func (w *watch) scan(now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Before(w.scanAt) {
		return w.scanAt.Sub(now)
	}
	next := now.Add(time.Hour)
	for _, h := range w.held {
		switch due := h.due(); {
		case now.Before(due):
			next = earlier(next, due)
		case !w.down.IsZero() && now.Sub(h.rec.until()) >= unsureFor:
			w.end(h, unavailable("load", errUnsure))
		default:
			w.ask(h)
			next = now
		}
	}
	if soonest := now.Add(scanEvery); next.Before(soonest) {
		next = soonest
	}
	w.scanAt = next
	return next.Sub(now)
}

var errUnsure = errors.New("it could not be asked whether the session lives")

// checkAll asks the store about everything that is asked for. Where it gives no answer, the rest waits.
func (w *watch) checkAll(ctx context.Context) {
	w.mu.Lock()
	if ctx.Err() != nil { // those are for the look that came after this one
		w.mu.Unlock()
		return
	}
	list := w.asked
	w.asked = nil
	w.mu.Unlock()
	if len(list) == 0 {
		return
	}
	var fault atomic.Bool
	busy := make(chan struct{}, lookers)
	for len(list) > 0 && !fault.Load() && ctx.Err() == nil {
		h := list[0]
		list = list[1:]
		busy <- struct{}{}
		go func() {
			defer func() { <-busy }()
			if !w.check(ctx, h) {
				fault.Store(true)
			}
		}()
	}
	for range lookers {
		busy <- struct{}{}
	}

	w.mu.Lock()
	if ctx.Err() != nil {
		w.mu.Unlock()
		return // nobody holds on to any of them
	}
	w.asked = append(w.asked, list...)
	switch {
	case !fault.Load():
		w.down = time.Time{}
	case w.down.IsZero():
		w.down = time.Now()
	}
	w.mu.Unlock()
	if fault.Load() {
		wait(ctx, retryAfter)
		w.mu.Lock()
		w.nudge()
		w.mu.Unlock()
	}
}

// check asks the store about h, and says whether it gave an answer.
func (w *watch) check(ctx context.Context, h *held) bool {
	w.mu.Lock()
	h.asked = false
	rec, gone := h.rec, h.gone
	now := wall()
	renew := h.renewing > 0 && !now.Before(h.due()) && !rec.idled(now) // a locked session is renewed by nobody
	w.mu.Unlock()
	if gone {
		return true
	}
	id := rec.ID
	p := patiently(ctx, now, w.m.timeout)
	defer p.done()
	err := ErrNotFound
	if renew {
		w.m.renew(&rec, now)
		err = w.m.ask("touch", func() error { return w.m.store.Touch(p, id, rec.Seen, rec.Expires, rec.Purge) })
	}
	if errors.Is(err, ErrNotFound) {
		err = w.m.ask("load", func() (err error) {
			rec, err = w.m.store.Load(p, id)
			return err
		})
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	if h.gone || h.rec.ID != id { // news came meanwhile
		return true
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		w.ask(h)
		return false
	}
	reason, since := w.m.fate(&rec, now)
	switch {
	case err != nil:
		w.end(h, &ExpiredError{Reason: ReasonUnknown})
	case rec.User != h.rec.User: // signed in since, or somebody else
		w.end(h, &ExpiredError{ReasonRotated, rec.AuthTime})
	case reason == ReasonRotated && rec.Next != "":
		if h = w.move(h, rec.Next); h != nil {
			w.ask(h)
		}
	case reason != "":
		w.end(h, &ExpiredError{reason, since})
	case rec.idled(now):
		w.end(h, ErrLocked)
	default:
		rec.Data, rec.Meta = nil, nil
		h.rec = rec
		w.scanBy(h.due())
	}
	return true
}
