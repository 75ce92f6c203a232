package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"example.com/hardy/session"
)

// Carried counts what Carry did with the records of one page.
type Carried struct {
	Copied  int // were not in the new store, and are now
	Present int // were there already
	Past    int // may be forgotten since before now, and stay behind
}

// Carry carries one page of up to limit records of old over to new, sealed as they are, and returns the cursor of the
// next page: "" after the last one. It begins with cursor "". While requests go on, they must be served by Moving(old,
// new): then an end is not undone whichever comes first, and what is created after the scan has passed is in
// the new store anyway. A page may be carried twice: what is there is not copied again.
//
// The old store must be a session.Scanner and the new one a session.Importer; Carry panics otherwise. Any error leaves
// the page to be carried again from the same cursor.
func Carry(ctx context.Context, old, new session.Store, cursor string, limit int, now time.Time) (c Carried, next string, err error) {
	scanner, ok := old.(session.Scanner)
	if !ok {
		panic(fmt.Sprintf("store: Carry from %T: the old store must have Scan (session.Scanner)", old))
	}
	m := newMoving(old, new)
	page, next, err := scanner.Scan(ctx, cursor, limit)
	if err != nil {
		return c, "", fmt.Errorf("store: the old store: %w", err)
	}
	var (
		mu    sync.Mutex
		group sync.WaitGroup
		turn  = make(chan struct{}, atOnce)
	)
	for _, r := range page {
		if !r.Purge.After(now) {
			c.Past++
			continue
		}
		turn <- struct{}{}
		group.Go(func() {
			defer func() { <-turn }()
			was, failed := m.carry(ctx, r)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case failed != nil:
				err = failed
			case was:
				c.Present++
			default:
				c.Copied++
			}
		})
	}
	group.Wait()
	if err != nil {
		return c, "", err
	}
	return c, next, nil
}

// atOnce is how many records Carry has under way: enough for a store that groups its writes.
const atOnce = 32
