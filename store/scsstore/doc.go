// Package scsstore joins Hardy and the stores of github.com/alexedwards/scs, in both directions.
//
// Use makes a session.Store of any scs store, published or your own: a program on Hardy can rest where its
// rows have always been.
//
//	sessions := session.NewManager(scsstore.Use(goredisstore.New(client), nil), nil)
//
// Serve makes an scs store of any session.Store: a program on scs, unchanged, can rest on sqlitestore, pgstore
// or redisstore.
//
//	manager := scs.New()
//	manager.Store = scsstore.Serve(db)
//
// The package imports no scs: it names the few methods that scs's stores have. A program whose go.mod replaces scs by
// Hardy's compat/scs can use it all the same.
//
// # What Use can promise
//
// An scs store finds, overwrites and deletes one row under one token. It can't compare before it writes, and
// it can't insert only where nothing is. So the contract of session.Store holds exactly in one process, where
// the writers of one session take turns, and over several processes less:
//
//	rule of session.Store, and the tests of store/storetest    one process   several processes
//	 1  Create never overwrites ("1 …", "race create …")       kept          two Creates of one id at the same moment may both succeed
//	 2  Load shows dead records until Purge ("2 …")            kept          kept
//	 3  Replace compares versions ("3 …", "race replace …")    kept          of two at the same moment the later one stays
//	 4  Touch moves three moments ("4 …")                      kept          beside a Replace at the same moment the later of the two stays
//	 5  moments never move back ("5 …", "race touch …")        kept          as far as 3 and 4
//	 6  the first End wins ("6 …", "race the first end …")     kept          of two at the same moment the later one stays
//	 7  an ended record loses its Data ("7 …")                 kept          kept
//	 8  nothing is live after End ("8 …", "race nothing …")    kept          but for a write that had read the row before, see below
//	 9  List misses nothing ("9 …", "race list …")             kept where the store can iterate, else ErrNotIterable
//	10  index before record ("10 …")                           there is no index
//	11  nanoseconds, no clock ("11 …")                         kept          kept
//	12  a context that is done ("12 …")                        kept          kept
//	13  nothing is shared ("13 …")                             kept          kept
//	    Importer ("importer …"), Scanner ("scanner …")         kept; a Scanner where the store can iterate
//	    Capper, Watcher, Sweeper                               no
//
// An ended session leaves a tombstone under its own token, so that a write which comes later finds it, in whatever
// process, and is refused. Each write looks at the row right before. What remains is the moment between that look
// and the write: an End of another process that falls into it is overwritten, and the session goes on. It is as long
// as a question to the store takes: where this process has seen the row within four times that, and within 10 ms at
// most, a write does not look again, and an end within sixteen times, so that where a token is replaced while another process
// ends the session, the new one may live on. Where that is too much, take a store that compares: Hardy's own.
//
// "One process" means one Use: call it once for each scs store.
//
// Without a Sweeper, rows go when the store itself forgets them, which is at their Purge: an expired or ended
// record rests 24 hours longer than an expired row of scs, sealed, and Data that a rotation kept for the Grace
// rests as long.
//
// # When not to use it
//
// List reads every row of the store, and so do Revoke and RevokeUser, which begin with it. With more than some ten
// thousand sessions, or a limit of sessions for a user, take one of Hardy's stores; store.Moving brings the sessions
// there while users stay signed in. leveldbstore can't be listed right: its All shows one session over and over.
package scsstore
