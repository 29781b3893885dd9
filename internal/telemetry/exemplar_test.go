package telemetry_test

import (
	"encoding/hex"
	"slices"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/telemetry"
)

func TestSampler(t *testing.T) {
	const ms = time.Millisecond
	type request struct {
		at, latency time.Duration
		want        bool
	}
	for _, tc := range []struct {
		name     string
		requests []request
	}{
		{"takes one a second", []request{
			{0, 10 * ms, true},
			{1 * ms, 10 * ms, false},
			{999 * ms, 9 * ms, false},
			{1000 * ms, 9 * ms, true},
			{1001 * ms, 10 * ms, false},
			{60 * time.Second, ms, true},
		}},
		{"takes the slowest at once", []request{
			{0, 10 * ms, true}, {1 * ms, 20 * ms, true}, {2 * ms, 15 * ms, false}, {3 * ms, 40 * ms, true},
		}},
		{"takes no steps of less than a tenth", []request{
			{0, 100 * ms, true}, {1 * ms, 105 * ms, false}, {2 * ms, 110 * ms, false}, {3 * ms, 111 * ms, true},
		}},
		{"counts the time from the last one, whatever its cause", []request{
			{0, 10 * ms, true}, {900 * ms, 20 * ms, true}, {1500 * ms, 10 * ms, false}, {1900 * ms, 10 * ms, true},
		}},
		{"forgets the slowest after a minute", []request{
			{0, time.Second, true},
			{59 * time.Second, 10 * ms, true},
			{59*time.Second + ms, 500 * ms, false},
			{60 * time.Second, 10 * ms, true},
			{60*time.Second + ms, 500 * ms, true},
		}},
		{"takes requests out of order", []request{
			{time.Second, 10 * ms, true}, {900 * ms, 10 * ms, false}, {-time.Hour, 5 * ms, false},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			base := time.Now()
			take := telemetry.NewTake(base, time.Second)
			for i, r := range tc.requests {
				if got := take(base.Add(r.at), r.latency); got != r.want {
					t.Errorf("request %d, of %v at %v: %v, want %v", i, r.latency, r.at, got, r.want)
				}
			}
		})
	}
}

func TestSamplerIsBoundedWhileLatencyClimbs(t *testing.T) {
	base := time.Now()
	take := telemetry.NewTake(base, time.Second)
	taken := 0
	for i := range 100_000 {
		if take(base.Add(time.Duration(i)*time.Microsecond), time.Duration(1000+i)*time.Microsecond) {
			taken++
		}
	}
	// From 1 ms to 101 ms are 49 steps of a tenth.
	if taken < 40 || taken > 50 {
		t.Errorf("%d exemplars of 100,000 requests", taken)
	}
}

func TestExemplars(t *testing.T) {
	trace := func(b byte) [16]byte { return [16]byte{15: b} }
	id := func(b byte) string { tr := trace(b); return hex.EncodeToString(tr[:]) }
	start := time.Now()
	// Latencies fall, so that only the first is the slowest one.
	at := func(after time.Duration, latency time.Duration, reason protocol.Reason, tr byte) engine.Outcome {
		o := outcome(reason, "200", 0, latency)
		o.Trace, o.Sampled = trace(tr), tr > 0
		o.Result.Done = start.Add(after)
		o.Result.Sent = o.Result.Done.Add(-latency)
		return o
	}
	const ms = time.Millisecond
	reg, _, scenarios := open(t, plain())
	for _, o := range []engine.Outcome{
		at(0, 900*ms, protocol.ReasonNone, 0), // Not sampled.
		at(0, 90*ms, protocol.ReasonNone, 1),
		at(500*ms, 40*ms, protocol.ReasonNone, 2), // Too soon.
		at(500*ms, 90*ms, protocol.ReasonStatus, 3),
		at(550*ms, 40*ms, protocol.ReasonStatus, 4), // Too soon, even for a failure.
		at(600*ms, 20*ms, protocol.ReasonStatus, 5),
		at(1000*ms, 20*ms, protocol.ReasonNone, 6),
		at(2000*ms, 9*ms, protocol.ReasonCanceled, 7), // Not observed.
	} {
		finish(scenarios[0], o)
	}
	all := scrape(t, reg)
	for outcome, want := range map[string][]string{
		"success": {id(1), id(6)},
		"failure": {id(3), id(5)},
	} {
		got := all.one(t, "traffic_request_duration_seconds", "outcome", outcome).traces
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("exemplars of %s are %v, want %v", outcome, got, want)
		}
	}
	for _, s := range all {
		if s.name != "traffic_request_duration_seconds" && len(s.traces) > 0 {
			t.Errorf("%s has exemplars", s.name)
		}
	}
	if len(id(1)) != 32 {
		t.Errorf("a trace id has %d digits, want 32", len(id(1)))
	}
}
