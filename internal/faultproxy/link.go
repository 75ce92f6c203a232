package faultproxy

import (
	"io"
	"net"
	"time"
)

// link is one client's connection and the one to the server behind it. Its fields are guarded by the proxy's lock.
type link struct {
	client, server *net.TCPConn
	done           chan struct{} // closed once the link is reset
	dead           bool
	frozen         bool
	deaf           bool // what the server sends is thrown away
	asked          bool // the last that passed was a request
}

// reset ends both connections without a farewell. The caller holds the lock.
func (l *link) reset() {
	if l.dead {
		return
	}
	l.dead = true
	close(l.done)
	for _, c := range []*net.TCPConn{l.client, l.server} {
		c.SetLinger(0)
		c.Close()
	}
}

func (p *Proxy) serve(client *net.TCPConn) {
	p.mu.Lock()
	refuse := p.refuse
	p.mu.Unlock()
	var server net.Conn
	var err error
	if !refuse {
		server, err = net.DialTimeout("tcp", p.target, 10*time.Second)
	}
	if refuse || err != nil {
		client.SetLinger(0)
		client.Close()
		return
	}
	l := &link{client: client, server: server.(*net.TCPConn), done: make(chan struct{})}
	p.mu.Lock()
	p.links[l] = true
	p.count.Connections++
	if p.refuse { // since the look above
		l.reset()
	}
	p.mu.Unlock()

	answered := make(chan struct{})
	go func() {
		defer close(answered)
		p.pump(l, l.server, l.client, p.answer)
	}()
	p.pump(l, l.client, l.server, p.request)
	<-answered

	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
	l.reset()
}

// pump carries one direction until it ends. pass says what of each piece goes on, when its time has come.
func (p *Proxy) pump(l *link, from, to *net.TCPConn, pass func(l *link, piece []byte) []byte) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		var piece []byte
		if n > 0 && p.wait(l) {
			piece = pass(l, buf[:n])
		}
		if len(piece) > 0 {
			if _, err := to.Write(piece); err != nil {
				p.mu.Lock()
				l.reset() // a reset of one end is one for the other
				p.mu.Unlock()
				return
			}
		}
		if err != nil {
			if p.wait(l) {
				p.end(l, to, err)
			}
			return
		}
	}
}

// wait returns when a piece that has just come may go on, with false where its link is dead.
func (p *Proxy) wait(l *link) bool {
	came := time.Now()
	for {
		p.mu.Lock()
		changed, held, rest, dead := p.changed, p.hold || l.frozen, p.delay-time.Since(came), l.dead
		p.mu.Unlock()
		if dead || !held && rest <= 0 {
			return !dead
		}
		var timer <-chan time.Time
		if !held {
			timer = time.After(rest)
		}
		select {
		case <-changed:
		case <-timer:
		case <-l.done:
		}
	}
}

// request counts a piece of a request and lets it pass.
func (p *Proxy) request(l *link, piece []byte) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count.Requests += int64(len(piece))
	l.asked = true
	return piece
}

// answer counts a piece of an answer, and returns what passes of it.
func (p *Proxy) answer(l *link, piece []byte) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.asked && p.lose != 0 {
		if p.lose > 0 {
			p.lose--
		}
		l.reset()
		return nil
	}
	if l.deaf {
		return nil
	}
	p.count.Answers += int64(len(piece))
	if l.asked {
		p.count.RoundTrips++
	}
	l.asked = false
	if p.alter != nil {
		piece = p.alter(piece)
	}
	return piece
}

// end tells one end of a link what became of the other.
func (p *Proxy) end(l *link, to *net.TCPConn, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == io.EOF {
		to.CloseWrite()
		return
	}
	l.reset()
}
