package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"example.com/hardy/session"
)

// live tells the page when its session ends, wherever that happens: in another browser, in another process, by the clock.
// That the page is open keeps nothing alive.
//
//	event: ended
//	data: revoked
//
// The data is the session.Reason.
func (d *devices) live(w http.ResponseWriter, r *http.Request) {
	s := session.From(r.Context())
	if !s.Authenticated() {
		http.Error(w, "Sign in first.", http.StatusForbidden)
		return
	}
	ended := s.Context()
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	beat := time.NewTicker(15 * time.Second) // or proxies take the connection for dead
	defer beat.Stop()
	for {
		out.SetWriteDeadline(time.Now().Add(30 * time.Second))
		if err := out.Flush(); err != nil {
			return
		}
		select {
		case <-beat.C:
			fmt.Fprint(w, ": still there\n\n")
		case <-ended.Done():
			var e *session.ExpiredError
			if errors.As(context.Cause(ended), &e) {
				fmt.Fprintf(w, "event: ended\ndata: %s\n\n", e.Reason)
			}
			return
		}
	}
}
