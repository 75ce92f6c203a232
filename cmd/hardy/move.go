package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"example.com/hardy/session"
	"example.com/hardy/store"
)

func moveCommand(p *printer) *cobra.Command {
	var state string
	c := &cobra.Command{
		Use:   "move FROM TO",
		Short: "Carry all sessions over to another store, sealed as they are, while the app serves",
		Long: `Carry all sessions over to another store, sealed as they are. Nobody is signed out.

  1. Let every instance of the app serve store.Moving(from, to); roll out.
  2. hardy move FROM TO
  3. Let every instance serve the new store alone; roll out.

Where it was stopped, the same command goes on. In the end each record is looked at
in both stores. What ends or changes meanwhile has its truth in the new store.`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error { return move(c.Context(), p, args[0], args[1], state) },
	}
	c.Flags().StringVar(&state, "state", "", "`file` that remembers how far it came (default in your cache folder)")
	return c
}

// moved is the answer of "move", and its JSON.
type moved struct {
	Copied  int     `json:"copied"`
	Present int     `json:"present"` // were in the new store already
	Past    int     `json:"past"`    // long dead: not copied
	Equal   int     `json:"equal"`   // looked at afterwards: the same in both stores
	Newer   int     `json:"newer"`   // written, renewed or ended in the new store since
	Seconds float64 `json:"seconds"` // this run's
}

func move(ctx context.Context, p *printer, from, to, statePath string) error {
	old, err := parseAddress(from)
	if err != nil {
		return err
	}
	new, err := parseAddress(to)
	if err != nil {
		return err
	}
	if old.text == new.text {
		return usage("both are the same store")
	}
	source, closeSource, err := old.open(ctx, false)
	if err != nil {
		return err
	}
	defer closeSource()
	target, closeTarget, err := new.open(ctx, true)
	if err != nil {
		return err
	}
	defer closeTarget()

	began := time.Now()
	mark, err := findBookmark(statePath, old.text, new.text)
	if err != nil {
		return err
	}
	if mark.Cursor != "" {
		p.note("going on after %d sessions", mark.Copied+mark.Present+mark.Past)
	}
	total, err := source.Count(ctx)
	if err != nil {
		return err
	}
	before := mark.Copied + mark.Present + mark.Past
	bar := p.progress(total-before, "moving")
	for first := true; first || mark.Cursor != ""; first = false {
		c, next, err := store.Carry(ctx, source, target, mark.Cursor, pageSize, time.Now())
		if err != nil {
			return fmt.Errorf("%w; the same command goes on from here", err)
		}
		mark.Copied, mark.Present, mark.Past, mark.Cursor = mark.Copied+c.Copied, mark.Present+c.Present, mark.Past+c.Past, next
		if err := mark.save(); err != nil {
			return err
		}
		bar.Add(c.Copied + c.Present + c.Past)
	}
	bar.Finish()
	moving := time.Since(began).Seconds()

	m := moved{Copied: mark.Copied, Present: mark.Present, Past: mark.Past}
	bar = p.progress(total, "comparing")
	err = compare(ctx, source, target, &m, func(n int) { bar.Add(n) })
	bar.Finish()
	if err != nil {
		return err
	}
	m.Seconds = time.Since(began).Seconds()
	if err := mark.remove(); err != nil {
		return err
	}
	return p.value(m, fmt.Sprintf("%d moved, %d were there, %d long dead stayed behind; compared: %d equal, %d newer in the new store; %.1f s, %.0f moved a second",
		m.Copied, m.Present, m.Past, m.Equal, m.Newer, m.Seconds, float64(m.Copied+m.Present+m.Past-before)/moving))
}

// compare looks at every record of the old store in the new one. A page's records are looked up at the same time.
func compare(ctx context.Context, source, target opened, m *moved, progress func(int)) error {
	for cursor := ""; ; {
		page, next, err := source.Scan(ctx, cursor, pageSize)
		if err != nil {
			return err
		}
		var group sync.WaitGroup
		answers := make([]error, len(page))
		newer := make([]bool, len(page))
		turn := make(chan struct{}, 32)
		for i, r := range page {
			turn <- struct{}{}
			group.Go(func() {
				defer func() { <-turn }()
				newer[i], answers[i] = same(ctx, target, r)
			})
		}
		group.Wait()
		for i, err := range answers {
			switch {
			case errors.Is(err, errPast):
			case err != nil:
				return err
			case newer[i]:
				m.Newer++
			default:
				m.Equal++
			}
		}
		progress(len(page))
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

// errPast: the record may be forgotten since.
var errPast = errors.New("past")

// same says whether the new store holds r as it is, or in a newer state.
func same(ctx context.Context, target session.Store, r session.Record) (newer bool, err error) {
	got, err := target.Load(ctx, r.ID)
	switch {
	case errors.Is(err, session.ErrNotFound) && !r.Purge.After(time.Now()):
		return false, errPast
	case errors.Is(err, session.ErrNotFound):
		return false, fmt.Errorf("the session %s has not arrived: is every instance of the app on store.Moving? The same command tries again", r.Handle)
	case err != nil:
		return false, err
	case got.Handle != r.Handle || got.User != r.User || !got.Created.Equal(r.Created) || !got.AuthTime.Equal(r.AuthTime) || got.Version < r.Version:
		return false, fmt.Errorf("the session %s is another one in the new store", r.Handle)
	case r.Ended != "" && got.Ended == "":
		return false, fmt.Errorf("the session %s has ended in the old store and not in the new one: what ends sessions in the old store alone? The same command carries the end over", r.Handle)
	case got.Version > r.Version || got.Ended != r.Ended || got.Seen.After(r.Seen) || got.Data == nil && r.Data != nil:
		return true, nil // a sweep drops the data of the dead
	case !bytes.Equal(got.Data, r.Data) || !bytes.Equal(got.Meta, r.Meta):
		return false, fmt.Errorf("the session %s has other bytes in the new store", r.Handle)
	}
	return false, nil
}

// bookmark remembers how far a move came; it is the JSON of its file. It holds counts and a cursor, nothing secret.
type bookmark struct {
	path                  string
	Cursor                string
	Copied, Present, Past int
}

// findBookmark reads the file that an earlier run has left. Its default name is made of the two addresses.
func findBookmark(path, from, to string) (*bookmark, error) {
	if path == "" {
		folder, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("%w; name a file with --state", err)
		}
		folder = filepath.Join(folder, "hardy")
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, err
		}
		sum := sha256.Sum256([]byte(from + "\n" + to))
		path = filepath.Join(folder, "move-"+base64.RawURLEncoding.EncodeToString(sum[:9])+".json")
	}
	b := &bookmark{path: path}
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return b, nil
	}
	if err == nil {
		err = json.Unmarshal(text, b)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w; remove it to begin anew", path, err)
	}
	if b.Cursor == "" { // all was carried over, and it was stopped while it compared: once more, from the beginning
		b.Copied, b.Present, b.Past = 0, 0, 0
	}
	return b, nil
}

func (b *bookmark) save() error {
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	temp := b.path + ".new"
	if err := os.WriteFile(temp, text, 0o600); err != nil {
		return err
	}
	return os.Rename(temp, b.path)
}

func (b *bookmark) remove() error {
	if err := os.Remove(b.path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
