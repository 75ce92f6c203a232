// Package session holds what a web application knows of a visitor between requests: values that never leave
// the server, and who is signed in. It knows no HTTP; package middleware brings sessions to handlers.
//
// Begin with a Manager on a store, wrap a handler in middleware.Sessions, name values by typed keys, and
// read them from the request's session:
//
//	var rings = session.NewKey[int]("n_rings")
//
//	func ring(w http.ResponseWriter, r *http.Request) {
//		s := session.From(r.Context())
//		n, err := rings.Update(r.Context(), s, func(n int) int { return n + 1 })
//		…
//	}
//
// Get and Set work in memory; the commit, before the first byte of the answer, stores what changed, key by key, on
// top of what parallel requests stored. Update stores at once and is exact.
//
// # Ends
//
// A session ends by idle timeout, lifetime, logout, revocation, or because its token was replaced. An end is
// final and an error that can be told from everything else: errors.Is(err, ErrExpired), with the reason in
// *ExpiredError. Reset and Login start over. Nothing else is an end: without a cookie, or with a forged one,
// the session is blank, and where the store can't be asked there is no session but ErrUnavailable.
//
// # What is promised
//
//   - After Revoke, RevokeUser, RevokeOthers or a commit with Logout has returned, no Load that begins
//     later, on any node, shows the session live.
//   - A write is stored exactly once or its caller is told; one that meets an end is refused.
//   - A session lives at least Options.Idle past its last request, and at most 1/30 longer, give or take
//     the difference between the nodes' clocks.
//   - Values open only with the visitor's token: a stolen store shows who was signed in and when, the
//     metadata, and sizes. A store that is changed behind the manager's back serves no user and no value, but it can bring a
//     whole record back as it once was.
//   - Stored forms (the record, Sealed, the values' CBOR) are read by every later version.
//
// # What a process holds of a session
//
// One rule for all stores: no record. Each request asks the store, and what it answered serves this request alone, so that an
// end counts everywhere at once. What is held beside that can show nothing that the store does not:
//
//   - opened cookies with their Token: at most 10,000 (MaxOpened of the middleware), until the session is seen ended, its
//     key is revoked, or nobody has come with it for the idle timeout. A Token holds the key of the values and, up to 1 KiB, the
//     values that it last sealed or opened; these serve where the store brings the same bytes for the same record,
//     version, user and time of authentication, in place of opening them again. It holds when a Touch last
//     succeeded, for 1/30 of the idle timeout;
//   - of a session that somebody holds on to (Context, package lease), the record without Data and Meta, until it ends or is
//     let go. It decides when to ask the store again, never what a request is served.
//
// A store adds nothing to this but redisstore with Options.Cache, which states its own bound.
//
// # Outside HTTP
//
// A job that holds a token, or a loop that goes on after its request, uses Manager.Token, Load, Touch and Commit, which
// is all that the middleware does.
//
// # Coming from Panel's SessionManager
//
//	SessionManager()              manager.Load, or session.From in a handler; blank until something is set
//	set_user_id(id)               s.Login(user): ErrUser for an empty one
//	get_user_id()                 s.User(): "" is nobody
//	is_authenticated()            s.Authenticated()
//	clear_session()               s.Logout(); s.Clear() removes the values and keeps the user
//	store_value(key, value)       session.NewKey[any](key).Set(s, value)
//	get_value(key, default)       session.NewKey[any](key).GetOr(s, default)
//	remove_value(key)             session.NewKey[any](key).Delete(s): says whether it was there
package session
