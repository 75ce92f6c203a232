package gorilla

import (
	"context"
	"errors"
	"io/fs"
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
			var gone *noRow
			switch {
			case err != nil:
				return "", nil, err
			case s != nil:
				found := carry(s.Values)
				if found != nil {
					found.Expires = expires
				}
				return sent.credentialOf(c.Name, s.ID), found, nil
			case errors.As(refused, &gone):
				return sent.credentialOf(c.Name, gone.id), nil, nil
			}
			return "", nil, nil // forged
		},
		End: func(ctx context.Context, credential string) error {
			id, ok := strings.CutPrefix(credential, RowCredential(c.Name, ""))
			if !ok {
				return nil // it rests in the cookie, which is taken back
			}
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
			if err != nil {
				return err
			}
			s := sessions.NewSession(old, c.Name)
			s.ID, s.Options = id, &sessions.Options{MaxAge: -1}
			if err := old.Save(r, nowhere{}, s); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil
		},
	}
}

// RowCredential is the credential by which Import knows a session that rests in a row of the old store, such as a file of
// sessions.FilesystemStore: the same for each cookie that names the row. It is for who goes through the rows
// (session.Manager.ImportAhead), as "hardy import gorilla" does. A session that rests in its cookie (sessions.CookieStore) is
// known by the cookie, and can't be found before it comes.
func RowCredential(cookie, id string) string { return cookie + "\x00id\x00" + id }

// credentialOf is what names the session for good; id is that of its row, "" where it rests in the cookie.
func (c oldCookie) credentialOf(name, id string) string {
	if id == "" {
		return c.credential
	}
	return RowCredential(name, id)
}
