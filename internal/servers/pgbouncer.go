package servers

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// PgBouncer stands before a PostgreSQL and lends its connections for one transaction at a time.
type PgBouncer struct {
	*Process
	postgres *Postgres
}

// StartPgBouncer starts one before p, with more lines for its section [pgbouncer], such as "default_pool_size = 2".
func StartPgBouncer(t testing.TB, p *Postgres, lines ...string) *PgBouncer {
	t.Helper()
	server := find(t, "pgbouncer", "pgbouncer")
	host, port, _ := net.SplitHostPort(p.Addr)
	b, addr := launched(t, func(own int) *program {
		dir := folder(t, "pgbouncer")
		config := fmt.Sprintf("[databases]\n* = host=%s port=%s user=%s password='%s'\n[pgbouncer]\n"+
			"listen_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\nauth_type = any\n"+
			"pool_mode = transaction\nmax_client_conn = 1000\n", host, port, postgresUser, postgresPassword, own)
		for _, line := range lines {
			config += line + "\n"
		}
		path := filepath.Join(dir, "pgbouncer.ini")
		if err := os.WriteFile(path, []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
		return &program{
			name: "pgbouncer", dir: dir, end: interrupt,
			begin: func() *exec.Cmd {
				cmd := exec.Command(server, path)
				if err := account(cmd, postgresUser, dir); err != nil {
					t.Fatal(err)
				}
				return cmd
			},
			ready: func() error {
				conn, err := net.DialTimeout("tcp", local(own), time.Second)
				if err == nil {
					conn.Close()
				}
				return err
			},
		}
	})
	return &PgBouncer{Process: owned(t, addr, b), postgres: p}
}

// URL returns the address of the PostgreSQL's database by way of this PgBouncer.
func (b *PgBouncer) URL() string { return b.postgres.URLAt(b.Addr) }
