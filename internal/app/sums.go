package app

import (
	"math"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/fleet"
	"github.com/traffic-exporter/traffic_exporter/internal/history"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// sumsEvery is how often a replica shares its figures with the others.
const sumsEvery = 5 * time.Second

// sums are the fleet's figures: what each member shared last.
type sums struct {
	fleet    *fleet.Fleet
	store    *history.Store
	reloader *reloader
	shared   time.Time
}

// share shares this replica's figures, if it is time to.
func (s *sums) share(now time.Time) {
	if now.Sub(s.shared) < sumsEvery {
		return
	}
	s.shared = now
	scenarios := s.reloader.current().Scenarios
	if len(scenarios) > fleet.MaxFigures {
		return // Half a sum would be worse than none.
	}
	figures := map[string]fleet.Figures{}
	for _, sc := range scenarios {
		if h := s.store.Scenario(sc.Name); h != nil {
			figures[sc.Name] = figuresOf(h, now)
		}
	}
	s.fleet.Totals().Publish(now, figures)
}

// others returns a function that returns what the other members that send do for a scenario; nil
// where that is not known of all of them. What it returns holds until it is called again.
func (s *sums) others(now time.Time) func(scenario string) *history.Flow {
	all, missing := s.fleet.Totals().Of(now)
	if len(missing) > 0 || len(s.reloader.current().Scenarios) > fleet.MaxFigures {
		return func(string) *history.Flow { return nil }
	}
	sum := &history.Flow{}
	return func(scenario string) *history.Flow {
		*sum = history.Flow{}
		for _, m := range all {
			if m.ID != s.fleet.ID() {
				addFigures(sum, m.Figures[scenario])
			}
		}
		return sum
	}
}

// figuresOf returns this replica's figures of a scenario as it shares them.
func figuresOf(h *history.Scenario, now time.Time) fleet.Figures {
	r := h.Recent(now)
	good, bad, since := h.Budget()
	f := fleet.Figures{
		Sent: float32(finite(r.Flow.Sent)), Ended: float32(finite(r.Flow.Ended)), Users: float32(finite(r.Flow.Users)), Delay: float32(finite(r.Delay)),
		Good: finite(good), Bad: finite(bad), Since: since.Unix(), Buckets: fleet.Buckets(r.Buckets.Fit(fleet.MaxFigureBuckets)),
		DroppedFor: map[string]float32{}, FailedFor: map[string]float32{},
	}
	for i, n := range r.Flow.Dropped {
		if n > 0 {
			f.DroppedFor[engine.DropReason(i).String()] = float32(finite(n))
		}
	}
	for i, n := range r.Flow.Failed {
		if n > 0 {
			f.FailedFor[protocol.Reason(i).String()] = float32(finite(n))
		}
	}
	return f
}

// addFigures adds the figures that a member has shared. What cannot be summed is left out.
func addFigures(flow *history.Flow, f fleet.Figures) {
	flow.Sent += finite(f.Sent)
	flow.Ended += finite(f.Ended)
	flow.Users += finite(f.Users)
	for i := range flow.Dropped {
		flow.Dropped[i] += finite(f.DroppedFor[engine.DropReason(i).String()])
	}
	for i := range flow.Failed {
		flow.Failed[i] += finite(f.FailedFor[protocol.Reason(i).String()])
	}
	flow.Observe(history.Buckets(f.Buckets), finite(f.Ended))
}

// finite returns a figure, which of another member may be anything, if it can be summed.
func finite[F float32 | float64](v F) float64 {
	if f := float64(v); f > 0 && !math.IsInf(f, 0) {
		return f
	}
	return 0
}
