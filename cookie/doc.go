// Package cookie keeps what rests in the browser: small values in encrypted cookies, and the keys that seal them.
//
// Begin with a keyring and the middleware, and use jars in handlers:
//
//	keys, err := cookie.KeysFromEnv("HARDY_KEYS", "bell")
//	handler = middleware.Cookies(keys, nil)(handler)
//
//	var nick = cookie.NewKey[string]("name")
//
//	jar := cookie.Local(r.Context())
//	err := nick.Set(jar, "Bob") // 30 days
//	name := nick.GetOr(jar, "stranger")
//
// What you can rely on: nobody without the keys reads or changes a value; a changed, shortened or lengthened cookie
// reads as absent, and so does one of another app, team, purpose or name; a value past its end is gone, even if the
// browser sends it again; what cannot be sent any more is an error where it is set.
//
// What you can't: the owner of a browser can send an older jar again until its values expire, and of two answers at
// once the one that arrives last is the jar. Keep counters, credit and rights in a session or a database.
//
// Sealer is below the jars, for cookies of your own making: one purpose, one name.
//
// The form of the sealed values ("v1.") is frozen: later versions open what this one sealed.
package cookie
