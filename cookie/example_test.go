package cookie_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"example.com/hardy/cookie"
)

var (
	nick = cookie.NewKey[string]("name")
	age  = cookie.NewKey[int]("age")
)

// vault stands for a secret manager.
type vault struct{ text string }

func (v *vault) Masters(context.Context) (string, error) { return v.text, nil }

func exampleKeys() *cookie.Keys {
	keys, err := cookie.NewKeys(context.Background(), &vault{cookie.NewMaster()}, "bell")
	if err != nil {
		panic(err)
	}
	return keys
}

// handler stands for one behind middleware.Cookies: f sees the request's local jar.
func handler(keys *cookie.Keys, f http.HandlerFunc) http.Handler {
	spec, err := cookie.NewLocal(keys, nil)
	if err != nil {
		panic(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		jar := spec.Jar(r)
		f(w, r.WithContext(cookie.NewContext(r.Context(), jar, nil)))
		jar.Commit(w.Header())
	})
}

func Example() {
	h := handler(exampleKeys(), func(w http.ResponseWriter, r *http.Request) {
		jar := cookie.Local(r.Context())
		fmt.Println("hello,", nick.GetOr(jar, "stranger"))
		if err := nick.Set(jar, "Bob"); err != nil { // 30 days
			fmt.Println(err)
		}
	})

	first := httptest.NewRecorder()
	h.ServeHTTP(first, httptest.NewRequest("GET", "/", nil))

	again := httptest.NewRequest("GET", "/", nil)
	again.AddCookie(first.Result().Cookies()[0])
	h.ServeHTTP(httptest.NewRecorder(), again)
	// Output:
	// hello, stranger
	// hello, Bob
}

// Several values of different types, under one expiry of their own.
func ExampleJar_SetFor() {
	handler(exampleKeys(), func(w http.ResponseWriter, r *http.Request) {
		jar := cookie.Local(r.Context())
		if err := jar.SetFor(3*24*time.Hour, nick.Value("Bob"), age.Value(42)); err != nil {
			fmt.Println(err)
		}
		fmt.Println(jar.Keys(), nick.Get(jar), age.Get(jar))
	}).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	// Output: [age name] Bob 42
}

// A message that is shown once.
func ExampleKey_Take() {
	flash := cookie.NewKey[string]("flash")
	handler(exampleKeys(), func(w http.ResponseWriter, r *http.Request) {
		jar := cookie.Local(r.Context())
		flash.Set(jar, "saved")
		fmt.Println(flash.Take(jar))
		fmt.Println(flash.Take(jar))
	}).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	// Output:
	// saved true
	//  false
}

// With T any, a key made at run time is a plain dictionary.
func ExampleNewKey() {
	handler(exampleKeys(), func(w http.ResponseWriter, r *http.Request) {
		prefs := cookie.NewKey[any]("prefs")
		jar := cookie.Local(r.Context())
		prefs.Set(jar, map[string]any{"lang": "en", "size": 12})
		fmt.Println(prefs.Get(jar))
	}).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	// Output: map[lang:en size:12]
}

// A new key is appended, then moved to the front; the old one goes on opening what it sealed.
func ExampleKeys_Reload() {
	old, next := cookie.NewMaster(), cookie.NewMaster()
	source := &vault{old}
	keys, err := cookie.NewKeys(context.Background(), source, "bell")
	if err != nil {
		panic(err)
	}
	sealer := keys.Sealer("invitation", "invite")
	value, _ := sealer.Seal([]byte("table 4"))
	for _, source.text = range []string{old + "," + next, next + "," + old, next} {
		if err := keys.Reload(context.Background()); err != nil {
			fmt.Println(err)
		}
		opened, outcome := sealer.Open(value)
		fmt.Printf("%s: %q, key %s\n", outcome, opened.Plain, keys.State(opened.KeyID))
	}
	// Output:
	// opened: "table 4", key primary
	// opened: "table 4", key retired
	// unknown key: "", key unknown
}

// A sealer is below the jars: bytes of your own, for one purpose, with an end.
func ExampleSealer_SealUntil() {
	invitations := exampleKeys().Sealer("invitation", "invite")
	value, err := invitations.SealUntil([]byte("table 4"), time.Now().Add(time.Hour))
	if err != nil {
		fmt.Println(err)
	}
	opened, outcome := invitations.Open(value)
	fmt.Println(outcome, string(opened.Plain), opened)
	_, outcome = invitations.Open(value[:len(value)-1])
	fmt.Println(outcome)
	// Output:
	// opened table 4 cookie.Opened[redacted]
	// tampered
}
