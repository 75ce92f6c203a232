package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"example.com/hardy/cookie"
)

// keyrings seal the cookies: one ring for each app, which nobody else has, and one for the team, which all its apps
// have. Apps of one team normally run on different machines and meet in the team's ring alone.
type keyrings struct {
	bell, two, team *cookie.Keys
}

// openKeyrings reads the bell's ring from a file, and the others from files beside it.
func openKeyrings(file string) (k keyrings, err error) {
	beside := filepath.Dir(file)
	if k.bell, err = openKeyring(file, "bell"); err != nil {
		return k, err
	}
	if k.two, err = openKeyring(filepath.Join(beside, "two.keys"), "two"); err != nil {
		return k, err
	}
	k.team, err = openKeyring(filepath.Join(beside, "team.keys"), "belfry")
	return k, err
}

// openKeyring reads the ring of an app or a team from a file, and makes it at the first start.
func openKeyring(file, app string) (*cookie.Keys, error) {
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		if err := makeKeyring(file, app); err != nil {
			return nil, fmt.Errorf("-keys: %w", err)
		}
	}
	keys, err := cookie.KeysFromFile(file, app)
	if err != nil {
		return nil, fmt.Errorf("-keys: %w", err)
	}
	return keys, nil
}

// makeKeyring makes a file with one key. It appears whole or not at all, and never in place of another: whoever
// starts at the same moment reads the same key.
func makeKeyring(file, app string) error {
	temp, err := os.CreateTemp(filepath.Dir(file), ".keys-*") // readable to its owner alone: 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = fmt.Fprintf(temp, "# The keys of %s's cookies. Whoever reads them can open and forge the cookies.\n%s\n", app, cookie.NewMaster())
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if err := os.Link(temp.Name(), file); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
