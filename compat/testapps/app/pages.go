package main

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
)

// item is a value of the application's own.
type item struct {
	Name  string
	Price float64
}

func init() {
	gob.Register(item{})
	gob.Register(map[string]int{})
	gob.Register(time.Time{})
}

// pages are what every style serves.
type pages struct{ sessions *scs.SessionManager }

func (p pages) mux() *http.ServeMux {
	mux := http.NewServeMux()
	for path, h := range map[string]func(w http.ResponseWriter, r *http.Request) error{
		"/{$}": p.home, "/put": p.put, "/count": p.count, "/kinds": p.kinds, "/flash": p.flash, "/show": p.show,
		"/pop": p.pop, "/remove": p.remove, "/clear": p.clear, "/login": p.login, "/logout": p.logout,
		"/again": p.again, "/deadline": p.deadline, "/commit": p.commit, "/sessions": p.list, "/revoke": p.revoke,
		"/merge": p.merge, "/redirect": p.redirect, "/fail": p.fail, "/cart": p.cart, "/large": p.large, "/me": p.me,
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	return mux
}

func (p pages) home(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	fmt.Fprintf(w, "user %q n %d keys %v status %d token %v hours %d\n", p.sessions.GetString(ctx, "user"), p.number(ctx),
		p.sessions.Keys(ctx), p.sessions.Status(ctx), p.sessions.Token(ctx) != "", hours(p.sessions.Deadline(ctx)))
	return nil
}

func hours(t time.Time) int { return int(math.Round(time.Until(t).Hours())) }

func (p pages) me(w http.ResponseWriter, r *http.Request) error {
	_, err := fmt.Fprint(w, p.sessions.GetString(r.Context(), "user"), " ", p.number(r.Context()))
	return err
}

// number is what was counted; JSON has no integers.
func (p pages) number(ctx context.Context) int {
	if f, ok := p.sessions.Get(ctx, "n").(float64); ok {
		return int(f)
	}
	return p.sessions.GetInt(ctx, "n")
}

func (p pages) put(w http.ResponseWriter, r *http.Request) error {
	p.sessions.Put(r.Context(), r.FormValue("k"), r.FormValue("v"))
	_, err := io.WriteString(w, "put\n")
	return err
}

func (p pages) count(w http.ResponseWriter, r *http.Request) error {
	n := p.number(r.Context()) + 1
	p.sessions.Put(r.Context(), "n", n)
	_, err := io.WriteString(w, strconv.Itoa(n))
	return err
}

func (p pages) kinds(w http.ResponseWriter, r *http.Request) error {
	ctx, s := r.Context(), p.sessions
	if r.FormValue("set") != "" {
		s.Put(ctx, "bool", true)
		s.Put(ctx, "int64", int64(7))
		s.Put(ctx, "int32", int32(8))
		s.Put(ctx, "float", 1.25)
		s.Put(ctx, "bytes", []byte("bytes"))
		s.Put(ctx, "time", time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC))
		s.Put(ctx, "item", item{"spade", 9.5})
		s.Put(ctx, "cart", map[string]int{"spade": 1})
		s.Put(ctx, "list", []string{"a", "b"})
	}
	fmt.Fprintln(w, s.GetBool(ctx, "bool"), s.GetInt64(ctx, "int64"), s.GetInt32(ctx, "int32"), s.GetFloat(ctx, "float"),
		string(s.GetBytes(ctx, "bytes")), s.GetTime(ctx, "time").UTC(), s.Get(ctx, "item"), s.Get(ctx, "cart"), s.Get(ctx, "list"),
		s.Exists(ctx, "bool"), s.Exists(ctx, "nothing"), s.GetInt(ctx, "item"), s.Get(ctx, "nothing"))
	return nil
}

// cart changes a value in place, and puts it back, or forgets to.
func (p pages) cart(w http.ResponseWriter, r *http.Request) error {
	cart, _ := p.sessions.Get(r.Context(), "cart").(map[string]int)
	if cart == nil {
		cart = map[string]int{}
	}
	cart[r.FormValue("add")]++
	if r.FormValue("forget") == "" {
		p.sessions.Put(r.Context(), "cart", cart)
	}
	_, err := fmt.Fprintln(w, cart)
	return err
}

func (p pages) flash(w http.ResponseWriter, r *http.Request) error {
	p.sessions.Put(r.Context(), "flash", r.FormValue("m"))
	http.Redirect(w, r, "/show", http.StatusSeeOther)
	return nil
}

func (p pages) show(w http.ResponseWriter, r *http.Request) error {
	_, err := fmt.Fprintf(w, "flash %q\n", p.sessions.PopString(r.Context(), "flash"))
	return err
}

func (p pages) pop(w http.ResponseWriter, r *http.Request) error {
	_, err := fmt.Fprintln(w, p.sessions.Pop(r.Context(), r.FormValue("k")))
	return err
}

func (p pages) remove(w http.ResponseWriter, r *http.Request) error {
	p.sessions.Remove(r.Context(), r.FormValue("k"))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (p pages) clear(w http.ResponseWriter, r *http.Request) error {
	return p.sessions.Clear(r.Context())
}

func (p pages) login(w http.ResponseWriter, r *http.Request) error {
	if err := p.sessions.RenewToken(r.Context()); err != nil {
		return err
	}
	p.sessions.Put(r.Context(), "user", r.FormValue("user"))
	if r.FormValue("remember") != "" {
		p.sessions.RememberMe(r.Context(), true)
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

func (p pages) logout(w http.ResponseWriter, r *http.Request) error {
	if err := p.sessions.Destroy(r.Context()); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, "bye, status", p.sessions.Status(r.Context()))
	return err
}

// again signs out and leaves a message in the session that comes after.
func (p pages) again(w http.ResponseWriter, r *http.Request) error {
	if err := p.sessions.Destroy(r.Context()); err != nil {
		return err
	}
	p.sessions.Put(r.Context(), "flash", "signed out")
	return nil
}

func (p pages) deadline(w http.ResponseWriter, r *http.Request) error {
	d, err := time.ParseDuration(r.FormValue("in"))
	if err != nil {
		return err
	}
	p.sessions.SetDeadline(r.Context(), time.Now().Add(d))
	_, err = fmt.Fprintln(w, hours(p.sessions.Deadline(r.Context())))
	return err
}

// commit stores at once, and goes on.
func (p pages) commit(w http.ResponseWriter, r *http.Request) error {
	p.sessions.Put(r.Context(), "early", r.FormValue("v"))
	token, expiry, err := p.sessions.Commit(r.Context())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, token == p.sessions.Token(r.Context()), hours(expiry), p.sessions.Status(r.Context()))
	return err
}

func (p pages) list(w http.ResponseWriter, r *http.Request) error {
	var users []string
	err := p.sessions.Iterate(r.Context(), func(ctx context.Context) error {
		users = append(users, fmt.Sprintf("%q with %d values", p.sessions.GetString(ctx, "user"), len(p.sessions.Keys(ctx))))
		return nil
	})
	sort.Strings(users)
	fmt.Fprintln(w, strings.Join(users, "\n"))
	return err
}

// revoke ends all sessions of a user, as scs's README tells.
func (p pages) revoke(w http.ResponseWriter, r *http.Request) error {
	n := 0
	err := p.sessions.Iterate(r.Context(), func(ctx context.Context) error {
		if p.sessions.GetString(ctx, "user") == r.FormValue("user") {
			n++
			return p.sessions.Destroy(ctx)
		}
		return nil
	})
	fmt.Fprintln(w, n)
	return err
}

func (p pages) merge(w http.ResponseWriter, r *http.Request) error {
	if err := p.sessions.MergeSession(r.Context(), r.FormValue("token")); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, p.sessions.Keys(r.Context()))
	return err
}

func (p pages) redirect(w http.ResponseWriter, r *http.Request) error {
	p.sessions.Put(r.Context(), "came", "from "+r.FormValue("from"))
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, "/", http.StatusFound)
	return nil
}

func (p pages) fail(w http.ResponseWriter, r *http.Request) error {
	p.sessions.Put(r.Context(), "failed", true)
	return errors.New("the page failed")
}

func (p pages) large(w http.ResponseWriter, r *http.Request) error {
	p.sessions.Put(r.Context(), "large", strings.Repeat("x", 9000))
	for range 100 {
		io.WriteString(w, strings.Repeat("y", 1000))
	}
	return nil
}
