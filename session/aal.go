package session

import (
	"fmt"
	"time"
)

// AAL is an authentication assurance level of NIST SP 800-63B-4: how long a session may last before its user
// authenticates again. It bounds Options.Idle, Options.Lifetime and Remember, and lowers their defaults; how users
// authenticate is the application's.
type AAL uint8

const (
	AAL1 AAL = 1 + iota // §2.1.3: 30 days in all
	AAL2                // §2.2.3: an hour idle, 24 hours in all
	AAL3                // §2.3.3: 15 minutes idle, 12 hours in all
)

// limits are what a level allows. Remember, where it is 0, is refused: it would outlast the idle timeout.
type limits struct {
	section                  string
	idle, lifetime, remember time.Duration
}

func (a AAL) limits() limits {
	const day = 24 * time.Hour
	switch a {
	case AAL1:
		return limits{"§2.1.3", 30 * day, 30 * day, 30 * day}
	case AAL2:
		return limits{"§2.2.3", time.Hour, day, 0}
	case AAL3:
		return limits{"§2.3.3", 15 * time.Minute, 12 * time.Hour, 0}
	}
	return limits{"", MaxLifetime, MaxLifetime, MaxLifetime}
}

// checkAAL returns an *OptionError where o asks for more than its level allows.
func (o *Options) checkAAL() error {
	if o.AAL > AAL3 {
		return &OptionError{"AAL", "is none of AAL1, AAL2, AAL3"}
	}
	l := o.AAL.limits()
	for _, f := range []struct {
		field       string
		asked, most time.Duration
	}{{"Idle", o.Idle, l.idle}, {"Lifetime", o.Lifetime, l.lifetime}} {
		if o.AAL != 0 && f.asked > f.most {
			return &OptionError{f.field, fmt.Sprintf("%v is more than AAL%d allows: %v (SP 800-63B-4 %s); lower it, or leave it 0 for the default", f.asked, o.AAL, f.most, l.section)}
		}
	}
	if o.Lock && o.AAL == AAL3 {
		return &OptionError{"Lock", "AAL3 wants both factors again after an idle timeout (SP 800-63B-4 §2.3.3), so an idle session ends; take Lock or AAL3 away"}
	}
	return nil
}
