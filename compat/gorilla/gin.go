package gorilla

import "github.com/gorilla/sessions"

// Gin makes a Store one of gin-contrib/sessions. O is that package's Options:
//
//	router.Use(sessions.Sessions("mysession", gorilla.Gin[sessions.Options]{Store: store}))
type Gin[O interface{ ToGorillaOptions() *sessions.Options }] struct{ *Store }

// Options replaces what new sessions begin with.
func (g Gin[O]) Options(o O) { g.Store.Options = o.ToGorillaOptions() }
