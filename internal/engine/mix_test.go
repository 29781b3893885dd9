package engine

import (
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/share"
)

func TestEntryFollowsTheWeights(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		weights := make([]uint32, 1+rnd.IntN(6))
		total := 0.0
		for i := range weights {
			if rnd.IntN(4) > 0 {
				weights[i] = rnd.Uint32() >> rnd.IntN(32)
			}
			total += float64(weights[i])
		}
		if total == 0 {
			continue
		}
		const draws = 10_000
		m := newMix(weighted(weights...))
		counts := make([]int, len(weights))
		for range draws {
			counts[m.entry(rnd.Uint64())]++
		}
		for i, n := range counts {
			p := float64(weights[i]) / total
			if want, sigma := draws*p, math.Sqrt(draws*p*(1-p)); math.Abs(float64(n)-want) > 5*sigma+1e-9 {
				t.Errorf("weights %v: entry %d was chosen %d times, want about %.0f", weights, i, n, want)
			}
		}
	}
}

func TestEntryAtTheEdges(t *testing.T) {
	for name, tc := range map[string]struct {
		weights []uint32
		hash    uint64
		want    int
	}{
		"no weights":           {nil, 1 << 63, 0},
		"one entry":            {[]uint32{5}, math.MaxUint64, 0},
		"all weights zero":     {[]uint32{0, 0}, math.MaxUint64, 0},
		"least hash":           {[]uint32{0, 1, 1}, 0, 1},
		"greatest hash":        {[]uint32{1, 1, 0}, math.MaxUint64, 1},
		"just below the cut":   {[]uint32{1, 1}, 1<<63 - 1, 0},
		"on the cut":           {[]uint32{1, 1}, 1 << 63, 1},
		"the greatest weights": {[]uint32{math.MaxUint32, math.MaxUint32}, math.MaxUint64, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := newMix(weighted(tc.weights...)).entry(tc.hash); got != tc.want {
				t.Errorf("entry %d, want %d", got, tc.want)
			}
		})
	}
}

func TestTheMixIsTheSameOnEveryReplicaAndInEveryPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, alone, _ := scenario(t, 500)
		sc.Entries = weighted(1, 0, 9)
		parts := &fake{}
		e := newEngine(Options{})
		e.Apply([]Scenario{sc})
		view := share.NewView([]share.Member{{ID: "a", Weight: 1}, {ID: "b", Weight: 3}})
		members := replicas(sc, parts, view)
		time.Sleep(40 * time.Second)
		stop(t, e)
		for _, m := range members {
			stop(t, m)
		}

		entries := map[uint64]int{}
		var counts [3]float64
		for _, s := range alone.all() {
			entries[s.Seq] = s.Entry
			counts[s.Entry]++
		}
		// 20,000 draws: five standard deviations are 212.
		if math.Abs(counts[0]-2000) > 212 || counts[1] != 0 {
			t.Errorf("entries %v, want about 2,000, 0 and 18,000", counts)
		}
		for _, s := range parts.all() {
			if entries[s.Seq] != s.Entry {
				t.Fatalf("slot %d is entry %d in a fleet, %d alone", s.Seq, s.Entry, entries[s.Seq])
			}
		}
	})
}

// replicas starts an engine for each member of a view, all with one client.
func replicas(sc Scenario, client *fake, view share.View) []*Engine {
	var engines []*Engine
	for _, m := range view.Members() {
		arc := view.Arc(m.ID)
		part := sc
		part.Client = client
		e := newEngine(Options{Arcs: arcsFunc(func(time.Time) share.Arc { return arc })})
		e.Apply([]Scenario{part})
		engines = append(engines, e)
	}
	return engines
}

// weighted returns entries with these weights. Each sends the client's entry of its index.
func weighted(weights ...uint32) []Entry {
	var entries []Entry
	for i, w := range weights {
		entries = append(entries, Entry{Weight: w, Request: i})
	}
	return entries
}
