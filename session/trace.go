package session

import "time"

// Trace is told what happens to sessions, in httptrace's manner: set what you want to hear; nil costs
// nothing. Its funcs are called on the path of the request, by many goroutines at once: return quickly.
// A session is named by its handle, never by token or id.
type Trace struct {
	// Store was asked: op is "create", "load", "replace", "touch", "end", "list" or "sweep". err is as the store gave it.
	Store func(op string, took time.Duration, err error)
	// Began: a session was born, or rotated (Login, Renew), or carried over; from is "birth", "login", "renew" or "import".
	Began func(handle, from string)
	// Ended: this manager ended a session.
	Ended func(handle string, reason Reason)
	// Met: a request came with a token whose session has ended, or a write met the end.
	Met func(handle string, e *ExpiredError)
	// Rotated: a request came with a token that was replaced within the Grace.
	Rotated func(handle string)
	// Locked: a request came with a token whose session is locked.
	Locked func(handle string)
	// Changed: a request of a signed-in session tells something else of where it comes from than the last one, as
	// middleware.Options.Describe has it: another device, another network.
	Changed func(handle, entry, from, to string)
	// Corrupt: a record did not open under its own token; it serves nothing and is ended.
	Corrupt func(handle string, err error)
	// Undecodable: a stored value does not decode into its key's type and reads as absent.
	Undecodable func(handle, key string, err error)
	// Conflict: a write met another version and was merged; tries counts from 1.
	Conflict func(handle string, tries int)
	// Lost: changes could not be stored after the answer had left; err says why. Save and Update tell
	// their caller instead.
	Lost func(handle string, err error)
	// Swept: a round of Run is over.
	Swept func(s Swept, took time.Duration)
}
