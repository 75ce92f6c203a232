package middleware

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"example.com/hardy/session"
)

// Import carries the sessions of another system over while their users stay signed in: Options.Import. The first request
// that comes with an old credential and no session of Hardy's makes a session of it, once, also where two tabs
// arrive together; its answer brings the cookie. What was made has the lifetimes of every session of the manager, and
// once it has ended it is met as every ended session: the old credential does not bring it back, for as long as it
// would open something, even if nobody can end it, such as a JWT. Where it is in no cookie that could be taken back
// (Cookie), a browser that has only that left is a new visitor, so that people can sign in again. A credential that
// expired or was forged is a new visitor; where the old store can't be asked the answer is a 503.
//
// The old session lives on until the browser has shown that it has the new cookie. About a minute later, at the first
// renewal, and at once where the visitor signs out, it is ended (End) and its cookie taken back (Cookie). Without both,
// those who return to the old program are signed in there, signed out in Hardy or not.
//
// Where the old sessions rest on a server they can be made ahead of the visits: session.Manager.ImportAhead, "hardy import".
// Then Read need not find them any more.
//
// An Import may serve several managers, and is safe for concurrent use.
type Import struct {
	// Secret is 32 random bytes or more, kept for this alone: the tokens of imported sessions are
	// derived from it and the old credential (session.Manager.ImportToken). It is the same in every process,
	// and stays as long as old credentials are about.
	Secret []byte
	// Read finds the old session that the request carries, and verifies it.
	//
	// credential names it for good, "" where the request carries none that is genuine and has not expired. Whoever
	// brings it gets the session that was made of it. So it is in a form of which there is one only, and verified or
	// impossible to guess: a row's random key as it stands; of a JWT, after its signature was verified, what was
	// signed, since some signatures have several forms. A name in a header that a gateway sends is none, as the same
	// one comes again after the next sign-in: take the gateway's signed assertion.
	//
	// old is what is carried over; nil where it is no longer there: then only a session that was made of it before
	// counts. An error says that it could not be found out, as the old store is down; never that the
	// credential is bad.
	//
	// It runs with each request that comes without a token, and once a minute for each session.
	Read func(r *http.Request) (credential string, old *session.Old, err error)
	// End ends the old session, in its own store. It may be called for one that has ended already, and gets 2
	// seconds, whether the client hangs up or not. nil: it can't be ended.
	End func(ctx context.Context, credential string) error
	// Cookie is the old cookie as it was set: with Name, Path, Domain and the rest a browser is told to forget it. nil:
	// the credential is in no cookie; then End is called at the sign-out only.
	Cookie *http.Cookie
	// Logger hears what Read and End fail with. nil: slog.Default.
	Logger *slog.Logger

	tally tally
}

// importing is an Import at work for one manager. nil: there is none.
type importing struct {
	*Import
	manager *session.Manager
	forget  string // the line that takes the old cookie back; "" where there is none
}

func newImporting(m *session.Manager, c Carrier, i *Import) *importing {
	switch {
	case i == nil:
		return nil
	case i.Read == nil:
		panic("middleware: Options.Import without Read, which finds the old session of a request")
	}
	if _, err := m.ImportToken(i.Secret, ""); err != nil {
		panic("middleware: Options.Import: the manager's Format takes no token that is derived: " + err.Error())
	}
	all := &importing{Import: i, manager: m}
	if i.Cookie != nil {
		old := *i.Cookie
		old.Value, old.MaxAge, old.Expires = "", -1, time.Time{}
		if all.forget = old.String(); all.forget == "" {
			panic("middleware: Options.Import.Cookie has no Name that a cookie can have")
		}
		if c.Name() == "cookie "+i.Cookie.Name {
			panic("middleware: Options.Import.Cookie is the session's own; give the session another Options.Name")
		}
	}
	return all
}

// find looks for an old credential; token is nil where there is none.
func (i *importing) find(r *http.Request) (token *session.Token, credential string, old *session.Old, err error) {
	credential, old, err = i.Read(r)
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			log(i.Logger).Error("middleware: an old session could not be read", "error", err)
		}
		return nil, "", nil, err
	}
	if credential != "" && old != nil && old.Expires.IsZero() { // a mistake in Read, and every visitor would be signed out
		log(i.Logger).Error("middleware: an old session has no Expires and is not carried over; give it one, of a JWT without exp too")
	}
	if credential == "" || old != nil && !old.Expires.After(time.Now()) {
		return nil, "", nil, nil
	}
	i.tally.seen()
	token, err = i.manager.ImportToken(i.Secret, credential)
	return token, credential, old, err
}

// arrive is the session of a request without a token of ours, and its token; nil where it brings no old one either, or
// one that can't be carried over.
func (i *importing) arrive(r *http.Request) (*session.Session, *session.Token, error) {
	token, credential, old, err := i.find(r)
	if token == nil {
		return nil, nil, err
	}
	s, made, err := i.manager.Import(r.Context(), token, func() (*session.Old, error) { return old, nil })
	if made {
		i.tally.made(credential, old.Expires)
	}
	if s == nil {
		if err != nil && !errors.Is(err, session.ErrUnavailable) {
			err = nil // it was logged; signing in again is better than an error for ever
		}
		return nil, nil, err
	}
	return s, token, err
}

// ended says whether the request's old credential names a session that has ended.
func (i *importing) ended(r *http.Request) (bool, error) {
	if i == nil {
		return false, nil
	}
	token, _, _, err := i.find(r)
	if token == nil {
		return false, err
	}
	s, _, err := i.manager.Import(r.Context(), token, nothing)
	if s == nil {
		return false, err
	}
	return errors.Is(err, session.ErrExpired), nil
}

func nothing() (*session.Old, error) { return nil, nil }

// retire ends the old session that the request of a session of ours still brings, and takes its cookie back. One of which no session
// was made is younger than the visitor's session and let be; but where that is over, it has to be over, too.
func (i *importing) retire(h http.Header, r *http.Request, over bool) (wrote bool) {
	if i == nil || !over && i.forget == "" {
		return false
	}
	token, credential, old, _ := i.find(r)
	if token == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), session.DefaultStoreTimeout)
	defer cancel()
	if over {
		i.bury(ctx, token, old)
	} else if s, _, _ := i.manager.Import(ctx, token, nothing); s == nil {
		return false
	}
	if i.End != nil {
		if err := i.End(ctx, credential); err != nil {
			log(i.Logger).Error("middleware: an old session could not be ended", "error", err)
			if !over {
				return false // and is tried again
			}
		} else {
			i.tally.ended(credential)
		}
	}
	if i.forget == "" {
		return false
	}
	h.Add("Set-Cookie", i.forget)
	return true
}

// bury sees to it that the credential opens nothing any more: what was made of it ends, and where nothing was, what is
// made of it has ended.
func (i *importing) bury(ctx context.Context, token *session.Token, old *session.Old) {
	s, _, err := i.manager.Import(ctx, token, func() (*session.Old, error) { return old, nil })
	if s != nil && !errors.Is(err, session.ErrExpired) {
		s.Logout()
		err = i.manager.Commit(ctx, s)
	}
	if err != nil && !errors.Is(err, session.ErrExpired) {
		log(i.Logger).Error("middleware: an old credential could not be ended", "error", err)
	}
}
