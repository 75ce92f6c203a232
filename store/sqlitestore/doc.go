// Package sqlitestore keeps sessions in one SQLite file: for a program on one machine whose sessions
// survive a restart, a kill and a power cut.
//
//	db, err := sqlitestore.Open(ctx, "sessions.db", nil)
//	if err != nil {
//		log.Fatal(err) // names the file and says how to mend it
//	}
//	defer db.Close()
//	sessions := session.NewManager(db, nil)
//
// Begin with Open, which brings its own driver (modernc.org/sqlite, no cgo) and a file of its own. New is
// for people who have a database already and want the tables in it, or who prefer another driver.
//
// # What is guaranteed
//
// Durability: a write that returned nil is on the disk (WAL, synchronous=FULL: the log is synced before
// the answer), as far as the disk keeps what it says it has. A write that returned an error which is none
// of session's may or may not have happened; it never happened in part.
//
// Every read asks the file, so that what one process ended is ended for all. Several processes on one
// machine may use one file; the locks are SQLite's, and waiting for them is done here: "database is
// locked" reaches nobody, only a context that is done, or an error after 30 s of waiting.
//
// Writes are grouped: what waits while the disk is busy goes into one transaction with one sync. A write
// alone does not wait for company, and one that fails does not fail its neighbours.
//
// Quotas keeps the accounts of a quota.Ledger in the same file, on the same terms.
//
// The file shows who was signed in and when, the metadata, and who used how much of what; see the columns in
// schema.go. It holds no token and no value that can be read without the visitor's cookie. Open makes it,
// its -wal and its -shm readable to their owner only.
//
// # When not to use it
//
// Not on a network file system, nor for more than one machine: SQLite's log needs shared memory. Not for
// more than some ten thousand writes a second: there is one writer at a time. Do not open and close the file
// by other means in the same process (to copy it, to hash it): POSIX drops a process's locks on a file
// when any of its descriptors is closed. To make a backup use VACUUM INTO, or the sqlite3 program's .backup.
//
// A record takes about 240 bytes and its values, the log some 16 MB. Neither file shrinks; room that swept records gave
// back is used again.
//
// # Later versions
//
// A later version may change the tables. It brings a file that it meets up to date, once and for good, so
// stop all programs with an older Hardy first: they refuse the file when they are started again.
package sqlitestore
