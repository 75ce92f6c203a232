package middleware

import "net/http"

// Sender is what a middleware of your own needs that stores something before the first byte of an answer and may have to
// answer in the handler's place: for NewWriter. Sessions and Cookies are made the same way. Its methods are called by
// the handler's goroutine.
type Sender interface {
	// Deliver is called once, just before the first byte leaves: it stores, and adds to the header. After an error
	// neither a header nor a byte of the handler's goes out. After a Hijack h goes nowhere.
	Deliver(h http.Header) error
	// Refuse answers instead. The header is as it was when NewWriter was called.
	Refuse(w http.ResponseWriter, err error)
	// Detach is called before a Hijack: it stores what needs no header. An error, which Hijack returns, means that it
	// could not be stored, or that a header is due, which nobody could send.
	Detach() error
}

// Writer is a ResponseWriter that lets a Sender deliver before the first byte: before Write, WriteHeader, ReadFrom, Flush
// or Hijack, while 1xx passes. It has what net/http's own has, and Unwrap.
type Writer struct {
	writer
	outside outside
}

// NewWriter returns a Writer on w, for one request. Call Finish when the handler has returned, and not where it
// panicked: then nothing is delivered.
func NewWriter(w http.ResponseWriter, s Sender) *Writer {
	own := &Writer{outside: outside{s}}
	own.begin(w, &own.outside)
	return own
}

// Finish delivers where the handler has written nothing. It says whether the handler's answer goes out; false: Refuse
// has answered.
func (w *Writer) Finish() bool { return w.send() }

// outside is a Sender among our own.
type outside struct{ Sender }

func (o *outside) deliver(h http.Header) error             { return o.Deliver(h) }
func (o *outside) refuse(w http.ResponseWriter, err error) { o.Refuse(w, err) }
func (o *outside) detach() error                           { return o.Detach() }

// withdraw does nothing: what it stored stands by itself.
func (o *outside) withdraw() {}
