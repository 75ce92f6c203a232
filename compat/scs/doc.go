// Package scs is the API of github.com/alexedwards/scs/v2, version 2.9.0, on Hardy's engine. An application on scs moves to
// it by its go.mod alone:
//
//	replace (
//		github.com/alexedwards/scs/v2 => ../hardy/compat/scs
//		example.com/hardy => ../hardy
//	)
//
// Cookies, rows and tokens are those of scs, byte for byte, and so are its stores, none of which needs a change: a rolling
// deploy can mix old binaries and new ones, in both directions, and nobody is signed out. Without the lines it is
// on scs again.
//
// # What is kept
//
//	token, cookie with all attributes     the same bytes; written whenever the session was modified, or has an idle timeout
//	row, GobCodec, your own Codec         the same bytes; a row of either binary is read by the other
//	Vary: Cookie, Cache-Control           Vary on every answer, no-cache="Set-Cookie" beside each cookie
//	Status, Deadline, Keys, Get…, Pop…    the same answers, the same zero values
//	fields changed while serving          count from the next request on
//	values changed in place               stored where the session is stored for another reason, as by an idle timeout
//	Destroy                               takes effect at once
//	Iterate, MergeSession, RememberMe     the same; Iterate panics on a store that can't
//	an ended session                      is a blank one: a new visitor
//
// # Where Hardy differs on purpose
//
//	in scs                                              here
//	a request under way revives a destroyed session     it is refused: ErrorFunc is given an error that matches session.ErrExpired
//	an idle timeout lets a mere reader revive it        its answer passes, without a cookie
//	it brings back an old token and its cookie          refused: session.ErrRotated
//	of two requests that write, one is lost             they merge, key by key
//	a value put after the first byte is lost            it is stored; where a cookie would be due, it is logged and told to Trace.Lost
//	a failed commit: an error and the handler's page    ErrorFunc alone answers; no header and no byte of the handler's
//	the default ErrorFunc answers 500                   401 for an ended, 409 for a replaced session; else 500
//	Flush sends no cookie, 103 counts as the answer     the cookie goes with Flush; 1xx passes
//	http.ServeFile copies                               ReadFrom, and with it sendfile
//	Hijack loses what was put                           it is stored; where a cookie is due, Hijack says so
//	HashTokenInStore with Iterate deletes nothing       Destroy works
//	a row that can't be decoded: 500 until it expires   a new visitor, logged and told to Trace.Corrupt; the row stays
//	one such row ends Iterate                           it is left out
//	literals of SessionManager share their sessions     each has its own
//	LoadAndSave twice: two cookies                      one
//	a row that expired long ago, on goredisstore: kept  deleted
//	RenewToken deletes the old row at once              the commit does, after the new one is stored; Token commits first
//	an idle timeout rewrites the row at each request    once in 1/30 of it; the row lives 1/30 longer (from half a minute on)
//	the store's verdict on expiry                       and the row's own deadline
//	a store may take for ever                           10 seconds, where it looks at its context
//
// An ended session leaves a tombstone under its token, for what was left of it, or for 24 hours where that is less than one
// or more than 24: a row as the Codec writes it, with one value of Hardy's, under the name __hardy, which is not for
// applications. An older binary finds a session without values in it; if it goes on with that, so does this one.
//
// While both kinds of binaries serve, the old ones do what they always did: a request under way there can still revive
// what was destroyed. What holds over several processes here is what scsstore.Use says of a store that can't compare.
// And where an idle timeout is in use, a session that both have served may end up to 1/30 of it early.
//
// # Moving on
//
// When no old binary serves any more, and none will: Hardy.Keys gives new sessions sealed cookies and sealed rows, so that
// a stolen store opens no session and shows no value. Those that exist keep theirs until RenewToken or their end.
// Iterate sees no values of sealed sessions then; it can still Destroy them.
//
// For sessions that are listed by user, capped and ended by it, for typed keys, and errors that tell an ended session
// from none, use package session itself.
package scs
