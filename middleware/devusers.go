package middleware

import (
	"bytes"
	_ "embed" // the pages
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/session"
)

// DevUsersOptions of DevUsers. The zero value of each field is good.
type DevUsersOptions struct {
	// Users are the names that the desk offers. Default ann, bob, cleo and dan. Any other can be typed.
	Users []string
	// SignIn signs in as the application does, where that is more than s.Login(user): it sets the values that
	// the application expects of who is signed in. Default s.Login(user).
	SignIn func(s *session.Session, user string) error
}

// DevUsers puts several users on one desk, for development: a page at http://users.localhost, at the port of the
// application, shows the application in two to six frames. Each has a host of its own (a.users.localhost and so on),
// hence cookies and a session of its own, and a strip that shows the session and signs in, switches to another user,
// signs out, ends the session as somebody in another place would, or lets it expire now.
//
//	middleware.Chain(app,
//		middleware.DevUsers(sessions, keys, options, nil), // outermost, and not in production
//		middleware.Sessions(sessions, keys, options))
//
// m, keys and o are those that Sessions has. Every user can become every other one here, without a password. So it
// panics at construction unless keys are cookie.DevKeys, which no process but this one knows, and answers 403 to
// whoever does not ask from this computer, on a connection to loopback. A proxy or tunnel on this computer that lets
// strangers in, passes their Host on and adds no header that says so can't be seen: put none in front of it. Requests
// for other hosts reach the application untouched. In the frames' answers, X-Frame-Options and the frame-ancestors of a
// Content-Security-Policy are left out.
func DevUsers(m *session.Manager, keys *cookie.Keys, o *Options, d *DevUsersOptions) func(http.Handler) http.Handler {
	if keys == nil || !keys.Dev() {
		panic("middleware: DevUsers lets everybody sign in as anybody, so that it wants cookie.DevKeys, which production never has")
	}
	if o == nil {
		o = &Options{}
	}
	own := *o
	own.Aware, own.Passive, own.Skip = []string{"/"}, []string{"/"}, nil // looking at a session neither renews it nor starts over
	seat := &devSeat{manager: m, users: []string{"ann", "bob", "cleo", "dan"}, signIn: (*session.Session).Login}
	if d != nil && len(d.Users) > 0 {
		seat.users = d.Users
	}
	if d != nil && d.SignIn != nil {
		seat.signIn = d.SignIn
	}
	h := devUsers{seat: http.NewCrossOriginProtection().Handler(Sessions(m, keys, &own)(seat)), users: seat.users}
	return func(next http.Handler) http.Handler {
		wrapped := h
		wrapped.next = next
		return &wrapped
	}
}

const (
	devHost     = "users.localhost" // frames below it are of the same site (RFC 6265bis, §5.2)
	devSeatPath = "/hardy-users/"
	devSeats    = "abcdef"
)

type devUsers struct {
	next, seat http.Handler
	users      []string
}

func (h *devUsers) inner() http.Handler { return h.next }

func (h *devUsers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	seat, below := strings.CutSuffix(strings.ToLower(host), "."+devHost)
	switch {
	case !below && host != devHost, below && (len(seat) != 1 || !strings.Contains(devSeats, seat)):
		h.next.ServeHTTP(w, r)
	case !atHome(r):
		http.Error(w, "users.localhost is for who sits at this computer", http.StatusForbidden)
	case !below:
		h.desk(w, r)
	case strings.HasPrefix(r.URL.Path, devSeatPath):
		h.seat.ServeHTTP(w, r)
	default:
		h.next.ServeHTTP(&framedWriter{ResponseWriter: w}, r)
	}
}

// atHome: both ends of the connection are this computer's. A proxy on it speaks for strangers, and mostly says so in a
// header.
func atHome(r *http.Request) bool {
	for field := range r.Header {
		if field == "Via" || forwards(field) {
			return false
		}
	}
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if err != nil || !ok {
		return false
	}
	here, err := netip.ParseAddrPort(local.String())
	return err == nil && remote.Addr().Unmap().IsLoopback() && here.Addr().Unmap().IsLoopback()
}

//go:embed devdesk.html
var devDeskHTML string

//go:embed devseat.html
var devSeatHTML string

//go:embed devseat.js
var devSeatJS []byte

var (
	devDeskTemplate = template.Must(template.New("devdesk.html").Parse(devDeskHTML))
	devSeatTemplate = template.Must(template.New("devseat.html").Parse(devSeatHTML))
)

// desk is the page with the frames. "seats" says how many.
func (h *devUsers) desk(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" || r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.NotFound(w, r)
		return
	}
	n := 4
	fmt.Sscan(r.FormValue("seats"), &n)
	n = min(max(n, 2), len(devSeats))
	type seat struct{ Name, URL string }
	page := struct {
		Seats  []seat
		Counts []int
		N      int
	}{Counts: []int{2, 3, 4, 5, 6}, N: n}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	for i := range n {
		name := devSeats[i : i+1]
		page.Seats = append(page.Seats, seat{name, scheme + "://" + name + "." + r.Host + devSeatPath + "?suggest=" + url.QueryEscape(h.users[i%len(h.users)])})
	}
	h2 := w.Header()
	h2.Set("Content-Security-Policy", "default-src 'none'; style-src '"+styleHash(devDeskHTML)+"'; frame-src "+scheme+"://*."+r.Host+"; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	writeDev(w, devDeskTemplate, page)
}

func writeDev(w http.ResponseWriter, t *template.Template, page any) {
	var body bytes.Buffer
	if err := t.Execute(&body, page); err != nil {
		panic(err) // writing to memory can't fail, nor can the template
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	body.WriteTo(w)
}

// devSeat is the strip of one frame, with the application below it.
type devSeat struct {
	manager *session.Manager
	users   []string
	signIn  func(*session.Session, string) error
}

func (h *devSeat) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := session.From(r.Context())
	switch {
	case r.URL.Path == devSeatPath+"strip.js":
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		w.Write(devSeatJS)
	case r.URL.Path == devSeatPath+"state":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprint(w, devState(s))
	case r.URL.Path != devSeatPath:
		http.NotFound(w, r)
	case r.Method == http.MethodPost:
		h.act(w, r, s)
	default:
		host := r.Host
		suggest := r.FormValue("suggest")
		if s.Err() == nil && s.User() != "" {
			suggest = s.User()
		}
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src '"+styleHash(devSeatHTML)+"'; script-src 'self'; connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors *."+devHost+":* "+devHost+":*")
		writeDev(w, devSeatTemplate, struct {
			Host, State, Suggest string
			Users                []string
			SignedIn             bool
		}{host, devState(s), suggest, h.users, s.Err() == nil && s.Authenticated()})
	}
}

// act does what the strip's form asks for, and shows the seat anew.
func (h *devSeat) act(w http.ResponseWriter, r *http.Request, s *session.Session) {
	var err error
	switch do := r.FormValue("do"); do {
	case "sign in":
		err = h.signIn(s, r.FormValue("user"))
	case "sign out":
		err = s.Logout()
	case "end":
		err = h.manager.EndAs(r.Context(), s, session.ReasonRevoked)
	case "expire":
		err = h.manager.EndAs(r.Context(), s, session.ReasonIdle)
	case "new visitor":
		err = s.Reset()
	default:
		http.Error(w, fmt.Sprintf("%q is not one of the strip's buttons", do), http.StatusBadRequest)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	back := devSeatPath
	if suggest := r.FormValue("user"); slices.Contains(h.users, suggest) {
		back += "?suggest=" + url.QueryEscape(suggest)
	}
	http.Redirect(w, r, back, http.StatusSeeOther)
}

// devState says in a line how the session stands.
func devState(s *session.Session) string {
	if err := s.Err(); err != nil {
		return err.Error()
	}
	if s.Token() == nil {
		return "no session yet"
	}
	who := s.User()
	if who == "" {
		who = "anonymous"
	}
	return fmt.Sprintf("%s · %s · expires %s · %d values", who, s.Handle()[:6], s.Expires().Local().Format(time.TimeOnly), len(s.Keys()))
}

// framedWriter lets a frame of the desk show what the application lets nobody frame.
type framedWriter struct {
	http.ResponseWriter
	wrote bool
}

func (w *framedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *framedWriter) WriteHeader(status int) {
	if !w.wrote && status >= 200 {
		w.wrote = true
		h := w.Header()
		h.Del("X-Frame-Options")
		for i, policy := range h["Content-Security-Policy"] {
			directives := slices.DeleteFunc(strings.Split(policy, ";"), func(d string) bool {
				name, _, _ := strings.Cut(strings.TrimSpace(d), " ")
				return strings.EqualFold(name, "frame-ancestors")
			})
			h["Content-Security-Policy"][i] = strings.Join(directives, ";")
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *framedWriter) Write(b []byte) (int, error) {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(b)
}

func (w *framedWriter) Flush() {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	http.NewResponseController(w.ResponseWriter).Flush()
}
