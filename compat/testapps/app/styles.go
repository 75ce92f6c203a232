package main

import (
	"encoding/json"
	"log"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
)

func plain(store scs.Store) http.Handler {
	sessions := scs.New()
	sessions.Store = store
	sessions.Lifetime = 12 * time.Hour
	return sessions.LoadAndSave(pages{sessions}.mux())
}

func remember(store scs.Store) http.Handler {
	sessions := scs.NewSession() //lint:ignore SA1019 applications use it
	sessions.Store = store
	sessions.Lifetime = 30 * 24 * time.Hour
	sessions.Cookie.Name = "app_session"
	sessions.Cookie.Domain = "127.0.0.1"
	sessions.Cookie.Path = "/"
	sessions.Cookie.SameSite = http.SameSiteStrictMode
	sessions.Cookie.Secure = true
	sessions.Cookie.HttpOnly = false
	sessions.Cookie.Partitioned = true
	sessions.Cookie.Persist = false
	sessions.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		log.Print(err)
		http.Error(w, "sorry", http.StatusBadGateway)
	}
	return sessions.LoadAndSave(pages{sessions}.mux())
}

func idle(store scs.Store) http.Handler {
	sessions := scs.New()
	sessions.Store = store
	sessions.IdleTimeout = 20 * time.Minute
	return sessions.LoadAndSave(pages{sessions}.mux())
}

func hashed(store scs.Store) http.Handler {
	sessions := scs.New()
	sessions.Store = store
	sessions.HashTokenInStore = true
	sessions.Cookie.SameSite = 0
	sessions.Cookie.Path = ""
	return sessions.LoadAndSave(pages{sessions}.mux())
}

// header carries the token in a header, for clients without cookies.
func header(store scs.Store) http.Handler {
	sessions := scs.New()
	sessions.Store = store
	mux := pages{sessions}.mux()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, err := sessions.Load(r.Context(), r.Header.Get("X-Session"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		buffered := &buffer{header: make(http.Header), status: http.StatusOK}
		mux.ServeHTTP(buffered, r.WithContext(ctx))
		switch sessions.Status(ctx) {
		case scs.Modified:
			token, expiry, err := sessions.Commit(ctx)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			w.Header().Set("X-Session", token)
			w.Header().Set("X-Session-Expiry", expiry.Format(http.TimeFormat))
		case scs.Destroyed:
			w.Header().Set("X-Session", "")
		}
		for name, values := range buffered.header {
			w.Header()[name] = values
		}
		w.WriteHeader(buffered.status)
		w.Write(buffered.body)
	})
}

// buffer keeps an answer until it is known whether the session could be stored.
type buffer struct {
	header http.Header
	status int
	body   []byte
}

func (b *buffer) Header() http.Header { return b.header }
func (b *buffer) WriteHeader(s int)   { b.status = s }
func (b *buffer) Write(p []byte) (int, error) {
	b.body = append(b.body, p...)
	return len(p), nil
}

// twins has one manager for visitors and one for the staff.
func twins(store scs.Store) http.Handler {
	visitors, staff := scs.New(), scs.New()
	visitors.Store, staff.Store = store, store
	staff.Cookie.Name, staff.Cookie.Path, staff.Lifetime = "staff", "/staff", time.Hour
	mux := http.NewServeMux()
	mux.Handle("/staff/", staff.LoadAndSave(http.StripPrefix("/staff", pages{staff}.mux())))
	mux.Handle("/", pages{visitors}.mux())
	return visitors.LoadAndSave(mux)
}

// facade is how applications wrap a manager: in a struct of their own.
type facade struct {
	*scs.SessionManager
	pages
}

// proxied decides at each request whether the cookie is Secure, as applications behind a proxy do.
func proxied(store scs.Store) http.Handler {
	f := &facade{SessionManager: scs.New()}
	f.Store = store
	f.Cookie.Persist = true
	f.pages = pages{f.SessionManager}
	next := f.LoadAndSave(f.mux())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.Cookie.Secure = r.Header.Get("X-Forwarded-Proto") == "https"
		next.ServeHTTP(w, r)
	})
}

// jsonCodec keeps values as JSON, so that other programs can read them.
type jsonCodec struct{}

type jsonRow struct {
	Deadline time.Time      `json:"deadline"`
	Values   map[string]any `json:"values"`
}

func (jsonCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	return json.Marshal(jsonRow{deadline, values})
}

func (jsonCodec) Decode(b []byte) (time.Time, map[string]any, error) {
	var row jsonRow
	err := json.Unmarshal(b, &row)
	return row.Deadline, row.Values, err
}

func codec(store scs.Store) http.Handler {
	sessions := scs.New()
	sessions.Store = store
	sessions.Codec = jsonCodec{}
	return sessions.LoadAndSave(pages{sessions}.mux())
}
