package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
)

// most is the cap of a user's sessions.
const most = 5

func options() *session.Options {
	return &session.Options{MaxPerUser: most, Logger: slog.New(slog.DiscardHandler), StoreTimeout: storeTimeout}
}

// serve is one process: an application that says where it listens, and ends with its input.
func serve(open Opener, dsn string) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	db, err := open(ctx, dsn)
	if err != nil {
		return err
	}
	if c, ok := db.(io.Closer); ok {
		defer c.Close()
	}
	keys, err := cookie.KeysFromEnv(keysVar, "fleet")
	if err != nil {
		return err
	}
	evicting := session.NewManager(db, options())
	refusal := options()
	refusal.RefuseLogin = true
	refusing := session.NewManager(db, refusal)

	ended := make(chan struct{})
	go func() {
		defer close(ended)
		evicting.Run(ctx)
	}()
	mux := http.NewServeMux()
	mux.Handle("/", application(evicting, keys, "evicting"))
	mux.Handle("/refusing/", http.StripPrefix("/refusing", application(refusing, keys, "refusing")))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux}
	go server.Serve(listener)
	fmt.Println(listener.Addr())
	io.Copy(io.Discard, os.Stdin)
	stop()
	<-ended
	return server.Close()
}

func application(m *session.Manager, keys *cookie.Keys, name string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		err := s.Login(r.FormValue("user"))
		if err == nil {
			err = s.Save(r.Context())
		}
		switch {
		case errors.Is(err, session.ErrCapped):
			http.Error(w, err.Error(), http.StatusTooManyRequests)
		case err != nil:
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("POST /revoke", func(w http.ResponseWriter, r *http.Request) {
		if n, err := m.RevokeUser(r.Context(), r.FormValue("user")); n == 0 || err != nil {
			http.Error(w, fmt.Sprint(n, err), http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, session.From(r.Context()).User())
	})
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: %s\n\n", s.User())
		http.NewResponseController(w).Flush()
		<-s.Context().Done()
		fmt.Fprintf(w, "data: %s\n\n", reason(s))
	})
	// As a WebSocket does, but for its frames.
	mux.HandleFunc("GET /socket", func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\ndata: %s\n\n", s.User())
		<-s.Context().Done()
		fmt.Fprintf(conn, "data: %s\n\n", reason(s))
	})
	return middleware.Sessions(m, keys, &middleware.Options{InsecureHTTP: true, Name: "fleet-" + name})(mux)
}

func reason(s *session.Session) session.Reason {
	if e, ok := errors.AsType[*session.ExpiredError](context.Cause(s.Context())); ok {
		return e.Reason
	}
	return ""
}
