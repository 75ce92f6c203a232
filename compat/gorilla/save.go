package gorilla

import (
	"bytes"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"example.com/hardy/session"
	"github.com/gorilla/sessions"
)

// exchange is one Save.
type exchange struct {
	*visit
	st   *Store
	r    *http.Request
	w    http.ResponseWriter
	s    *sessions.Session
	late bool // the answer has left
}

// end signs out.
func (x *exchange) end() error {
	if x.hardy != nil {
		x.hardy.Logout()
		if err := x.st.manager.Commit(x.r.Context(), x.hardy); err != nil && !errors.Is(err, session.ErrExpired) {
			return err
		}
		x.forget()
	}
	if x.late {
		return session.ErrSent
	}
	setCookie(x.w.Header(), x.name, "", -1, x.s.Options)
	return nil
}

// save stores what has changed.
func (x *exchange) save() error {
	set, gone := changes(x.base(), x.s.Values)
	switch {
	case x.token() == nil || x.lost:
		if len(x.s.Values) == 0 {
			return nil
		}
		return x.begin()
	case len(set) > 0 || len(gone) > 0 || x.outdated() || x.asksForToken():
		return x.change(set, gone)
	case x.owed():
		// Not of a session which ended meanwhile.
		if _, err := x.st.manager.Load(x.r.Context(), x.token()); err != nil {
			return err
		}
		return x.deliver()
	}
	return nil
}

// begin makes a session of a new one.
func (x *exchange) begin() error {
	if x.late {
		return session.ErrSent
	}
	stored, err := encode(x.s.Values)
	if err != nil {
		return err
	}
	if x.lost {
		x.hardy.Reset() // ends what can't be read
	} else {
		x.hardy = x.st.manager.New()
	}
	user := ""
	if x.st.o.User != nil {
		user = x.st.o.User(x.s.Values)
	}
	if user != "" {
		err = x.hardy.Login(user)
	}
	err = errors.Join(err, x.remember(lasting(x.s.Options)), valuesKey.Set(x.hardy, stored))
	if err == nil {
		err = x.hardy.Save(x.r.Context())
	}
	if err != nil {
		if !x.lost {
			x.hardy = nil
		}
		return err
	}
	x.lost = false
	x.keep(stored, true)
	return x.deliver()
}

// change stores changes in a session that is there.
func (x *exchange) change(set, gone []any) error {
	stored, err := encode(x.s.Values)
	if err != nil {
		return err
	}
	token := x.token()
	err = x.write(stored, set, gone, x.step(set))
	// What came before the token was replaced goes where the session goes on. The cookie is with the answer of the request
	// that replaced it.
	for x.live && rotated(err) {
		if token = x.st.moved.after(token); token == nil {
			return err
		}
		next, err2 := x.st.manager.Load(x.r.Context(), token)
		if next == nil {
			return err2
		}
		x.hardy, x.card = next, &card{name: x.name, token: token}
		err = x.write(stored, set, gone, steady)
	}
	// A new token goes out though the values may not have been stored after it: the old one opens nothing any more.
	if t := x.token(); t != nil && (err == nil && x.owed() && !x.late || x.card != nil && x.card.token != t) {
		return errors.Join(err, x.deliver())
	}
	return err
}

func rotated(err error) bool {
	if errors.Is(err, session.ErrRotated) {
		return true
	}
	e, ok := errors.AsType[*session.ExpiredError](err)
	return ok && e.Reason == session.ReasonRotated
}

// step is what a change does to the token.
type step uint8

const (
	steady  step = iota
	renew        // another token: somebody seems to sign in
	login        // as another user, whom Options.User names
	signOut      // nobody is signed in any more
)

// step says which one a Save takes that sets these keys.
func (x *exchange) step(set []any) step {
	if x.st.o.User != nil {
		switch user := x.st.o.User(x.s.Values); {
		case user == x.hardy.User():
		case user == "":
			return signOut
		default:
			return login
		}
	} else if signsIn(x.base(), x.s.Values, set) {
		return renew
	}
	if x.asksForToken() {
		return renew
	}
	return steady
}

// asksForToken: where gorilla's stores keep rows, this is how an application asks for another one.
func (x *exchange) asksForToken() bool { return x.id != "" && x.s.ID == "" }

// write takes the step and stores the changes: exactly, beside whatever others store.
func (x *exchange) write(stored []byte, set, gone []any, step step) (err error) {
	d, prolong := x.lasts()
	replaces := step != steady || prolong
	if x.late && replaces {
		return session.ErrSent
	}
	if step == signOut {
		return x.signOut()
	}
	if replaces {
		before := x.token()
		end := x.st.moved.begin(before)
		defer func() {
			after := x.token()
			if after == before {
				after = nil
			}
			end(after)
		}()
	}
	switch step {
	case renew:
		err = x.hardy.Renew()
	case login:
		if x.hardy.User() != "" {
			x.leaveBehind(set)
			if stored, err = encode(x.s.Values); err != nil {
				return err
			}
		}
		err = x.hardy.Login(x.st.o.User(x.s.Values))
	}
	if err == nil && prolong {
		err = x.remember(d)
	}
	if err != nil {
		return err
	}
	now := x.stored
	if len(set) > 0 || len(gone) > 0 {
		now, err = x.merge(stored, set, gone)
	} else {
		err = x.hardy.Save(x.r.Context())
	}
	if err == nil {
		x.keep(now, bytes.Equal(now, stored))
	}
	return err
}

// signOut ends the session of a user who is not named any more. What values are left begin one of nobody's.
func (x *exchange) signOut() error {
	x.hardy.Logout()
	if err := x.st.manager.Commit(x.r.Context(), x.hardy); err != nil {
		return err
	}
	x.forget()
	if len(x.s.Values) == 0 {
		setCookie(x.w.Header(), x.name, "", -1, x.s.Options)
		return nil
	}
	return x.begin()
}

// merge makes the changes in what is stored now, and returns that.
func (x *exchange) merge(stored []byte, set, gone []any) ([]byte, error) {
	var failed error
	now, err := valuesKey.Update(x.r.Context(), x.hardy, func(theirs []byte) []byte {
		failed = nil
		if bytes.Equal(theirs, x.stored) {
			return stored
		}
		values, err := decode(theirs)
		if err == nil {
			for _, k := range set {
				values[k] = x.s.Values[k]
			}
			for _, k := range gone {
				delete(values, k)
			}
			var merged []byte
			if merged, err = encode(values); err == nil {
				return merged
			}
		}
		failed = err
		return theirs
	})
	return now, errors.Join(err, failed)
}

// leaveBehind removes the values of another user that this request has not set.
func (x *exchange) leaveBehind(set []any) {
	maps.DeleteFunc(x.s.Values, func(k, _ any) bool { return !slices.Contains(set, k) })
}

// keep notes what is stored now, for the next Save of this request, and for the visitor's next request.
func (x *exchange) keep(stored []byte, mine bool) {
	x.stored, x.id = stored, x.hardy.Handle()
	x.was, _ = copies(x.s.Values)
	if mine && x.card != nil && x.card.token == x.token() && plain(x.s.Values) {
		x.recall(stored)
	}
}

// lasting is how long a session lasts, of which its Options say MaxAge; 0: it is not remembered.
func lasting(o *sessions.Options) time.Duration {
	return min(time.Duration(o.MaxAge)*time.Second, session.MaxLifetime)
}

// lasts says whether the session is to last for another time than it does, or is in the second half of it. Where the
// request has not changed what New gave it, it lasts as long as it was told before.
func (x *exchange) lasts() (d time.Duration, prolong bool) {
	was := time.Duration(maxAgeKey.Get(x.hardy)) * time.Second
	d = was
	if x.s.Options.MaxAge != x.given.MaxAge {
		d = lasting(x.s.Options)
	}
	return d, d != was || was > 0 && time.Until(x.hardy.Deadline()) < was/2
}

func (x *exchange) outdated() bool {
	_, prolong := x.lasts()
	return prolong
}

// remember makes the session last for d from now.
func (x *exchange) remember(d time.Duration) error {
	if d == 0 && maxAgeKey.Get(x.hardy) == 0 {
		return nil
	}
	return errors.Join(x.hardy.Remember(d), maxAgeKey.Set(x.hardy, seconds(d)))
}

// optionsChanged says whether the cookie is to have other attributes than New gave the session.
func (x *exchange) optionsChanged() bool {
	now := *x.s.Options
	now.MaxAge = x.given.MaxAge
	return now != x.given
}

// owed says whether the visitor is to get a cookie: the one they hold opens another session, lies under a retired key or is
// to have other attributes.
func (x *exchange) owed() bool {
	return x.card == nil || x.card.token != x.token() || x.card.retired || x.optionsChanged()
}

// deliver writes the cookie.
func (x *exchange) deliver() error {
	if x.late {
		return session.ErrSent
	}
	if x.card == nil || x.card.token != x.token() || x.card.retired || x.card.text == "" {
		c, err := x.st.seal(x.name, x.token())
		if err != nil {
			return err
		}
		x.card = c
	}
	age := seconds(x.hardy.MaxAge())
	if whole := maxAgeKey.Get(x.hardy); age > 0 && whole-age <= 1 {
		age = whole // it began just now
	}
	setCookie(x.w.Header(), x.name, x.card.text, age, x.s.Options)
	return nil
}
