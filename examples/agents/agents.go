package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/mileusna/useragent"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/ratelimit"
	"example.com/hardy/ratelimit/quota"
	"example.com/hardy/session"
	"example.com/hardy/session/lease"
)

// message is one of a conversation.
type message struct {
	From string `cbor:"from"` // the user, or a worker
	Text string `cbor:"text"`
}

// talk is a session's conversation: its last 50 messages. A longer one belongs in a database.
var talk = session.NewLog[message]("talk", &session.LogOptions{Max: 50})

// app is the application. Nothing in it belongs to a user.
type app struct {
	sessions *session.Manager
	workers  *lease.Pool[*worker]
	quotas   *quota.Ledger
	calls    *ratelimit.Limiter // in a minute, of a session
}

func newApp(store session.Store, used quota.Store, o *session.Options) (*app, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	a := &app{
		sessions: session.NewManager(store, o),
		workers: lease.NewPool(lease.PoolOptions[*worker]{
			Make:       newWorker,
			Reset:      func(_ context.Context, w *worker) error { w.seen = nil; return nil },
			Min:        1,
			Max:        2,
			PerSession: 1,
			PerUser:    1, // whoever asks from three windows leaves one worker to the others
			Timeout:    10 * time.Second,
		}),
		calls: ratelimit.MustNew(nil, ratelimit.CallsPerMinute(100)),
	}
	limits := map[string]quota.Quota{
		"api_calls": {Limit: 20},
		"tokens":    {Limit: 200, Period: quota.Day(nil)},
	}
	var err error
	a.quotas, err = quota.New(used, &quota.Options{
		Resources: []quota.Resource{{Name: "api_calls"}, {Name: "tokens"}},
		Tier:      func(_, resource string) (quota.Quota, bool) { q, ok := limits[resource]; return q, ok },
	})
	return a, err
}

//go:embed pages static
var files embed.FS

var page = template.Must(template.New("agents.html").Funcs(template.FuncMap{"clock": func(t time.Time) string { return t.Local().Format("15:04:05") }}).
	ParseFS(files, "pages/agents.html"))

func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { a.show(w, r, http.StatusOK, "") })
	mux.HandleFunc("POST /say", a.say)
	mux.HandleFunc("POST /forget", a.forget)
	mux.HandleFunc("POST /sign-in", a.signIn)
	mux.HandleFunc("POST /sign-out", a.signOut)
	mux.Handle("GET /static/", http.FileServerFS(files))
	return middleware.Chain(mux,
		careful,
		http.NewCrossOriginProtection().Handler,
		middleware.Sessions(a.sessions, cookie.DevKeys("agents"), &middleware.Options{
			InsecureHTTP: true,
			Aware:        []string{"POST /sign-in", "POST /sign-out"},
			Skip:         []string{"GET /static/"},
		}),
		middleware.RateLimit(a.calls, middleware.BySession, nil))
}

func careful(next http.Handler) http.Handler {
	return http.MaxBytesHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		next.ServeHTTP(w, r)
	}), 8192)
}

func (a *app) show(w http.ResponseWriter, r *http.Request, status int, problem string) {
	s := session.From(r.Context())
	p := struct {
		User, Problem string
		Ended         *session.ExpiredError
		Talk          []session.Entry[message]
		Usage         []quota.Usage
		Workers       []string
		Waiting       int
		Sessions      []session.Info
		Here          string
	}{User: s.User(), Problem: problem, Ended: s.Ended(), Here: s.Handle()}
	if s.Authenticated() {
		p.Talk = talk.Last(s, 20)
		var err, err2 error
		p.Usage, err = a.quotas.Report(r.Context(), s.User())
		p.Sessions, err2 = a.sessions.List(r.Context(), s.User())
		if errors.Join(err, err2) != nil {
			http.Error(w, "This can't be shown right now.", http.StatusServiceUnavailable)
			return
		}
		stats := a.workers.Stats()
		p.Waiting = stats.Waiting
		for _, worker := range stats.Workers {
			does := "free"
			switch worker.Handle {
			case "":
			case s.Handle():
				does = "working for you"
			default:
				does = "working for somebody" // whom is nobody's business
			}
			p.Workers = append(p.Workers, does)
		}
	}
	var body bytes.Buffer
	if err := page.Execute(&body, p); err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	body.WriteTo(w)
}

// say asks an agent: within the quotas, with a worker of the pool, in the session's own conversation.
func (a *app) say(w http.ResponseWriter, r *http.Request) {
	s, ctx := session.From(r.Context()), r.Context()
	text := strings.TrimSpace(r.FormValue("text"))
	if !s.Authenticated() || text == "" {
		a.show(w, r, http.StatusUnprocessableEntity, "Sign in, and say something.")
		return
	}
	tokens := int64(len(strings.Fields(text)))
	if err := a.quotas.Consume(ctx, s.User(), "api_calls", 1); err != nil {
		a.refused(w, r, err)
		return
	}
	if err := a.quotas.Consume(ctx, s.User(), "tokens", tokens); err != nil {
		a.quotas.Refund(ctx, s.User(), "api_calls", 1)
		a.refused(w, r, err)
		return
	}
	l, err := a.workers.Acquire(ctx, s)
	if err != nil {
		a.quotas.Refund(ctx, s.User(), "api_calls", 1)
		a.quotas.Refund(ctx, s.User(), "tokens", tokens)
		a.refused(w, r, err)
		return
	}
	defer l.Release()
	err = talk.Append(ctx, s, message{s.User(), text})
	if err == nil {
		answer, failed := l.Value().answer(ctx, text)
		if err = failed; err == nil {
			err = talk.Append(ctx, s, message{l.Value().name, answer})
		}
	}
	if err != nil {
		a.refused(w, r, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// refused says what was not to be had, and when it will be.
func (a *app) refused(w http.ResponseWriter, r *http.Request, err error) {
	var over *quota.ExceededError
	switch {
	case errors.As(err, &over):
		a.show(w, r, http.StatusTooManyRequests, over.Error())
	case errors.Is(err, lease.ErrTimeout):
		a.show(w, r, http.StatusServiceUnavailable, "All workers are busy. Nothing was counted; ask again.")
	case errors.Is(err, session.ErrTooLarge):
		a.show(w, r, http.StatusRequestEntityTooLarge, "That is too long for a conversation.")
	default:
		http.Error(w, "That did not work.", http.StatusServiceUnavailable)
	}
}

// forget clears the conversation; the session goes on.
func (a *app) forget(w http.ResponseWriter, r *http.Request) {
	if err := talk.Clear(r.Context(), session.From(r.Context())); err != nil {
		a.refused(w, r, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// signIn believes every name. The user's oldest session ends where there are more than three.
func (a *app) signIn(w http.ResponseWriter, r *http.Request) {
	s := session.From(r.Context())
	if err := s.Login(strings.TrimSpace(r.FormValue("user"))); err != nil {
		a.show(w, r, http.StatusUnprocessableEntity, "Say a name.")
		return
	}
	s.SetMeta("device", useragent.Parse(r.UserAgent()).Name)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *app) signOut(w http.ResponseWriter, r *http.Request) {
	session.From(r.Context()).Logout()
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
