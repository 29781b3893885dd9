package telemetry_test

import (
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/telemetry"
)

// record is what the sending path does for each slot.
func record(s *telemetry.Scenario, o engine.Outcome) {
	s.Due(1)
	finish(s, o)
}

// typical is an outcome with a trace id. Some of these get an exemplar.
func typical() engine.Outcome {
	o := ok(0)
	o.Trace, o.Sampled = [16]byte{1, 2, 3}, true
	return o
}

func TestRecordingDoesNotAllocate(t *testing.T) {
	_, _, scenarios := open(t, storefront())
	failed := outcome(protocol.ReasonStatus, "500", time.Millisecond, 10*time.Millisecond)
	// The first calls create native buckets and codes, and take an exemplar.
	record(scenarios[0], typical())
	record(scenarios[0], failed)
	scenarios[0].Opened(protocol.Phases{Protocol: protocol.HTTP1, Connect: time.Millisecond})
	o := typical()
	allocs := testing.AllocsPerRun(1000, func() {
		record(scenarios[0], o)
		record(scenarios[0], failed)
		scenarios[0].Dropped(engine.DropLate, 1)
		scenarios[0].Opened(protocol.Phases{Protocol: protocol.HTTP1, Connect: time.Millisecond})
		scenarios[0].Transferred(100, 100)
		scenarios[0].Closed()
	})
	if allocs != 0 {
		t.Errorf("%v allocations per slot, want none", allocs)
	}
}

func BenchmarkRecord(b *testing.B) {
	_, _, scenarios := open(b, storefront())
	o := typical()
	b.ReportAllocs()
	for b.Loop() {
		record(scenarios[0], o)
	}
}

func BenchmarkRecordParallel(b *testing.B) {
	_, _, scenarios := open(b, storefront())
	o := typical()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			record(scenarios[0], o)
		}
	})
}

// BenchmarkRecordWithExemplars is the price of keeping an exemplar of each request.
func BenchmarkRecordWithExemplars(b *testing.B) {
	_, _, scenarios := open(b, storefront())
	o := typical()
	b.ReportAllocs()
	for b.Loop() {
		o.Result.Sent = o.Result.Sent.Add(2 * time.Second)
		o.Result.Done = o.Result.Done.Add(2 * time.Second)
		record(scenarios[0], o)
	}
}

func BenchmarkScrape(b *testing.B) {
	reg, _, scenarios := open(b, storefront(), plain())
	record(scenarios[0], typical())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := reg.Gather(); err != nil {
			b.Fatal(err)
		}
	}
}
