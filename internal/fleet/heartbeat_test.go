package fleet

import (
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/membership"
)

func TestHeartbeatsAreSentInRounds(t *testing.T) {
	last := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 3000 {
		spread := time.Duration(i%membership.BeatSpread) * time.Millisecond
		now := last.Add(time.Duration(i) * 1234567 * time.Nanosecond)
		next := now.Add(untilNextBeat(now, last, spread))
		if next.Unix() == last.Unix() || !next.After(now) || next.Sub(now) > 2*time.Second {
			t.Fatalf("at %v, after %v, the next heartbeat is at %v", now, last, next)
		}
		into := next.Sub(next.Truncate(time.Second)) - membership.BeatAt*time.Millisecond
		if into < 0 || into >= membership.BeatSpread*time.Millisecond {
			t.Fatalf("the heartbeat at %v is %v into its round", next, into)
		}
		last = next
	}
	// All are heard before the next second is decided, if they take 750 ms at most.
	const late = (membership.BeatAt + membership.BeatSpread) * time.Millisecond
	if deadline := 2*time.Second - lead; late+750*time.Millisecond > deadline {
		t.Errorf("heartbeats until %v into a second are decided on at %v", late, deadline)
	}
}
