package engine

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

func TestAShareOfTheSlotsIsSampled(t *testing.T) {
	for name, test := range map[string]struct {
		share       float64
		least, most int
	}{
		"none": {0, 0, 0}, "one in a hundred": {0.01, 70, 130}, "half": {0.5, 4800, 5200}, "all": {1, 10_000, 10_000},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sc, client, book := scenario(t, 100)
				sc.TraceShare = test.share
				run(t, sc, 100*time.Second)
				sampled := map[[16]byte]bool{}
				for _, s := range client.all() {
					if s.Sampled {
						sampled[s.Trace] = true
					}
				}
				if n := len(sampled); n < test.least || n > test.most {
					t.Errorf("%d of 10,000 slots are sampled, want %d to %d", n, test.least, test.most)
				}
				for _, o := range book.outcomes {
					if o.Sampled != sampled[o.Trace] {
						t.Fatal("an outcome is not sampled as its request was")
					}
				}
			})
		})
	}
}

func TestAllReplicasSampleTheSameSlots(t *testing.T) {
	sampled := func() (slots []uint64) {
		synctest.Test(t, func(t *testing.T) {
			sc, client, _ := scenario(t, 100)
			sc.TraceShare = 0.1
			run(t, sc, 10*time.Second)
			for _, s := range client.all() {
				if s.Sampled {
					slots = append(slots, s.Seq)
				}
			}
		})
		slices.Sort(slots)
		return slots
	}
	one, other := sampled(), sampled()
	if len(one) == 0 || !slices.Equal(one, other) {
		t.Errorf("one replica samples %v, and another %v", one, other)
	}
}

func TestARaisedShareKeepsTheSlotsThatWereSampled(t *testing.T) {
	slots := newLine(t, timeline.Options{Name: "test", Shape: timeline.Steady{Rate: 100}}).Segment(time.Now())
	for seq := range uint64(10_000) {
		if hash := slots.Slot(seq).Hash; Sampled(hash, 0.01) && !Sampled(hash, 0.1) {
			t.Fatalf("slot %d is sampled of 1%%, and not of 10%%", seq)
		}
	}
}

func TestAllRequestsOfASlotAreSampledOrNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, _, p := paired(t, 10, request(), wait(time.Second), request())
		sc.TraceShare = 0.5
		p.candidateFirst = odd
		client.respondAfter = func(protocol.Request) time.Duration { return 10 * time.Millisecond }
		run(t, sc, 20*time.Second)
		var all [2]int
		for seq, requests := range bySlot(client) {
			for _, s := range requests {
				if s.Sampled != requests[0].Sampled {
					t.Fatalf("slot %d: one request is sampled, and another is not", seq)
				}
			}
			if requests[0].Sampled {
				all[1]++
			} else {
				all[0]++
			}
		}
		if all[0] == 0 || all[1] == 0 {
			t.Errorf("%d slots are sampled, and %d are not", all[1], all[0])
		}
	})
}
