package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/spf13/cobra"

	"example.com/hardy/compat/gorilla"
	"example.com/hardy/internal/gobwire"
)

func importGorillaCommand(p *printer) *cobra.Command {
	var i importing
	var f gorillaFiles
	c := &cobra.Command{
		Use:   "gorilla FOLDER TO",
		Short: "Make sessions of those of gorilla/sessions that rest in files (FilesystemStore)",
		Long: `Make sessions of those of gorilla/sessions that rest in the files session_* of a
FilesystemStore, for an app that has compat/gorilla's Import in its middleware.

A CookieStore keeps nothing on the server, so there is nothing to import: Import makes
those sessions at the users' first visit. So does gorilla.NewStore with Options.Old, for an
app that goes on with gorilla's types, whatever its old store is: it needs no command.`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			f.folder = args[0]
			return i.run(c.Context(), p, args[1], f.open)
		},
	}
	i.flags(c)
	c.Flags().StringVar(&f.cookie, "cookie", "", "`name` of the session, which is its cookie's")
	c.Flags().StringArrayVar(&f.keysAt, "key", nil, "a key that NewFilesystemStore was given: env:`VARIABLE`, file:PATH, or none for nil; again for each, in its order")
	c.Flags().DurationVar(&f.maxAge, "max-age", 30*24*time.Hour, "the old store's Options.MaxAge: how long a session lives after it was last saved")
	return c
}

// gorillaFiles is a folder in which a FilesystemStore keeps sessions.
type gorillaFiles struct {
	folder, cookie string
	keysAt         []string
	maxAge         time.Duration
}

const gorillaPrefix = "session_" // as sessions.FilesystemStore names its files

func (f *gorillaFiles) open(context.Context) (*oldStore, error) {
	if f.cookie == "" || len(f.keysAt) == 0 {
		return nil, usage("--cookie and --key are needed to open gorilla's files")
	}
	codecs, err := f.codecs()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(f.folder)
	if err != nil {
		return nil, coded{err, exitAbsent}
	}
	var ids []string
	for _, e := range entries {
		if id, ok := strings.CutPrefix(e.Name(), gorillaPrefix); ok && e.Type().IsRegular() {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil, absent("no file %s* is in %s, where a FilesystemStore keeps them; a CookieStore keeps nothing on the server, and gorilla.Import makes its sessions at the first visit", gorillaPrefix, f.folder)
	}
	return &oldStore{total: len(ids), close: func() error { return nil }, pages: func(_ context.Context, do func([]oldSession) error) error {
		for some := range slices.Chunk(ids, pageSize) {
			var page []oldSession
			for _, id := range some {
				page = append(page, oldSession{gorilla.RowCredential(f.cookie, id), func() (oldContent, error) { return f.content(id, codecs) }})
			}
			if err := do(page); err != nil {
				return err
			}
		}
		return nil
	}}, nil
}

// codecs are those of the old store, but that they leave the values as gob has encoded them.
func (f *gorillaFiles) codecs() ([]securecookie.Codec, error) {
	var keys [][]byte
	for _, at := range f.keysAt {
		var key []byte
		var err error
		switch scheme, rest, _ := strings.Cut(at, ":"); {
		case at == "none":
		case scheme == "env":
			if key = []byte(os.Getenv(rest)); len(key) == 0 {
				return nil, usage("the variable %s holds no key", rest)
			}
		case scheme == "file":
			if key, err = readSecret(rest); err != nil {
				return nil, err
			}
		default:
			return nil, usage("the process list shows what stands on the command line: write env:VARIABLE or file:PATH for a key") // without quoting it
		}
		keys = append(keys, key)
	}
	codecs := securecookie.CodecsFromPairs(keys...)
	for _, c := range codecs {
		c.(*securecookie.SecureCookie).MaxAge(int(f.maxAge / time.Second)).MaxLength(0).SetSerializer(securecookie.NopEncoder{})
	}
	return codecs, nil
}

func (f *gorillaFiles) content(id string, codecs []securecookie.Codec) (c oldContent, err error) {
	text, err := os.ReadFile(filepath.Join(f.folder, gorillaPrefix+id))
	if errors.Is(err, os.ErrNotExist) {
		return c, errExpiredThere // since the folder was listed
	}
	if err != nil {
		return c, err
	}
	saved, err := savedAt(string(text))
	if err != nil {
		return c, err
	}
	if c.expires = saved.Add(f.maxAge); !c.expires.After(time.Now()) {
		return c, errExpiredThere
	}
	var row []byte
	if err := securecookie.DecodeMulti(f.cookie, string(text), &row, codecs...); err != nil {
		return c, fmt.Errorf("does not open under these keys and this cookie's name")
	}
	if row, c.left, err = plainly(row, gobwire.Bare); err != nil {
		return c, err
	}
	values := map[any]any{}
	if err := gob.NewDecoder(bytes.NewReader(row)).Decode(&values); err != nil {
		return c, errUnreadable
	}
	c.values = make(map[string]any, len(values))
	for name, v := range values {
		c.values[name.(string)] = v
	}
	return c, nil
}

// savedAt is the time that securecookie puts before what it encodes.
func savedAt(text string) (time.Time, error) {
	b, err := base64.URLEncoding.DecodeString(text)
	date, _, _ := bytes.Cut(b, []byte{'|'})
	at, parseErr := strconv.ParseInt(string(date), 10, 64)
	if errors.Join(err, parseErr) != nil {
		return time.Time{}, errUnreadable
	}
	return time.Unix(at, 0), nil
}
