package main

import (
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"example.com/hardy/cookie"
)

// What the browser keeps for us, encrypted. The jar called local is this app's alone.
var (
	name  = cookie.NewKey[string]("name")
	metal = cookie.NewKey[string]("metal")
)

const nameLives = 3 * 24 * time.Hour

// metals that a bell can be cast of; the first is taken where none was chosen.
var metals = []string{"brass", "silver", "copper"}

type cookiesPage struct {
	Name, NameError string
	Metal           string
	Metals          []string
	Local           []string // the names of what is in the jar
	greetingForm
}

func (b *bell) cookies(w http.ResponseWriter, r *http.Request) {
	b.renderCookies(w, r, http.StatusOK, "")
}

func (b *bell) renderCookies(w http.ResponseWriter, r *http.Request, status int, nameError string) {
	local := cookie.Local(r.Context())
	render(w, r, status, "cookies", cookiesPage{
		Name:         name.Get(local),
		NameError:    nameError,
		Metal:        metal.GetOr(local, metals[0]),
		Metals:       metals,
		Local:        local.Keys(),
		greetingForm: b.greetingForm(r),
	})
}

// setName keeps a name for three days, or forgets it.
func (b *bell) setName(w http.ResponseWriter, r *http.Request) {
	local, given := cookie.Local(r.Context()), strings.TrimSpace(r.FormValue("name"))
	var err error
	switch {
	case utf8.RuneCountInString(given) > 40:
		b.renderCookies(w, r, http.StatusUnprocessableEntity, "That name is longer than 40 characters.")
		return
	case given == "" || r.FormValue("forget") != "":
		_, err = name.Delete(local)
	default:
		err = name.SetFor(local, nameLives, given)
	}
	kept(w, r, err)
}

// setMetal keeps the choice for 30 days, which is what Set does.
func (b *bell) setMetal(w http.ResponseWriter, r *http.Request) {
	chosen := r.FormValue("metal")
	if !slices.Contains(metals, chosen) {
		http.Error(w, "There is no bell of that metal.", http.StatusUnprocessableEntity)
		return
	}
	kept(w, r, metal.Set(cookie.Local(r.Context()), chosen))
}

// clearJar empties the jar, and the browser drops the cookie.
func (b *bell) clearJar(w http.ResponseWriter, r *http.Request) {
	kept(w, r, cookie.Local(r.Context()).Clear())
}

// kept goes back to the page once a jar was changed.
func kept(w http.ResponseWriter, r *http.Request, err error) {
	if err != nil {
		http.Error(w, "The browser can't keep that.", http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, "/cookies", http.StatusSeeOther)
}
