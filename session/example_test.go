package session_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"example.com/hardy/session"
	"example.com/hardy/store"
)

// One request after another, as the middleware makes them.
func Example() {
	ctx := context.Background()
	sessions := session.NewManager(store.NewMemory(nil), nil)
	rings := session.NewKey[int]("n_rings")

	s := sessions.New() // a visitor without a cookie
	rings.Set(s, 1)
	fmt.Println(sessions.Commit(ctx, s))
	token := s.Token() // the cookie carries it, sealed

	s, err := sessions.Load(ctx, token)
	fmt.Println(rings.Get(s), err)
	n, err := rings.Update(ctx, s, func(n int) int { return n + 1 })
	fmt.Println(n, err)
	fmt.Println(token)
	// Output:
	// <nil>
	// 1 <nil>
	// 2 <nil>
	// [session token]
}

// Every method of Panel's SessionManager has its counterpart.
func Example_panel() {
	ctx := context.Background()
	sessions := session.NewManager(store.NewMemory(nil), &session.Options{Logger: slog.New(slog.DiscardHandler)})
	s := sessions.New()
	value := session.NewKey[any]

	fmt.Println(s.Login(""))                                     // set_user_id("")
	fmt.Println(s.Login("user123"), s.User(), s.Authenticated()) // set, get, is_authenticated
	fmt.Println(value("theme").Set(s, "dark"))                   // store_value
	value("preferences").Set(s, map[string]any{"lang": "en", "beep": true})
	fmt.Println(value("theme").GetOr(s, "light"), value("preferences").Get(s)) // get_value
	fmt.Println(value("theme").Delete(s))                                      // remove_value
	fmt.Println(value("theme").GetOr(s, "light"))
	s.Logout() // clear_session
	fmt.Println(s.Authenticated(), sessions.Commit(ctx, s))
	// Output:
	// session: a user name has 1 to 1,024 bytes of UTF-8 without NUL
	// <nil> user123 true
	// <nil>
	// dark map[beep:true lang:en]
	// true <nil>
	// light
	// false <nil>
}

// An ended session is an error until somebody starts over.
func ExampleExpiredError() {
	ctx := context.Background()
	sessions := session.NewManager(store.NewMemory(nil), &session.Options{Logger: slog.New(slog.DiscardHandler)})
	s := sessions.New()
	s.Login("ann")
	sessions.Commit(ctx, s)
	token := s.Token()
	sessions.RevokeUser(ctx, "ann")

	s, err := sessions.Load(ctx, token)
	var ended *session.ExpiredError
	fmt.Println(errors.Is(err, session.ErrExpired), errors.As(err, &ended), ended.Reason)
	fmt.Println(s.User() == "", s.Renew() == s.Err())
	s.Reset()
	fmt.Println(s.Err(), s.Ended().Reason)
	// Output:
	// true true revoked
	// true true
	// <nil> revoked
}

// A user sees the own sessions and ends one of them.
func ExampleManager_Revoke() {
	ctx := context.Background()
	sessions := session.NewManager(store.NewMemory(nil), &session.Options{Logger: slog.New(slog.DiscardHandler)})
	for _, device := range []string{"laptop", "phone"} {
		s := sessions.New()
		s.Login("ann")
		s.SetMeta("device", device)
		sessions.Commit(ctx, s)
		time.Sleep(time.Millisecond)
	}
	list, err := sessions.List(ctx, "ann")
	for _, one := range list {
		fmt.Println(one.Meta["device"])
	}
	fmt.Println(sessions.Revoke(ctx, "ann", list[0].Handle), err)
	list, _ = sessions.List(ctx, "ann")
	fmt.Println(len(list))
	// Output:
	// phone
	// laptop
	// <nil> <nil>
	// 1
}
