package lease_test

import (
	"context"
	"testing"

	"example.com/hardy/session"
	"example.com/hardy/session/lease"
	"example.com/hardy/store"
)

// A value that is there costs a look at the session and one at a map: at most 200 ns, and no allocation.
func BenchmarkEach(b *testing.B) {
	m := session.NewManager(store.NewMemory(nil), &session.Options{Logger: quiet})
	for name, o := range map[string]*lease.EachOptions{"session": nil, "user": {PerUser: true}} {
		b.Run(name, func(b *testing.B) {
			each := lease.NewEach(func(context.Context, *session.Session) (*client, error) { return new(client), nil }, shut, o)
			var last *session.Session
			for range 1000 {
				last, _ = signIn(b, m, "ann")
				if _, err := each.Get(ctx, last); err != nil {
					b.Fatal(err)
				}
			}
			want, _ := each.Get(ctx, last)
			b.ReportAllocs()
			for b.Loop() {
				if got, err := each.Get(ctx, last); got != want || err != nil {
					b.Fatal(got, err)
				}
			}
		})
	}
}
