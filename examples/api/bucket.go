package main

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"example.com/hardy/middleware"
	"example.com/hardy/ratelimit"
)

//go:embed pages
var pages embed.FS

var templates = template.Must(template.ParseFS(pages, "pages/*.html"))

func render(w http.ResponseWriter, status int, name string, v any) {
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, name, v); err != nil {
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(out.Bytes())
}

// shadow counts what the stricter policy would have refused, had it been in force.
type shadow struct{ clicks, refused atomic.Int64 }

// count is the limiter's Trace.Decision.
func (s *shadow) count(_ ratelimit.Key, res ratelimit.Result) {
	s.clicks.Add(1)
	for st := range res.Policies() {
		if st.Shadow && st.Violated {
			s.refused.Add(1)
		}
	}
}

func (s *shadow) String() string {
	return fmt.Sprintf("Of %d clicks so far, it would have refused %d.", s.clicks.Load(), s.refused.Load())
}

// bucketView is what the page shows.
type bucketView struct {
	Host      string
	Addr      string
	Standings []standing
	Click     standing
	Refused   string // when to come again, after a refusal
	Shadow    *shadow
	Pool      pool
}

type standing struct {
	ratelimit.Standing
	Rate, Full string
}

// pool is where the water stands in the drawing.
type pool struct{ Top, Height float64 }

// Of the drawing in pages/bucket.html: the bucket's floor and the height of a full one.
const floor, depth = 230.0, 200.0

// bucket shows how the visitor stands. Looking costs nothing.
func (a *api) bucket(w http.ResponseWriter, r *http.Request) {
	a.renderBucket(w, r, http.StatusOK, "")
}

func (a *api) renderBucket(w http.ResponseWriter, r *http.Request, status int, refused string) {
	addr := ratelimit.Addr(middleware.ClientAddr(r))
	v := bucketView{Host: r.Host, Addr: addr.String(), Refused: refused, Shadow: &a.shadow}
	res := a.clicks.Peek(ratelimit.Key{Addr: addr})
	for st := range res.Policies() {
		s := standing{st, fmt.Sprintf("one in %v", time.Duration(float64(time.Second)/float64(st.Limit)).Round(time.Millisecond)), "full"}
		if st.Reset > 0 {
			s.Full = "in " + st.Reset.Round(100*time.Millisecond).String()
		}
		v.Standings = append(v.Standings, s)
	}
	v.Click = v.Standings[0]
	height := depth * float64(v.Click.Remaining) / float64(v.Click.Burst)
	v.Pool = pool{floor - height, height}
	render(w, status, "bucket.html", v)
}

// click is what is limited here. The script reads the fields of the answer; without it, the page is drawn anew.
func (a *api) click(w http.ResponseWriter, r *http.Request) {
	if fromScript(r) {
		writeJSON(w, map[string]string{"shadow": a.shadow.String()})
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// tooFast is the 429. Its fields are set already.
func (a *api) tooFast(w http.ResponseWriter, r *http.Request, res ratelimit.Result) {
	if fromScript(r) {
		problem{Type: quotaExceeded, Status: http.StatusTooManyRequests, Title: a.shadow.String(), Violated: res.AppendViolated(nil)}.write(w)
		return
	}
	a.renderBucket(w, r, http.StatusTooManyRequests, fmt.Sprintf("The bucket was empty. Come again in %d s.", res.RetrySeconds()))
}

func fromScript(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "json") }
