package cookie

import "errors"

// Outcome says how the opening of a cookie went.
type Outcome uint8

const (
	NotOurs    Outcome = iota // not a sealed value at all, or of a later version
	OK                        // opened
	Tampered                  // not sealed as it stands by the key that it names, for this app, purpose and name
	UnknownKey                // the key that it names is not in the ring: dropped, or another app's
	RevokedKey                // genuine, and sealed under a key that has been revoked
	Expired                   // genuine, and past its end (or issued in the future)
	TooLarge                  // longer than any browser keeps; not looked at
)

func (o Outcome) String() string {
	switch o {
	case OK:
		return "opened"
	case Tampered:
		return "tampered"
	case UnknownKey:
		return "unknown key"
	case RevokedKey:
		return "revoked key"
	case Expired:
		return "expired"
	case TooLarge:
		return "too large"
	}
	return "not ours"
}

var (
	// ErrTooLarge: name and value of the cookie would exceed 4,096 bytes, and a browser would drop it whole. The
	// jar keeps what it had; put large data into a session or a database.
	ErrTooLarge = errors.New("cookie: larger than a browser keeps (4,096 bytes with its name)")
	// ErrSent: the header of the response has left, and no cookie can follow it. Change jars before the first
	// byte of the body.
	ErrSent = errors.New("cookie: the response header has been sent")
	// ErrLifetime: a value in a jar lives for more than 0 and at most MaxLifetime.
	ErrLifetime = errors.New("cookie: a value lives for more than 0 and at most 400 days")
)
