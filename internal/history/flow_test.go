package history

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// otherwise returns what others do, with latencies of a second: 30 requests per second.
func otherwise() *Flow {
	var h histogram
	h.observe(time.Second)
	var c counts
	h.read(&c)
	f := &Flow{Sent: 30, Ended: 30, Users: 7}
	f.Dropped[engine.DropInFlight], f.Failed[protocol.ReasonStatus] = 2, 3
	f.Observe(sparse(&c), 30)
	return f
}

func TestPointsAreOfTheFleetWhereItIsKnown(t *testing.T) {
	s := New(start)
	r := s.Recorder("shop", Options{Requests: shop.Requests, SLO: shop.SLO, Journeys: true}, nobody{})
	tick := func(i int, others *Flow) {
		r.Due(10)
		for range 10 {
			r.Exchanged(outcome(time.Millisecond, protocol.ReasonNone))
		}
		s.Tick(start.Add(time.Duration(i)*time.Second), func(string) Gauges { return Gauges{Target: 40, Others: others} })
	}
	for i := 1; i <= 60; i++ {
		tick(i, nil)
	}
	for i := 61; i <= 120; i++ {
		if tick(i, otherwise()); i%3 == 0 {
			i++
			tick(i, nil)
		}
	}
	h := s.Scenario("shop")
	for name, want := range map[string][2]float64{
		Sent: {10, 40}, Ended: {10, 40}, Users: {0, 7}, P50: {0.001, 1}, P99: {0.001, 1}, Fleet: {math.NaN(), 1},
		"dropped:in_flight": {math.NaN(), 2}, "failed:status": {math.NaN(), 3}, Good: {10, 10},
	} {
		for i, at := range []int{10, 62} {
			if got := float64(h.Seconds(0).Columns[name][at]); !near(got, want[i]) {
				t.Errorf("%s of second %d is %g, want %g", name, at, got, want[i])
			}
		}
		per := 60.0
		if name == Users || name == P50 || name == P99 || name == Fleet {
			per = 1
		}
		// Unknown values of a few seconds are as in the others.
		for i := range 2 {
			if got := float64(h.Minutes(0).Columns[name][i]); !near(got, per*want[i]) {
				t.Errorf("%s of minute %d is %g, want %g", name, i, got, per*want[i])
			}
		}
	}
}

// near reports whether two figures are the same but for the width of a bucket.
func near(a, b float64) bool {
	return math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) <= 0.07*math.Abs(b)
}

func TestAMinuteOfWhichMostIsUnknownIsOfOneReplica(t *testing.T) {
	var f flows
	for i := range 60 {
		if i < 29 {
			f.add(otherwise())
		} else {
			f.add(nil)
		}
	}
	if got := f.drain(60); got != nil {
		t.Errorf("got %v", got.Sent)
	}
	f.add(otherwise())
	if got := f.drain(1); got == nil || got.Sent != 30 || f.seconds != 0 {
		t.Errorf("got %v", got)
	}
}

func TestAHistogramThatFitsHasTheSameDurationsNearly(t *testing.T) {
	var h histogram
	for range 10_000 {
		h.observe(time.Duration(math.Exp(3*rand.NormFloat64()) * float64(20*time.Millisecond)))
	}
	var c counts
	h.read(&c)
	whole := sparse(&c)
	fits := whole.Fit(128)
	if len(whole) <= 2*128 || len(fits) > 2*128 || fits.Total() != whole.Total() {
		t.Fatalf("%d buckets became %d, and %d durations %d", len(whole)/2, len(fits)/2, whole.Total(), fits.Total())
	}
	for _, q := range []float64{0.1, 0.5, 0.99} {
		if got, want := fits.Quantile(q), whole.Quantile(q); math.Abs(got-want) > 0.13*want {
			t.Errorf("quantile %g is %g, want %g", q, got, want)
		}
	}
	if got := whole.Fit(1000); len(got) != len(whole) {
		t.Error("one that fits was changed")
	}
}

func TestAHistogramOfAnotherMemberMayBeAnything(t *testing.T) {
	f := &Flow{}
	f.Observe(Buckets{9999, 5, 3}, 10)
	f.Observe(nil, 10)
	if got := f.Quantile(0.5); !math.IsNaN(got) {
		t.Errorf("the median of nothing is %g", got)
	}
}
