package gorilla

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io/fs"
	"net/http"
	"strconv"
	"time"

	"example.com/hardy/session"
	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"
)

// oldCookie is a cookie as securecookie encodes it.
type oldCookie struct {
	credential string // the cookie in the one form that there is of it: the decoder of securecookie is lax
	saved      time.Time
}

// oldCookieOf reads what can be read of the request's cookie without its key. ok is false where there is none, or it is not
// one of securecookie's.
func oldCookieOf(r *http.Request, name string) (c oldCookie, ok bool) {
	sent, err := r.Cookie(name)
	if err != nil {
		return c, false
	}
	b, err := base64.URLEncoding.DecodeString(sent.Value)
	if err != nil {
		return c, false
	}
	date, _, _ := bytes.Cut(b, []byte{'|'})
	at, err := strconv.ParseInt(string(date), 10, 64)
	if err != nil {
		return c, false
	}
	return oldCookie{name + "\x00" + base64.URLEncoding.EncodeToString(b), time.Unix(at, 0)}, true
}

// readOld asks the old store for its session. It is nil where the cookie opens none; an error says that the store could not be
// asked.
func readOld(old sessions.Store, r *http.Request, name string) (s *sessions.Session, refused, err error) {
	s, err = old.New(r, name)
	var cookie securecookie.MultiError
	switch {
	case err == nil && (s == nil || s.IsNew), errors.Is(err, fs.ErrNotExist):
		gone := &noRow{}
		if s != nil {
			gone.id = s.ID
		}
		return nil, gone, nil
	case err == nil:
		return s, nil, nil
	case errors.As(err, &cookie):
		return nil, err, nil
	}
	return nil, nil, err
}

// noRow is why a genuine cookie opens nothing: its row is gone.
type noRow struct{ id string }

func (*noRow) Error() string { return "gorilla: the old store knows no such session" }

// arriveOld is the session that a cookie of Options.Old brings, which is made of it where there is none. nil: it brings none.
func (st *Store) arriveOld(r *http.Request, name string) (*session.Session, error) {
	if st.o.Old == nil {
		return nil, nil
	}
	c, ok := oldCookieOf(r, name)
	expires := c.saved.Add(st.o.OldMaxAge)
	if !ok || !expires.After(time.Now()) {
		return nil, nil
	}
	token, err := st.manager.ImportToken(st.o.Secret, c.credential)
	if err != nil {
		return nil, err
	}
	var was *sessions.Session
	s, made, err := st.manager.Import(r.Context(), token, func() (*session.Old, error) {
		found, refused, err := readOld(st.o.Old, r, name)
		if found == nil {
			if refused != nil && st.o.Trace.Refused != nil {
				st.o.Trace.Refused(name, refused)
			}
			return nil, unavailable(err)
		}
		was = found
		old := &session.Old{Expires: expires}
		if st.o.User != nil {
			old.User = st.o.User(found.Values)
		}
		old.Fill = func(s *session.Session) error { return st.fill(s, found.Values) }
		return old, nil
	})
	if made {
		st.endOld(r, was)
	}
	if s == nil && err != nil && !errors.Is(err, session.ErrUnavailable) {
		return nil, nil // it was logged, and is a new visitor
	}
	return s, err
}

func unavailable(err error) error {
	if err == nil {
		return nil
	}
	return errors.Join(session.ErrUnavailable, err)
}

// fill sets the values of a session that is carried over. It lasts as long as a new one.
func (st *Store) fill(s *session.Session, values map[any]any) error {
	if len(values) == 0 {
		return nil
	}
	stored, err := encode(values)
	if err != nil {
		return err
	}
	if d := lasting(st.Options); d > 0 {
		err = errors.Join(s.Remember(d), maxAgeKey.Set(s, seconds(d)))
	}
	return errors.Join(err, valuesKey.Set(s, stored))
}

// endOld deletes the row of a session that was carried over, where there is one.
func (st *Store) endOld(r *http.Request, was *sessions.Session) {
	if was.ID == "" {
		return // it rests in the cookie
	}
	was.Options.MaxAge = -1
	if err := st.o.Old.Save(r, nowhere{}, was); err != nil {
		st.o.Logger.Error("gorilla: an old session was carried over, but its row could not be deleted", "name", was.Name(), "error", err)
	}
}

// nowhere is an answer that nobody gets.
type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) WriteHeader(int)             {}
