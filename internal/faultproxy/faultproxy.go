// Package faultproxy is a TCP proxy for tests. It stands between a client and a real server, counts what passes, and
// does to connections what networks do: it delays, holds, cuts, half-closes, and loses an answer whose request
// has arrived.
package faultproxy

import (
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy listens on a port of 127.0.0.1 and forwards to one server. Its methods may be called at any time, from
// any goroutine, and take effect at once, on what is under way too.
type Proxy struct {
	// Addr is where it listens, host:port.
	Addr   string
	target string
	listen net.Listener
	pumps  sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at each change of the fields below
	delay   time.Duration
	hold    bool
	refuse  bool
	lose    int // answers still to be lost; negative: all
	alter   func(answer []byte) []byte
	links   map[*link]bool
	count   Count
}

// Count is what a proxy has carried since it began. A difference of two says what happened between them.
type Count struct {
	Connections int
	Requests    int64 // bytes from clients to the server
	Answers     int64 // bytes from the server to clients
	// RoundTrips is how often, on one connection, an answer began after a request. Requests that are sent
	// together are one, and what the server sends unasked is none.
	RoundTrips int
}

// Start starts a proxy before the server at target, host:port, which need not be there yet: a connection that does not
// reach it is reset. It ends with the test.
func Start(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), target: target, listen: l,
		changed: make(chan struct{}), links: make(map[*link]bool)}
	p.pumps.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.Refuse(true)
		p.Cut()
		p.pumps.Wait()
	})
	return p
}

// change makes a change that waiting connections have to know of.
func (p *Proxy) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.changed)
	p.changed = make(chan struct{})
}

// Delay makes each piece of data, in each direction, wait for d.
func (p *Proxy) Delay(d time.Duration) { p.change(func() { p.delay = d }) }

// Hold stops delivery in both directions, on new connections too, which are accepted: a network that swallows packets.
// What was held arrives after Hold(false), as TCP would send it again.
func (p *Proxy) Hold(on bool) { p.change(func() { p.hold = on }) }

// Freeze holds the connections that are open now until they are cut, and no others: for either end they are
// half-open, as after a crash of the machine at the other end.
func (p *Proxy) Freeze() {
	p.change(func() {
		for l := range p.links {
			l.frozen = true
		}
	})
}

// Refuse resets connections as they come.
func (p *Proxy) Refuse(on bool) { p.change(func() { p.refuse = on }) }

// LoseAnswers loses the next n answers, all for a negative n: the request has reached the server, and its
// connection is reset at both ends when the first byte of the answer comes. 0 ends it.
func (p *Proxy) LoseAnswers(n int) { p.change(func() { p.lose = n }) }

// Alter has f change each piece of an answer: a server that says something else. nil ends it.
func (p *Proxy) Alter(f func(answer []byte) []byte) { p.change(func() { p.alter = f }) }

// Cut resets all connections.
func (p *Proxy) Cut() {
	p.change(func() {
		for l := range p.links {
			l.reset()
		}
	})
}

// HalfClose ends the direction from the server to the client on all connections: the client reads the end, what
// it sends still arrives, and what the server answers is lost.
func (p *Proxy) HalfClose() {
	p.change(func() {
		for l := range p.links {
			l.deaf = true
			l.client.CloseWrite()
		}
	})
}

// Heal ends Delay, Hold, Refuse, LoseAnswers and Alter. Frozen connections stay frozen.
func (p *Proxy) Heal() {
	p.change(func() { p.delay, p.hold, p.refuse, p.lose, p.alter = 0, false, false, 0, nil })
}

// Count returns what has been carried so far.
func (p *Proxy) Count() Count {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

// Open returns how many connections there are.
func (p *Proxy) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

func (p *Proxy) accept() {
	for {
		conn, err := p.listen.Accept()
		if err != nil {
			return
		}
		client := conn.(*net.TCPConn)
		p.pumps.Go(func() { p.serve(client) })
	}
}
