package servers

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

const (
	postgresUser     = "postgres"
	postgresPassword = "a password for tests"
)

// Postgres is a PostgreSQL server with the superuser postgres and scram-sha-256. It does not flush to the disk (fsync
// is off) unless its configuration says so: what is written outlives the server's death, not the machine's.
type Postgres struct {
	*Process
	// Database is this test's own, empty at first.
	Database string
	psql     string
	dir      string
	count    *atomic.Int64
}

// StartPostgres starts one for this test, with more lines of postgresql.conf, such as "max_connections = 10".
func StartPostgres(t testing.TB, lines ...string) *Postgres {
	t.Helper()
	p := newPostgres(t, lines)
	p.Process = owned(t, p.Addr, p.program)
	return p.fresh(t)
}

func newPostgres(t testing.TB, lines []string) *Postgres {
	t.Helper()
	server, initdb := find(t, "postgres", "postgresql"), find(t, "initdb", "postgresql")
	pg := &Postgres{psql: find(t, "psql", "postgresql"), count: new(atomic.Int64)}
	p, addr := launched(t, func(port int) *program {
		dir := folder(t, "postgres")
		data := filepath.Join(dir, "data")
		begin := func(program string, args ...string) *exec.Cmd {
			cmd := exec.Command(program, args...)
			cmd.Dir = dir
			if err := account(cmd, postgresUser, dir); err != nil {
				t.Fatal(err)
			}
			return cmd
		}
		secret := filepath.Join(dir, "password")
		if err := os.WriteFile(secret, []byte(postgresPassword+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := begin(initdb, "--pgdata", data, "--username", postgresUser, "--pwfile", secret,
			"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync").CombinedOutput()
		if err != nil {
			t.Fatalf("initdb: %v\n%s", err, out)
		}
		config := append([]string{
			"listen_addresses = '127.0.0.1'", fmt.Sprintf("port = %d", port), "unix_socket_directories = ''",
			"fsync = off", "max_connections = 200",
			"dynamic_shared_memory_type = mmap", // in the data folder, which goes away with the test
		}, lines...)
		f, err := os.OpenFile(filepath.Join(data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(f, "\n"+strings.Join(config, "\n"))
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		pg.dir = data
		return &program{
			name: "postgres", dir: dir, end: interrupt, // its fast shutdown
			begin: func() *exec.Cmd { return begin(server, "-D", data) },
			ready: func() error { _, err := pg.query(local(port), postgresUser, "SELECT 1"); return err },
		}
	})
	pg.Process = &Process{Addr: addr, t: t, program: p}
	return pg
}

// fresh returns the server, for t, with a new database.
func (p *Postgres) fresh(t testing.TB) *Postgres {
	t.Helper()
	own := *p
	own.Process = &Process{Addr: p.Addr, t: t, program: p.program}
	own.Database = fmt.Sprintf("test%d", p.count.Add(1))
	if _, err := p.query(p.Addr, postgresUser, "CREATE DATABASE "+own.Database); err != nil {
		t.Fatal(err)
	}
	return &own
}

// URL returns the address of this test's database.
func (p *Postgres) URL() string { return p.URLAt(p.Addr) }

// URLAt is URL by way of another address: a proxy's.
func (p *Postgres) URLAt(addr string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(postgresUser, postgresPassword), Host: addr,
		Path: "/" + p.Database, RawQuery: "sslmode=disable"}
	return u.String()
}

// SQL runs statements in this test's database and returns the rows that they answer, fields by | and rows by line. An
// error fails the test.
func (p *Postgres) SQL(statements string) string {
	p.t.Helper()
	out, err := p.TrySQL(statements)
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

// TrySQL is SQL for statements that may fail, and for other goroutines than the test's.
func (p *Postgres) TrySQL(statements string) (string, error) {
	return p.query(p.Addr, p.Database, statements)
}

// Data is the folder of the server's files.
func (p *Postgres) Data() string { return p.dir }

func (p *Postgres) query(addr, database, statements string) (string, error) {
	at := *p
	at.Database = database
	cmd := exec.Command(p.psql, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", at.URLAt(addr), "-c", statements)
	out, err := cmd.CombinedOutput()
	text := strings.TrimRight(string(out), "\n")
	if err != nil {
		return text, fmt.Errorf("psql: %w: %s", err, text)
	}
	return text, nil
}
