package servers

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Redis is a redis-server. It keeps nothing on disk unless its configuration says so.
type Redis struct {
	*Process
	DB  int         // the database number of this test
	TLS *tls.Config // nil: no TLS. Trusts the server's certificate
	cli string
	ca  string // the file of the certificate's authority
}

// StartRedis starts a Redis for this test, with more lines of redis.conf, such as "maxmemory 8mb", "appendonly yes" or
// "user ann on >secret ~* +@all".
func StartRedis(t testing.TB, lines ...string) *Redis {
	t.Helper()
	return startRedis(t, redisOptions{lines: lines})
}

// StartRedisTLS starts a Redis that speaks nothing but TLS.
func StartRedisTLS(t testing.TB, lines ...string) *Redis {
	t.Helper()
	return startRedis(t, redisOptions{lines: lines, tls: true})
}

type redisOptions struct {
	lines   []string
	tls     bool
	cluster bool
	args    []string
}

func startRedis(t testing.TB, o redisOptions) *Redis {
	t.Helper()
	r := newRedis(t, o)
	r.Process = owned(t, r.Addr, r.program)
	return r
}

// newRedis starts a server that nobody owns yet.
func newRedis(t testing.TB, o redisOptions) *Redis {
	t.Helper()
	server, cli := find(t, "redis-server", "redis-server"), find(t, "redis-cli", "redis-tools")
	r := &Redis{cli: cli}
	p, addr := launched(t, func(port int) *program {
		dir := folder(t, "redis")
		lines := []string{
			"bind 127.0.0.1", "dir " + dir, "daemonize no", `save ""`, "databases 4000",
			"protected-mode no", "repl-diskless-sync-delay 0",
		}
		if o.tls {
			r.TLS, r.ca = certificate(t, dir)
			lines = append(lines, "port 0", fmt.Sprintf("tls-port %d", port), "tls-auth-clients no",
				"tls-ca-cert-file "+r.ca,
				"tls-cert-file "+filepath.Join(dir, "server.pem"), "tls-key-file "+filepath.Join(dir, "key.pem"))
		} else {
			lines = append(lines, fmt.Sprintf("port %d", port))
		}
		if o.cluster {
			lines = append(lines, "cluster-enabled yes", "databases 1", fmt.Sprintf("cluster-port %d", freePort()))
		}
		config := filepath.Join(dir, "redis.conf")
		if err := os.WriteFile(config, []byte(strings.Join(append(lines, o.lines...), "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return &program{
			name: "redis-server", dir: dir, end: terminate,
			begin: func() *exec.Cmd { return exec.Command(server, append([]string{config}, o.args...)...) },
			ready: func() error { return answers(local(port), r.TLS) },
		}
	})
	r.Process = &Process{Addr: addr, t: t, program: p}
	return r
}

// answers says whether a Redis has loaded its data and answers.
func answers(addr string, secure *tls.Config) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	if secure != nil {
		conn = tls.Client(conn, secure)
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	// Who may not ask without a password has been answered too.
	if strings.HasPrefix(line, "+PONG") || strings.HasPrefix(line, "-NOAUTH") || strings.HasPrefix(line, "-NOPERM") {
		return nil
	}
	return errors.New(strings.TrimSpace(line))
}

// URL returns the address with this test's database number: redis://host:port/number.
func (r *Redis) URL() string {
	scheme := "redis"
	if r.TLS != nil {
		scheme = "rediss"
	}
	return fmt.Sprintf("%s://%s/%d", scheme, r.Addr, r.DB)
}

// CLI runs redis-cli with args on this test's database and returns what it prints, without the last line's end. Its
// own options go first: CLI("--user", "ann", "--pass", "secret", "get", "x"). An error that the server answers
// fails the test.
func (r *Redis) CLI(args ...string) string {
	r.t.Helper()
	out, err := r.TryCLI(args...)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// TryCLI is CLI for commands that may fail, and for other goroutines than the test's.
func (r *Redis) TryCLI(args ...string) (string, error) {
	host, port, err := net.SplitHostPort(r.Addr)
	if err != nil {
		return "", err
	}
	all := []string{"-e", "-h", host, "-p", port, "--no-auth-warning"}
	if r.DB > 0 {
		all = append(all, "-n", fmt.Sprint(r.DB))
	}
	if r.TLS != nil {
		all = append(all, "--tls", "--cacert", r.ca)
	}
	out, err := exec.Command(r.cli, append(all, args...)...).CombinedOutput()
	text := strings.TrimRight(string(out), "\n")
	if err != nil {
		return text, fmt.Errorf("redis-cli %s: %w: %s", strings.Join(args, " "), err, text)
	}
	return text, nil
}
