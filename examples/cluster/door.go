package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const processes = 3

// door stands before the processes and asks them by turns. It knows nothing of sessions: any load balancer does, and
// none needs to send a browser to the same process again.
type door struct {
	next  atomic.Uint64
	nodes [processes]atomic.Pointer[string] // where each listens; nil while it does not
	ends  sync.WaitGroup
}

// startNodes starts this program three times more and sees to it that there are three until ctx is done. It returns once
// all listen.
func startNodes(ctx context.Context, out io.Writer, settings map[string]string) (*door, error) {
	d := &door{}
	ready := make(chan error, processes)
	for i := range d.nodes {
		d.ends.Go(func() {
			var told sync.Once // the first time that it listens, or that it can't
			for ctx.Err() == nil {
				err := d.keep(ctx, i, out, settings, func() { told.Do(func() { ready <- nil }) })
				told.Do(func() { ready <- err })
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
					fmt.Fprintf(out, "Process %d has ended (%v); another one takes its place.\n", i+1, err)
				}
			}
		})
	}
	for range processes {
		select {
		case err := <-ready:
			if err != nil {
				return d, err
			}
		case <-ctx.Done():
			return d, ctx.Err()
		}
	}
	return d, nil
}

// keep runs one process until it ends. It tells it its settings by its environment, which other users can't read.
func (d *door) keep(ctx context.Context, i int, out io.Writer, settings map[string]string, listens func()) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = append(os.Environ(), nodeVar+"="+strconv.Itoa(i+1))
	for name, value := range settings {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stderr = out
	said, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	hold, err := cmd.StdinPipe() // its end tells the process that this one is gone, however it went
	if err != nil {
		return err
	}
	defer hold.Close()
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(said)
	if lines.Scan() {
		address := lines.Text()
		d.nodes[i].Store(&address)
		listens()
		for lines.Scan() {
		}
		d.nodes[i].Store(nil)
	}
	return cmd.Wait()
}

// wait returns when all processes have ended.
func (d *door) wait() { d.ends.Wait() }

func (d *door) handler() http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "by-turns"
			r.Out.Host = r.In.Host // what the browser asked for, so that origins can be compared
		},
		Transport: byTurns{d, http.DefaultTransport.(*http.Transport).Clone()},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "No process answers.", http.StatusServiceUnavailable)
		},
	}
}

// byTurns sends each request to the next process, and to the one after it where nothing was sent yet.
type byTurns struct {
	*door
	network *http.Transport
}

func (b byTurns) RoundTrip(r *http.Request) (*http.Response, error) {
	err := errors.New("no process listens")
	for range processes {
		at := b.nodes[b.next.Add(1)%processes].Load()
		if at == nil {
			continue
		}
		r.URL.Host = *at
		var response *http.Response
		if response, err = b.network.RoundTrip(r); err == nil {
			return response, nil
		}
		var dial *net.OpError
		if !errors.As(err, &dial) || dial.Op != "dial" {
			break
		}
	}
	return nil, err
}
