package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"example.com/hardy/cookie"
)

func keyCommand(p *printer) *cobra.Command {
	c := &cobra.Command{
		Use:   "key",
		Args:  cobra.NoArgs, // a mistyped "revoke" is an error, and not a page of help
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
		Short: "Make, rotate and revoke the keys that seal cookies",
		Long: `Make, rotate and revoke the keys that seal cookies. They lie in a file that only its
owner can read; an app reads it with cookie.KeysFromFile. Keys are named by ids, which are
public; no command prints a key, but "new" without a file.

To rotate without signing anybody out:
  hardy key new FILE       the new key opens; roll out to all instances
  hardy key rotate FILE    it seals from now on, and the former one opens; roll out
  hardy key drop FILE ID   once nothing is sealed under the former one any more

After a leak, with everybody signed out:
  hardy key new FILE; hardy key revoke FILE ID`,
	}
	c.AddCommand(
		&cobra.Command{
			Use:   "new [FILE]",
			Short: "Make a file with a key, or append a key that opens and does not seal yet; without a file, print one",
			Args:  cobra.MaximumNArgs(1),
			RunE:  changing(func(args []string) error { return keyNew(p, args) }),
		},
		&cobra.Command{
			Use:   "list FILE",
			Short: "Show ids and standing of the keys",
			Args:  cobra.ExactArgs(1),
			RunE:  func(_ *cobra.Command, args []string) error { return keyList(p, args[0]) },
		},
		&cobra.Command{
			Use:   "rotate FILE [ID]",
			Short: "Let the last key of the file, or the one of that id, seal from now on",
			Args:  cobra.RangeArgs(1, 2),
			RunE:  changing(func(args []string) error { return keyRotate(p, args) }),
		},
		&cobra.Command{
			Use:   "retire FILE ID",
			Short: "Let a key open only: the next one seals",
			Args:  cobra.ExactArgs(2),
			RunE: changing(func(args []string) error {
				return keyChange(p, args, func(f *keyFile, i int) error {
					if f.lines[i].revoked {
						return usage("key %s is revoked, and stays so", args[1])
					}
					line := f.lines[i]
					f.lines = append(slices.Delete(f.lines, i, i+1), line)
					if f.primary() == len(f.lines)-1 {
						return usage("key %s is the only one that can seal: first make one with \"hardy key new %s\"", args[1], args[0])
					}
					return nil
				})
			}),
		},
		&cobra.Command{
			Use:   "revoke FILE ID",
			Short: "End every session and forget every jar that was sealed under a key",
			Args:  cobra.ExactArgs(2),
			RunE: changing(func(args []string) error {
				return keyChange(p, args, func(f *keyFile, i int) error { f.lines[i].revoked = true; return nil })
			}),
		},
		&cobra.Command{
			Use:   "drop FILE ID",
			Short: "Take a key out of the file: what is sealed under it is nobody's",
			Args:  cobra.ExactArgs(2),
			RunE: changing(func(args []string) error {
				return keyChange(p, args, func(f *keyFile, i int) error {
					if i == f.primary() {
						return usage("key %s seals: first let another one with \"hardy key rotate %s\"", args[1], args[0])
					}
					f.lines = slices.Delete(f.lines, i, i+1)
					return nil
				})
			}),
		},
	)
	return c
}

// changing runs what changes the file that args begin with, where it lies if that is a link, and one command after another:
// neither of two loses its change.
func changing(do func(args []string) error) func(*cobra.Command, []string) error {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return do(args)
		}
		if real, err := filepath.EvalSymlinks(args[0]); err == nil { // else it is not there yet
			args[0] = real
		}
		done, err := alone(args[0])
		if err != nil {
			return err
		}
		return errors.Join(do(args), done())
	}
}

func keyNew(p *printer, args []string) error {
	master := cookie.NewMaster()
	if len(args) == 0 {
		return p.value(map[string]string{"key": master}, master)
	}
	line := keyLine{master: master, comment: "# made " + time.Now().UTC().Format(time.DateOnly)}
	f := &keyFile{path: args[0], lines: []keyLine{{comment: "# Keys of cookies. Whoever reads them can open and forge the cookies."}, line}}
	err := f.create()
	if err == nil {
		p.note("%s is made; the app reads it with cookie.KeysFromFile", f.path)
		return keyList(p, f.path)
	}
	if !errors.Is(err, os.ErrExist) {
		return err
	}
	if f, err = readKeyFile(args[0]); err != nil {
		return err
	}
	f.lines = append(f.lines, line)
	if err := f.write(); err != nil {
		return err
	}
	p.note("key %s opens; once all instances have it, \"hardy key rotate %s\" lets it seal", line.id(), f.path)
	return keyList(p, f.path)
}

func keyRotate(p *printer, args []string) error {
	f, err := readKeyFile(args[0])
	if err != nil {
		return err
	}
	at := -1
	if len(args) == 2 {
		if at, err = f.find(args[1]); err != nil {
			return err
		}
	} else {
		for i, l := range f.lines {
			if l.master != "" && !l.revoked {
				at = i
			}
		}
	}
	switch former := f.primary(); {
	case f.lines[at].revoked:
		return usage("key %s is revoked, and stays so", f.lines[at].id())
	case at == former:
		return usage("key %s seals already: first make one with \"hardy key new %s\", and roll it out", f.lines[at].id(), f.path)
	default:
		line, formerID := f.lines[at], f.lines[former].id()
		f.lines = slices.Insert(slices.Delete(f.lines, at, at+1), former, line)
		if err := f.write(); err != nil {
			return err
		}
		p.note("key %s seals; %s opens, and can be dropped when nothing is sealed under it any more", line.id(), formerID)
	}
	return keyList(p, f.path)
}

// keyChange changes one key's line and writes the file.
func keyChange(p *printer, args []string, change func(*keyFile, int) error) error {
	f, err := readKeyFile(args[0])
	if err != nil {
		return err
	}
	i, err := f.find(args[1])
	if err != nil {
		return err
	}
	if err := change(f, i); err != nil {
		return err
	}
	if err := f.write(); err != nil {
		return err
	}
	return keyList(p, f.path)
}

// keyRow is a key in a list, and its JSON.
type keyRow struct {
	ID      string `json:"id"`
	State   string `json:"state"` // primary, retired or revoked
	Comment string `json:"comment,omitempty"`
}

func keyList(p *printer, path string) error {
	f, err := readKeyFile(path)
	if err != nil {
		return err
	}
	keys, err := f.ring()
	if err != nil {
		return err
	}
	t := p.table("ID", "STATE", "COMMENT")
	for _, l := range f.lines {
		if l.master == "" {
			continue
		}
		row := keyRow{l.id(), cookie.Revoked.String(), strings.TrimSpace(strings.TrimPrefix(l.comment, "#"))}
		if !l.revoked {
			row.State = keys.State(row.ID).String()
		}
		if err := t.row(row, row.ID, row.State, row.Comment); err != nil {
			return err
		}
	}
	return t.end()
}
