// Bench compares Hardy with its peers at the same work, in one run, and checks that each did it.
//
//	make quick      all rows, under three minutes: a table of figures, and one of ratios beside the bars
//	make results    the same, kept in RESULTS.md
//	make limits     the rows of the limiters and the spoof table, about two minutes
//	make sqlite     the stores on SQLite, under two minutes
//	make postgres   the stores on PostgreSQL, about three minutes
//	make redis      the stores on Redis, about two minutes
//	make multiuser  what many users need, and one who floods, about two minutes
//	go run . -only 'read one' -who Hardy -cpuprofile cpu.out
//
// A row is one task and the contestants that do it. All contestants of a row are set up together; then
// come six rounds, in each of which they take turns, alone and on all cores; what is reported is the
// median. A bar speaks of the median of the rounds' ratios: absolute figures differ between machines and
// between minutes.
//
// Requests go through the http.Handler with a ResponseWriter that keeps a header map and adds up bytes.
// Every contestant gets the same *http.Request, reset for each request, and each visitor is a small
// browser: it sends back the cookie that the last answer set. Each goroutine has visitors of its own.
//
// 64 MB lie on the heap beside (-ballast), as other things do in a server. Without them the garbage
// collector would run after every 4 MB, and its fixed costs would be most of what is timed.
//
// The rows of the limiters ask each for a decision: about one address, admitted and refused; about a million
// IPv6 networks at random, after each was seen once; and for 10,000 clients through the http.Handler, each
// answer with its fields. Bytes a key are those of that million. The spoof table sends the forged requests of
// one attacker, ten of which are allowed, and then one of somebody else. The table of stalls times each of a
// million calls while as many keys come and stale ones go, one caller a core.
//
// The row of the stores on SQLite counts: a request reads its session, changes it and stores it, in a file in
// WAL mode. scs comes at synchronous=NORMAL, which a power cut makes forget, and at FULL, as Hardy always is;
// each with the driver of Hardy (modernc) and with the one in C (mattn), so that no bar rests on a driver.
// Afterwards each session's count is read back and must be exact.
//
// The rows of what many users need compare requests that use no cap, lease, log or stream, once where none is set
// up and once where all are, with 100 other sessions that stream and lease; ask lease.Each for the value of one
// session after the other; and append to a list of 100 entries, by session.Log and as a plain value. In the flood
// Ann sends a request each 5 ms to workers of 2 ms, and Eve, from a process of the lowest priority and another
// address, floods requests, workers, log and sign-ins through 16 connections. Whoever refuses, net/http has to
// read each request before, so that the same flood comes against a handler outside of Hardy too: what it does to
// Ann's p99 there is the price of the two cores that all three share.
//
// To add a row, write a func that returns it and name it in rows (main.go), limitRows, sqliteRows, postgresRows, redisRows or multiUserRows. A contestant that can't run
// here, for lack of a server say, returns an error that matches errSkip: the row says NOT RUN.
package main
