package gorilla

import (
	"log/slog"
	"time"

	"github.com/gorilla/sessions"
)

// Options of a Store. nil means the defaults.
type Options struct {
	// User says who is signed in by the values of a session, "" for nobody. It is called at Save, and must not change
	// them. nil: nobody is known by name, and a sign-in is guessed: see the package comment.
	User func(values map[any]any) string

	// Old is the store that the application had before, with its keys: sessions.NewCookieStore(keys…), a
	// FilesystemStore, any other. A request that brings a cookie of it is served with a session made of it, once, also
	// where two come together; after a sign-out it stays ended. Where Old keeps rows, the row is deleted then.
	// (Of a cookie store every cookie that was ever set opens until it is OldMaxAge old: whoever kept
	// another one can bring that in, once.) It must encode its cookies with securecookie, as all published stores do.
	Old sessions.Store
	// OldMaxAge is how old a cookie of Old may be, since it was last saved. Default 30 days, at most 400.
	OldMaxAge time.Duration
	// Secret is 32 random bytes or more, kept for Old alone: see middleware.Import.
	Secret []byte

	// AllowDevKeys lets cookie.DevKeys serve on an address that is not loopback.
	AllowDevKeys bool

	// Logger hears of values that can't be decoded, and of old rows that can't be deleted. nil: slog.Default.
	Logger *slog.Logger
	// Trace may be nil.
	Trace *Trace
}

// Trace is told what the store makes of what requests bring. Its funcs are called by many goroutines at once. What
// becomes of cookies and sessions is told by the Trace of keys and manager.
type Trace struct {
	// Undecodable: the values of a live session can't be decoded. It reads as a new one, and the next Save begins anew.
	Undecodable func(name, handle string, err error)
	// Refused: a cookie is not ours and does not open in Options.Old either.
	Refused func(name string, err error)
}

const (
	defaultOldMaxAge = 30 * 24 * time.Hour // gorilla's own
	mostOldMaxAge    = 400 * 24 * time.Hour
)

// checked are the options with their defaults. It panics for what can't be served.
func (o *Options) checked() Options {
	if o == nil {
		o = &Options{}
	}
	c := *o
	switch {
	case c.OldMaxAge < 0 || c.OldMaxAge > mostOldMaxAge:
		panic("gorilla: Options.OldMaxAge is 0 to 400 days")
	case c.Old == nil && (c.OldMaxAge != 0 || c.Secret != nil):
		panic("gorilla: Options.OldMaxAge and Secret are for Options.Old, which is nil")
	}
	if c.OldMaxAge == 0 {
		c.OldMaxAge = defaultOldMaxAge
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Trace == nil {
		c.Trace = &Trace{}
	}
	return c
}
