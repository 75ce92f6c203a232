package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/jackc/pgx/v5"
	"github.com/redis/rueidis"
	"github.com/spf13/cobra"
	_ "modernc.org/sqlite"

	"example.com/hardy/internal/gobwire"
)

func importSCSCommand(p *printer) *cobra.Command {
	var i importing
	c := &cobra.Command{
		Use:   "scs FROM TO",
		Short: "Make sessions of those of alexedwards/scs",
		Long: `Make sessions of those of alexedwards/scs, which rest in

  sqlite:PATH                    the table "sessions" of sqlite3store
  postgres://USER@HOST/DATABASE  the table "sessions" of pgxstore and postgresstore
  redis://HOST:PORT/0            what goredisstore and redisstore keep under scs:session:,
                                 or under #PREFIX behind the address

TO is a store of Hardy's; it may be the same database. Rows are read by scs.GobCodec. The
app's middleware.Import names a session by its row: Read returns the value of the cookie as
the credential, or what HashTokenInStore makes of it where the app has set that.`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			from, err := parseAddress(args[0])
			if err != nil {
				return err
			}
			return i.run(c.Context(), p, args[1], from.openSCS)
		},
	}
	i.flags(c)
	return c
}

// openSCS opens the rows of one of scs's stores.
func (a address) openSCS(ctx context.Context) (*oldStore, error) {
	switch a.scheme {
	case "sqlite":
		return scsSQLite(ctx, strings.TrimPrefix(a.text, "sqlite:"))
	case "redis", "rediss":
		return scsRedis(ctx, a.text)
	}
	return scsPostgres(ctx, a.text)
}

// scsSession is a row of one of scs's stores. expires is zero where the store keeps it for ever.
func scsSession(token string, row []byte, expires time.Time) oldSession {
	return oldSession{token, func() (c oldContent, err error) {
		row, left, err := plainly(row, gobwire.Row)
		if err != nil {
			return c, err
		}
		deadline, values, err := scs.GobCodec{}.Decode(row)
		if err != nil {
			return c, errUnreadable
		}
		if expires.IsZero() || deadline.Before(expires) {
			expires = deadline
		}
		if !expires.After(time.Now()) {
			return c, errExpiredThere
		}
		remember, _ := values["__rememberMe"].(bool)
		for _, own := range []string{"__rememberMe", "__hardy"} { // scs's own, and the end of a session of compat/scs
			delete(values, own)
		}
		return oldContent{expires, deadline, values, left, remember}, nil
	}}
}

func scsSQLite(ctx context.Context, path string) (*oldStore, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, coded{err, exitAbsent}
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: "mode=ro&_pragma=busy_timeout(5000)"}).String())
	if err != nil {
		return nil, err
	}
	from := &oldStore{close: db.Close}
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sessions").Scan(&from.total); err != nil {
		db.Close()
		return nil, fmt.Errorf("scs's table of sessions: %w", err)
	}
	from.pages = pagesByToken(func(after string) (page []oldSession, last string, err error) {
		rows, err := db.QueryContext(ctx, "SELECT token, data, expiry FROM sessions WHERE token > ? ORDER BY token LIMIT ?", after, pageSize)
		if err != nil {
			return nil, "", err
		}
		defer rows.Close()
		for rows.Next() {
			var row []byte
			var day float64
			if err := rows.Scan(&last, &row, &day); err != nil {
				return nil, "", err
			}
			page = append(page, scsSession(last, row, julian(day)))
		}
		return page, last, rows.Err()
	})
	return from, nil
}

// julian is the moment of a Julian day, as SQLite's julianday gives it, to the millisecond.
func julian(day float64) time.Time {
	const epoch = 2440587.5 // 1970
	return time.UnixMilli(int64((day - epoch) * 24 * 60 * 60 * 1000))
}

// pagesByToken goes through a table whose next page begins behind a token.
func pagesByToken(read func(after string) (page []oldSession, last string, err error)) func(context.Context, func([]oldSession) error) error {
	return func(ctx context.Context, do func([]oldSession) error) error {
		for after := ""; ; {
			page, last, err := read(after)
			if err != nil || len(page) == 0 {
				return err
			}
			if err := do(page); err != nil {
				return err
			}
			after = last
		}
	}
}

func scsPostgres(ctx context.Context, at string) (*oldStore, error) {
	if strings.Contains(at, "#") {
		return nil, usage("scs's table is always named sessions: take away what stands behind #")
	}
	db, err := pgx.Connect(ctx, at)
	if err != nil {
		return nil, err // pgx leaves the password out
	}
	from := &oldStore{close: func() error { return db.Close(ctx) }}
	if err := db.QueryRow(ctx, "SELECT count(*) FROM sessions").Scan(&from.total); err != nil {
		return nil, errors.Join(fmt.Errorf("scs's table of sessions: %w", err), db.Close(ctx))
	}
	from.pages = pagesByToken(func(after string) (page []oldSession, last string, err error) {
		rows, _ := db.Query(ctx, "SELECT token, data, expiry FROM sessions WHERE token > $1 ORDER BY token LIMIT $2", after, pageSize)
		var row []byte
		var expiry time.Time
		_, err = pgx.ForEachRow(rows, []any{&last, &row, &expiry}, func() error {
			page = append(page, scsSession(last, row, expiry))
			row = nil
			return nil
		})
		return page, last, err
	})
	return from, nil
}

func scsRedis(ctx context.Context, at string) (*oldStore, error) {
	at, prefix, named := strings.Cut(at, "#")
	if !named {
		prefix = "scs:session:"
	}
	option, err := rueidis.ParseURL(at)
	if err != nil {
		return nil, usage("the old store's address is not understood") // the error may quote it
	}
	option.DisableCache, option.ForceSingleClient = true, true
	db, err := rueidis.NewClient(option)
	if err != nil {
		return nil, err
	}
	glob := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(prefix) + "*"
	pages := func(ctx context.Context, do func([]oldSession) error) error {
		for cursor := uint64(0); ; {
			found, err := db.Do(ctx, db.B().Scan().Cursor(cursor).Match(glob).Count(pageSize).Build()).AsScanEntry()
			if err != nil {
				return err
			}
			page, err := scsRedisPage(ctx, db, prefix, found.Elements)
			if err != nil {
				return err
			}
			if err := do(page); err != nil {
				return err
			}
			if cursor = found.Cursor; cursor == 0 {
				return nil
			}
		}
	}
	return &oldStore{pages: pages, close: func() error { db.Close(); return nil }}, nil
}

func scsRedisPage(ctx context.Context, db rueidis.Client, prefix string, keys []string) (page []oldSession, err error) {
	ask := make(rueidis.Commands, 0, 2*len(keys))
	for _, key := range keys {
		ask = append(ask, db.B().Get().Key(key).Build(), db.B().Pttl().Key(key).Build())
	}
	answers := db.DoMulti(ctx, ask...)
	for i, key := range keys {
		row, err := answers[2*i].AsBytes()
		if rueidis.IsRedisNil(err) {
			continue // it has expired meanwhile
		}
		if err != nil {
			return nil, err
		}
		left, err := answers[2*i+1].AsInt64()
		if err != nil {
			return nil, err
		}
		var expires time.Time
		if left >= 0 {
			expires = time.Now().Add(time.Duration(left) * time.Millisecond)
		}
		page = append(page, scsSession(strings.TrimPrefix(key, prefix), row, expires))
	}
	return page, nil
}
