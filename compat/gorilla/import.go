package gorilla

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"github.com/gorilla/sessions"
)

// Import carries the sessions of an application on gorilla/sessions over to Hardy's own, for one that leaves gorilla
// altogether: it goes into middleware.Options. (One that goes on with gorilla's types takes NewStore and Options.Old.)
//
// old is the store with its keys, c the session's cookie as old sets it, of which MaxAge is how long it lives since it was last
// saved, 0 for 30 days. secret is that of middleware.Import. carry says what becomes of the values: session.Old's
// User and Fill; nil where nothing is to be carried over. Its Expires is set from the cookie.
//
//	imported := gorilla.Import(sessions.NewCookieStore(oldKey), &http.Cookie{Name: "session", Path: "/"}, secret,
//		func(values map[any]any) *session.Old {
//			user, _ := values["user"].(string)
//			return &session.Old{User: user, Fill: func(s *session.Session) error { return theme.Set(s, …) }}
//		})
func Import(old sessions.Store, c *http.Cookie, secret []byte, carry func(values map[any]any) *session.Old) *middleware.Import {
	if old == nil || c == nil || carry == nil {
		panic("gorilla: Import wants the old store, its cookie, and what to carry over")
	}
	maxAge := time.Duration(c.MaxAge) * time.Second
	if maxAge <= 0 {
		maxAge = defaultOldMaxAge
	}
	return &middleware.Import{
		Secret: secret,
		Cookie: c,
		Read: func(r *http.Request) (string, *session.Old, error) {
			sent, ok := oldCookieOf(r, c.Name)
			expires := sent.saved.Add(maxAge)
			if !ok || !expires.After(time.Now()) {
				return "", nil, nil
			}
			s, refused, err := readOld(old, r, c.Name)
			switch {
			case err != nil:
				return "", nil, err
			case s == nil && forged(refused):
				return "", nil, nil
			case s == nil:
				return sent.credential, nil, nil // its row is gone
			}
			found := carry(s.Values)
			if found != nil {
				found.Expires = expires
			}
			return sent.credential, found, nil
		},
		End: func(ctx context.Context, credential string) error {
			_, text, _ := strings.Cut(credential, "\x00")
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
			if err != nil {
				return err
			}
			r.AddCookie(&http.Cookie{Name: c.Name, Value: text})
			s, _, err := readOld(old, r, c.Name)
			if s == nil || s.ID == "" {
				return err
			}
			s.Options.MaxAge = -1
			return old.Save(r, nowhere{}, s)
		},
	}
}

// forged says whether an old cookie was refused for what it is, and not because its row is gone.
func forged(err error) bool { return !errors.Is(err, errNoRow) }
