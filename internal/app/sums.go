package app

import (
	"math"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/fleet"
	"github.com/traffic-exporter/traffic_exporter/internal/history"
)

// sumsEvery is how often a replica tells the others its figures.
const sumsEvery = 5 * time.Second

// sums are the fleet's figures: what each member told last.
type sums struct {
	fleet    *fleet.Fleet
	store    *history.Store
	reloader *reloader
	told     time.Time
}

// tell tells the others this replica's figures, if it is time to.
func (s *sums) tell(now time.Time) {
	if now.Sub(s.told) < sumsEvery {
		return
	}
	s.told = now
	scenarios := s.reloader.current().Scenarios
	if len(scenarios) > fleet.MaxFigures {
		return // Half a sum would be worse than none.
	}
	figures := map[string]fleet.Figures{}
	for _, sc := range scenarios {
		h := s.store.Scenario(sc.Name)
		if h == nil {
			continue
		}
		r := h.Recent(now)
		per := func(n uint64) float32 { return float32(float64(n) / max(1e-3, r.Over.Seconds())) }
		figures[sc.Name] = fleet.Figures{
			Sent: float32(r.Sent), Ended: per(r.Ended), Failed: per(r.Counts.FailedSum()), Dropped: per(r.Counts.DroppedSum()),
			Buckets: fleet.Buckets(r.Buckets),
		}
	}
	s.fleet.Totals().Tell(now, figures)
}

// others returns what the other live members send per second, by scenario; NaN if that is not
// known of all.
func (s *sums) others(now time.Time) func(scenario string) float64 {
	all, missing := s.members(now)
	return func(scenario string) float64 {
		if missing {
			return math.NaN()
		}
		sum := 0.0
		for _, m := range all {
			if m.ID != s.fleet.ID() {
				sum += float64(m.Figures[scenario].Sent)
			}
		}
		return sum
	}
}

// members returns the figures of the members that send, and whether those of one are missing.
func (s *sums) members(now time.Time) (all []fleet.MemberFigures, missing bool) {
	return s.fleet.Totals().Of(now)
}
