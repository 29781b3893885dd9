package telemetry_test

import (
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/compare"
	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

func TestWhatComesOfPairsIsCounted(t *testing.T) {
	reg, m, all := open(t, twofold())
	c := all[0].Comparison()
	c.Compared(compare.Verdict{Result: compare.Same, Base: 10 * time.Millisecond, Candidate: 30 * time.Millisecond})
	c.Compared(compare.Verdict{Result: compare.Status})
	c.Skipped(compare.SkipBackOff)
	c.Withheld(protocol.Step, engine.WithheldInFlight)
	c.Withheld(protocol.Retry, engine.WithheldInFlight)
	c.Extra(protocol.Redirect)
	c.Exchanged(engine.Outcome{Result: protocol.Result{Reason: protocol.ReasonTimeout}})
	for series, want := range map[[2]string]float64{
		{"traffic_compare_requests_total", "same"}:              1,
		{"traffic_compare_requests_total", "status"}:            1,
		{"traffic_compare_requests_total", "body"}:              0,
		{"traffic_compare_skipped_total", "back_off"}:           1,
		{"traffic_compare_skipped_total", "in_flight"}:          1,
		{"traffic_compare_candidate_extras_total", "redirect"}:  1,
		{"traffic_compare_candidate_failures_total", "timeout"}: 1,
		{"traffic_compare_candidate_requests_total", ""}:        1,
	} {
		got, found := 0.0, false
		for _, s := range scrape(t, reg).where(series[0]) {
			if l := s.labels; series[1] == "" || l["result"] == series[1] || l["reason"] == series[1] || l["kind"] == series[1] {
				got, found = got+s.value, true
			}
		}
		if !found || got != want {
			t.Errorf("%v is %v, found %t, want %v", series, got, found, want)
		}
	}
	without := twofold()
	without.Compared = nil
	add(t, m, without)
	if left := scrape(t, reg).where("traffic_compare_requests_total"); len(left) > 0 {
		t.Errorf("a scenario that is no longer compared still has %d series", len(left))
	}
}
