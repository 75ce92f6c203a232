package gorilla

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/felixge/httpsnoop"
)

type answerKey struct{}

// Handler lets Save see when the answer has left. Without it a cookie that is written afterwards is lost, as with
// every gorilla store, and nobody is told; with it Save returns session.ErrSent. Wrap it around the whole
// application, once: a mux, a gin.Engine, an echo.Echo.
func (st *Store) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent := new(atomic.Bool)
		watched := httpsnoop.Wrap(w, httpsnoop.Hooks{
			WriteHeader: func(write httpsnoop.WriteHeaderFunc) httpsnoop.WriteHeaderFunc {
				return func(code int) {
					if code >= 200 || code == http.StatusSwitchingProtocols { // others are no answer yet
						sent.Store(true)
					}
					write(code)
				}
			},
			Write: func(write httpsnoop.WriteFunc) httpsnoop.WriteFunc {
				return func(b []byte) (int, error) { sent.Store(true); return write(b) }
			},
			ReadFrom: func(read httpsnoop.ReadFromFunc) httpsnoop.ReadFromFunc {
				return func(src io.Reader) (int64, error) { sent.Store(true); return read(src) }
			},
			Flush: func(flush httpsnoop.FlushFunc) httpsnoop.FlushFunc {
				return func() { sent.Store(true); flush() }
			},
			Hijack: func(hijack httpsnoop.HijackFunc) httpsnoop.HijackFunc {
				return func() (net.Conn, *bufio.ReadWriter, error) { sent.Store(true); return hijack() }
			},
		})
		next.ServeHTTP(watched, r.WithContext(context.WithValue(r.Context(), answerKey{}, sent)))
	})
}

// late says whether the answer to r has left, as far as Handler has seen or w says, as gin's does.
func late(r *http.Request, w http.ResponseWriter) bool {
	if sent, ok := r.Context().Value(answerKey{}).(*atomic.Bool); ok && sent.Load() {
		return true
	}
	says, ok := w.(interface{ Written() bool })
	return ok && says.Written()
}
