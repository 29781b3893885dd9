package telemetry_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/telemetry"
)

func TestNamesKeepTheConventions(t *testing.T) {
	reg, _, _ := open(t, storefront(), plain())
	problems, err := testutil.GatherAndLint(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestReload(t *testing.T) {
	reg, m, _ := open(t)
	state := func() [3]float64 {
		all := scrape(t, reg)
		return [3]float64{
			all.one(t, "traffic_config_last_reload_successful").value,
			all.one(t, "traffic_config_last_reload_success_timestamp_seconds").value,
			all.one(t, "traffic_config_hash").value,
		}
	}
	if got := state(); got != [3]float64{} {
		t.Errorf("before the first: %v, want zeros", got)
	}
	m.ReloadSucceeded(time.UnixMilli(1_800_000_000_500), "abc")
	first := state()
	if first[0] != 1 || first[1] != 1_800_000_000.5 || first[2] <= 0 {
		t.Errorf("after a good one: %v", first)
	}
	m.ReloadFailed()
	if got, want := state(), [3]float64{0, first[1], first[2]}; got != want {
		t.Errorf("after a bad one: %v, want %v", got, want)
	}
	m.ReloadSucceeded(time.UnixMilli(1_800_000_060_000), "abd")
	if got := state(); got[0] != 1 || got[1] != 1_800_000_060 || got[2] == first[2] {
		t.Errorf("after another good one: %v, first %v", got, first)
	}
}

func TestWebConfig(t *testing.T) {
	reg, m, _ := open(t)
	const name = "traffic_web_config_last_reload_successful"
	if n := len(scrape(t, reg).where(name)); n != 0 {
		t.Errorf("%d series without a web configuration", n)
	}
	current := true
	m.WebConfig(func() bool { return current })
	for _, want := range []float64{1, 0, 1} {
		current = want == 1
		if got := scrape(t, reg).one(t, name).value; got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

func TestRemoveDeletesEverySeries(t *testing.T) {
	reg, m, scenarios := open(t, storefront())
	before := len(scrape(t, reg).of(""))
	other := add(t, m, plain())
	finish(other, ok(0))
	finish(scenarios[0], ok(0))
	m.Remove("plain")
	m.Remove("plain") // Not there: ignored.
	other.Due(1)
	finish(other, outcome(protocol.ReasonNone, "299", 0, time.Millisecond)) // Ends late.
	all := scrape(t, reg)
	if n := len(all.of("plain")); n != 0 {
		t.Errorf("%d series are left", n)
	}
	if n := len(all.of("")); n != before {
		t.Errorf("%d series of the process, want %d", n, before)
	}
	if n := all.of("storefront").where("traffic_slots_finished_total").sum(); n != 1 {
		t.Errorf("the other scenario has %v finished, want 1", n)
	}
	add(t, m, plain())
	if n := scrape(t, reg).of("plain").where("traffic_requests_total").sum(); n != 0 {
		t.Errorf("the scenario comes back with %v requests, want 0", n)
	}
}

func TestRemoveAfterAChangeOfShapeDeletesEverySeries(t *testing.T) {
	reg, m, _ := open(t, storefront())
	spec := storefront()
	spec.SLO, spec.Timeout, spec.Requests = nil, time.Hour, []string{"other"}
	add(t, m, spec)
	m.Remove(spec.Name)
	if n := len(scrape(t, reg).of(spec.Name)); n != 0 {
		t.Errorf("%d series are left", n)
	}
}

func TestSameSpecKeepsTheScenario(t *testing.T) {
	reg, m, scenarios := open(t, storefront())
	finish(scenarios[0], ok(0))
	spec := storefront()
	spec.Timeout += time.Second // Of no consequence to the buckets.
	spec.TargetRate = func() float64 { return 300 }
	if add(t, m, spec) != scenarios[0] {
		t.Error("the scenario is another one")
	}
	all := scrape(t, reg)
	if n := all.where("traffic_requests_total").sum(); n != 1 {
		t.Errorf("%v requests, want 1", n)
	}
	if rate := all.one(t, "traffic_target_rate").value; rate != 300 {
		t.Errorf("target rate %v, want the new one, 300", rate)
	}
}

func TestChangeOfShapeKeepsWhatItCan(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*telemetry.ScenarioSpec)
		// The series that remain of one request of each entry.
		requests, durations, verdicts float64
		names                         []string
	}{
		{
			"a request is added", func(s *telemetry.ScenarioSpec) { s.Requests = append(s.Requests, "search") },
			2, 2, 2,
			[]string{"browse", "buy", "search"},
		},
		{
			"the order changes", func(s *telemetry.ScenarioSpec) { slices.Reverse(s.Requests) },
			2, 2, 2,
			[]string{"browse", "buy"},
		},
		{
			"a request is removed", func(s *telemetry.ScenarioSpec) { s.Requests = s.Requests[1:] },
			1, 1, 1,
			[]string{"buy"},
		},
		{
			"the buckets change", func(s *telemetry.ScenarioSpec) { s.Timeout = time.Minute },
			2, 0, 2,
			[]string{"browse", "buy"},
		},
		{
			"the SLO's latency changes", func(s *telemetry.ScenarioSpec) { s.SLO.Latency = time.Minute },
			2, 0, 2,
			[]string{"browse", "buy"},
		},
		{
			"the SLO's objective changes", func(s *telemetry.ScenarioSpec) { s.SLO.Objective = 0.9 },
			2, 2, 2,
			[]string{"browse", "buy"},
		},
		{
			"the SLO is removed", func(s *telemetry.ScenarioSpec) { s.SLO = nil },
			2, 0, 0,
			[]string{"browse", "buy"},
		},
	} {
		t.Run("when "+tc.name, func(t *testing.T) {
			reg, m, scenarios := open(t, storefront())
			old := scenarios[0]
			old.Due(3)
			finish(old, ok(0))
			finish(old, ok(1))
			spec := storefront()
			tc.change(&spec)
			if add(t, m, spec) == old {
				t.Fatal("the scenario is the old one")
			}
			all := scrape(t, reg)
			for name, want := range map[string]float64{
				"traffic_requests_total":           tc.requests,
				"traffic_request_duration_seconds": tc.durations,
				"traffic_request_service_seconds":  tc.durations,
				"traffic_slo_requests_total":       tc.verdicts,
				"traffic_send_delay_seconds":       2,
				"traffic_slots_due_total":          3,
				"traffic_slots_finished_total":     2,
			} {
				if got := all.where(name).sum(); got != want {
					t.Errorf("%s = %v, want %v", name, got, want)
				}
			}
			for _, name := range []string{
				"traffic_requests_total", "traffic_request_failures_total",
				"traffic_request_duration_seconds", "traffic_request_service_seconds",
			} {
				if got := all.requests(name); !slices.Equal(got, tc.names) {
					t.Errorf("%s is of requests %v, want %v", name, got, tc.names)
				}
			}
		})
	}
}

func TestOldScenarioStillCountsAfterAChangeOfShape(t *testing.T) {
	reg, m, scenarios := open(t, storefront())
	old := scenarios[0]
	old.Opened(protocol.Phases{Protocol: protocol.HTTP1})
	old.Due(4)
	spec := storefront()
	spec.Requests = []string{"buy"}
	s := add(t, m, spec)
	s.Opened(protocol.Phases{Protocol: protocol.HTTP1})
	s.Due(1)
	finish(s, ok(0))

	// The requests in flight end: those of the entry that stays, and of the one that is gone,
	// for which a code that it never had before must not bring it back.
	finish(old, ok(1))
	finish(old, ok(0))
	gone := outcome(protocol.ReasonStatus, "418", 0, time.Millisecond)
	finish(old, gone)
	old.Dropped(engine.DropShutdown, 1)
	old.Closed()

	all := scrape(t, reg)
	for name, want := range map[string]float64{
		"traffic_slots_due_total":          5,
		"traffic_slots_finished_total":     4,
		"traffic_slots_in_flight":          0,
		"traffic_open_connections":         1,
		"traffic_requests_total":           2,
		"traffic_request_duration_seconds": 2,
	} {
		if got := all.where(name).sum(); got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
	if got := all.requests("traffic_requests_total"); !slices.Equal(got, []string{"buy"}) {
		t.Errorf("there are series of requests %v, want only those of buy", got)
	}

	// A request that comes back starts anew and takes any code.
	s = add(t, m, storefront())
	finish(s, gone)
	all = scrape(t, reg)
	if n := all.one(t, "traffic_requests_total", "request", "browse", "code", "418").value; n != 1 {
		t.Errorf("%v answers after it came back, want 1", n)
	}
}

func TestLimitOfCodesOutlivesAChangeOfShape(t *testing.T) {
	reg, m, _ := open(t)
	spec := plain()
	for round := range 3 {
		spec.Requests = append(spec.Requests, string(rune('a'+round)))
		s := add(t, m, spec)
		for i := range telemetry.MaxCodes / 2 {
			finish(s, outcome(protocol.ReasonNone, string(rune(0x4e00+round*1000+i)), 0, time.Millisecond))
		}
	}
	all := scrape(t, reg).where("traffic_requests_total", "request", "get")
	if n := len(all); n != telemetry.MaxCodes+1 {
		t.Errorf("%d codes, want %d", n, telemetry.MaxCodes+1)
	}
}

func TestChangesDuringScrapesAndTraffic(t *testing.T) {
	reg, m, scenarios := open(t, storefront())
	stop := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			scenarios[0].Due(1)
			finish(scenarios[0], ok(0))
		}
	})
	done.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			spec := storefront()
			spec.Timeout = time.Duration(1+i%3) * 10 * time.Second
			spec.Requests = spec.Requests[:1+i%2]
			if i%5 == 0 {
				spec.SLO = nil
			}
			if _, err := m.Scenario(spec); err != nil {
				t.Errorf("change %d: %v", i, err)
			}
			_, _ = m.Scenario(plain())
			m.Remove("plain")
		}
	})
	for range 100 {
		scrape(t, reg)
	}
	close(stop)
	done.Wait()
}
