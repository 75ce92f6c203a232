// Package sessiontest is what applications on Hardy are tested with.
//
// What to use first: most tests want NewServer, which serves the application's whole handler over TLS on
// connections that lie in memory, and Server.Browser, a client with a cookie jar of its own. All of it
// works within testing/synctest, where 31 minutes pass in milliseconds:
//
//	synctest.Test(t, func(t *testing.T) {
//		server := sessiontest.NewServer(t, app)
//		bob := server.Browser()
//		bob.Get(server.URL + "/ring")
//		time.Sleep(31*time.Minute + time.Second) // at once
//		resp, err := bob.Post(server.URL+"/ring", "", nil) // 401: the session has ended
//
// Server.SignIn spares a test the sign-in form, and Server.Visit sets up or reads what a browser's session
// holds. A handler without a server takes a request from Request, and Stored reads what it left. Faults
// makes a store fail, wait, or run the test's own code between two calls.
//
// Everything ends with the test, by its Cleanup. Functions that take a testing.TB end the test where they
// can't go on, so call them from its own goroutine.
//
// Later versions may add names and fields; what is here stays.
package sessiontest
