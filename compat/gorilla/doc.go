// Package gorilla is gorilla/sessions on Hardy's engine: a sessions.Store whose sessions rest on the server, sealed, and
// end when they are told to. The application goes on with gorilla's own types; what changes is where its store is made:
//
//	store := sessions.NewCookieStore([]byte(os.Getenv("SESSION_KEY")))
//
// becomes
//
//	store := gorilla.NewStore(manager, keys, nil)
//
// and a declared *sessions.CookieStore or *sessions.FilesystemStore becomes *gorilla.Store. Everything that takes a sessions.Store takes it: sessions.GetRegistry and sessions.Save,
// echo-contrib, goth's gothic.Store, and gin-contrib/sessions with Gin around it. Options.Old reads the cookies that
// the store before has set, so that nobody is signed out.
//
// # What stays as it was
//
// Values of any gob type under keys of any gob type; flashes; several named sessions in one request; Save as often as one
// likes; Options of store and session, replaced as a whole or field by field, with the defaults of gorilla 1.4.0;
// MaxAge below 0 to sign out, 0 for a cookie that ends with the browser, above 0 for one that stays, counted from the last
// Save as before (in steps: a session is prolonged by a Save in the second half of its time). IsNew says whether the
// visitor came with a session. Get returns a session always, and an error only for a store that can't be asked and a
// name that no cookie can have.
//
// # What is better than it was
//
//   - A sign-out is final: the cookie opens nothing any more, whoever kept a copy, and a slow request brings nothing back.
//   - Two requests that change different keys both count: Save stores what its request has changed, and leaves the rest.
//   - Save after the session ended returns an error (session.ErrExpired) and stores nothing.
//   - A value is as large as session.Options.MaxBytes allows; the cookie holds none.
//   - Nothing is stored for a new session that holds nothing, and no cookie is sent.
//   - Cookies and values that can't be read, forged, from another key, of a type that was renamed, begin a new session without an
//     error, and Trace says so.
//   - Store.Handler tells a Save that comes too late for its cookie (session.ErrSent).
//
// # A new token at a sign-in
//
// With a cookie store each Save was another cookie. On a server an anonymous visitor's cookie must not open the
// account that is signed in to with it (session fixation), and no application on gorilla/sessions says when
// that is. With Options.User the store knows: a Save after which another user is named. It then is session.Session.Login:
// List, Revoke and Options.MaxPerUser of the manager work, and of another user's session no value stays
// but those that the request has set itself.
//
// Without Options.User it goes by what a Save has changed, and gives the session a new token where
//
//   - a key has a value that it had not, or had only as false, 0, "" or empty: a sign-in sets something;
//   - or the value changed under a key whose name speaks of who somebody is or what they may do (user, uid, login, auth,
//     account, role, email, token, an id, and the like), or under one that is no text, numbers and times aside.
//
// Flashes (any []interface{}) don't count. An application that signs in by changing one such value to another under a key
// that says nothing ("state": "guest" to "ann") needs Options.User. So does one that adds keys all the time from
// several requests at once: a request that came with the old cookie after a new one was given, and before the browser knew
// it, reads for 10 more seconds, and its Save is refused with session.ErrRotated. (One that had come before is
// merged, in one process.) An application that sets Session.ID to "" before Save asks for a new token.
//
// # Differences to know
//
// Session.ID is the public handle of the session (session.Session.Handle), "" while it is new. The store's clock and
// deadlines are the manager's: MaxAge 0 gives its Idle and Lifetime. A Save of a session that holds what it
// held sends no cookie, unless its Options were changed. A value that holds what gob can't encode is an error of Save, as before.
// Reading costs one look at the manager's store.
package gorilla
