package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Defaults of Options.
const (
	DefaultIdle         = 30 * time.Minute // as Anvil; the upper end of OWASP's range for low-risk applications
	DefaultLifetime     = 24 * time.Hour   // NIST SP 800-63B-4 §2.2.3, AAL2
	DefaultMaxBytes     = 64 << 10
	DefaultStoreTimeout = 2 * time.Second
)

// MaxLifetime bounds Options.Lifetime and Remember: no browser keeps a cookie longer (RFC 6265bis §5.5).
const MaxLifetime = 400 * 24 * time.Hour

// Options of a Manager. The zero value of each field means its default; nothing means "unlimited".
type Options struct {
	// Idle ends a session that saw no request for so long: at least Idle, and at most 1/30 longer, after
	// the last one. Default 30 minutes.
	Idle time.Duration
	// Lifetime ends a session however active it is; only a new Login begins it again. Default 24 hours,
	// at most 400 days, not less than Idle.
	Lifetime time.Duration
	// MaxBytes bounds what one session holds: its names and encoded values. Default 65,536.
	MaxBytes int
	// StoreTimeout bounds what one load or one commit may wait for the store, retries included. Default 2 seconds.
	StoreTimeout time.Duration
	// AAL keeps the times within a level of NIST SP 800-63B-4: Idle, Lifetime and Remember beyond it are refused,
	// and the defaults are no longer than it allows. Default 0: no level.
	AAL AAL
	// Lock locks a session that was idle for too long, in place of ending it: every use is ErrLocked until
	// Session.Unlock, up to its lifetime. All processes of a store set the same. A locked session takes a place of
	// MaxPerUser. Not with AAL3. With package middleware it wants middleware.Options.Unlock, the page that asks for the
	// password.
	Lock bool
	// MaxPerUser bounds how many sessions a user has at once: a sign-in beyond it ends the oldest, by
	// creation, as ReasonEvicted. The store decides, so that it holds over all processes. A session past its
	// idle timeout or lifetime takes no place; the two sessions of a double-clicked sign-in share
	// a place. Sessions that exist are let be where the number is lowered, until their user signs in.
	// Default 0: no bound. It wants a store that is a Capper.
	MaxPerUser int
	// MaxFor gives the number for one user, in place of MaxPerUser; 0 is no bound. It is called at each
	// sign-in: answer from memory. A negative answer is a fault and fails the sign-in's commit.
	MaxFor func(user string) int
	// RefuseLogin refuses a sign-in beyond the bound with a *CappedError, instead of ending the oldest session.
	RefuseLogin bool
	// Format is how a token names a record and how values rest in it. Default Sealed. Another one is for
	// rows that another library wrote; it makes its own promises.
	Format Format
	// Logger hears of sign-in, sign-out, ends and faults. Default slog.Default().
	Logger *slog.Logger
	// Trace may be nil.
	Trace *Trace
}

// OptionError says which field of Options, or argument of NewManager, can't be served, and the mend.
type OptionError struct {
	Field  string
	Reason string
}

func (e *OptionError) Error() string { return "session: Options." + e.Field + ": " + e.Reason }

// Validate returns an *OptionError for the first field that can't be served, so that a program can refuse
// settings from outside with a message; NewManager panics with the same error. nil is valid.
func (o *Options) Validate() error {
	if o == nil {
		return nil
	}
	idle, lifetime := o.idle(), o.lifetime()
	switch {
	case o.Idle < 0:
		return &OptionError{"Idle", fmt.Sprintf("%v is negative; leave it 0 for the default of %v", o.Idle, DefaultIdle)}
	case o.Lifetime < 0:
		return &OptionError{"Lifetime", fmt.Sprintf("%v is negative; leave it 0 for the default of %v", o.Lifetime, DefaultLifetime)}
	case lifetime > MaxLifetime:
		return &OptionError{"Lifetime", fmt.Sprintf("%v is more than %v (400 days), longer than any browser keeps a cookie", lifetime, MaxLifetime)}
	case lifetime < idle:
		return &OptionError{"Lifetime", fmt.Sprintf("%v is less than Idle (%v), which could then never happen; raise Lifetime or lower Idle", lifetime, idle)}
	case o.checkAAL() != nil:
		return o.checkAAL()
	case o.MaxBytes < 0:
		return &OptionError{"MaxBytes", fmt.Sprintf("%d is negative; leave it 0 for the default of %d", o.MaxBytes, DefaultMaxBytes)}
	case o.MaxPerUser < 0:
		return &OptionError{"MaxPerUser", fmt.Sprintf("%d is negative; leave it 0 for no bound", o.MaxPerUser)}
	case o.MaxPerUser > 0 && o.MaxFor != nil:
		return &OptionError{"MaxFor", "is set beside MaxPerUser, and would take its place; set one of them"}
	case o.RefuseLogin && !o.capped():
		return &OptionError{"RefuseLogin", "is set, but neither MaxPerUser nor MaxFor, so there is nothing to refuse; set one of them"}
	case o.StoreTimeout < 0:
		return &OptionError{"StoreTimeout", fmt.Sprintf("%v is negative; leave it 0 for the default of %v", o.StoreTimeout, DefaultStoreTimeout)}
	}
	return nil
}

func (o *Options) idle() time.Duration {
	return or(o.Idle, min(DefaultIdle, o.AAL.limits().idle))
}

func (o *Options) lifetime() time.Duration {
	return or(o.Lifetime, min(DefaultLifetime, o.AAL.limits().lifetime))
}

func or[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// Manager carries sessions between requests and a Store. It is safe for concurrent use and starts no
// goroutine; two managers in one program need cookies of different names, and, where they share a store,
// share its sessions.
type Manager struct {
	store    Store
	format   Format
	idle     time.Duration
	lifetime time.Duration
	remember time.Duration // the most that Remember takes
	lock     bool
	maxBytes int
	timeout  time.Duration
	log      *slog.Logger
	trace    Trace
	writers  *queue
	watch    watch

	capper      Capper // nil: no bound
	maxFor      func(user string) int
	refuseLogin bool
}

// NewManager returns a manager of the sessions in store. nil options mean the defaults: 30 minutes idle,
// 24 hours in all, 64 KiB. It panics with an *OptionError where the store is nil or options can't be
// served: wrong wiring stops the program at its start.
func NewManager(store Store, o *Options) *Manager {
	if store == nil {
		panic(&OptionError{"Store", "is nil; give NewManager a store, such as store.NewMemory(nil)"})
	}
	if err := o.Validate(); err != nil {
		panic(err)
	}
	if o == nil {
		o = &Options{}
	}
	m := &Manager{
		store:    store,
		format:   o.Format,
		idle:     o.idle(),
		lifetime: o.lifetime(),
		remember: o.AAL.limits().remember,
		lock:     o.Lock,
		maxBytes: or(o.MaxBytes, DefaultMaxBytes),
		timeout:  or(o.StoreTimeout, DefaultStoreTimeout),
		log:      o.Logger,
		writers:  newQueue(),
	}
	if m.format == nil {
		m.format = Sealed
	}
	if m.log == nil {
		m.log = slog.Default()
	}
	if o.Trace != nil {
		m.trace = *o.Trace
	}
	m.checkCap(o)
	m.watch.init(m)
	return m
}

// Idle returns the idle timeout of sessions that are not remembered.
func (m *Manager) Idle() time.Duration { return m.idle }

// ErrUnavailable is what every error matches that a store gave for a reason of its own: it could not be
// reached, was too slow, or is full. The session may exist; answer 503, not with a blank one.
var ErrUnavailable = errors.New("session: the store is unavailable")

// ask times one call of the store for the trace and names its errors. The contract's own answers, listed
// in store.go, come back as they are.
func (m *Manager) ask(op string, call func() error) error {
	var start time.Time
	if m.trace.Store != nil {
		start = time.Now()
	}
	err := call()
	if m.trace.Store != nil {
		m.trace.Store(op, time.Since(start), err)
	}
	if err = unavailable(op, err); errors.Is(err, ErrUnavailable) && !errors.Is(err, context.Canceled) {
		m.log.Error("session: the store gave no answer", "op", op, "error", err)
	}
	return err
}

func unavailable(op string, err error) error {
	if err == nil || errors.Is(err, ErrNotFound) || errors.Is(err, ErrConflict) || errors.Is(err, ErrExists) || errors.Is(err, ErrCapped) {
		return err
	}
	return fmt.Errorf("%w (%s): %w", ErrUnavailable, op, err)
}

// insist bounds the writes of one commit that begins now.
func (m *Manager) insist(ctx context.Context, now time.Time) *patience {
	return &patience{Context: ctx, at: now.Add(m.timeout), insist: true}
}
