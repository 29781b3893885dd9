package engine

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestEachRequestOfAnIdleScenarioMayBeRepeated(t *testing.T) {
	var b retryBudget
	for at := time.Duration(0); at < time.Hour; at += time.Second {
		b.first(at)
		if !b.allows(at) {
			t.Fatalf("no repeat at %v", at)
		}
		b.repeat(at)
	}
}

func TestATenthOfTheRequestsMayBeRepeated(t *testing.T) {
	var b retryBudget
	const perSecond, minutes = 50, 10
	repeats := 0
	for at := time.Duration(0); at < minutes*time.Minute; at += time.Second / perSecond {
		b.first(at)
		if b.allows(at) {
			b.repeat(at)
			repeats++
		}
	}
	// A tenth of 50/s, and 10 in 10 s.
	if want := minutes * 60 * (perSecond/10 + 1); repeats < want*95/100 || repeats > want {
		t.Errorf("%d repeats in %d minutes, want %d", repeats, minutes, want)
	}
}

func TestConnectionsThatEndTogetherAreWithinTheBudget(t *testing.T) {
	var b retryBudget
	const perSecond = 100
	at := time.Duration(0)
	for ; at < time.Minute; at += time.Second / perSecond {
		b.first(at)
	}
	for i := range 100 {
		if !b.allows(at) {
			t.Fatalf("repeat %d is not allowed", i)
		}
		b.repeat(at)
	}
}

func TestNoWindowHasMoreRepeatsThanTheBudget(t *testing.T) {
	type sent struct {
		second int64
		repeat bool
	}
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		var b retryBudget
		var all []sent
		at := time.Duration(0)
		for range 5000 {
			at += time.Duration(r.ExpFloat64() * float64(20*time.Millisecond))
			if r.IntN(500) == 0 {
				at += time.Duration(r.Int64N(int64(20 * time.Second)))
			}
			repeat := r.IntN(2) == 0
			if repeat && !b.allows(at) {
				continue
			}
			if repeat {
				b.repeat(at)
			} else {
				b.first(at)
			}
			all = append(all, sent{int64(at / time.Second), repeat})
		}
		for i, last := range all {
			var firsts, repeats int
			for j := i; j >= 0 && all[j].second > last.second-retryWindow; j-- {
				if all[j].repeat {
					repeats++
				} else {
					firsts++
				}
			}
			if last.repeat && float64(repeats) > retryFloor+retryShare*float64(firsts) {
				t.Fatalf("seed %d: %d repeats beside %d first requests", seed, repeats, firsts)
			}
		}
	}
}

func TestALateSlotCountsInTheSecondThatHasItsPlace(t *testing.T) {
	var b retryBudget
	b.first(15 * time.Second)
	b.first(5 * time.Second)
	b.first(-time.Second)
	if got := b.seconds[5]; got != (sends{second: 15, firsts: 2}) {
		t.Errorf("%+v", got)
	}
}
