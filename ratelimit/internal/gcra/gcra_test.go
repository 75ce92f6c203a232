package gcra

import (
	"math"
	"testing"
	"time"
)

func TestIntervals(t *testing.T) {
	for _, c := range []struct {
		rate     float64
		burst    int64
		interval Ticks
	}{
		{1, 1, perSecond},
		{1.0 / 60, 100, 60 * perSecond}, // a minute, not a tick more
		{100.0 / 60, 100, 600 * perSecond / 1000},
		{1000.0 / 86400, 1000, Of(86400 * time.Millisecond)},
		{3, 3, 2_666_666_667}, // up, never down
		{1 / time.Hour.Seconds(), 1, Of(time.Hour)},
		{perSecond, 1, 1},
		{perSecond * 0.6, 1, 2},
		{1e6, 1, 8000},
	} {
		got, err := New(c.rate, c.burst, c.burst)
		if err != nil || got.Interval != c.interval || got.Window != Ticks(c.burst)*c.interval {
			t.Errorf("%v: %+v, %v; want %d", c.rate, got, err, c.interval)
		}
	}
}

func TestDurationsRoundUp(t *testing.T) {
	for ticks, want := range map[Ticks]time.Duration{-5: 0, 0: 0, 1: 1, 8: 1, 9: 2, perSecond: time.Second, perSecond + 1: time.Second + 1} {
		if got := ticks.Duration(); got != want {
			t.Errorf("%d ticks: %v", ticks, got)
		}
	}
	if Of(math.MaxInt64) != math.MaxInt64 || Of(MaxWindow) <= 0 {
		t.Error("Of should saturate")
	}
}

// Nothing overflows at the longest window, in debt, after 5 years of uptime.
func TestExtremes(t *testing.T) {
	terms, err := New(1/(MaxWindow.Seconds()/1000), 1000, 1000)
	if err != nil {
		t.Fatal(err)
	}
	now := Of(5 * 365 * 24 * time.Hour)
	full := now + terms.Charge(terms.Charge(0, terms.Owed(math.MaxInt)), terms.Owed(math.MaxInt))
	if level := terms.Level(full, now); level != 2*terms.Window || terms.Fits(level, terms.Cost(1000)) || terms.Wait(level, terms.Cost(1000)) != 2*terms.Window {
		t.Errorf("level %d of %+v", level, terms)
	}
}
