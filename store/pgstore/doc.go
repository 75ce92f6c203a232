// Package pgstore keeps sessions in a PostgreSQL table that any number of processes share.
//
//	db, err := pgstore.Open(ctx, "postgres://app:secret@db.internal/app", nil)
//	if err != nil {
//		log.Fatal(err) // names the server and says how to mend it
//	}
//	defer db.Close()
//	sessions := session.NewManager(db, nil)
//
// Begin with Open, which brings its own pool (jackc/pgx). New is for people who have a pool already.
//
// # What is guaranteed
//
// Every read asks the server, so that what one process ended is ended for all. A write that returned nil is
// committed: it is on the server's disk unless synchronous_commit or fsync was turned off there. What a failover to a
// replica can lose is in docs/stores.md. A write that returned an error which is none of session's may or may not have
// happened; it never happened in part.
//
// Calls of one kind that come while others are under way share the next statement; a call alone goes at once. One
// that fails, or whose caller leaves, does not fail its neighbours.
//
// The table shows who was signed in and when, and the metadata; see the columns in schema.go. It holds no token and no
// value that can be read without the visitor's cookie.
//
// # When not to use it
//
// Not with a replica for reading: what was ended on the primary would still be read as live. Not where a pooler
// lends connections by transaction and Watch is needed, unless Options.Listen names the server itself.
//
// # Later versions
//
// A later version may change the tables. It brings those that it meets up to date, once, under a lock, and says in
// the table beside them from which version on a program can go on working with them. Programs of the version before
// go on, and may be started, until all are replaced.
package pgstore
