package quota

import (
	"context"
	"errors"
	"time"
)

// Store keeps accounts, one for a user and a resource: some bytes, of which it need not know anything. Its
// methods are safe for concurrent use. Package quotatest checks a store, rule by rule.
//
//  1. Update calls f with the account of user and resource, nil where there is none, and stores what f
//     returns, as one step: no other Update of that account comes between, in this process or another one.
//     Where f returns no bytes, the account is forgotten.
//  2. Where f returns an error, nothing is stored and Update returns that error. Where f panics, nothing is
//     stored and Update panics with the same value, in the goroutine that called it.
//  3. f may be called again where the store has to try again; the last call counts. Where Update returns an
//     error of its own, such as the context's, f may be running still. f does not call the store.
//  4. f does not change the bytes that it is given, nor those that it returned.
//  5. After Update returns nil, the account outlives the process, if the store promises that at all.
//  6. The account may be forgotten once until has passed, at any time then; zero: never.
//  7. Accounts returns the user's accounts by resource, as of one moment. The caller may change the map, and
//     does not change the bytes.
//  8. User and resource have 1 to 1,024 bytes of UTF-8 without NUL. Each pair is another account.
//  9. Where the context is done before anything began, both return its error and do nothing.
type Store interface {
	Update(ctx context.Context, user, resource string, f func(account []byte) (next []byte, until time.Time, err error)) error
	Accounts(ctx context.Context, user string) (map[string][]byte, error)
}

// errKeep makes a store leave an account as it is.
var errKeep = errors.New("quota: nothing to be stored")
