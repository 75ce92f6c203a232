package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"example.com/hardy/session"
)

func sessionsCommand(p *printer) *cobra.Command {
	c := &cobra.Command{
		Use:   "sessions",
		Short: "List, count and end the sessions in a store",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	var user string
	var all bool
	list := &cobra.Command{
		Use:   "list STORE",
		Short: "Show the live sessions, in no order",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return withStore(c.Context(), args[0], func(s opened) error { return sessionsList(c.Context(), p, s, user, all) })
		},
	}
	list.Flags().StringVar(&user, "user", "", "only this user's")
	list.Flags().BoolVar(&all, "all", false, "also those that ended or expired and are not forgotten yet")
	var owner string
	end := &cobra.Command{
		Use:   "end STORE HANDLE",
		Short: "End the session of that handle, as revoked",
		Args:  cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return withStore(c.Context(), args[0], func(s opened) error { return sessionsEnd(c.Context(), p, s, owner, args[1]) })
		},
	}
	end.Flags().StringVar(&owner, "user", "", "whose it is; without this, the whole store is read to find it")
	c.AddCommand(list, end,
		&cobra.Command{
			Use:   "count STORE",
			Short: "Count the sessions by their state",
			Args:  cobra.ExactArgs(1),
			RunE: func(c *cobra.Command, args []string) error {
				return withStore(c.Context(), args[0], func(s opened) error { return sessionsCount(c.Context(), p, s) })
			},
		},
		&cobra.Command{
			Use:   "end-user STORE USER",
			Short: "End all sessions of a user, as revoked",
			Args:  cobra.ExactArgs(2),
			RunE: func(c *cobra.Command, args []string) error {
				return withStore(c.Context(), args[0], func(s opened) error {
					n, err := session.NewManager(s, &session.Options{Logger: quiet}).RevokeUser(c.Context(), args[1])
					return errors.Join(err, p.value(map[string]int{"ended": n}, fmt.Sprintf("%d ended", n)))
				})
			},
		})
	return c
}

// withStore opens the store that an argument names for as long as do takes.
func withStore(ctx context.Context, arg string, do func(opened) error) error {
	a, err := parseAddress(arg)
	if err != nil {
		return err
	}
	s, closing, err := a.open(ctx, false)
	if err != nil {
		return err
	}
	return errors.Join(do(s), closing())
}

// quiet: what a command did is its answer.
var quiet = slog.New(slog.DiscardHandler)

// pageSize is how many records are asked for at once.
const pageSize = 500

// each calls do for every record in the store.
func each(ctx context.Context, s session.Scanner, do func(r *session.Record) error) error {
	for cursor := ""; ; {
		page, next, err := s.Scan(ctx, cursor, pageSize)
		if err != nil {
			return err
		}
		for i := range page {
			if err := do(&page[i]); err != nil {
				return err
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

// eachOf calls do for every record of the user that has not ended; of everybody, dead ones too, where user is "".
func eachOf(ctx context.Context, s opened, user string, do func(r *session.Record) error) error {
	if user == "" {
		return each(ctx, s, do)
	}
	records, err := s.List(ctx, user)
	for i := range records {
		err = errors.Join(err, do(&records[i]))
	}
	return err
}

// sessionRow is a session in a list, and its JSON.
type sessionRow struct {
	Handle   string    `json:"handle"`
	User     string    `json:"user"`
	State    string    `json:"state"` // live, or the reason of its end
	Created  time.Time `json:"created"`
	AuthTime time.Time `json:"authenticated,omitzero"`
	Seen     time.Time `json:"seen"`
	Expires  time.Time `json:"expires"`
	Deadline time.Time `json:"deadline"`
}

const live = "live"

// state is live, or why the session is not.
func state(r *session.Record, now time.Time) string {
	switch {
	case r.Ended != "":
		return string(r.Ended)
	case r.Expires.After(now):
		return live
	case r.Expires.Before(r.Deadline):
		return string(session.ReasonIdle)
	}
	return string(session.ReasonLifetime)
}

func sessionsList(ctx context.Context, p *printer, s opened, user string, all bool) error {
	t, now := p.table("HANDLE", "USER", "STATE", "CREATED", "SEEN", "EXPIRES"), time.Now()
	show := func(r *session.Record) error {
		row := sessionRow{r.Handle, r.User, state(r, now), r.Created, r.AuthTime, r.Seen, r.Expires, r.Deadline}
		if row.State != live && !all || user != "" && r.User != user {
			return nil
		}
		return t.row(row, row.Handle, row.User, row.State, moment(row.Created), moment(row.Seen), moment(row.Expires))
	}
	owner := user
	if all { // a user's list has no dead ones
		owner = ""
	}
	err := eachOf(ctx, s, owner, show)
	return errors.Join(err, t.end())
}

// counts is the answer of "sessions count", and its JSON.
type counts struct {
	Live      int            `json:"live"`
	SignedIn  int            `json:"signed_in"` // of the live ones
	Anonymous int            `json:"anonymous"` // of the live ones
	Dead      map[string]int `json:"dead"`      // by reason, until they are forgotten
}

func sessionsCount(ctx context.Context, p *printer, s opened) error {
	c, now := counts{Dead: map[string]int{}}, time.Now()
	total, err := s.Count(ctx)
	if err != nil {
		return err
	}
	bar := p.progress(total, "counting")
	err = each(ctx, s, func(r *session.Record) error {
		bar.Add(1)
		switch why := state(r, now); {
		case why != live:
			c.Dead[why]++
			return nil
		case r.User == "":
			c.Anonymous++
		default:
			c.SignedIn++
		}
		c.Live++
		return nil
	})
	bar.Finish()
	if err != nil {
		return err
	}
	if p.json {
		return p.value(c, "")
	}
	t := p.table("STATE", "SESSIONS")
	t.row(nil, "live, signed in", strconv.Itoa(c.SignedIn))
	t.row(nil, "live, anonymous", strconv.Itoa(c.Anonymous))
	for _, why := range []session.Reason{session.ReasonIdle, session.ReasonLifetime, session.ReasonLogout, session.ReasonRevoked,
		session.ReasonEvicted, session.ReasonRotated, session.ReasonCorrupt} {
		if n := c.Dead[string(why)]; n > 0 {
			t.row(nil, "ended: "+string(why), strconv.Itoa(n))
		}
	}
	return t.end()
}

// sessionsEnd ends what bears the handle, looking again until nothing does: the session may be rotated meanwhile.
func sessionsEnd(ctx context.Context, p *printer, s opened, user, handle string) error {
	ended := 0
	for {
		var found []session.Record
		err := eachOf(ctx, s, user, func(r *session.Record) error {
			if r.Handle == handle && state(r, time.Now()) == live {
				found = append(found, *r)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if len(found) == 0 {
			break
		}
		for _, r := range found {
			now := time.Now()
			last, err := s.End(ctx, r.ID, session.End{Reason: session.ReasonRevoked, At: now, Purge: now.Add(session.Tombstone)})
			if err != nil && !errors.Is(err, session.ErrNotFound) {
				return err
			}
			if err == nil && last.Ended == "" {
				ended++
			}
		}
	}
	if ended == 0 {
		return absent("no live session has the handle %q", handle)
	}
	return p.value(map[string]int{"ended": ended}, fmt.Sprintf("%d ended", ended))
}
