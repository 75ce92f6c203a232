package cookie

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
)

// Source is where the keys of a ring are kept: a variable, a file, a secret manager.
type Source interface {
	// Masters returns the text of the ring: see Keys. It is called by NewKeys and by each Reload.
	Masters(ctx context.Context) (string, error)
}

// ErrKeyFile: the file can be read by more than its owner, or is no regular file.
var ErrKeyFile = errors.New("only the owner may be able to read a file of keys")

// KeysFromEnv returns the ring that the environment variable holds. Errors are those of NewKeys.
func KeysFromEnv(variable, app string) (*Keys, error) {
	k, err := NewKeys(context.Background(), env(variable), app)
	if err != nil {
		return nil, fmt.Errorf("%w (variable %s)", err, variable)
	}
	return k, nil
}

// KeysFromFile returns the ring that a file holds. Errors are those of NewKeys, and ErrKeyFile: group and others may
// have no right to the file (not checked on Windows). Call Reload when the file has changed, for instance on SIGHUP.
func KeysFromFile(path, app string) (*Keys, error) {
	return NewKeys(context.Background(), file(path), app)
}

type env string

func (e env) Masters(context.Context) (string, error) { return os.Getenv(string(e)), nil }

type file string

func (path file) Masters(context.Context) (string, error) {
	f, err := os.Open(string(path))
	if err != nil {
		return "", err
	}
	defer f.Close()
	// The open file is asked, not the path: that could be another file by now.
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%w, and %s is no regular file", ErrKeyFile, path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return "", fmt.Errorf("%w: %s has mode %#o; chmod 600 %[2]s", ErrKeyFile, path, mode)
	}
	const most = 64 << 10
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(text) > most {
		err = fmt.Errorf("%s is larger than %d bytes and no file of keys", path, most)
	}
	return string(text), err
}
