package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"

	"example.com/hardy/cookie"
	"example.com/hardy/session"
)

type insidePage struct {
	Cookies []sealed // as the browser sent them
	Local   []named  // what this app reads from its jar
	Record  []named  // as the store holds it
	Data    sealed
	Values  []named // what this visitor's token opens
}

// sealed is what can be seen of something encrypted.
type sealed struct {
	Name  string
	Bytes int
	Shown string // a little of it
}

type named struct{ Name, Value string }

// inside shows what the browser holds and what the server holds. A page never shows a cookie's whole value: whoever
// could read it off the screen would be signed in.
func (b *bell) inside(w http.ResponseWriter, r *http.Request) {
	s, local := session.From(r.Context()), cookie.Local(r.Context())
	var p insidePage
	for _, c := range r.Cookies() {
		p.Cookies = append(p.Cookies, sealed{c.Name, len(c.Value), shorten(c.Value)})
	}
	for _, key := range local.Keys() {
		p.Local = append(p.Local, named{key, show(cookie.NewKey[any](key).Get(local))})
	}
	for _, key := range s.Keys() {
		p.Values = append(p.Values, named{key, show(session.NewKey[any](key).Get(s))})
	}
	if t := s.Token(); t != nil {
		// The store knows records by an id that is derived from the token and does not reveal it.
		id, _, err := session.Sealed.Derive(t.Secret())
		if err == nil {
			p.Record, p.Data, err = b.record(r.Context(), id)
		}
		if err != nil {
			http.Error(w, "The record can't be had at the moment.", http.StatusServiceUnavailable)
			return
		}
	}
	render(w, r, http.StatusOK, "inside", p)
}

// record reads what everybody can read who can read the file.
func (b *bell) record(ctx context.Context, id string) ([]named, sealed, error) {
	record, err := b.store.Load(ctx, id)
	if err != nil {
		return nil, sealed{}, err
	}
	return []named{
		{"id", shorten(record.ID)},
		{"handle", record.Handle},
		{"user", show(record.User)},
		{"meta", fmt.Sprintf("%q", record.Meta)}, // CBOR
		{"version", fmt.Sprint(record.Version)},
		{"created", clock(record.Created)},
		{"seen", clock(record.Seen)},
		{"expires", clock(record.Expires)},
		{"deadline", clock(record.Deadline)},
	}, sealed{"data", len(record.Data), shorten(hex.EncodeToString(record.Data))}, nil
}

func show(v any) string {
	if v == "" {
		return "nobody"
	}
	return fmt.Sprint(v)
}

// shorten gives the ends of a text that is not to be shown whole.
func shorten(s string) string {
	if len(s) <= 32 {
		return s
	}
	return s[:12] + "…" + s[len(s)-12:]
}
