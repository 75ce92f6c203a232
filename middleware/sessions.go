package middleware

import (
	"context"
	"errors"
	"html/template"
	"net/http"

	"example.com/hardy/cookie"
	"example.com/hardy/internal/devkeys"
	"example.com/hardy/session"
)

// Sessions gives each request its session: session.From(r.Context()). It reads the token, asks the store,
// decides how an ended session is met, and commits before the first byte of the answer. nil options mean
// the defaults. It panics where manager or keys are nil or options can't be served.
func Sessions(m *session.Manager, keys *cookie.Keys, o *Options) func(http.Handler) http.Handler {
	if o == nil {
		o = &Options{}
	}
	checkOptions(m, keys, o)
	checkPage(o.Page)
	h := sessions{
		manager: m,
		carrier: o.newCarrier()(m, keys, o),
		aware:   newRoutes("Aware", o.Aware),
		skip:    newRoutes("Skip", o.Skip),
		passive: newRoutes("Passive", o.Passive),
		unlock:  newRoutes("Unlock", o.unlockRoutes()),
		locked:  o.Unlock,
		ended:   o.Ended,
		onEnded: o.OnEnded,
		page:    o.Page,
		tells:   o.Describe,
		dev:     keys.Dev() && !o.AllowDevKeys,
	}
	h.olds = newImporting(m, h.carrier, o.Import)
	return func(next http.Handler) http.Handler {
		wrapped := h
		wrapped.next = next
		wrapped.checkInner(next)
		return &wrapped
	}
}

type sessions struct {
	manager              *session.Manager
	carrier              Carrier
	olds                 *importing // nil: none are carried over
	aware, skip, passive routes
	unlock               routes
	locked               string // where a locked session is sent: the path of unlock
	tells                func(*http.Request) map[string]string
	ended                Ended
	onEnded              func(http.ResponseWriter, *http.Request, *session.ExpiredError)
	page                 *template.Template
	dev                  bool
	next                 http.Handler
}

// ServeHTTP takes the steps of the design in their order.
func (h *sessions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if asksToStartOver(r) && h.carrier.Pages() {
		h.startOver(w, r)
		return
	}
	if h.skip.match(r) {
		h.next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), skippedKey{}, true)))
		return
	}
	if h.dev {
		devkeys.Refuse("middleware", r)
	}
	outer := h.outer(w)
	carried := h.carrier.Read(r)
	aware := h.aware.match(r)
	s, err := h.arrive(r, &carried)
	if (carried.State == Missing || carried.State == Invalid) && !aware && r.Method != http.MethodOptions && err == nil {
		h.unauthorized(w, r, carried.State)
		return
	}
	if err == session.ErrLocked && !aware && !h.unlock.match(r) {
		h.refuseLocked(w, r)
		return
	}
	if err != nil && err != session.ErrRotated && err != session.ErrLocked {
		var e *session.ExpiredError
		if !errors.As(err, &e) {
			h.answer(w, r, unavailable)
			return
		}
		h.carrier.Drop(r)
		switch {
		case aware:
		case actsOnNothing(r):
			h.manager.Sent(s) // whoever starts over must get the cookie, and this answer can't carry it
		case carried.imported && h.carrier.Pages() && h.olds.forget == "": // it comes for ever, and nothing of ours with it
			s.Reset()
		case h.ended == Fresh || h.ended == Restart && h.carrier.Pages() && opensPage(r):
			s.Reset()
		default:
			h.refuseEnded(w, r, e)
			return
		}
	}

	x := &exchange{h: h, r: r, carried: carried}
	if outer != nil {
		outer.inner = x
	}
	x.writer.begin(w, x)
	defer x.leave()
	h.next.ServeHTTP(&x.writer, r.WithContext(h.manager.Visit(r.Context(), &x.visit, s)))
	x.returned = true
}

// arrive finds the session, and renews it where it is due and the request counts as activity. For a new visitor it is
// nil: one is made when the handler asks. A session comes with every error but that of a store that could not be asked.
// One that an old credential brings makes c what a token of ours would.
func (h *sessions) arrive(r *http.Request, c *Carried) (s *session.Session, err error) {
	switch {
	case c.State == Opened:
		s, err = h.manager.Load(r.Context(), c.Token)
	case c.State == Revoked:
		return h.manager.Refuse(session.ReasonRevoked)
	case h.olds != nil && c.State != Invalid:
		var t *session.Token
		if s, t, err = h.olds.arrive(r); s == nil {
			return nil, err
		}
		*c = Carried{State: Opened, Token: t, imported: true}
	default:
		return nil, nil
	}
	if err == nil && !prefetch(r) && !h.passive.match(r) {
		err = h.manager.Touch(r.Context(), s)
	}
	return s, err
}

// exchange is one request and its answer.
type exchange struct {
	writer   writer
	h        *sessions
	r        *http.Request
	visit    session.Visit
	inner    *exchange // of another manager, further in; nil where there is none
	fields   fields
	delivery session.Delivery
	carried  Carried
	returned bool
}

// deliver commits and writes cookie and cache fields.
func (x *exchange) deliver(h http.Header) error {
	s := x.visit.Sent()
	if s == nil {
		return nil
	}
	x.describe(s)
	if err := x.h.manager.Commit(x.r.Context(), s); err != nil {
		return err
	}
	wrote, err := x.handOver(h)
	if err != nil {
		return err
	}
	if wrote || x.delivery.Used {
		x.fields.private(h, x.h.carrier.Vary(), wrote)
	}
	return nil
}

// handOver writes the token where this request gave cause, where an old credential came in its place, or where its own
// write has renewed the record and the token lies sealed under a retired key.
func (x *exchange) handOver(h http.Header) (wrote bool, err error) {
	s := x.visit.Session()
	x.delivery = x.h.manager.Sent(s)
	d := &x.delivery
	if d.Due {
		x.h.carrier.Drop(x.r) // it ended, or another takes its place
	}
	switch {
	case d.Due && d.Token == nil:
		x.h.carrier.Clear(h, x.r)
		x.h.olds.retire(h, x.r, true)
	case d.Due, x.carried.Stale && d.Stored && x.unmoved(d.Token), x.carried.imported && x.unmoved(d.Token):
		err = x.h.carrier.Write(h, x.r, d.Token, s.MaxAge())
	default:
		return d.Stored && !x.carried.imported && x.h.olds.retire(h, x.r, false), nil
	}
	return true, err
}

// unmoved says whether t still opens the session: Touch or Import went out before the handler, which may have worked for long.
// A token that was replaced or ended meanwhile, sealed anew, would take the newer cookie's place in the browser.
func (x *exchange) unmoved(t *session.Token) bool {
	_, err := x.h.manager.Load(x.r.Context(), t)
	return err == nil
}

// withdraw does nothing: the sessions of a manager further out stand by themselves.
func (x *exchange) withdraw() {}

// detach commits. Another token than the one that came means that a cookie is due; that of a session which has ended
// stays as it is.
func (x *exchange) detach() error {
	s := x.visit.Session()
	if s == nil {
		return nil
	}
	x.describe(s)
	if err := x.h.manager.Commit(x.r.Context(), s); err != nil {
		return err
	}
	if s.Err() == nil && s.Token() != x.carried.Token {
		return errHijack
	}
	return nil
}

// refuse answers in the handler's place. What an earlier Save has stored is the client's all the same, and so is what a
// manager further in has.
func (x *exchange) refuse(w http.ResponseWriter, err error) {
	for in := x.inner; in != nil; in = in.inner {
		if in.delivery.Due {
			in.handOver(w.Header())
		}
	}
	if _, cookieErr := x.handOver(w.Header()); cookieErr != nil {
		err = cookieErr
	}
	if errors.Is(err, session.ErrLocked) {
		x.h.refuseLocked(w, x.r)
		return
	}
	var e *session.ExpiredError
	if errors.As(err, &e) {
		x.h.carrier.Drop(x.r)
		x.h.refuseEnded(w, x.r, e)
		return
	}
	x.h.answer(w, x.r, failure(err))
}

// leave ends the exchange: what changed after the first byte is stored. A panic stores nothing but an end
// that was asked for, and goes on.
func (x *exchange) leave() {
	if !x.returned {
		x.writer.abandon()
	} else if x.writer.state == waiting {
		x.writer.send()
		return
	}
	s := x.visit.Session()
	switch {
	case s == nil:
	case !x.returned:
		x.h.manager.Abandon(x.r.Context(), s)
	case x.writer.state == sent:
		x.h.manager.Commit(x.r.Context(), s)
	}
}
