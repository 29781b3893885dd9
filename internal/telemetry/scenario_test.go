package telemetry_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/telemetry"
)

func TestEverySeriesStartsAtZero(t *testing.T) {
	reg, _, _ := open(t, storefront(), plain())
	all := scrape(t, reg)
	want := map[string]float64{
		"traffic_target_rate": 200, "traffic_share_rate": 50,
		"traffic_back_off_ratio":      1,
		"traffic_slo_objective_ratio": 0.999, "traffic_slo_latency_seconds": 0.3,
	}
	for _, s := range all.of("storefront") {
		if s.value != want[s.name] {
			t.Errorf("%s%v = %v, want %v", s.name, s.labels, s.value, want[s.name])
		}
	}
	for name, n := range map[string]int{
		"traffic_request_failures_total":   2 * 12,
		"traffic_request_retries_total":    2,
		"traffic_request_redirects_total":  2,
		"traffic_requests_withheld_total":  2 * (3 + 2),
		"traffic_dns_failures_total":       1,
		"traffic_requests_total":           2,
		"traffic_slots_dropped_total":      10,
		"traffic_slo_requests_total":       4,
		"traffic_request_duration_seconds": 4,
		"traffic_connect_phase_seconds":    3,
	} {
		if got := len(all.of("storefront").where(name)); got != n {
			t.Errorf("%d series of %s, want %d", got, name, n)
		}
	}
}

func TestFinishedCountsEachOutcomeOnce(t *testing.T) {
	reg, _, scenarios := open(t, storefront())
	s := scenarios[0]
	const ms = time.Millisecond
	for _, o := range []engine.Outcome{
		outcome(protocol.ReasonNone, "200", 100*ms, 200*ms),   // Good: exactly the SLO's latency.
		outcome(protocol.ReasonNone, "200", 100*ms, 200*ms+1), // Too late by a nanosecond.
		outcome(protocol.ReasonStatus, "500", ms, ms),
		outcome(protocol.ReasonTimeout, "", ms, 10*time.Second),
		outcome(protocol.ReasonCanceled, "", ms, 50*ms),
		outcome(protocol.ReasonLocal, "", ms, 50*ms),
		outcome(protocol.ReasonDenied, "302", ms, 50*ms),
		ok(1),
	} {
		s.Due(1)
		finish(s, o)
	}
	s.Due(7)
	s.Dropped(engine.DropLate, 4)
	s.Dropped(engine.DropInFlight, 1)

	want := `
# HELP traffic_requests_total Finished requests, by the protocol's code (a status of HTTP or gRPC, the close code of a WebSocket); the code is empty where there was no response.
# TYPE traffic_requests_total counter
traffic_requests_total{code="",request="browse",scenario="storefront"} 3
traffic_requests_total{code="",request="buy",scenario="storefront"} 0
traffic_requests_total{code="200",request="browse",scenario="storefront"} 2
traffic_requests_total{code="200",request="buy",scenario="storefront"} 1
traffic_requests_total{code="302",request="browse",scenario="storefront"} 1
traffic_requests_total{code="500",request="browse",scenario="storefront"} 1
# HELP traffic_slo_requests_total Requests judged against the SLO: good ones succeeded within its latency. Local, denied and canceled failures are not judged.
# TYPE traffic_slo_requests_total counter
traffic_slo_requests_total{good="false",request="browse",scenario="storefront"} 3
traffic_slo_requests_total{good="false",request="buy",scenario="storefront"} 0
traffic_slo_requests_total{good="true",request="browse",scenario="storefront"} 1
traffic_slo_requests_total{good="true",request="buy",scenario="storefront"} 1
# HELP traffic_slots_due_total Slots of this replica's share whose time has come.
# TYPE traffic_slots_due_total counter
traffic_slots_due_total{scenario="storefront"} 15
# HELP traffic_slots_dropped_total Slots that came due and were not sent, by reason.
# TYPE traffic_slots_dropped_total counter
traffic_slots_dropped_total{reason="back_off",scenario="storefront"} 0
traffic_slots_dropped_total{reason="daily_limit",scenario="storefront"} 0
traffic_slots_dropped_total{reason="in_flight",scenario="storefront"} 1
traffic_slots_dropped_total{reason="journeys",scenario="storefront"} 0
traffic_slots_dropped_total{reason="late",scenario="storefront"} 4
traffic_slots_dropped_total{reason="no_descriptors",scenario="storefront"} 0
traffic_slots_dropped_total{reason="no_session",scenario="storefront"} 0
traffic_slots_dropped_total{reason="no_token",scenario="storefront"} 0
traffic_slots_dropped_total{reason="rate_cap",scenario="storefront"} 0
traffic_slots_dropped_total{reason="shutdown",scenario="storefront"} 0
# HELP traffic_slots_finished_total Slots whose request has ended, well or badly.
# TYPE traffic_slots_finished_total counter
traffic_slots_finished_total{scenario="storefront"} 8
# HELP traffic_slots_in_flight Slots that have come due and have not ended yet.
# TYPE traffic_slots_in_flight gauge
traffic_slots_in_flight{scenario="storefront"} 2
`
	names := []string{
		"traffic_requests_total", "traffic_slo_requests_total", "traffic_slots_due_total",
		"traffic_slots_dropped_total", "traffic_slots_finished_total", "traffic_slots_in_flight",
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}

	all := scrape(t, reg)
	for _, reason := range []string{"status", "timeout", "canceled", "local", "denied"} {
		one := all.one(t, "traffic_request_failures_total", "request", "browse", "reason", reason)
		if one.value != 1 {
			t.Errorf("%v failures for %s, want 1", one.value, reason)
		}
	}
	if got := all.where("traffic_request_failures_total").sum(); got != 5 {
		t.Errorf("%v failures in all, want 5", got)
	}
	for _, tc := range []struct {
		name       string
		labels     []string
		count, sum float64
	}{
		// A failure of our own is in none of the durations.
		{"traffic_request_duration_seconds", []string{"request", "browse", "outcome", "success"}, 2, 0.6},
		{"traffic_request_duration_seconds", []string{"request", "browse", "outcome", "failure"}, 2, 10.003},
		{"traffic_request_service_seconds", []string{"request", "browse"}, 4, 10.401},
		{"traffic_send_delay_seconds", nil, 8, 0.206},
	} {
		got := all.one(t, tc.name, tc.labels...)
		if got.value != tc.count || got.sum < tc.sum-1e-6 || got.sum > tc.sum+1e-6 {
			t.Errorf("%s%v: %v observations with sum %v, want %v and %v",
				tc.name, tc.labels, got.value, got.sum, tc.count, tc.sum)
		}
	}
}

func TestClassicBucketAtTheSLOAgreesWithTheVerdicts(t *testing.T) {
	// Latencies for which sums of seconds and nanoseconds round in different ways.
	for _, latency := range []time.Duration{300 * time.Millisecond, 2300 * time.Millisecond, 4100000001, 8999999999} {
		t.Run("SLO of "+latency.String(), func(t *testing.T) {
			spec := storefront()
			spec.SLO.Latency = latency
			reg, _, scenarios := open(t, spec)
			for off := range time.Duration(5) {
				finish(scenarios[0], outcome(protocol.ReasonNone, "200", 0, latency+off-2))
			}
			all := scrape(t, reg)
			h := all.one(t, "traffic_request_duration_seconds", "request", "browse", "outcome", "success")
			for i, bound := range h.bounds {
				if bound == latency.Seconds() && h.cumulative[i] != 3 {
					t.Errorf("%d requests up to %v, want 3", h.cumulative[i], bound)
				}
			}
			if good := all.where("traffic_slo_requests_total", "good", "true").sum(); good != 3 {
				t.Errorf("%v good requests, want 3", good)
			}
		})
	}
}

func TestHistogramsAreNativeAndClassicAtOnce(t *testing.T) {
	reg, _, scenarios := open(t, storefront(), plain())
	for _, s := range scenarios {
		finish(s, ok(0))
		finish(s, outcome(protocol.ReasonReset, "", -time.Second, 0)) // A disturbed clock.
		s.Opened(protocol.Phases{Protocol: protocol.HTTP2, DNS: time.Millisecond, Connect: time.Millisecond, TLS: time.Millisecond})
	}
	all := scrape(t, reg)
	for _, s := range all {
		if s.kind != "histogram" || s.value == 0 {
			continue
		}
		if s.sum < 0 {
			t.Errorf("%s%v has the sum %v, which would look like a reset", s.name, s.labels, s.sum)
		}
		if len(s.bounds) < 11 {
			t.Errorf("%s%v has %d classic buckets, want more", s.name, s.labels, len(s.bounds))
		}
		if s.native != uint64(s.value) {
			t.Errorf("%s%v has %d of %v observations in native buckets", s.name, s.labels, s.native, s.value)
		}
	}
	success := []string{"outcome", "success"}
	a := all.of("storefront").where("traffic_request_duration_seconds", append(success, "request", "browse")...)[0]
	b := all.of("plain").where("traffic_request_duration_seconds", success...)[0]
	if !a.hasNative || !b.hasNative {
		t.Error("there are no native buckets")
	}
	if last := a.bounds[len(a.bounds)-1]; last != 25 {
		t.Errorf("the last bucket of storefront is %v, want 25", last)
	}
	if last := b.bounds[len(b.bounds)-1]; last != 100 {
		t.Errorf("the last bucket of plain is %v, want 100", last)
	}
}

func TestLawOfTheLedgerHoldsInEachScrape(t *testing.T) {
	reg, _, scenarios := open(t, storefront())
	s := scenarios[0]
	const workers, batch = 4, 3
	stop := make(chan struct{})
	var done sync.WaitGroup
	for w := range workers {
		done.Go(func() {
			for i := w; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				s.Due(batch)
				s.Dropped(engine.DropReason(i%engine.NumDropReasons), batch-1)
				finish(s, ok(i%2))
			}
		})
	}
	before := -1.0
	for range 200 {
		all := scrape(t, reg)
		due := all.one(t, "traffic_slots_due_total").value
		finished := all.one(t, "traffic_slots_finished_total").value
		dropped := all.where("traffic_slots_dropped_total").sum()
		inFlight := all.one(t, "traffic_slots_in_flight").value
		if due != finished+inFlight+dropped {
			t.Fatalf("%v due, %v finished, %v in flight, %v dropped", due, finished, inFlight, dropped)
		}
		// That it is no mere difference: it is what the workers hold just now.
		if inFlight < 0 || inFlight > workers*batch {
			t.Fatalf("%v in flight of at most %v", inFlight, workers*batch)
		}
		if due < before {
			t.Fatalf("%v due after %v", due, before)
		}
		before = due
	}
	close(stop)
	done.Wait()
	all := scrape(t, reg)
	if n := all.one(t, "traffic_slots_in_flight").value; n != 0 {
		t.Errorf("%v in flight in the end", n)
	}
	finished := all.one(t, "traffic_slots_finished_total").value
	for _, name := range []string{
		"traffic_requests_total", "traffic_request_duration_seconds", "traffic_slo_requests_total",
		"traffic_request_service_seconds", "traffic_send_delay_seconds",
	} {
		if n := all.where(name).sum(); n != finished {
			t.Errorf("%s counts %v requests of %v", name, n, finished)
		}
	}
}

func TestConnections(t *testing.T) {
	reg, _, scenarios := open(t, storefront())
	s := scenarios[0]
	// What resolving took is counted when it was done, not with the connection.
	s.Opened(protocol.Phases{Protocol: protocol.HTTP2, DNS: time.Millisecond, Connect: 2 * time.Millisecond, TLS: 3 * time.Millisecond})
	s.Opened(protocol.Phases{Protocol: protocol.HTTP1, Connect: time.Millisecond})
	s.Closed()
	s.Transferred(100, 2000)
	s.Transferred(1, 0)
	s.Transferred(-5, -5)
	s.Resolved(time.Millisecond, nil)
	s.Resolved(time.Second, context.DeadlineExceeded)
	s.Outdated()
	s.FileFailed()
	all := scrape(t, reg)
	for name, want := range map[string]float64{
		"traffic_open_connections":     1,
		"traffic_sent_bytes_total":     101,
		"traffic_received_bytes_total": 2000,
		"traffic_dns_failures_total":   1,

		"traffic_dns_outdated_connections_total": 1,
		"traffic_file_reload_failures_total":     1,
	} {
		if got := all.one(t, name).value; got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
	for _, name := range []string{protocol.HTTP1, protocol.HTTP2} {
		if got := all.one(t, "traffic_connections_opened_total", "protocol", name).value; got != 1 {
			t.Errorf("%v connections of %s, want 1", got, name)
		}
	}
	for phase, want := range map[string]float64{"dns": 2, "connect": 2, "tls": 1} {
		if got := all.one(t, "traffic_connect_phase_seconds", "phase", phase).value; got != want {
			t.Errorf("%v observations of %s, want %v", got, phase, want)
		}
	}
}

func TestRequestsOnTheWireAreCountedByKind(t *testing.T) {
	reg, _, scenarios := open(t, storefront())
	s := scenarios[0]
	for i := range protocol.NumExtras {
		for range i + 1 {
			s.Extra(0, protocol.Extra(i))
		}
		for why := range engine.NumWithheldReasons {
			for range 10*i + why + 1 {
				s.Withheld(1, protocol.Extra(i), engine.WithheldReason(why))
			}
		}
	}
	all := scrape(t, reg)
	for _, tc := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"traffic_request_retries_total", []string{"request", "browse"}, 1 + 4}, // Transparent ones too.
		{"traffic_request_retries_total", []string{"request", "buy"}, 0},
		{"traffic_request_redirects_total", []string{"request", "browse"}, 2},
		{"traffic_requests_withheld_total", []string{"request", "buy", "kind", "retry", "reason", "rate_cap"}, 1 + 31},
		{"traffic_requests_withheld_total", []string{"request", "buy", "kind", "retry", "reason", "retry_budget"}, 2},
		{"traffic_requests_withheld_total", []string{"request", "buy", "kind", "retry", "reason", "shutdown"}, 4 + 34},
		{"traffic_requests_withheld_total", []string{"request", "buy", "kind", "redirect", "reason", "rate_cap"}, 11},
		{"traffic_requests_withheld_total", []string{"request", "buy", "kind", "redirect", "reason", "shutdown"}, 14},
		{"traffic_requests_withheld_total", []string{"request", "browse", "kind", "retry", "reason", "rate_cap"}, 0},
	} {
		if got := all.one(t, tc.name, tc.labels...).value; got != tc.want {
			t.Errorf("%s%v = %v, want %v", tc.name, tc.labels, got, tc.want)
		}
	}
}

func TestJourneysAreCounted(t *testing.T) {
	reg, _, scenarios := open(t, visits())
	s := scenarios[0]
	for range 3 {
		s.JourneyBegan(0)
	}
	s.JourneyBegan(1) // A single request with placeholders has no series of its own.
	s.JourneyEnded(0, engine.JourneySuccess, 90*time.Second)
	s.JourneyEnded(0, engine.JourneyFailure, time.Second)
	s.JourneyEnded(1, engine.JourneySuccess, time.Second)
	s.Skipped(1)
	s.CheckFailed(1, 1)
	s.Withheld(1, protocol.Step, engine.WithheldInFlight)
	all := scrape(t, reg)
	for _, tc := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"traffic_journeys_in_progress", nil, 1},
		{"traffic_journey_duration_seconds", []string{"journey", "visit", "outcome", "success"}, 1},
		{"traffic_journey_duration_seconds", []string{"journey", "visit", "outcome", "failure"}, 1},
		{"traffic_journey_duration_seconds", []string{"journey", "visit", "outcome", "withheld"}, 0},
		{"traffic_steps_skipped_total", []string{"request", "visit/cart"}, 1},
		{"traffic_steps_skipped_total", []string{"request", "visit/home"}, 0},
		{"traffic_check_failures_total", []string{"request", "visit/cart", "check", "size"}, 1},
		{"traffic_check_failures_total", []string{"request", "visit/cart", "check", "json total"}, 0},
		{"traffic_requests_withheld_total", []string{"request", "visit/cart", "kind", "step", "reason", "in_flight"}, 1},
	} {
		if got := all.one(t, tc.name, tc.labels...).value; got != tc.want {
			t.Errorf("%s%v = %v, want %v", tc.name, tc.labels, got, tc.want)
		}
	}
}

func TestWhatIsNoMoreInAJourneyHasNoSeries(t *testing.T) {
	reg, m, _ := open(t, visits())
	spec := visits()
	spec.Requests, spec.Journeys = []string{"tour/home", "visit/cart", "ping"}, []string{"tour", ""}
	spec.Checks = [][]string{nil, {"size"}}
	add(t, m, spec)
	all := scrape(t, reg)
	for name, want := range map[string][]string{
		"traffic_journey_duration_seconds": {"`tour`"}, "traffic_check_failures_total": {"`size`"}, "traffic_steps_skipped_total": {"`tour/home`"},
	} {
		label := map[string]string{"traffic_journey_duration_seconds": "journey", "traffic_check_failures_total": "check", "traffic_steps_skipped_total": "request"}[name]
		if got := all.where(name).values(label); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func TestCodes(t *testing.T) {
	t.Run("beyond the limit they are counted together", func(t *testing.T) {
		reg, _, scenarios := open(t, plain())
		const sent = telemetry.MaxCodes + 50
		for i := range sent {
			for range 2 {
				finish(scenarios[0], outcome(protocol.ReasonNone, fmt.Sprint("code ", i), 0, time.Millisecond))
			}
		}
		all := scrape(t, reg).where("traffic_requests_total")
		if want := telemetry.MaxCodes + 1; len(all) != want {
			t.Errorf("%d series, want %d", len(all), want)
		}
		if n := all.where("traffic_requests_total", "code", "other").sum(); n != 2*51 {
			t.Errorf("%v others, want %v", n, 2*51)
		}
		if all.sum() != 2*sent {
			t.Errorf("%v requests in all, want %v", all.sum(), 2*sent)
		}
	})
	t.Run("one that is not text is counted as other", func(t *testing.T) {
		reg, _, scenarios := open(t, plain())
		finish(scenarios[0], outcome(protocol.ReasonNone, "\xff", 0, time.Millisecond))
		if n := scrape(t, reg).one(t, "traffic_requests_total", "code", "other").value; n != 1 {
			t.Errorf("%v others, want 1", n)
		}
	})
	t.Run("one that many meet first at once has one series", func(t *testing.T) {
		reg, _, scenarios := open(t, plain())
		var done sync.WaitGroup
		for range 8 {
			done.Go(func() {
				for i := range 50 {
					finish(scenarios[0], outcome(protocol.ReasonNone, fmt.Sprint(200+i), 0, time.Millisecond))
				}
			})
		}
		done.Wait()
		for i := range 50 {
			if n := scrape(t, reg).one(t, "traffic_requests_total", "code", fmt.Sprint(200+i)).value; n != 8 {
				t.Fatalf("%v requests of code %d, want 8", n, 200+i)
			}
		}
	})
}
