// Package places decides which sessions of a user end for a newer one: the rule of session.Capper, for our stores.
package places

// Over returns, of a user's live records, the oldest first, those of the sessions that have to end so that one more makes
// no more than limit. Records of one handle are one session and share a place: beside the record of a session that is
// being rotated its successor lives for a moment. The session is as old as its oldest record.
func Over[R any, H comparable](oldestFirst []R, handle func(R) H, limit int) (over []R) {
	place := make(map[H]int)
	for _, r := range oldestFirst {
		if _, known := place[handle(r)]; !known {
			place[handle(r)] = len(place)
		}
	}
	last := len(place) - limit // of the places that have to be given up
	for _, r := range oldestFirst {
		if place[handle(r)] <= last {
			over = append(over, r)
		}
	}
	return over
}
