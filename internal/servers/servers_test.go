package servers

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// childVar makes this test program start a Redis, say where it listens, and wait to be killed.
const childVar = "HARDY_SERVERS_CHILD"

func TestMain(m *testing.M) { os.Exit(Run(m)) }

func TestRedisLives(t *testing.T) {
	t.Parallel()
	r := StartRedis(t, "appendonly yes", "appendfsync always")
	r.CLI("set", "x", "1")
	addr := r.Addr
	for _, end := range []struct {
		name string
		do   func()
	}{{"Kill", r.Kill}, {"Stop", r.Stop}} {
		end.do()
		if _, err := net.Dial("tcp", addr); err == nil {
			t.Errorf("after %s somebody listens", end.name)
		}
		r.Start()
		if got := r.CLI("get", "x"); got != "1" || r.Addr != addr {
			t.Errorf("after %s and Start at %s: %q", end.name, r.Addr, got)
		}
	}
	r.Pause()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write([]byte("PING\r\n"))
	conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	if n, err := conn.Read(make([]byte, 9)); !os.IsTimeout(err) {
		t.Errorf("a paused server answered %d bytes, %v", n, err)
	}
	r.Resume()
	conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := conn.Read(make([]byte, 9)); err != nil {
		t.Errorf("after Resume: %v", err)
	}
	if _, err := r.TryCLI("no-such-command"); err == nil {
		t.Error("an error of the server is no error of CLI")
	}
}

func TestRedisTLS(t *testing.T) {
	r := StartRedisTLS(t, "requirepass secret")
	if out, err := r.TryCLI("ping"); err == nil {
		t.Errorf("without the password: %q", out)
	}
	if got := r.CLI("--pass", "secret", "ping"); got != "PONG" {
		t.Error(got)
	}
	if !strings.HasPrefix(r.URL(), "rediss://127.0.0.1:") {
		t.Error(r.URL())
	}
}

func TestSharedRedis(t *testing.T) {
	a, b := SharedRedis(t), SharedRedis(t)
	if a.Addr != b.Addr || a.DB == b.DB {
		t.Errorf("%s and %s", a.URL(), b.URL())
	}
	a.CLI("set", "x", "1")
	if got := b.CLI("get", "x"); got != "" {
		t.Errorf("another test's database holds %q", got)
	}
}

func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	s := StartSentinel(t)
	if !s.Agreed(s.Primary) {
		t.Fatal("the Sentinels name another primary")
	}
	s.Primary.CLI("set", "x", "1")
	s.Primary.CLI("wait", "1", "10000")
	s.Primary.Kill()
	until(t, "the replica is the primary", func() bool { return s.Agreed(s.Replica) })
	until(t, "it takes writes", func() bool {
		_, err := s.Replica.TryCLI("set", "y", "1")
		return err == nil
	})
	if got := s.Replica.CLI("get", "x"); got != "1" {
		t.Errorf("x is %q", got)
	}
	s.Primary.Start()
	until(t, "the old primary follows", func() bool {
		return strings.Contains(s.Primary.CLI("info", "replication"), "role:slave")
	})
}

func TestCluster(t *testing.T) {
	t.Parallel()
	c := StartCluster(t)
	for i := range 50 {
		c.Nodes[0].CLI("-c", "set", "key"+strconv.Itoa(i), strconv.Itoa(i))
	}
	if err := c.Reshard(c.Nodes[0], c.Nodes[1], 500); err != nil {
		t.Fatal(err)
	}
	c.Nodes[2].Kill()
	until(t, "another one takes its place", func() bool { return c.Replaced(c.Nodes[2]) })
	for i := range 50 {
		until(t, "the key is there", func() bool {
			out, err := c.Nodes[0].TryCLI("-c", "get", "key"+strconv.Itoa(i))
			return err == nil && out == strconv.Itoa(i)
		})
	}
}

func TestPostgresLives(t *testing.T) {
	t.Parallel()
	p := StartPostgres(t)
	p.SQL("CREATE TABLE x (n int)")
	addr := p.Addr
	for n, end := range []struct {
		name string
		do   func()
	}{{"Kill", p.Kill}, {"Stop", p.Stop}} {
		p.SQL("INSERT INTO x VALUES (1)")
		end.do()
		if _, err := net.Dial("tcp", addr); err == nil {
			t.Errorf("after %s somebody listens", end.name)
		}
		p.Start()
		if got := p.SQL("SELECT sum(n) FROM x"); got != strconv.Itoa(n+1) || p.Addr != addr {
			t.Errorf("after %s and Start at %s: %q", end.name, p.Addr, got)
		}
	}
	// A backend stands still too.
	psql := exec.Command(p.psql, "-X", "-q", "-A", "-t", "-d", p.URL())
	in, err := psql.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := psql.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := psql.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string)
	go func() {
		for text := bufio.NewScanner(out); text.Scan(); {
			lines <- text.Text()
		}
	}()
	io.WriteString(in, "SELECT 1;\n")
	if got := <-lines; got != "1" {
		t.Errorf("it says %q", got)
	}
	p.Pause()
	io.WriteString(in, "SELECT 2;\n")
	select {
	case got := <-lines:
		t.Errorf("while the server stands still it says %q", got)
	case <-time.After(300 * time.Millisecond):
	}
	p.Resume()
	if got := <-lines; got != "2" {
		t.Errorf("afterwards it says %q", got)
	}
	in.Close()
	if err := psql.Wait(); err != nil {
		t.Error(err)
	}
}

func TestSharedPostgres(t *testing.T) {
	a, b := SharedPostgres(t), SharedPostgres(t)
	a.SQL("CREATE TABLE x (n int)")
	b.SQL("CREATE TABLE x (n int)")
	if a.Addr != b.Addr {
		t.Errorf("%s and %s", a.Addr, b.Addr)
	}
}

func TestPgBouncer(t *testing.T) {
	p := SharedPostgres(t)
	b := StartPgBouncer(t, p, "default_pool_size = 2")
	p.SQL("CREATE TABLE x AS SELECT 7 AS n")
	if got, err := p.query(b.Addr, p.Database, "SELECT n FROM x"); err != nil || got != "7" {
		t.Errorf("by way of %s: %q, %v", b.URL(), got, err)
	}
}

// TestChild is no test: TestKilledTestLeavesNoServer runs it in another process.
func TestChild(t *testing.T) {
	if os.Getenv(childVar) == "" {
		t.Skip("it is for another test's process")
	}
	os.Stdout.WriteString("at " + StartRedis(t).Addr + "\n")
	select {}
}

func TestKilledTestLeavesNoServer(t *testing.T) {
	find(t, "redis-server", "redis-server")
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
	temporary := t.TempDir()
	cmd.Env = append(os.Environ(), childVar+"=1", "TMPDIR="+temporary)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 100)
	n, _ := out.Read(line)
	addr := strings.TrimPrefix(strings.TrimSpace(string(line[:n])), "at ")
	if err := answers(addr, nil); err != nil {
		t.Fatalf("at %q: %v", addr, err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	until(t, "the server ended with the test's process", func() bool { return answers(addr, nil) != nil })
}
