package override

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

func epoch() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// write adds a change for a while after a time, and returns the history with it.
func write(t *testing.T, h History, at time.Time, kind Kind, value float64, lasts time.Duration) History {
	t.Helper()
	next, _, ok := h.Add(Change{Kind: kind, Value: value, Until: Begin(at).Add(lasts), Replica: "r"}, at)
	if !ok {
		t.Fatalf("no room for a change at %v", at)
	}
	return next
}

// effects describes the change in effect in each of some seconds after epoch.
func effects(h History, seconds int) string {
	var text string
	for s := range seconds {
		c, ok := h.At(epoch().Add(time.Duration(s) * time.Second))
		switch {
		case !ok:
			text += "-"
		default:
			text += fmt.Sprint(c.Value)
		}
	}
	return text
}

func TestTheLastChangeThatHasTakenEffectWins(t *testing.T) {
	at := func(ms int) time.Time { return epoch().Add(time.Duration(ms) * time.Millisecond) }
	for name, tc := range map[string]struct {
		changes func(h History) History
		want    string // one character a second
	}{
		"none": {func(h History) History { return h }, "------------"},
		"one takes effect two seconds later and expires": {func(h History) History {
			return write(t, h, at(0), Rate, 5, 4*time.Second)
		}, "--5555------"},
		"written within a second it waits for the next whole one": {func(h History) History {
			return write(t, h, at(1), Rate, 5, 4*time.Second)
		}, "---5555-----"},
		"the one in effect stays until the next takes effect": {func(h History) History {
			return write(t, write(t, h, at(0), Rate, 5, time.Hour), at(3500), Rate, 7, 3*time.Second)
		}, "--5555777---"},
		"what was replaced does not come back": {func(h History) History {
			return write(t, write(t, h, at(0), Rate, 5, time.Hour), at(0), Factor, 7, 2*time.Second)
		}, "--77--------"},
		"two that wait": {func(h History) History {
			return write(t, write(t, h, at(0), Rate, 5, time.Hour), at(900), Rate, 7, time.Hour)
		}, "--5777777777"},
		"cleared": {func(h History) History {
			return write(t, write(t, h, at(0), Rate, 5, time.Hour), at(3000), Clear, 0, 0)
		}, "--555-------"},
		"set again after it was cleared": {func(h History) History {
			h = write(t, write(t, h, at(0), Rate, 5, time.Hour), at(3000), Clear, 0, 0)
			return write(t, h, at(6000), Factor, 2, time.Hour)
		}, "--555---2222"},
		"paused": {func(h History) History { return write(t, h, at(0), Factor, 0, 3*time.Second) }, "--000-------"},
	} {
		t.Run(name, func(t *testing.T) {
			h := tc.changes(nil)
			if got := effects(h, len(tc.want)); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			// Stretches say the same.
			for s := range len(tc.want) {
				now := epoch().Add(time.Duration(s) * time.Second)
				c, ok := h.At(now)
				var in []Change
				for _, x := range h.Stretches() {
					if !x.From.After(now) && x.Until.After(now) {
						in = append(in, x.Change)
					}
				}
				if ok != (len(in) == 1) || len(in) > 1 || ok && compare(in[0], c) != 0 {
					t.Errorf("second %d: At tells %v, %v, Stretches %v", s, c, ok, in)
				}
			}
		})
	}
}

func TestAChangeOfASlowClockComesLast(t *testing.T) {
	h := write(t, nil, epoch().Add(10*time.Minute), Rate, 5, time.Hour)
	h = write(t, h, epoch(), Rate, 7, time.Hour)
	if c, ok := h.At(epoch().Add(20 * time.Minute)); !ok || c.Value != 7 {
		t.Errorf("%v, %v is in effect, want the one that was written last", c, ok)
	}
}

func TestAChangeInEffectIsNeverPushedOutByThoseThatWait(t *testing.T) {
	h := write(t, nil, epoch(), Rate, 5, time.Hour)
	later := epoch().Add(10 * time.Second)
	n := 0
	for ; n < 100; n++ {
		next, _, ok := h.Add(Change{Kind: Rate, Value: 7, Until: later.Add(time.Hour)}, later)
		if !ok {
			break
		}
		h = next
	}
	if n != Keep-1 {
		t.Errorf("%d changes may wait, want %d", n, Keep-1)
	}
	if c, _ := h.At(later); c.Value != 5 {
		t.Errorf("%v is in effect", c)
	}
}

func TestForgetKeepsWhatKeepsOlderChangesFromComingBack(t *testing.T) {
	b := Book{"s": write(t, nil, epoch(), Rate, 5, time.Hour)}
	old := b.Clone()
	b["s"] = write(t, b["s"], epoch().Add(5*time.Second), Clear, 0, 0)
	b.Forget(epoch().Add(time.Minute))
	if len(b) != 1 {
		t.Fatal("a clear was forgotten while what it cleared has not expired")
	}
	b.Merge(old)
	if c, ok := b["s"].At(epoch().Add(time.Minute)); ok {
		t.Errorf("%v came back", c)
	}
	b.Forget(epoch().Add(2 * time.Hour))
	if len(b) != 0 {
		t.Errorf("%v is kept for ever", b)
	}
}

func TestMergingComesOutTheSameInAnyOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var parts []Book
		for range 1 + rng.IntN(6) {
			h := History{}
			now := epoch()
			for range rng.IntN(5) {
				now = now.Add(time.Duration(rng.IntN(5000)) * time.Millisecond)
				h, _, _ = h.Add(Change{
					Kind: []Kind{Rate, Factor, Clear}[rng.IntN(3)], Value: rng.Float64(),
					Until: Begin(now).Add(time.Duration(rng.IntN(100)) * time.Second), Replica: fmt.Sprint(rng.IntN(3)),
				}, now)
			}
			parts = append(parts, Book{fmt.Sprint(rng.IntN(2)): h})
		}
		var want Book
		for range 4 {
			rng.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
			got := Book{}
			for _, p := range parts {
				got.Merge(p)
				if changed := got.Merge(p); len(changed) != 0 {
					t.Fatalf("merged a second time, %v changed", changed)
				}
			}
			if want == nil {
				want = got
			}
			for name := range want {
				if !want[name].Equal(got[name]) || len(want) != len(got) {
					t.Fatalf("merged in another order:\n%v\n%v", want, got)
				}
				if len(got[name]) > Keep {
					t.Fatalf("%d changes are kept", len(got[name]))
				}
			}
		}
	}
}
