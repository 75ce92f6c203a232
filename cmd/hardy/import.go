package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"example.com/hardy/session"
	"example.com/hardy/store"
)

func importCommand(p *printer) *cobra.Command {
	c := &cobra.Command{
		Use:   "import",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
		Short: "Make sessions of those that an app has in its old store, before their users come back",
		Long: `Make sessions of those that an app has in its old store, before their users come back:
the app then needs its old store no more. It has middleware.Options.Import, as it would
without this command, and that finds what is made here by the old cookie.

  1. Stop the old program: what it changes from now on, a sign-out included, would be lost.
  2. hardy import scs|gorilla FROM TO --secret env:VARIABLE --user KEY ...
  3. Start the new one.

A session lives as long as the old one would have, and no longer. Values of plain types
(texts, numbers, booleans, bytes, times, lists of texts and numbers, maps of texts) keep
their names; others are left behind, and counted by name and type. No value is printed. A
session with a list of anything ([]any) in which a type of the app's own lies can't be
read. Where it was stopped, the same command goes on: what is there already stays as it
is, ended or not.

The secret is that of middleware.Import: the bytes of the variable, or of the file without
the line's end. It comes from env:VARIABLE or file:PATH alone.`,
	}
	c.AddCommand(importSCSCommand(p), importGorillaCommand(p))
	return c
}

// importing is what both kinds of old stores are asked with.
type importing struct {
	secretAt string
	user     string
	take     []string
	remember bool
	idle     time.Duration
	dry      bool
}

func (i *importing) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&i.secretAt, "secret", "", "middleware.Import's Secret: env:`VARIABLE` or file:PATH")
	f.StringVar(&i.user, "user", "", "the `key` under which the app keeps who is signed in, a text or a whole number; without it nobody is")
	f.StringSliceVar(&i.take, "take", nil, "carry these `keys` over and no others (default all but that of --user)")
	f.BoolVar(&i.remember, "remember", false, "let the cookie outlive the browser, as scs and gorilla do if not told otherwise")
	f.DurationVar(&i.idle, "idle", session.DefaultIdle, "the app's session.Options.Idle")
	f.BoolVar(&i.dry, "dry-run", false, "read all and write nothing")
}

// oldStore is where an app has its sessions until now.
type oldStore struct {
	total int // 0: unknown
	// pages calls do for some sessions after the other.
	pages func(ctx context.Context, do func([]oldSession) error) error
	close func() error
}

// oldSession is one that has not been looked into.
type oldSession struct {
	credential string // as middleware.Import.Read names it
	open       func() (opened oldContent, err error)
}

// oldContent is what an old session holds.
type oldContent struct {
	expires, deadline time.Time // deadline: zero where the old store knows none
	values            map[string]any
	left              []leftover // what is of no plain type
	remember          bool
}

// leftover is a value that could not be carried over.
type leftover struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// Errors of an oldSession's open.
var (
	errExpiredThere = errors.New("has expired")
	errUnreadable   = errors.New("can't be read")
)

// imported is the answer of "import", and its JSON.
type imported struct {
	Made     int            `json:"made"`
	SignedIn int            `json:"signed_in"` // of made
	Present  int            `json:"present"`   // were made before, and are as they are
	Empty    int            `json:"empty"`     // hold nothing to carry over
	Expired  int            `json:"expired"`
	Refused  map[string]int `json:"refused"` // could not be carried over, by why; their users sign in again
	Left     []leftValues   `json:"left"`
	DryRun   bool           `json:"dry_run"`
	Seconds  float64        `json:"seconds"`
}

type leftValues struct {
	leftover
	Count int `json:"count"`
}

func (i *importing) run(ctx context.Context, p *printer, to string, open func(context.Context) (*oldStore, error)) error {
	secret, err := readImportSecret(i.secretAt)
	if err != nil {
		return err
	}
	at, err := parseAddress(to)
	if err != nil {
		return err
	}
	if err := (&session.Options{Idle: i.idle, Lifetime: session.MaxLifetime}).Validate(); err != nil {
		return usage("--idle: %w", err)
	}
	from, err := open(ctx)
	if err != nil {
		return err
	}
	defer from.close()
	target := func() session.Store { return store.NewMemory(nil) } // for a page
	if !i.dry {
		s, closing, err := at.open(ctx, true)
		if err != nil {
			return err
		}
		defer closing()
		target = func() session.Store { return s }
	}

	began := time.Now()
	t := tally{imported: imported{Refused: map[string]int{}, DryRun: i.dry}, left: map[leftover]int{}}
	bar := p.progress(from.total, "importing")
	err = from.pages(ctx, func(page []oldSession) error {
		m := session.NewManager(target(), &session.Options{Idle: i.idle, Lifetime: session.MaxLifetime, Logger: quiet})
		defer bar.Add(len(page))
		return t.carry(ctx, i, m, secret, page)
	})
	bar.Finish()
	if err != nil {
		return fmt.Errorf("%w; the same command goes on from here", err)
	}
	t.Seconds = time.Since(began).Seconds()
	return t.answer(p, i)
}

// readImportSecret reads what middleware.Import's Secret is in the app.
func readImportSecret(arg string) (secret []byte, err error) {
	switch scheme, rest, _ := strings.Cut(arg, ":"); scheme {
	case "env":
		secret = []byte(os.Getenv(rest))
	case "file":
		if secret, err = readSecret(rest); err != nil {
			return nil, err
		}
		secret = []byte(strings.TrimRight(string(secret), "\r\n"))
	case "":
		return nil, usage("--secret is missing: env:VARIABLE or file:PATH, with the Secret of the app's middleware.Import")
	default:
		return nil, usage("the process list shows what stands on the command line: write env:VARIABLE or file:PATH for a secret") // without quoting it
	}
	if len(secret) < 32 {
		return nil, usage("the secret has %d bytes; it is 32 or more, from a random source", len(secret))
	}
	return secret, nil
}

// tally counts what several workers do.
type tally struct {
	mu sync.Mutex
	imported
	left map[leftover]int
}

// workers is how many sessions are stored at the same time.
const workers = 32

// carry makes sessions of a page's. An error is one of the new store.
func (t *tally) carry(ctx context.Context, i *importing, m *session.Manager, secret []byte, page []oldSession) error {
	var group sync.WaitGroup
	failed := make([]error, len(page))
	turn := make(chan struct{}, workers)
	for at, old := range page {
		turn <- struct{}{}
		group.Go(func() {
			defer func() { <-turn }()
			failed[at] = t.one(ctx, i, m, secret, old)
		})
	}
	group.Wait()
	return errors.Join(failed...)
}

func (t *tally) one(ctx context.Context, i *importing, m *session.Manager, secret []byte, from oldSession) error {
	content, err := from.open()
	if err != nil {
		return t.refuse(err)
	}
	left := content.left
	old := &session.Old{Expires: content.expires, Deadline: content.deadline}
	if old.User, err = i.userOf(content); err != nil {
		return t.refuse(err)
	}
	values := i.chosen(content.values)
	if len(i.take) > 0 {
		left = slices.DeleteFunc(left, func(l leftover) bool { return !slices.Contains(i.take, l.Name) })
	}
	carried := 0
	old.Fill = func(s *session.Session) error {
		for name, v := range values {
			err := session.NewKey[any](name).Set(s, v)
			switch {
			case errors.Is(err, session.ErrTooLarge):
				return err
			case err != nil:
				left = append(left, leftover{name, fmt.Sprintf("%T", v)})
			default:
				carried++
			}
		}
		if (i.remember || content.remember) && (old.User != "" || carried > 0) {
			return s.Remember(time.Until(lastMoment(old)))
		}
		return nil
	}
	token, err := m.ImportToken(secret, from.credential)
	if err != nil {
		return err
	}
	made, err := m.ImportAhead(ctx, token, old)
	if errors.Is(err, session.ErrUnavailable) {
		return err
	}
	if err != nil {
		return t.refuse(err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case made:
		t.Made++
		if old.User != "" {
			t.SignedIn++
		}
	case old.User == "" && carried == 0:
		t.Empty++
	default:
		t.Present++
	}
	for _, l := range left {
		t.left[l]++
	}
	return nil
}

// lastMoment is when the old session ends at the latest, as far as a session can be remembered.
func lastMoment(old *session.Old) time.Time {
	end := old.Deadline
	if end.IsZero() {
		end = old.Expires
	}
	if most := time.Now().Add(session.MaxLifetime); end.After(most) {
		return most
	}
	return end
}

// userOf is who is signed in to an old session.
func (i *importing) userOf(c oldContent) (string, error) {
	if i.user == "" {
		return "", nil
	}
	for _, l := range c.left {
		if l.Name == i.user {
			return "", fmt.Errorf("the user's value is of type %s", l.Type)
		}
	}
	switch v := c.values[i.user].(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return fmt.Sprint(v), nil
	default:
		return "", fmt.Errorf("the user's value is of type %T", v)
	}
}

// chosen are the values that are to be carried over.
func (i *importing) chosen(values map[string]any) map[string]any {
	all := maps.Clone(values)
	maps.DeleteFunc(all, func(name string, _ any) bool {
		if len(i.take) > 0 {
			return !slices.Contains(i.take, name)
		}
		return name == i.user
	})
	return all
}

// refuse counts a session that can't be carried over, by a reason that says nothing of its values.
func (t *tally) refuse(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case errors.Is(err, errExpiredThere):
		t.Expired++
	case errors.Is(err, session.ErrTooLarge):
		t.Refused["holds more than a session may"]++
	case errors.Is(err, session.ErrUser):
		t.Refused["its user has a name that no user can have"]++
	default:
		t.Refused[err.Error()]++
	}
	return nil
}

func (t *tally) answer(p *printer, i *importing) error {
	for l, n := range t.left {
		t.Left = append(t.Left, leftValues{l, n})
	}
	slices.SortFunc(t.Left, func(a, b leftValues) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Type, b.Type))
	})
	refused := 0
	for _, n := range t.Refused {
		refused += n
	}
	did := "made"
	if i.dry {
		did = "would be made"
	}
	err := p.value(t.imported, fmt.Sprintf("%d %s, %d of them signed in; %d were there, %d hold nothing to carry over, %d had expired, %d could not be carried over; %.1f s",
		t.Made, did, t.SignedIn, t.Present, t.Empty, t.Expired, refused, t.Seconds))
	if !p.json && len(t.Left) > 0 {
		rows := p.table("LEFT BEHIND", "TYPE", "SESSIONS")
		for _, l := range t.Left {
			err = errors.Join(err, rows.row(nil, l.Name, l.Type, strconv.Itoa(l.Count)))
		}
		err = errors.Join(err, rows.end())
	}
	for _, why := range slices.Sorted(maps.Keys(t.Refused)) {
		p.note("%d sessions: %s", t.Refused[why], why)
	}
	if i.user != "" && t.Made > 0 && t.SignedIn == 0 {
		p.note("nobody is signed in: is %q the key of the user?", i.user)
	}
	if err == nil && refused > 0 {
		err = fmt.Errorf("%d sessions could not be carried over; their users sign in again", refused)
	}
	return err
}
