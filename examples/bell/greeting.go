package main

import (
	"net"
	"net/http"
	"slices"
	"strings"

	"example.com/hardy/cookie"
)

// greeting lies in the jar called shared, which all apps of the team read and write: a cookie of the domain that
// their hosts have in common, under the team's own keys.
var greeting = cookie.NewKey[string]("greeting")

var greetings = []string{"Hello", "Moin", "Salut", "Servus"}

// greetingForm is part of a page of each app.
type greetingForm struct {
	Greeting  string
	Greetings []string
	Shares    bool   // this host is one of the domain
	Bell, Two string // the apps' pages there
}

func (b *bell) greetingForm(r *http.Request) greetingForm {
	return greetingForm{
		Greeting:  greeting.GetOr(cookie.Shared(r.Context()), greetings[0]),
		Greetings: greetings,
		Shares:    b.shares(r),
		Bell:      b.address("bell", r),
		Two:       b.address("two", r),
	}
}

// setGreeting serves both apps: what one sets, the other greets with on the next page that it serves.
func (b *bell) setGreeting(w http.ResponseWriter, r *http.Request) {
	chosen := r.FormValue("greeting")
	if !slices.Contains(greetings, chosen) || !b.shares(r) {
		http.Error(w, "That greeting can't be shared.", http.StatusUnprocessableEntity)
		return
	}
	kept(w, r, greeting.Set(cookie.Shared(r.Context()), chosen))
}

// shares says whether the browser takes a cookie of the domain from us: it does from no other host.
func (b *bell) shares(r *http.Request) bool {
	host, _ := hostPort(r)
	return strings.HasSuffix(host, "."+b.domain)
}

// address is where an app's page of cookies is, as seen from the request.
func (b *bell) address(app string, r *http.Request) string {
	scheme, host := "http", app+"."+b.domain
	if b.tls {
		scheme = "https"
	}
	if _, port := hostPort(r); port != "" {
		host = net.JoinHostPort(host, port)
	}
	return scheme + "://" + host + "/cookies"
}

func hostPort(r *http.Request) (host, port string) {
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		return r.Host, ""
	}
	return host, port
}
