package middleware

import (
	"bufio"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
)

// sender decides what happens before the first byte of an answer.
type sender interface {
	// deliver commits and adds to the header map. An error means that the handler's answer must not go out.
	deliver(h http.Header) error
	// refuse writes the answer that goes out instead.
	refuse(w http.ResponseWriter, err error)
	// withdraw: an answer of a sender further in goes out in the handler's place.
	withdraw()
	// detach stores what needs no cookie, before a Hijack, and tells nobody that the answer leaves. An error: it could
	// not be stored, or a cookie must go out (errHijack).
	detach() error
}

// writer is a ResponseWriter that stops once, before the first byte, to let a sender deliver. If that fails
// the client gets the sender's answer, and neither a header nor a byte of the handler's.
type writer struct {
	http.ResponseWriter
	sender sender
	entry  http.Header // the header map as it was when the handler got it; nil where it was empty
	state  state
	err    error // why the handler's answer was refused
}

type state uint8

const (
	waiting state = iota
	sent
	refused
)

func (w *writer) begin(under http.ResponseWriter, s sender) {
	w.ResponseWriter, w.sender = under, s
	if h := under.Header(); len(h) > 0 {
		w.entry = h.Clone()
	}
}

// abandon lets what is answered from now on pass as it is: the handler panicked, and what recovers further out may
// answer through w, as gin and echo do.
func (w *writer) abandon() {
	if w.state == waiting {
		w.state = sent
	}
}

// send delivers, once. It says whether the handler's answer may go out.
func (w *writer) send() bool {
	if w.state != waiting {
		return w.state == sent
	}
	h := w.ResponseWriter.Header()
	if w.err = w.sender.deliver(h); w.err == nil {
		w.state = sent
		return true
	}
	w.state = refused
	clear(h)
	maps.Copy(h, w.entry)
	for outer := ownWriter(w.ResponseWriter); outer != nil; outer = ownWriter(outer.ResponseWriter) {
		outer.sender.withdraw()
	}
	w.sender.refuse(w.ResponseWriter, w.err)
	return false
}

func (w *writer) WriteHeader(code int) {
	if code >= 100 && code < 200 && code != http.StatusSwitchingProtocols || w.send() {
		w.ResponseWriter.WriteHeader(code)
	}
}

func (w *writer) Write(b []byte) (int, error) {
	if !w.send() {
		return 0, w.err
	}
	return w.ResponseWriter.Write(b)
}

// WriteString spares io.WriteString a copy.
func (w *writer) WriteString(s string) (int, error) {
	if !w.send() {
		return 0, w.err
	}
	return io.WriteString(w.ResponseWriter, s)
}

// ReadFrom keeps sendfile for http.ServeFile.
func (w *writer) ReadFrom(src io.Reader) (int64, error) {
	if !w.send() {
		return 0, w.err
	}
	return io.Copy(w.ResponseWriter, src)
}

func (w *writer) Flush() { w.FlushError() }

// FlushError is what http.ResponseController calls.
func (w *writer) FlushError() error {
	if !w.send() {
		return w.err
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

var errHijack = errors.New("middleware: a cookie of the session or a jar was not sent yet; send it with WriteHeader before Hijack (101 for a WebSocket), or make the change before")

// Hijack commits. Once the connection is the handler's no cookie can be sent; where one is due it says so. After any
// error nothing has left: the handler may go on as if it had not asked.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	switch w.state {
	case refused:
		return nil, nil, w.err
	case waiting:
		if err := w.sender.detach(); err != nil {
			return nil, nil, err
		}
	}
	conn, buf, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil && w.state == waiting {
		w.state = sent
		w.sender.deliver(http.Header{}) // it is stored: this only tells session and jars that the answer has left
	}
	return conn, buf, err
}

// Unwrap is for http.ResponseController: deadlines, full duplex.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
