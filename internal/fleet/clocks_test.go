package fleet

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// heardFrom returns clocks that have heard from members whose clocks are behind this
// one by these, each heartbeat with 20 to 400 ms on its way.
func heardFrom(behind ...time.Duration) clocks {
	rng := rand.New(rand.NewPCG(1, 2))
	c := clocks{}
	for i, d := range behind {
		for range 100 {
			c.add(fmt.Sprint(i), d+20*time.Millisecond+time.Duration(rng.Int64N(int64(380*time.Millisecond))))
		}
	}
	return c
}

func TestASkewIsFoundBehindTheNoiseOfTheWay(t *testing.T) {
	for name, tc := range map[string]struct {
		behind []time.Duration
		want   time.Duration
		doubt  bool
	}{
		"alone":                  {nil, 0, false},
		"in step":                {[]time.Duration{0, 0, 0}, 0, false},
		"half a second ahead":    {[]time.Duration{500 * time.Millisecond, 500 * time.Millisecond}, 500 * time.Millisecond, false},
		"one of the others off":  {[]time.Duration{0, -time.Minute, 0}, 0, false},
		"far ahead":              {[]time.Duration{time.Minute, time.Minute, time.Minute}, time.Minute, true},
		"far behind":             {[]time.Duration{-time.Minute, -time.Minute}, -time.Minute, true},
		"two cannot tell who":    {[]time.Duration{time.Minute}, time.Minute, false},
		"half is not a majority": {[]time.Duration{time.Minute, time.Minute, 0}, time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := heardFrom(tc.behind...)
			if got := c.median(); (got - tc.want).Abs() > 150*time.Millisecond {
				t.Errorf("ahead by %v, want about %v", got, tc.want)
			}
			if doubt := c.doubt(); (doubt != "") != tc.doubt || tc.doubt && !strings.Contains(doubt, "clock") {
				t.Errorf("doubt %q", doubt)
			}
		})
	}
}

func TestTheWayDoesNotCountAsSkew(t *testing.T) {
	f, err := New(gossip(t, 1)[0])
	if err != nil {
		t.Fatal(err)
	}
	const ms = time.Millisecond
	// All clocks are in step but the last, which is 300 ms ahead; 50 ms on the way.
	f.clocks = clocks{}
	for id, ahead := range map[string]time.Duration{"b": 50 * ms, "c": 50 * ms, "d": -250 * ms} {
		f.clocks.add(id, ahead)
		f.profiles[id] = profile{ahead: 50 * ms}
	}
	f.profiles["d"] = profile{ahead: 350 * ms}
	s := f.Status()
	if s.Skew.Abs() > ms {
		t.Errorf("this replica's clock is said to be ahead by %v", s.Skew)
	}
	if way := f.way(); way != 50*ms {
		t.Errorf("the way is said to take %v", way)
	}
}
