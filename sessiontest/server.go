package sessiontest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log"
	"net"
	"net/http"
	"net/http/cookiejar"
	"sync"
	"sync/atomic"
	"testing"
)

// Server serves a handler on connections that lie in memory. Whatever host a request names, it arrives
// here: tests of a shared cookie ask app.hardy.test and then two.hardy.test.
type Server struct {
	// URL is where the handler is served over TLS: "https://app.hardy.test". A test of a program that
	// sets InsecureHTTP changes it to "http://app.hardy.test".
	URL string

	t        testing.TB
	plain    *network
	secure   *network
	roots    *x509.CertPool
	browsers atomic.Int32
}

const host = "app.hardy.test"

// NewServer serves h until t ends. It speaks HTTP/1.1, so that handlers can Hijack.
func NewServer(t testing.TB, h http.Handler) *Server {
	t.Helper()
	cert, roots := certificate(t)
	s := &Server{URL: "https://" + host, t: t, plain: newNetwork(80), secure: newNetwork(443), roots: roots}
	var handling sync.WaitGroup
	out := &output{t: t}
	serve := &http.Server{
		Handler:  h,
		ErrorLog: log.New(out, "", 0),
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				handling.Add(1)
			case http.StateClosed, http.StateHijacked:
				handling.Done()
			}
		},
	}
	var serving sync.WaitGroup
	serving.Go(func() { serve.Serve(s.plain) })
	serving.Go(func() {
		serve.Serve(tls.NewListener(s.secure, &tls.Config{Certificates: []tls.Certificate{cert}}))
	})
	t.Cleanup(func() {
		s.plain.cut()
		s.secure.cut()
		serve.Close()
		serving.Wait()
		handling.Wait()
		out.close()
	})
	return s
}

// output hands what the server says, such as the panic of a handler, to the test while it runs.
type output struct {
	mu sync.Mutex
	t  testing.TB
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.t == nil {
		return len(b), nil
	}
	return o.t.Output().Write(b)
}

func (o *output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.t = nil
}

// Browser returns a client with a cookie jar and an address of its own (198.18.0.1, the next 198.18.0.2, …),
// so that two of them are two visitors. It follows redirects and sends neither Accept nor Sec-Fetch headers
// unless a test sets them: see Open. A test may change its fields before the first request.
func (s *Server) Browser() *http.Client {
	jar, _ := cookiejar.New(nil) // never an error
	n := int(s.browsers.Add(1))
	from := &net.TCPAddr{IP: net.IPv4(198, 18, byte(n>>8), byte(n)), Port: 49152}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			if _, port, _ := net.SplitHostPort(address); port == "443" {
				return s.secure.dial(ctx, from)
			}
			return s.plain.dial(ctx, from)
		},
		// One certificate, for every host.
		TLSClientConfig: &tls.Config{RootCAs: s.roots, ServerName: host},
	}
	return &http.Client{Jar: jar, Transport: &untilEnd{transport, s.t.Context()}}
}

// untilEnd ends requests with the test, also where it has not read their answers to the end: else a
// goroutine of the transport would wait for it, for ever.
type untilEnd struct {
	*http.Transport
	test context.Context
}

func (u *untilEnd) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	context.AfterFunc(u.test, cancel)
	return u.Transport.RoundTrip(r.WithContext(ctx))
}

// Open opens the page at path as a browser does when its user follows a link: a GET with Accept and
// Sec-Fetch headers that say so. After an end of the session such a request starts over, where
// others get a 401. The caller closes the answer's body.
func (s *Server) Open(browser *http.Client, path string) (*http.Response, error) {
	r, err := http.NewRequest(http.MethodGet, s.URL+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Sec-Fetch-Site", "none")
	return browser.Do(r)
}
