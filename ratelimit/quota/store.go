package quota

import (
	"context"
	"errors"
)

// Store keeps accounts. Its methods are safe for concurrent use.
//
//  1. Update calls f with the account of the user and resource, an empty one where there is none, and
//     stores what f made of it, as one step: no other Update of that account comes between. If f returns
//     an error, nothing is stored and Update returns that error.
//  2. f may be called again where the store has to try again. It takes nothing from the account but what
//     it returns through it, and does not call the store.
//  3. f may shorten or append to Parts, never change its elements; so the store may hand out its own slice.
//  4. After Update returns nil, the account outlives the process, if the store promises that at all.
//  5. Accounts returns those of a user by resource.
type Store interface {
	Update(ctx context.Context, user, resource string, f func(*Account) error) error
	Accounts(ctx context.Context, user string) (map[string]Account, error)
}

// errKeep makes a store leave an account as it is.
var errKeep = errors.New("quota: nothing to be stored")
