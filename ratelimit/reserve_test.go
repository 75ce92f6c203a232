package ratelimit

import (
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

func TestReserveThenSettle(t *testing.T) {
	for _, c := range []struct {
		name     string
		reserved int
		after    time.Duration
		actual   int
		want     time.Duration // until full again
	}{
		{"exactly", 60, 0, 60, 60 * time.Second},
		{"less, at once", 60, 0, 10, 10 * time.Second},
		{"less, when half of it has refilled", 60, 30 * time.Second, 10, 0},
		{"less, when some of it has refilled", 60, 5 * time.Second, 10, 5 * time.Second},
		{"more", 60, 0, 90, 90 * time.Second},
		{"far more: bounded debt", 60, 0, 1000, 150 * time.Second},
		{"more, when all had refilled", 60, time.Minute, 70, 10 * time.Second},
		{"cancelled", 60, 0, 0, 0},
		{"less, after the expiry", 60, 6 * time.Minute, 10, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := MustNew(nil, Policy{Name: "tokens", Limit: 1, Burst: 100, Debt: 50})
				r, res, err := l.Reserve(t.Context(), ann, c.reserved)
				if err != nil || res.At(0).Remaining != 100-c.reserved {
					t.Fatal(res.At(0), err)
				}
				time.Sleep(c.after)
				err = r.Settle(c.actual)
				if late := c.after > 5*time.Minute; late != errors.Is(err, ErrLate) || !late && err != nil {
					t.Error(err)
				}
				if got := standing(l, ann).Reset; got != c.want {
					t.Errorf("full in %v, want %v", got, c.want)
				}
				if err := r.Cancel(); !errors.Is(err, ErrSettled) {
					t.Error("the second time:", err)
				}
			})
		})
	}
}

func TestReservationsOfSeveral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(&Options{ReserveFor: time.Minute}, Policy{Name: "p", Limit: 1, Burst: 10})
		first, _, _ := l.Reserve(t.Context(), ann, 5)
		second, _, _ := l.Reserve(t.Context(), ann, 5)
		if r, res, err := l.Reserve(t.Context(), ann, 1); r != nil || err != nil || res.RetryAfter != time.Second {
			t.Error("concurrent calls cannot overspend the budget:", r, res.Allowed, err)
		}
		if r, _, err := l.Reserve(t.Context(), Key{}, 1); r != nil || !errors.Is(err, ErrNoKey) {
			t.Error(r, err)
		}
		if err := first.Settle(-1); !errors.Is(err, ErrCost) {
			t.Error(err)
		}
		// Found by the property test: given back one after the other, two grants must not admit twice.
		first.Cancel()
		time.Sleep(5 * time.Second)
		if !l.AllowN(ann, 10) {
			t.Error("full by now, had neither been taken or not")
		}
		second.Cancel()
		if l.Allow(ann) {
			t.Error("the second had refilled before it was cancelled")
		}
		third, _, _ := l.Reserve(t.Context(), bob, 5)
		time.Sleep(2 * time.Minute)
		l.AllowN(bob, 10)
		if err := third.Settle(8); !errors.Is(err, ErrLate) {
			t.Error(err)
		}
		if got := standing(l, bob).Reset; got != 13*time.Second {
			t.Error("what is owed is charged even late:", got)
		}
		fourth, _, _ := l.Reserve(t.Context(), Key{User: "eve"}, 5)
		l.SetLimit("p", 2, 10)
		l.SetLimit("p", 1, 10)
		fourth.Cancel()
		if got := standing(l, Key{User: "eve"}).Reset; got != 5*time.Second {
			t.Error("nothing is given back under changed terms:", got)
		}
	})
}

// What was used beyond the reservation is charged although the entry was forgotten meanwhile and others have
// taken its place: to a shared bucket then.
func TestSettleIsChargedInAFullTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(&Options{MaxKeys: 1, Overflow: 1}, Policy{Name: "p", Limit: 1, Burst: 10})
		held, _, err := l.Reserve(t.Context(), ann, 1)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // all that ann took is back
		l.AllowN(bob, 10)
		if got := standing(l, bob); got.Overflow {
			t.Fatalf("%+v", got)
		}
		if err := held.Settle(9); err != nil {
			t.Fatal(err)
		}
		if got := standing(l, ann); !got.Overflow || got.Remaining != 2 {
			t.Errorf("%+v", got)
		}
	})
}

// A reservation that has expired gives nothing back, also where little has refilled since.
func TestLateReservation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(&Options{ReserveFor: time.Minute}, Policy{Name: "p", Limit: Every(time.Hour), Burst: 10})
		in, late := make([]*Reservation, 2), time.Minute+1
		for i := range in {
			var err error
			if in[i], _, err = l.Reserve(t.Context(), ann, 4); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(late - 1)
		if err := in[0].Settle(1); err != nil || standing(l, ann).Remaining != 5 {
			t.Errorf("in time: %v, %+v", err, standing(l, ann))
		}
		time.Sleep(time.Nanosecond)
		if err := in[1].Cancel(); !errors.Is(err, ErrLate) || standing(l, ann).Remaining != 5 {
			t.Errorf("late: %v, %+v", err, standing(l, ann))
		}
	})
}

// However long reservations last, they are neither late at once nor for ever held.
func TestReserveForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, span := range []time.Duration{math.MaxInt64, math.MaxInt64 / 8, time.Nanosecond} {
			l := MustNew(&Options{ReserveFor: span}, Policy{Name: "p", Limit: 1, Burst: 100})
			held, _, err := l.Reserve(t.Context(), ann, 50)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			if err := held.Settle(1); errors.Is(err, ErrLate) != (span == time.Nanosecond) {
				t.Errorf("%v: %v", span, err)
			}
		}
	})
}
