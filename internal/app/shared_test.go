package app

import (
	"math"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/fleet"
	"github.com/traffic-exporter/traffic_exporter/internal/history"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

func TestFiguresOfOthersAreSummedWhereTheyCanBe(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	sum := &history.Flow{}
	for _, f := range []fleet.Figures{
		{Sent: 3, Ended: 2, Users: 1, DroppedFor: map[string]float32{"late": 1}, FailedFor: map[string]float32{"status": 0.5}, Buckets: fleet.Buckets{100, 7}},
		{Sent: 4, Ended: 4, DroppedFor: map[string]float32{"late": 2, "of a later version": 9}},
		{Sent: nan, Ended: inf, Users: -5, FailedFor: map[string]float32{"status": inf, "timeout": nan}, Buckets: fleet.Buckets{1 << 31, 1, 5}},
		{},
	} {
		addFigures(sum, f)
	}
	if sum.Sent != 7 || sum.Ended != 6 || sum.Users != 1 || sum.Dropped[engine.DropLate] != 3 || sum.DroppedSum() != 3 ||
		sum.Failed[protocol.ReasonStatus] != 0.5 || sum.FailedSum() != 0.5 {
		t.Errorf("the sum is %+v", sum)
	}
	if q := sum.Quantile(0.99); math.IsNaN(q) || math.IsInf(q, 0) {
		t.Errorf("the 99th percentile is %g", q)
	}
}

func TestWhatIsLeftOfABudget(t *testing.T) {
	for _, tc := range []struct{ good, bad, objective, want float64 }{
		{0, 0, 0.99, 1}, {100, 0, 0.99, 1}, {995, 5, 0.99, 0.5}, {990, 10, 0.99, 0}, {98, 2, 0.99, -1},
	} {
		if got := left(tc.good, tc.bad, tc.objective); math.Abs(got-tc.want) > 1e-9 {
			t.Errorf("of %g good and %g bad at %g it is %g, want %g", tc.good, tc.bad, tc.objective, got, tc.want)
		}
	}
}

func TestAListOfNamesIsShort(t *testing.T) {
	for want, names := range map[string][]string{"a": {"a"}, "a, b, c": {"a", "b", "c"}, "a, b, c and 2 more": {"a", "b", "c", "d", "e"}} {
		if got := someOf(names); got != want {
			t.Errorf("%q is %q, want %q", names, got, want)
		}
	}
}
