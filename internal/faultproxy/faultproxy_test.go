package faultproxy

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const patience = 30 * time.Second

// echo is a server that answers each line with itself, and remembers what reached it.
type echo struct {
	addr  string
	lines atomic.Int64
	ended atomic.Int64 // connections
}

func newEcho(t *testing.T) *echo {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{addr: l.Addr().String()}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer e.ended.Add(1)
				defer conn.Close()
				for lines := bufio.NewReader(conn); ; {
					line, err := lines.ReadString('\n')
					if err != nil {
						return
					}
					e.lines.Add(1)
					io.WriteString(conn, line)
				}
			}()
		}
	}()
	return e
}

type client struct {
	t    *testing.T
	conn *net.TCPConn
	in   *bufio.Reader
}

func dial(t *testing.T, addr string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{t, conn.(*net.TCPConn), bufio.NewReader(conn)}
}

func (c *client) send(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, line+"\n"); err != nil {
		c.t.Fatal(err)
	}
}

// read returns the next line, or the error that came within the time.
func (c *client) read(within time.Duration) (string, error) {
	c.conn.SetReadDeadline(time.Now().Add(within))
	line, err := c.in.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err
}

func (c *client) want(line string) {
	c.t.Helper()
	if got, err := c.read(patience); got != line || err != nil {
		c.t.Fatalf("read %q, %v, want %q", got, err, line)
	}
}

func (c *client) wantReset() {
	c.t.Helper()
	if got, err := c.read(patience); !errors.Is(err, syscall.ECONNRESET) {
		c.t.Fatalf("read %q, %v, want a reset", got, err)
	}
}

// wantRefused checks that a new connection is reset, be it before or after the client's connect has returned.
func wantRefused(t *testing.T, addr string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err == nil {
		defer conn.Close()
		conn.SetReadDeadline(time.Now().Add(patience))
		_, err = conn.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("a new connection: %v, want a reset", err)
	}
}

// wantNothing checks that nothing comes, which no busy machine makes wrong.
func (c *client) wantNothing() {
	c.t.Helper()
	if got, err := c.read(100 * time.Millisecond); err == nil || !err.(net.Error).Timeout() {
		c.t.Fatalf("read %q, %v, want nothing", got, err)
	}
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not in time: " + what)
		}
	}
}

func TestCarriesAndCounts(t *testing.T) {
	e := newEcho(t)
	p := Start(t, e.addr)
	a, b := dial(t, p.Addr), dial(t, p.Addr)
	for range 3 {
		a.send("one")
		a.want("one")
	}
	b.send("two\nthree") // together: one round trip
	b.want("two")
	b.want("three")
	if got, want := p.Count(), (Count{Connections: 2, Requests: 22, Answers: 22, RoundTrips: 4}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
	a.conn.CloseWrite()
	if got, err := a.read(patience); err != io.EOF {
		t.Errorf("after the client's end: %q, %v", got, err)
	}
	until(t, "the server saw the end", func() bool { return e.ended.Load() == 1 && p.Open() == 1 })
}

func TestDelay(t *testing.T) {
	p := Start(t, newEcho(t).addr)
	c := dial(t, p.Addr)
	p.Delay(60 * time.Millisecond)
	began := time.Now()
	c.send("x")
	c.want("x")
	if took := time.Since(began); took < 120*time.Millisecond {
		t.Errorf("there and back took %v, want 60 ms each way", took)
	}
	p.Delay(time.Hour)
	c.send("y")
	c.wantNothing()
	p.Heal()
	c.want("y")
}

func TestHold(t *testing.T) {
	e := newEcho(t)
	p := Start(t, e.addr)
	old := dial(t, p.Addr)
	old.send("before")
	old.want("before")
	p.Hold(true)
	fresh := dial(t, p.Addr) // is accepted
	for _, c := range []*client{old, fresh} {
		c.send("held")
		c.wantNothing()
	}
	if n := e.lines.Load(); n != 1 {
		t.Errorf("%d lines reached the server, want 1", n)
	}
	p.Hold(false)
	old.want("held")
	fresh.want("held")
}

func TestFreeze(t *testing.T) {
	p := Start(t, newEcho(t).addr)
	old := dial(t, p.Addr)
	old.send("before")
	old.want("before")
	p.Freeze()
	old.send("frozen")
	old.wantNothing()
	fresh := dial(t, p.Addr)
	fresh.send("new")
	fresh.want("new")
	p.Heal()
	old.wantNothing()
	p.Cut()
	old.wantReset()
	fresh.wantReset()
	until(t, "all are gone", func() bool { return p.Open() == 0 })
}

func TestRefuse(t *testing.T) {
	e := newEcho(t)
	p := Start(t, e.addr)
	old := dial(t, p.Addr)
	old.send("x")
	old.want("x")
	p.Refuse(true)
	wantRefused(t, p.Addr)
	old.send("y") // what is open stays
	old.want("y")
	p.Refuse(false)
	c := dial(t, p.Addr)
	c.send("z")
	c.want("z")
}

func TestServerThatIsNotThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	wantRefused(t, Start(t, l.Addr().String()).Addr)
}

func TestLoseAnswers(t *testing.T) {
	e := newEcho(t)
	p := Start(t, e.addr)
	p.LoseAnswers(1)
	c := dial(t, p.Addr)
	c.send("lost")
	c.wantReset()
	if n := e.lines.Load(); n != 1 {
		t.Fatalf("%d lines reached the server before the answer was lost, want 1", n)
	}
	c = dial(t, p.Addr)
	c.send("second")
	c.want("second")
	p.LoseAnswers(-1)
	c.send("lost too")
	c.wantReset()
	c = dial(t, p.Addr)
	c.send("and this")
	c.wantReset()
	p.LoseAnswers(0)
	c = dial(t, p.Addr)
	c.send("last")
	c.want("last")
	if n := e.lines.Load(); n != 5 {
		t.Errorf("%d lines reached the server, want 5", n)
	}
}

func TestHalfClose(t *testing.T) {
	e := newEcho(t)
	p := Start(t, e.addr)
	c := dial(t, p.Addr)
	c.send("x")
	c.want("x")
	p.HalfClose()
	if got, err := c.read(patience); err != io.EOF {
		t.Errorf("read %q, %v, want the end", got, err)
	}
	c.send("still arrives")
	until(t, "what was sent reached the server", func() bool { return e.lines.Load() == 2 })
	c = dial(t, p.Addr)
	c.send("others do not notice")
	c.want("others do not notice")
}

// TestAnyTime lets every fault happen while connections come and go: afterwards the proxy carries as before.
func TestAnyTime(t *testing.T) {
	e := newEcho(t)
	p := Start(t, e.addr)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				conn, err := net.Dial("tcp", p.Addr)
				if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) { // EPIPE: after a half-close
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				conn.SetDeadline(time.Now().Add(20 * time.Millisecond))
				io.WriteString(conn, "x\n")
				conn.Read(make([]byte, 9))
				conn.Close()
			}
		})
	}
	for range 100 {
		for _, fault := range []func(){
			p.Cut, p.HalfClose, p.Freeze, func() { p.Hold(true) }, func() { p.LoseAnswers(3) },
			func() { p.Delay(time.Millisecond) }, func() { p.Refuse(true) },
		} {
			fault()
			time.Sleep(200 * time.Microsecond)
			p.Heal()
		}
	}
	close(stop)
	wg.Wait()
	p.Cut()
	c := dial(t, p.Addr)
	c.send("well")
	c.want("well")
	until(t, "no other connection is left", func() bool { return p.Open() == 1 })
}
