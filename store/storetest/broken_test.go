package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// bug names one way in which the model breaks the contract.
type bug string

const (
	createOverwrites      bug = "Create overwrites"
	replaceInserts        bug = "Replace is an upsert"
	replaceOfEnded        bug = "Replace of an ended record succeeds"
	replaceRevives        bug = "Replace revives an ended record"
	replaceOfExpired      bug = "Replace of an expired record succeeds"
	replaceIgnoresVersion bug = "Replace does not compare versions"
	replaceKeepsVersion   bug = "Replace does not store the version"
	replaceRenames        bug = "Replace moves a record to another user"
	replaceRewinds        bug = "Replace moves moments back"
	touchOfEnded          bug = "Touch of an ended record succeeds"
	touchOfExpired        bug = "Touch of an expired record succeeds"
	touchRewinds          bug = "Touch moves moments back"
	touchCounts           bug = "Touch raises the version"
	lastEndWins           bug = "a later End overwrites the reason"
	secondEndDropsData    bug = "a second End drops the Data that the first kept"
	endReturnsAfter       bug = "End returns the record as it is afterwards"
	endReturnsNoData      bug = "End returns the record without its Data"
	endOfExpiredRefused   bug = "End refuses an expired record"
	endRewindsPurge       bug = "End moves Purge back"
	endKeepsData          bug = "End leaves the Data"
	keepDataIgnored       bug = "End drops the Data it should keep"
	endForgetsNext        bug = "End does not store Next"
	endDeletes            bug = "End deletes the record"
	loadHidesEnded        bug = "Load hides ended records"
	loadHidesExpired      bug = "Load hides expired records"
	listShowsEnded        bug = "List shows ended records"
	listShowsData         bug = "List shows Data"
	listHidesExpired      bug = "List hides expired records"
	listOfEmptyUser       bug = "List of the empty user shows anonymous records"
	listMisses            bug = "List misses a record"
	cutsNanoseconds       bug = "moments are cut to microseconds"
	keepsStrings          bug = "the caller's strings are kept"
	losesMeta             bug = "Meta is not stored"
	ignoresContext        bug = "a context that is done is ignored"
	capCountsExpired      bug = "CreateWithin counts expired records"
	capEvictsSiblings     bug = "CreateWithin evicts records of the same handle"
	capCountsRecords      bug = "CreateWithin counts the records of a session"
	capEvictsNewest       bug = "CreateWithin evicts the newest"
	capOffByOne           bug = "CreateWithin leaves one too many"
	capRaces              bug = "CreateWithin is two steps"
	scanHidesDead         bug = "Scan hides ended records"
	scanSkips             bug = "Scan skips a record between pages"
	importRevives         bug = "Import brings ended records in as live"
	importOverwrites      bug = "Import overwrites"
	watchBeginsLate       bug = "Watch says that it listens before it does"
	watchDrops            bug = "Watch drops ends when they come fast"
	sweepDropsLiveData    bug = "Sweep drops the Data of live records"
	sweepLeavesData       bug = "Sweep leaves the Data of expired records"
	sweepForgetsGrace     bug = "Sweep drops a rotated record's Data in its grace"
	sweepForgetsNothing   bug = "Sweep forgets nothing"
	sweepDropsTombstones  bug = "Sweep forgets tombstones before their Purge"
	sweepAtOnce           bug = "Sweep ignores its limit"
	sweepsToTheMoment     bug = "Create sweeps up to its own Seen"
)

// TestBrokenStoresFail shows that the suite bites: each bug fails the test of its rule, and no test that
// has nothing to do with it.
func TestBrokenStoresFail(t *testing.T) {
	tests := []struct {
		bug  bug
		want string // the test that must fail
		says string // in what it reports
		also string // begins of others that may fail, by |
	}{
		{createOverwrites, "1 create refuses an id that is there", "want session: a record with this id exists", "8|race create|capper refuses|importer refuses"},
		{replaceInserts, "1 only create brings an id into being", "want session: no such record", ""},
		{replaceOfEnded, "3 replace refuses an ended record", "want session: no such record", "8|race nothing|importer inserts"},
		{replaceRevives, "8 nothing makes an ended record live again", "Ended is , want revoked", "3 replace refuses an ended|race nothing|importer inserts"},
		{replaceOfExpired, "3 replace refuses an expired record", "want session: no such record", ""},
		{replaceIgnoresVersion, "3 replace refuses another version", "want session: the record has another version", "3|race"},
		{replaceKeepsVersion, "3 replace stores what it may", "Version is 1, want 2", "3|4|5|6|8|9|10|13|race|scanner|importer|sweeper"},
		{replaceRenames, "3 replace keeps who the record belongs to", "User is", ""},
		{replaceRewinds, "5 replace never moves back", "Seen is", "race"},
		{touchOfEnded, "4 touch refuses an ended record", "want session: no such record", "8|race nothing"},
		{touchOfExpired, "4 touch refuses an expired record", "want session: no such record", "11 no clock"},
		{touchRewinds, "5 touch never moves back", "Seen is", "race"},
		{touchCounts, "4 touch moves three moments and nothing else", "Version is 2, want 1", "4|5 touch|11 who|race|sweeper"},
		{lastEndWins, "6 the first end wins", "Ended is", "6|8|race the first|watcher hears nothing"},
		{secondEndDropsData, "6 a second end leaves the data that the first kept", "Data is", ""},
		{endReturnsAfter, "6 end returns the record as it stood", "Ended is rotated, want ", "6|13 a returned|race|capper|importer"},
		{endReturnsNoData, "6 end returns the record as it stood", "Data is", "6|13 a returned|race|capper|importer"},
		{endOfExpiredRefused, "6 end is unconditional", "End: session: no such record", "6 the first end wins"},
		{endRewindsPurge, "5 end never moves purge back", "Purge is", "6|8|1|2|3|4|7|13|scanner|capper|sweeper|race|watcher|importer"},
		{endKeepsData, "7 an ended record loses its data", "246 bytes of Data", "1|2|3|4|5|6|8|13|race|capper|sweeper|scanner|importer"},
		{keepDataIgnored, "7 keep data", "Data is", "6 a second|13|scanner|sweeper keeps a rotated"},
		{endForgetsNext, "6 end returns the record as it stood", "Next is ,", "2|6 the first|6 a second|7 keep|13|scanner|sweeper"},
		{endDeletes, "2 load returns expired and ended records until purge", "Load: session: no such record", "1|3|4|5|6|7|8|13|race|capper|scanner|importer|sweeper|watcher hears nothing"},
		{loadHidesEnded, "2 load returns expired and ended records until purge", "Load: session: no such record", "1|3|4|5|6|7|8|13|race|capper|importer|sweeper"},
		{loadHidesExpired, "2 load returns expired and ended records until purge", "Load: session: no such record", "capper|importer"},
		{listShowsEnded, "9 list shows no ended records", `ended ("logout")`, "3|6|8|race|capper|importer"},
		{listShowsData, "9 list shows no data", "251 bytes of Data", "race list|2|3|4|8|9|10|11|12|13|capper|importer|sweeper"},
		{listHidesExpired, "9 list shows expired records", "does not show a record that has not ended", "capper"},
		{listOfEmptyUser, "9 an empty user has no list", "a record that it must not", ""},
		{listMisses, "9 list shows the user's records", "does not show", "race|capper|sweeper"},
		{cutsNanoseconds, "2 load returns every field", "Seen is", "1|2|3|4|5|6|7|8|9|10|11|12|13|race|capper|scanner|importer|sweeper"},
		{losesMeta, "2 load returns every field", "Meta is", "1|2|3|4|5|6|7|8|9|10|11|12|13|race|capper|scanner|importer|sweeper"},
		{keepsStrings, "13 the caller's strings and records are its own", "Load: session: no such record", ""},
		{ignoresContext, "12 a context that is done", "want context canceled", ""},
		{capCountsExpired, "capper counts no expired records", "the user has as many sessions as allowed", "capper evicts no expired"},
		{capEvictsSiblings, "capper spares records of the same handle", "must not", ""},
		{capCountsRecords, "capper counts the records of one handle once", "the user has as many sessions as allowed", "capper evicts all records"},
		{capEvictsNewest, "capper evicts the oldest", "did not evict", "capper"},
		{capOffByOne, "capper evicts the oldest", "did not evict", "capper|race capper|12|watcher hears evictions"},
		{capRaces, "race capper never above max", "live", "race capper"},
		{scanHidesDead, "scanner shows every record whole", "showed", ""},
		{scanSkips, "scanner shows every record whole", "showed", "scanner"},
		{importRevives, "importer inserts a record as it is", "Ended is , want logout", ""},
		{importOverwrites, "importer refuses an id that is there", "want session: a record with this id exists", "8"},
		{watchBeginsLate, "watcher hears each end once it listens", "not of the one waited for", "watcher|race watcher"},
		{watchDrops, "race watcher hears each end", "not of the one waited for", "watcher"},
		{sweepDropsLiveData, "sweeper leaves what lives", "Data is", "10|sweeper|race sweeper"},
		{sweepLeavesData, "sweeper drops the data of what expired", "Data is", "sweeper"},
		{sweepForgetsGrace, "sweeper keeps a rotated record's data for the grace", "Data is", ""},
		{sweepForgetsNothing, "sweeper keeps tombstones until purge", "must not be there", "sweeper goes"},
		{sweepDropsTombstones, "sweeper keeps tombstones until purge", "Load: session: no such record", "sweeper keeps a rotated"},
		{sweepsToTheMoment, "11 who sweeps in passing leaves room for clocks that differ", "Data is", ""},
		{sweepAtOnce, "sweeper goes in steps and resumes", "a step of 2 records swept 150", ""},
	}
	for _, tt := range tests {
		t.Run(string(tt.bug), func(t *testing.T) {
			t.Parallel()
			hit, patience := false, 3*time.Second
			if tt.bug == watchBeginsLate || tt.bug == watchDrops {
				patience = 300 * time.Millisecond // what is waited for never comes
			}
			for _, c := range checks() {
				failures := outcome(t, c, newModel(tt.bug), patience)
				switch {
				case c.name == tt.want:
					hit = true
					if !strings.Contains(strings.Join(failures, "\n"), tt.says) {
						t.Errorf("test %q reports %q; want %q among it", c.name, failures, tt.says)
					}
				case len(failures) > 0 && !begins(c.name, tt.also):
					t.Errorf("test %q fails too, for no good reason: %q", c.name, failures[0])
				}
			}
			if !hit {
				t.Errorf("there is no test %q", tt.want)
			}
		})
	}
}

// begins says whether name begins with one of the prefixes, each a word or more.
func begins(name, prefixes string) bool {
	return prefixes != "" && slices.ContainsFunc(strings.Split(prefixes, "|"), func(p string) bool {
		return name == p || strings.HasPrefix(name, p+" ")
	})
}
