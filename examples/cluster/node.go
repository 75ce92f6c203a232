package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/store/pgstore"
	"example.com/hardy/store/redisstore"
	"example.com/hardy/store/sqlitestore"
)

// The kinds of store.
const (
	inFile     = "a file"
	inRedis    = "Redis"
	inPostgres = "PostgreSQL"
)

// What the door tells a process by its environment.
const (
	nodeVar  = "HARDY_CLUSTER_NODE"  // its number
	storeVar = "HARDY_CLUSTER_STORE" // where the records rest
	whereVar = "HARDY_CLUSTER_WHERE" // of which kind that is, in the words of the page
	keysVar  = "HARDY_CLUSTER_KEYS"  // one ring for all: each opens the cookies that another has sealed
)

// node is one of the processes.
type node struct {
	number   string
	sessions *session.Manager
}

// runNode serves on a port of its own, which it prints, until ctx is done or the door is gone.
func runNode(ctx context.Context) (err error) {
	ctx, gone := context.WithCancel(ctx)
	defer gone()
	go func() {
		io.Copy(io.Discard, os.Stdin)
		gone()
	}()
	records, err := openStore(ctx, os.Getenv(whereVar), os.Getenv(storeVar))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, records.Close()) }()
	keys, err := cookie.KeysFromEnv(keysVar, "cluster")
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	n := &node{os.Getenv(nodeVar), session.NewManager(records, nil)}
	swept := make(chan error, 1)
	go func() { swept <- n.sessions.Run(ctx) }()
	server := &http.Server{Handler: n.handler(keys), ReadHeaderTimeout: 5 * time.Second}
	go server.Serve(listener)
	fmt.Println(listener.Addr())
	<-ctx.Done()
	<-swept
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	return server.Shutdown(patience)
}

// records is what all three stores are.
type records interface {
	session.Store
	io.Closer
}

func openStore(ctx context.Context, kind, address string) (records, error) {
	switch kind {
	case inRedis:
		return redisstore.Open(ctx, address, nil)
	case inPostgres:
		return pgstore.Open(ctx, address, nil)
	}
	return sqlitestore.Open(ctx, address, nil)
}

func (n *node) handler(keys *cookie.Keys) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", n.home)
	mux.HandleFunc("POST /ring", n.ring)
	mux.HandleFunc("POST /sign-in", n.signIn)
	mux.HandleFunc("POST /sign-out", n.signOut)
	mux.HandleFunc("POST /end", n.end)
	mux.Handle("GET /static/", http.FileServerFS(static))
	return middleware.Chain(mux,
		http.NewCrossOriginProtection().Handler,
		middleware.Sessions(n.sessions, keys, &middleware.Options{
			InsecureHTTP: true, // this computer only
			Aware:        []string{"POST /sign-in", "POST /sign-out"},
			Skip:         []string{"GET /static/"},
		}))
}

var rings = session.NewKey[int]("n_rings")

// page is what the home page shows.
type page struct {
	Number, Where string
	All           []string // the numbers of all
	Process       int
	User, Ended   string
	Rings         int
	Here          session.Info
	Others        []session.Info
}

func (n *node) home(w http.ResponseWriter, r *http.Request) {
	s := session.From(r.Context())
	p := page{Number: n.number, All: []string{"1", "2", "3"}, Where: os.Getenv(whereVar), Process: os.Getpid(), User: s.User(), Rings: rings.Get(s)}
	if e := s.Ended(); e != nil {
		p.Ended = string(e.Reason)
	}
	if p.User != "" {
		list, err := n.sessions.List(r.Context(), p.User)
		if err != nil {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "The sessions cannot be listed now.", http.StatusServiceUnavailable)
			return
		}
		here := slices.IndexFunc(list, func(i session.Info) bool { return i.Handle == s.Handle() })
		if here >= 0 {
			p.Here = list[here]
			list = slices.Delete(list, here, here+1)
		}
		p.Others = list
	}
	var out bytes.Buffer
	if err := home.Execute(&out, p); err != nil {
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(out.Bytes())
}

// ring is exact, through whichever processes it is counted at one time.
func (n *node) ring(w http.ResponseWriter, r *http.Request) {
	if _, err := rings.Update(r.Context(), session.From(r.Context()), func(n int) int { return n + 1 }); err != nil {
		http.Error(w, "It could not be counted.", http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// signIn takes everybody at their word: this is an example of what comes after a password.
func (n *node) signIn(w http.ResponseWriter, r *http.Request) {
	s := session.From(r.Context())
	if err := s.Login(strings.TrimSpace(r.FormValue("user"))); err != nil {
		http.Error(w, "A name has 1 to 1,024 bytes.", http.StatusUnprocessableEntity)
		return
	}
	s.SetMeta("process", n.number)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (n *node) signOut(w http.ResponseWriter, r *http.Request) {
	session.From(r.Context()).Logout()
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// end ends another session of the same user. When it has answered, no process serves it any more.
func (n *node) end(w http.ResponseWriter, r *http.Request) {
	user := session.From(r.Context()).User()
	if err := n.sessions.Revoke(r.Context(), user, r.FormValue("handle")); err != nil && !errors.Is(err, session.ErrNotFound) {
		http.Error(w, "It could not be ended now.", http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

//go:embed pages
var pages embed.FS

//go:embed static
var static embed.FS

var home = template.Must(template.New("home.html").Funcs(template.FuncMap{
	"iso":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"clock": func(t time.Time) string { return t.Local().Format("15:04:05") },
}).ParseFS(pages, "pages/home.html"))
