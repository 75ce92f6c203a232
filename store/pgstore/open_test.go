package pgstore

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"example.com/hardy/internal/faultproxy"
	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
)

// at changes one part of a URL.
func at(t *testing.T, address string, change func(*url.URL)) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	change(u)
	return u.String()
}

// TestWhatCannotServeIsRefused at start, with words that say how to mend it and without the password.
func TestWhatCannotServeIsRefused(t *testing.T) {
	t.Parallel()
	p := servers.StartPostgres(t)
	swallows := faultproxy.Start(t, p.Addr)
	swallows.Hold(true)
	with := func(parameter string) func(*url.URL) {
		return func(u *url.URL) { u.RawQuery += "&" + parameter }
	}
	for name, c := range map[string]struct {
		change  func(*url.URL)
		prepare string // in the database
		o       *Options
		want    []string
	}{
		"no address":                         {func(u *url.URL) { *u = url.URL{Opaque: "postgres://[nonsense"} }, "", nil, []string{"the URL cannot be used"}},
		"wrong scheme":                       {func(u *url.URL) { u.Scheme = "mysql" }, "", nil, []string{"the URL cannot be used", "postgres://"}},
		"pool of size 0":                     {with("pool_max_conns=0"), "", nil, []string{"pool_max_conns at least 1"}},
		"wrong port":                         {func(u *url.URL) { u.Host = "127.0.0.1:1" }, "", nil, []string{"127.0.0.1:1", "nothing listens there"}},
		"wrong host":                         {func(u *url.URL) { u.Host = "no.such.host.invalid:5432" }, "", nil, []string{"no.such.host.invalid", "has no address"}},
		"wrong password":                     {func(u *url.URL) { u.User = url.UserPassword("postgres", "guessed it") }, "", nil, []string{"the password is wrong"}},
		"wrong user":                         {func(u *url.URL) { u.User = url.UserPassword("nobody", "guessed it") }, "", nil, []string{"the password is wrong, or there is no such user"}},
		"wrong database":                     {func(u *url.URL) { u.Path = "/nowhere" }, "", nil, []string{"no such database", "CREATE DATABASE"}},
		"a network that swallows everything": {func(u *url.URL) { u.Host = swallows.Addr }, "", nil, []string{swallows.Addr, "timeout"}},
		"another schema that is not there":   {nil, "", &Options{Schema: "nowhere"}, []string{"no such schema", "CREATE SCHEMA"}},
		"no schema at all":                   {with("search_path=nowhere"), "", nil, []string{"search_path", "Options.Schema"}},
		"a long name":                        {nil, "", &Options{Table: strings.Repeat("t", 57)}, []string{"Options.Table", "56 bytes"}},
		"another isolation": {with("default_transaction_isolation=serializable"), "", nil,
			[]string{"serializable", "default_transaction_isolation = 'read committed'"}},
		"read-only": {with("default_transaction_read_only=on"), "", nil, []string{"read-only", "primary"}},
		"a table of somebody else's": {nil, "CREATE TABLE hardy_sessions (id int)", nil,
			[]string{"hardy_sessions", "that Hardy has not made", "Options.Table"}},
		"a table of another shape": {nil, "CREATE TABLE shape (id int); CREATE TABLE shape_schema AS SELECT 1 AS version, 1 AS oldest",
			&Options{Table: "shape"}, []string{"another shape", "auth_time", "Options.Table"}},
		"versions of another shape": {nil, "CREATE TABLE odd (id int); CREATE TABLE odd_schema (x int)", &Options{Table: "odd"},
			[]string{"another shape"}},
		"a table that is gone": {nil, "CREATE TABLE gone_schema AS SELECT 1 AS version, 1 AS oldest", &Options{Table: "gone"},
			[]string{"is gone", "backup"}},
		"a newer schema": {nil, "CREATE TABLE newer (id int); CREATE TABLE newer_schema AS SELECT 9 AS version, 7 AS oldest",
			&Options{Table: "newer"}, []string{"newer Hardy", "schema 9", "update this program"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.prepare != "" {
				p.SQL(c.prepare)
			}
			address := p.URL()
			if c.change != nil {
				address = at(t, address, c.change)
			}
			s, err := Open(t.Context(), address, c.o)
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			for _, want := range append(c.want, "pgstore: ") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
			for _, secret := range []string{"a password for tests", "a%20password%20for%20tests", "guessed it", "guessed%20it"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error tells the password: %v", err)
				}
			}
		})
		if c.prepare == "CREATE TABLE hardy_sessions (id int)" {
			p.SQL("DROP TABLE hardy_sessions")
		}
	}
	if got := p.SQL("SELECT count(*) FROM pg_class WHERE relname LIKE 'hardy%'"); got != "0" {
		t.Errorf("%s tables were made by who was refused", got)
	}
	if _, err := New(t.Context(), nil, nil); err == nil || !strings.Contains(err.Error(), "pgxpool.New") {
		t.Errorf("New without a pool: %v", err)
	}
}

// TestNoPartOfThePasswordIsTold where the URL is written so that parts of it look like something else.
func TestNoPartOfThePasswordIsTold(t *testing.T) {
	for _, password := range []string{"se/cret", "se#cret", "se?cret", "12/cret", "12#cret", "12?cret", "se:cret", "se@cret", "se%zzcret", "se cret", "se[cret", "se\x7fcret", "se'cret"} {
		for _, form := range []string{
			"postgres://app:PW@127.0.0.1:1/db", "postgresql://:PW@127.0.0.1:1", "postgres://app:PW@127.0.0.1:x/db",
			"postgres://app:PW@127.0.0.1:1/db?pool_max_conns=0", "postgres://127.0.0.1:1/db?sslmode=odd&password=PW", "mysql://app:PW@127.0.0.1:1/db",
			"host=127.0.0.1 port=1 user=app password=PW", "host=127.0.0.1 port=x password='PW'", "host=127.0.0.1 port=1 sslmode=odd password = PW",
		} {
			address := strings.Replace(form, "PW", password, 1)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			for _, o := range []*Options{nil, {Listen: address}} {
				good := address
				if o != nil {
					good = "host=127.0.0.1 port=1"
				}
				_, err := Open(ctx, good, o)
				if err == nil {
					t.Fatalf("%q was opened", address)
				}
				for _, part := range []string{"cret", ":se", `"se`, ":12", `"12`} {
					if strings.Contains(err.Error(), part) {
						t.Errorf("%q, %v: the error tells a part of the password: %v", address, o, err)
					}
				}
			}
		}
	}
}

// TestReplicaIsRefused, and passed over where the URL names the primary too.
func TestReplicaIsRefused(t *testing.T) {
	t.Parallel()
	primary, replica := servers.StartPostgres(t), servers.StartPostgres(t)
	replica.Stop()
	if err := os.WriteFile(filepath.Join(replica.Data(), "standby.signal"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	replica.Start()
	_, err := Open(t.Context(), replica.URL(), nil)
	if err == nil || !strings.Contains(err.Error(), "read-only, a replica") || !strings.Contains(err.Error(), "primary") {
		t.Fatalf("Open of a replica: %v", err)
	}
	both := at(t, replica.URL(), func(u *url.URL) { u.Host += "," + primary.Addr })
	s := open(t, both, &Options{Listen: both + "&pool_max_conns=2"})
	mustCreate(t, s, newRecord("ann"))
	h := watch(t, s)
	id := mustEnd(t, s)
	until(t, "the end is heard from the primary", func() bool { return h.of(id) })

	pool, err := pgxpool.New(t.Context(), replica.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, err := New(t.Context(), pool, nil); err == nil || !strings.Contains(err.Error(), "primary") {
		t.Errorf("New on a replica: %v", err)
	}
}

func TestOldServersAreRefused(t *testing.T) {
	for version, refused := range map[string]bool{
		"9.6.24": true, "13.14 (Debian 13.14-1)": true, "14.0": false, "15.18 (Debian 15.18-0+deb12u1)": false, "18beta1": false,
		"8.0.2": true, "": false,
	} {
		err := known(version, oldestServer)
		if (err != nil) != refused {
			t.Errorf("%q: %v", version, err)
		}
	}
	// The same words of a server that is there.
	conn, err := pgx.Connect(t.Context(), servers.SharedPostgres(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := known(conn.PgConn().ParameterStatus("server_version"), 99); err == nil || !strings.Contains(err.Error(), "needs 99 or later") {
		t.Errorf("a server older than 99: %v", err)
	}
}

// TestLeastRights: what docs/stores.md grants is enough to serve, and less is refused with the GRANT that is missing.
func TestLeastRights(t *testing.T) {
	t.Parallel()
	p := servers.SharedPostgres(t)
	role := "app_" + p.Database
	p.SQL("CREATE ROLE " + role + " LOGIN PASSWORD 'secret'; REVOKE ALL ON SCHEMA public FROM public")
	t.Cleanup(func() { p.SQL("DROP OWNED BY " + role + "; DROP ROLE " + role) })
	as := at(t, p.URL(), func(u *url.URL) { u.User = url.UserPassword(role, "secret") })
	refused := func(when string, want ...string) {
		t.Helper()
		_, err := Open(t.Context(), as, &Options{Schema: "public"})
		if err == nil {
			t.Fatalf("%s: it was opened", when)
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: the error does not say %q: %v", when, w, err)
			}
		}
	}
	refused("no rights", "lacks a right")
	p.SQL("GRANT USAGE ON SCHEMA public TO " + role)
	refused("no tables and no right to make them", "lacks a right", "docs/stores.md")
	open(t, p.URL(), nil) // the owner, once
	refused("tables without rights", "lacks a right")
	p.SQL("GRANT SELECT ON hardy_sessions_schema TO " + role)
	refused("no right to the records", "GRANT SELECT, INSERT, UPDATE, DELETE ON", role)
	p.SQL("GRANT SELECT, INSERT, UPDATE ON hardy_sessions TO " + role)
	refused("no right to sweep", "GRANT SELECT, INSERT, UPDATE, DELETE ON")
	p.SQL("GRANT DELETE ON hardy_sessions TO " + role)

	s := open(t, as, &Options{Schema: "public"})
	h := watch(t, s)
	r := newRecord("ann")
	mustCreate(t, s, r)
	for name, call := range calls(s, r) {
		if err := call(t.Context()); err != nil && !answer(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	id := mustEnd(t, s)
	until(t, "the end is heard", func() bool { return h.of(id) })
	dead := newRecord("")
	dead.Expires, dead.Purge = time.Now().Add(-time.Hour), time.Now().Add(-time.Minute)
	mustCreate(t, s, dead)
	if swept, _, err := s.Sweep(t.Context(), time.Now(), 100); err != nil || swept.Forgotten < 1 {
		t.Errorf("Sweep: %+v, %v", swept, err)
	}
}

// TestNewOnAPool: the pool stays its owner's.
func TestNewOnAPool(t *testing.T) {
	t.Parallel()
	p := servers.SharedPostgres(t)
	pool, err := pgxpool.New(t.Context(), p.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, err := New(t.Context(), pool, &Options{Listen: "mysql://127.0.0.1"}); err == nil || !strings.Contains(err.Error(), "Options.Listen") {
		t.Errorf("New with a Listen that cannot be used: %v", err)
	}
	s, err := New(t.Context(), pool, &Options{Table: "mine"})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("Watch", func(t *testing.T) {
		h := watch(t, s)
		id := mustEnd(t, s)
		until(t, "the end is heard", func() bool { return h.of(id) })
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := pool.Ping(t.Context()); err != nil {
		t.Errorf("Close has closed the pool: %v", err)
	}
}

// TestTwentyProcessesStart on an empty database: the tables are made once, and all serve.
func TestTwentyProcessesStart(t *testing.T) {
	t.Parallel()
	p := servers.SharedPostgres(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			cmd := exec.CommandContext(t.Context(), self)
			cmd.Env = append(os.Environ(), childVar+"="+p.URL()+"&pool_max_conns=1")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("a process: %v, %s", err, out)
			}
		})
	}
	wg.Wait()
	if got := p.SQL("SELECT (SELECT count(*) FROM hardy_sessions), version, oldest FROM hardy_sessions_schema"); got != "20|1|1" {
		t.Errorf("records, version and oldest are %s, want 20|1|1", got)
	}
}

// second and third are migrations of a Hardy to come: one that programs of the schema before can live with, and one that
// they cannot.
var (
	second = migration{sql: "ALTER TABLE {table} ADD COLUMN colour text NOT NULL DEFAULT 'none'; CREATE INDEX ON {table} (colour) WHERE colour <> 'none';", oldest: 1}
	third  = migration{sql: "ALTER TABLE {table} ALTER COLUMN colour DROP DEFAULT;", oldest: 2}
)

// migrateTo brings the tables up to date as a Hardy that knows so many migrations does at its start.
func migrateTo(ctx context.Context, address string, steps []migration) error {
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	at := newPlace(conn.Config(), nil)
	_, err = at.setUp(ctx, conn, steps)
	return err
}

// TestRollingUpgrade: programs of one schema go on, and are started again, while others bring the tables to the next one;
// and refuse a schema that they cannot live with.
func TestRollingUpgrade(t *testing.T) {
	t.Parallel()
	p := servers.SharedPostgres(t)
	old := open(t, p.URL(), nil)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			r := newRecord("ann")
			if err := old.Create(t.Context(), r); err != nil {
				t.Errorf("Create meanwhile: %v", err)
				return
			}
			for n := 1; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				r = later(r)
				if err := old.Replace(t.Context(), r); err != nil {
					t.Errorf("Replace meanwhile: %v", err)
					return
				}
				if got, err := old.Load(t.Context(), r.ID); err != nil || got.Version != r.Version {
					t.Errorf("Load meanwhile: version %d, %v; want %d", got.Version, err, r.Version)
					return
				}
				if n%10 == 0 {
					mustEndLoudly(t, old)
				}
			}
		})
	}
	next := []migration{migrations[0], second}
	var starting sync.WaitGroup
	for range 5 { // processes of the new version, at once
		starting.Go(func() {
			if err := migrateTo(t.Context(), p.URL(), next); err != nil {
				t.Error(err)
			}
		})
	}
	starting.Wait()
	again := open(t, p.URL(), nil) // a process of the old version, started again
	mustCreate(t, again, newRecord("bob"))
	time.Sleep(100 * time.Millisecond)
	close(stop)
	wg.Wait()
	if got := p.SQL("SELECT version, oldest FROM hardy_sessions_schema"); got != "2|1" {
		t.Errorf("version and oldest are %s, want 2|1", got)
	}
	if err := migrateTo(t.Context(), p.URL(), []migration{migrations[0], second, third}); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), p.URL(), nil); err == nil || !strings.Contains(err.Error(), "newer Hardy (schema 3, for those who know 2 or later; this one knows 1)") {
		t.Errorf("Open of a schema that needs a newer Hardy: %v", err)
	}
	if err := migrateTo(t.Context(), p.URL(), next); err != nil {
		t.Errorf("a Hardy of schema 2 on schema 3: %v", err)
	}
}

func mustEndLoudly(t *testing.T, s *Store) {
	r := newRecord("ann")
	if err := s.Create(t.Context(), r); err != nil {
		t.Errorf("Create: %v", err)
	}
	if _, err := s.End(t.Context(), r.ID, session.End{Reason: session.ReasonLogout, At: time.Now()}); err != nil {
		t.Errorf("End: %v", err)
	}
}

// TestFailedMigrationLeavesNothing behind, and a lock that is held does not hold up those who use the table.
func TestFailedMigrationLeavesNothing(t *testing.T) {
	t.Parallel()
	p := servers.SharedPostgres(t)
	bad := migration{sql: second.sql + "SELECT 1/0;", oldest: 1}
	if err := migrateTo(t.Context(), p.URL(), []migration{migrations[0], bad}); err == nil {
		t.Fatal("a migration that fails was made")
	}
	if got := p.SQL("SELECT count(*) FROM pg_class WHERE relname LIKE 'hardy%'"); got != "0" {
		t.Errorf("%s tables are left of a migration that failed", got)
	}
	s := open(t, p.URL(), nil)
	r := newRecord("ann")
	mustCreate(t, s, r)
	dump, err := pgx.Connect(t.Context(), p.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer dump.Close(t.Context())
	if _, err := dump.Exec(t.Context(), "BEGIN; LOCK TABLE hardy_sessions IN ACCESS SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	err = migrateTo(t.Context(), p.URL(), []migration{migrations[0], second})
	if err == nil || !strings.Contains(err.Error(), "lock timeout") {
		t.Errorf("a migration beside a dump: %v", err)
	}
	if _, err := s.Load(t.Context(), r.ID); err != nil {
		t.Error(err)
	}
	if _, err := dump.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := migrateTo(t.Context(), p.URL(), []migration{migrations[0], second}); err != nil {
		t.Errorf("after the dump: %v", err)
	}
}
