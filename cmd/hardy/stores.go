package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"strings"

	"example.com/hardy/session"
	"example.com/hardy/store/pgstore"
	"example.com/hardy/store/redisstore"
	"example.com/hardy/store/sqlitestore"
)

// opened is a store of Hardy's, all of which have these.
type opened interface {
	session.Store
	session.Scanner
	session.Importer
	session.Watcher
}

// address is where a store is, as the command line names it.
type address struct {
	text   string // with everything in it: never printed
	scheme string
}

// String names the store without what is secret in it.
func (a address) String() string {
	u, err := url.Parse(a.text)
	if err != nil || a.scheme == "sqlite" {
		return a.text
	}
	query := u.Query()
	for _, name := range secrets {
		query.Del(name)
	}
	u.RawQuery = query.Encode()
	return u.Redacted()
}

// secrets are parameters of an address that are as secret as its password.
var secrets = []string{"password", "sslpassword"}

// parseAddress finds the address that the argument is or names.
func parseAddress(arg string) (address, error) {
	scheme, rest, _ := strings.Cut(arg, ":")
	secret := true
	text := ""
	switch scheme {
	case "env":
		if text = strings.TrimSpace(os.Getenv(rest)); text == "" {
			return address{}, usage("the variable %s holds no store's address", rest)
		}
	case "file":
		b, err := readSecret(rest)
		if err != nil {
			return address{}, err
		}
		text = strings.TrimSpace(string(b))
	default:
		text, secret = arg, false
	}
	a := address{text: text}
	a.scheme, rest, _ = strings.Cut(text, ":")
	switch a.scheme {
	case "sqlite":
		if rest == "" {
			return a, usage("sqlite: wants a path: sqlite:sessions.db")
		}
		return a, nil
	case "redis", "rediss", "postgres", "postgresql":
	default:
		return a, usage("%q is no store: begin with sqlite:, redis://, rediss://, postgres://, env: or file:", scheme+":…")
	}
	u, err := url.Parse(text)
	if err != nil {
		return a, usage("the store's address is no URL") // the error quotes it, secrets and all
	}
	_, password := u.User.Password()
	for _, name := range secrets {
		password = password || u.Query().Has(name)
	}
	if password && !secret {
		return a, usage("the address holds a password, which the process list shows: put it into a variable and write env:VARIABLE, or into a file and write file:PATH")
	}
	return a, nil
}

// readSecret reads a file that only its owner may be able to read.
func readSecret(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("others can read %s (mode %#o): chmod 600 %[1]s", path, mode)
	}
	return os.ReadFile(path)
}

// open opens the store. fresh: one that is not there yet may be made.
func (a address) open(ctx context.Context, fresh bool) (s opened, closing func() error, err error) {
	switch a.scheme {
	case "sqlite":
		path := strings.TrimPrefix(a.text, "sqlite:")
		if _, err := os.Stat(path); err != nil && !fresh {
			return nil, nil, coded{err, exitAbsent}
		}
		db, err := sqlitestore.Open(ctx, path, nil)
		if err != nil {
			return nil, nil, err
		}
		return db, db.Close, nil
	case "redis", "rediss":
		at, name, _ := strings.Cut(a.text, "#")
		db, err := redisstore.Open(ctx, at, &redisstore.Options{Name: name})
		if err != nil {
			return nil, nil, err
		}
		return db, db.Close, nil
	}
	at, table, _ := strings.Cut(a.text, "#")
	schema, table, found := strings.Cut(table, ".")
	if !found {
		schema, table = "", schema
	}
	db, err := pgstore.Open(ctx, at, &pgstore.Options{Schema: schema, Table: table})
	if err != nil {
		return nil, nil, err
	}
	return db, db.Close, nil
}
