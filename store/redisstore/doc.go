// Package redisstore keeps sessions in Redis: for a program that runs on several machines.
//
//	db, err := redisstore.Open(ctx, "redis://:password@host:6379/0", nil)
//	if err != nil {
//		log.Fatal(err) // names the server and says how to mend it
//	}
//	defer db.Close()
//	sessions := session.NewManager(db, nil)
//
// Begin with Open. New is for people who have a rueidis client already and want sessions to go over it. One server,
// Sentinel and Cluster are served alike; Redis 6.2 or later.
//
// # What is guaranteed
//
// Every change is decided by one script on the server, so that processes need not know of each other. Each Load asks
// the server, so that what one process ended is ended for all; Options.Cache says by how much that may be
// relaxed, for a read of a quarter of a microsecond. CreateWithin is exact over all processes, on a Cluster too.
//
// A write that returned nil has happened. One that returned an error which is none of session's may or may not
// have; it never happened in part, and it is not repeated behind the caller's back. The exceptions are those that touch
// several slots: where the process dies, Create may leave an entry in the user's index without a record, which goes
// by itself, and CreateWithin may have ended the oldest sessions without admitting the new one.
//
// Durability is the server's: with appendonly yes and appendfsync everysec, a crash loses the last second; a failover
// loses what the replica had not received. Then a session that was ended may come back, until its idle time is over.
// docs/stores.md says how to close that window, and what it costs.
//
// Calls return at the deadline of their context, also where the server hangs or the network swallows what is sent.
// A cancellation without a deadline may take up to two seconds more to be noticed.
//
// The server shows who was signed in and when, and the metadata; see the fields in record.go. It holds no token and
// no value that can be read without the visitor's cookie.
//
// # When not to use it
//
// Not with a maxmemory-policy that evicts: Open refuses it. Not over replicas that serve reads. Where a PostgreSQL
// is there already and an ended session must never come back, look at pgstore.
//
// # Later versions
//
// A later version may add to the records. Who does not know what was added keeps it, so that both versions can run
// at once. What can't be done so gets a new format, which an older Hardy refuses at its start.
package redisstore
