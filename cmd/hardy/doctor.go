package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/rueidis"
	"github.com/spf13/cobra"

	"example.com/hardy/cookie"
	"example.com/hardy/session"
)

func doctorCommand(p *printer) *cobra.Command {
	var keys, team, store string
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is set up wrong with keys and stores, and say the mend",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if keys == "" && store == "" {
				return usage("say what to look at: --keys, --store or both")
			}
			d := &doctor{p: p, ctx: c.Context(), table: p.table("", "CHECK", "FOUND", "MEND")}
			if keys != "" {
				d.keys(keys, team)
			}
			if store != "" {
				d.store(store)
			}
			if err := d.table.end(); err != nil {
				return err
			}
			if d.found > 0 {
				return coded{fmt.Errorf("%d to mend", d.found), exitFindings}
			}
			return nil
		},
	}
	c.Flags().StringVar(&keys, "keys", "", "`file` of the app's keys, or env:VARIABLE")
	c.Flags().StringVar(&team, "team-keys", "", "`file` of the keys of the team's shared cookie, or env:VARIABLE")
	c.Flags().StringVar(&store, "store", "", "`STORE` to look at; a session is made in it and ended")
	return c
}

// doctor prints what it finds as it goes.
type doctor struct {
	p     *printer
	ctx   context.Context
	table *table
	found int
}

// finding is one check, and its JSON.
type finding struct {
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	Found string `json:"found"`
	Mend  string `json:"mend,omitempty"`
}

func (d *doctor) say(f finding) bool {
	sign := "ok"
	if !f.OK {
		d.found++
		sign = "!!"
	}
	mend := f.Mend
	if f.OK {
		mend = ""
	}
	d.table.row(f, sign, f.Check, f.Found, mend)
	return f.OK
}

// try says ok and what was found, or the error and the mend.
func (d *doctor) try(check, found string, err error, mend string) bool {
	if err != nil {
		return d.say(finding{check, false, err.Error(), mend})
	}
	return d.say(finding{Check: check, OK: true, Found: found})
}

func openKeys(arg string) (*cookie.Keys, error) {
	if variable, ok := strings.CutPrefix(arg, "env:"); ok {
		return cookie.KeysFromEnv(variable, app)
	}
	return cookie.KeysFromFile(arg, app)
}

func (d *doctor) keys(arg, team string) {
	k, err := openKeys(arg)
	if err != nil {
		d.try("keys", "", err, mendOf(err))
		return
	}
	d.try("keys", "key "+k.PrimaryID()+" seals", nil, "")
	if team == "" {
		return
	}
	t, err := openKeys(team)
	if err != nil {
		d.try("team keys", "", err, mendOf(err))
		return
	}
	shared := finding{Check: "team keys", OK: !k.Shares(t), Found: "no key of the app's in it"}
	if !shared.OK {
		shared.Found, shared.Mend = "a key of the app's is the team's too: a team mate can forge the app's cookies", "give the team keys of its own: hardy key new FILE"
	}
	d.say(shared)
}

// mendOf adds what the error does not say.
func mendOf(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, cookie.ErrNoPrimary), errors.Is(err, cookie.ErrKeyWeak):
		return "hardy key new FILE"
	case errors.Is(err, cookie.ErrKeyFile):
		return "chmod 600 FILE; who could read it may have it: rotate, and revoke the old key"
	}
	return "see docs/errors.md"
}

func (d *doctor) store(arg string) {
	a, err := parseAddress(arg)
	if err != nil {
		d.try("store", "", err, "see hardy help")
		return
	}
	began := time.Now()
	s, closing, err := a.open(d.ctx, false)
	if err != nil {
		d.try("store", "", err, "is it there, and may this user reach it?")
		return
	}
	defer func() { d.try("close", "done", closing(), "") }()
	d.try("store", fmt.Sprintf("%s answered in %v", a, time.Since(began).Round(time.Millisecond)), nil, "")
	n, err := s.Count(d.ctx)
	d.try("count", fmt.Sprintf("%d sessions, dead ones too", n), err, "")
	d.probe(s)
	d.settings(a)
}

// probe takes a session through its life, in sight of a watcher.
func (d *doctor) probe(s opened) {
	ctx, stop := context.WithTimeout(d.ctx, 10*time.Second)
	defer stop()
	heard := make(chan session.Ended, 64)
	ready := make(chan struct{}, 64)
	watching := make(chan error, 1)
	go func() {
		watching <- s.Watch(ctx, func(e session.Ended) {
			if e.ID == "" {
				ready <- struct{}{}
				return
			}
			select {
			case heard <- e:
			default:
			}
		})
	}()
	select {
	case <-ready:
	case err := <-watching:
		d.try("watch", "", err, "open connections would not learn of ends")
		return
	}
	m := session.NewManager(s, &session.Options{Idle: time.Minute, Lifetime: 2 * time.Minute, Logger: quiet})
	began := time.Now()
	v := m.New()
	err := session.NewKey[string]("hardy doctor").Set(v, "a probe")
	if err == nil {
		err = v.Save(ctx)
	}
	if err == nil {
		err = v.Logout()
	}
	if err == nil {
		err = m.Commit(ctx, v)
	}
	if !d.try("a session's life", fmt.Sprintf("made and ended in %v", time.Since(began).Round(100*time.Microsecond)), err, "may this user write?") {
		return
	}
	select {
	case <-heard:
		d.try("watch", "heard of the end", nil, "")
	case <-ctx.Done():
		d.say(finding{"watch", false, "the end was not heard within ten seconds", "open connections learn of ends late or never"})
	}
}

// settings looks at what an engine is set to, over a connection of its own.
func (d *doctor) settings(a address) {
	at, _, _ := strings.Cut(a.text, "#")
	switch a.scheme {
	case "sqlite":
		d.sqlite(strings.TrimPrefix(at, "sqlite:"))
	case "redis", "rediss":
		d.redis(at)
	default:
		d.postgres(at)
	}
}

// clock compares the server's time with this machine's, as seen between two moments here.
func (d *doctor) clock(server, before, after time.Time) {
	here := before.Add(after.Sub(before) / 2)
	off := server.Sub(here).Round(time.Millisecond)
	f := finding{"clock", off.Abs() <= time.Second, fmt.Sprintf("the server's differs by %v", off), "let both follow NTP: sessions of an app whose nodes differ end early or late by as much"}
	d.say(f)
}

func (d *doctor) sqlite(path string) {
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
			err = fmt.Errorf("others can read it: mode %#o", info.Mode().Perm())
		}
		d.try("permissions", name, err, "chmod 600 "+name)
	}
}

func (d *doctor) redis(at string) {
	option, err := rueidis.ParseURL(at)
	if err != nil {
		d.try("redis", "", errors.New("the address is not understood"), "see docs/stores.md")
		return
	}
	option.DisableCache = true
	c, err := rueidis.NewClient(option)
	if err != nil {
		d.try("redis", "", err, "see docs/stores.md")
		return
	}
	defer c.Close()
	before := time.Now()
	answer, err := c.Do(d.ctx, c.B().Time().Build()).AsIntSlice()
	if after := time.Now(); err != nil || len(answer) != 2 {
		d.try("clock", "", errors.Join(err, errors.New("the server does not say the time")), "allow the command TIME")
	} else {
		d.clock(time.Unix(answer[0], answer[1]*1000), before, after)
	}
	set, err := c.Do(d.ctx, c.B().ConfigGet().Parameter("appendonly").Parameter("appendfsync").Build()).AsStrMap()
	if err != nil {
		d.try("durability", "", err, "the command CONFIG is not allowed to this user: see for yourself that appendonly is yes")
		return
	}
	durable := finding{"durability", set["appendonly"] == "yes", "appendonly " + set["appendonly"] + ", appendfsync " + set["appendfsync"],
		"set appendonly yes: after a crash, sessions are lost and ended ones may come back (docs/stores.md)"}
	d.say(durable)
}

func (d *doctor) postgres(at string) {
	c, err := pgx.Connect(d.ctx, at)
	if err != nil {
		d.try("postgres", "", err, "see docs/stores.md")
		return
	}
	defer c.Close(d.ctx)
	var now time.Time
	var fsync, commit, version string
	before := time.Now()
	err = c.QueryRow(d.ctx, "select clock_timestamp(), current_setting('fsync'), current_setting('synchronous_commit'), current_setting('server_version')").
		Scan(&now, &fsync, &commit, &version)
	after := time.Now()
	if !d.try("version", "PostgreSQL "+version, err, "see docs/stores.md") {
		return
	}
	d.clock(now, before, after)
	durable := finding{"durability", fsync == "on" && commit != "off", "fsync " + fsync + ", synchronous_commit " + commit,
		"set both on: after a crash, sessions are lost and ended ones may come back (docs/stores.md)"}
	d.say(durable)
}
