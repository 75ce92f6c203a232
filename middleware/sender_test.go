package middleware_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/hardy/middleware"
)

// counted is a Sender that stores a number and sends it in a header.
type counted struct {
	stored int
	fail   error
	due    bool // a header must go out
}

func (c *counted) Deliver(h http.Header) error {
	if c.fail != nil {
		return c.fail
	}
	c.stored++
	h.Add("X-Stored", "yes")
	return nil
}

func (c *counted) Refuse(w http.ResponseWriter, err error) {
	http.Error(w, "could not be stored", http.StatusInsufficientStorage)
}

func (c *counted) Detach() error {
	if c.due {
		return errors.New("a header is due")
	}
	c.stored++
	return nil
}

func serveBy(c *counted, h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Before", "kept")
		own := middleware.NewWriter(w, c)
		h(own, r)
		own.Finish()
	})
}

// A middleware of somebody else's delivers once before the first byte, in whatever way that leaves.
func TestSenderDeliversOnce(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"nothing":     func(w http.ResponseWriter, r *http.Request) {},
		"WriteHeader": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(200); w.WriteHeader(200) },
		"Write": func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "a")
			io.WriteString(w, "b")
		},
		"Flush":    func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush() },
		"103":      func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(103); w.Write(nil) },
		"ReadFrom": func(w http.ResponseWriter, r *http.Request) { io.Copy(w, strings.NewReader("text")) },
		"nested": serveBy(&counted{}, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "inner")
		}).ServeHTTP,
	} {
		c := &counted{}
		server := httptest.NewServer(serveBy(c, handler))
		resp, err := http.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		server.Close()
		if c.stored != 1 || resp.Header.Get("X-Stored") != "yes" || resp.StatusCode != 200 {
			t.Errorf("%s: stored %d times, header %q, status %d", name, c.stored, resp.Header.Get("X-Stored"), resp.StatusCode)
		}
	}
}

// After a Deliver that failed nothing of the handler's goes out.
func TestSenderRefuses(t *testing.T) {
	c := &counted{fail: errors.New("disk full")}
	w := httptest.NewRecorder()
	serveBy(c, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Handler", "gone")
		if _, err := io.WriteString(w, "secret"); !errors.Is(err, c.fail) {
			t.Errorf("Write: %v", err)
		}
	}).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != http.StatusInsufficientStorage || w.Body.String() != "could not be stored\n" {
		t.Errorf("status %d, body %q", w.Code, w.Body)
	}
	if w.Header().Get("X-Handler") != "" || w.Header().Get("X-Before") != "kept" {
		t.Errorf("header %v", w.Header())
	}
}

func TestSenderBeforeHijack(t *testing.T) {
	for _, due := range []bool{false, true} {
		c := &counted{due: due}
		hijacked := make(chan error, 1)
		server := httptest.NewServer(serveBy(c, func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				io.WriteString(conn, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
				conn.Close()
			}
			hijacked <- err
		}))
		resp, err := http.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		err = <-hijacked
		server.Close()
		if due != (err != nil) || due != (resp.Header.Get("X-Stored") != "") || c.stored == 0 {
			t.Errorf("a header is due %v: Hijack %v, header %v, stored %d times", due, err, resp.Header, c.stored)
		}
	}
}
