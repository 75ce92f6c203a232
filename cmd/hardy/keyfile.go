package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"example.com/hardy/cookie"
)

// keyFile is a file of keys: see cookie.Keys for its form. Comments and order of the lines are kept; entries that
// shared a line get lines of their own.
type keyFile struct {
	path  string
	lines []keyLine
}

type keyLine struct {
	master  string // "" on a line without a key
	revoked bool
	comment string // with its #
}

// readKeyFile reads and checks the file with the package that will serve it.
func readKeyFile(path string) (*keyFile, error) {
	if _, err := cookie.KeysFromFile(path, app); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, absent("there is no %s: \"hardy key new %[1]s\" makes it", path)
		}
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := &keyFile{path: path}
	for line := range strings.Lines(string(text)) {
		body, comment, commented := strings.Cut(strings.TrimSpace(line), "#")
		if commented {
			comment = "#" + comment
		}
		at := len(f.lines)
		for entry := range strings.SplitSeq(body, ",") {
			if entry = strings.TrimSpace(entry); entry != "" {
				master, revoked := strings.CutPrefix(entry, "revoked:")
				f.lines = append(f.lines, keyLine{master: strings.TrimSpace(master), revoked: revoked})
			}
		}
		if len(f.lines) == at {
			f.lines = append(f.lines, keyLine{})
		}
		f.lines[at].comment = comment
	}
	return f, nil
}

// app is any app's name: the ids of keys don't depend on it.
const app = "hardy"

func (f *keyFile) text() string {
	var b strings.Builder
	for _, l := range f.lines {
		if l.revoked {
			b.WriteString("revoked:")
		}
		b.WriteString(l.master)
		if l.master != "" && l.comment != "" {
			b.WriteString(" ")
		}
		b.WriteString(l.comment + "\n")
	}
	return b.String()
}

// ring is the file's keyring as an app would read it.
func (f *keyFile) ring() (*cookie.Keys, error) {
	return cookie.NewKeys(context.Background(), text(f.text()), app)
}

// text is a keyring's source.
type text string

func (t text) Masters(context.Context) (string, error) { return string(t), nil }

// id names a key; it is public.
func (l *keyLine) id() string {
	keys, err := cookie.NewKeys(context.Background(), text(l.master), app)
	if err != nil {
		return "" // revoked for being weak
	}
	return keys.PrimaryID()
}

// find returns the index of the key's line.
func (f *keyFile) find(id string) (int, error) {
	for i := range f.lines {
		if l := &f.lines[i]; l.master != "" && l.id() == id {
			return i, nil
		}
	}
	return 0, absent("no key %s in %s: \"hardy key list\" shows their ids", id, f.path)
}

// primary returns the index of the key that seals.
func (f *keyFile) primary() int {
	for i, l := range f.lines {
		if l.master != "" && !l.revoked {
			return i
		}
	}
	return -1
}

// write puts the file in the place of the former one, whole or not at all, unless an app would refuse it. It stays its
// owner's, whoever changes it: the app has to read it.
func (f *keyFile) write() error {
	if _, err := f.ring(); err != nil {
		return fmt.Errorf("%w; %s stays as it was", err, f.path)
	}
	temp, err := f.temp()
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	if err := sameOwner(temp, f.path); err != nil {
		return fmt.Errorf("%w; %s stays as it was: do this as its owner", err, f.path)
	}
	return errors.Join(os.Rename(temp, f.path), syncFolder(f.path))
}

// create makes the file, and never in the place of another.
func (f *keyFile) create() error {
	temp, err := f.temp()
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	return errors.Join(os.Link(temp, f.path), syncFolder(f.path))
}

// temp writes the keys into a new file beside the one that they are for.
func (f *keyFile) temp() (string, error) {
	t, err := os.CreateTemp(filepath.Dir(f.path), ".keys-*") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = t.WriteString(f.text())
	return t.Name(), errors.Join(err, t.Sync(), t.Close())
}

// syncFolder makes a new name in path's folder survive a power cut, where folders can be synced.
func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	folder.Sync()
	return folder.Close()
}
