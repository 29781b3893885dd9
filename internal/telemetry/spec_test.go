package telemetry_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/traffic-exporter/traffic_exporter/internal/telemetry"
)

func TestBounds(t *testing.T) {
	slo := func(d time.Duration) *telemetry.SLO { return &telemetry.SLO{Objective: 0.99, Latency: d} }
	base := []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1}
	for _, tc := range []struct {
		name    string
		timeout time.Duration
		slo     *telemetry.SLO
		want    []float64
	}{
		{"a short timeout reaches above a second all the same", time.Millisecond, nil, append(base[:11:11], 2.5)},
		{"a timeout on a bound has one above it", 10 * time.Second, nil, append(base[:11:11], 2.5, 5, 10, 25)},
		{"a timeout between bounds has one above it", 30 * time.Second, nil, append(base[:11:11], 2.5, 5, 10, 25, 50)},
		{"an SLO on a bound adds none", time.Millisecond, slo(250 * time.Millisecond), append(base[:11:11], 2.5)},
		{
			"an SLO between bounds adds itself", time.Millisecond, slo(300 * time.Millisecond),
			append(slices.Insert(slices.Clone(base), 9, 0.3), 2.5),
		},
		{"an SLO above all bounds adds itself", time.Millisecond, slo(3 * time.Second), append(base[:11:11], 2.5, 3)},
		{
			"an SLO below all bounds adds itself", time.Millisecond, slo(time.Microsecond),
			append(append([]float64{1e-6}, base...), 2.5),
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := telemetry.Bounds(telemetry.ScenarioSpec{Timeout: tc.timeout, SLO: tc.slo})
			if !slices.Equal(got, tc.want) {
				t.Errorf("bounds\n got %v\nwant %v", got, tc.want)
			}
		})
	}
}

func FuzzBounds(f *testing.F) {
	f.Add(int64(time.Second), int64(300*time.Millisecond))
	f.Add(int64(math.MaxInt64), int64(1))
	f.Add(int64(1), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, timeout, slo int64) {
		if timeout <= 0 || slo <= 0 {
			t.Skip("refused by the check of the spec")
		}
		spec := telemetry.ScenarioSpec{
			Timeout: time.Duration(timeout),
			SLO:     &telemetry.SLO{Latency: time.Duration(slo)},
		}
		bounds := telemetry.Bounds(spec)
		for i := 1; i < len(bounds); i++ {
			if bounds[i-1] >= bounds[i] {
				t.Fatalf("bounds %v do not increase", bounds)
			}
		}
		if len(bounds) > 45 {
			t.Errorf("%d bounds are too many", len(bounds))
		}
		if !slices.Contains(bounds, telemetry.Seconds(spec.SLO.Latency)) {
			t.Errorf("bounds %v lack the SLO's latency %v", bounds, spec.SLO.Latency)
		}
		if last := bounds[len(bounds)-1]; spec.Timeout < time.Hour*1e6 && last <= telemetry.Seconds(spec.Timeout) {
			t.Errorf("the last bound %v is not above the timeout %v", last, spec.Timeout)
		}
	})
}

func TestInvalidSpecIsRefused(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(*telemetry.ScenarioSpec)
		want  string
	}{
		{"no name", func(s *telemetry.ScenarioSpec) { s.Name = "" }, `metrics of scenario "": the scenario's name`},
		{"a name that is not text", func(s *telemetry.ScenarioSpec) { s.Name = "\xff" }, "not UTF-8"},
		{"no timeout", func(s *telemetry.ScenarioSpec) { s.Timeout = 0 }, "timeout 0s is not positive"},
		{"no requests", func(s *telemetry.ScenarioSpec) { s.Requests = nil }, "no requests"},
		{"an empty request", func(s *telemetry.ScenarioSpec) { s.Requests[1] = "" }, `request 1, "", is empty`},
		{"two requests alike", func(s *telemetry.ScenarioSpec) { s.Requests[1] = "browse" }, `the name "browse"`},
		{"an objective of percent", func(s *telemetry.ScenarioSpec) { s.SLO.Objective = 99.9 }, "objective 99.9"},
		{"an objective that is no number", func(s *telemetry.ScenarioSpec) { s.SLO.Objective = math.NaN() }, "objective NaN"},
		{"an SLO without latency", func(s *telemetry.ScenarioSpec) { s.SLO.Latency = 0 }, "SLO latency 0s"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			reg, m, _ := open(t)
			before := len(scrape(t, reg))
			spec := storefront()
			tc.spoil(&spec)
			if _, err := m.Scenario(spec); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
			if after := len(scrape(t, reg)); after != before {
				t.Errorf("%d series were exposed nonetheless", after-before)
			}
		})
	}
}

func TestScenarioThatTheRegistryRefusesIsNotKept(t *testing.T) {
	reg, m, _ := open(t)
	squatter := prometheus.NewGauge(prometheus.GaugeOpts{Name: "traffic_target_rate", Help: "Another."})
	if err := reg.Register(squatter); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Scenario(plain()); err == nil || !strings.Contains(err.Error(), `"plain"`) {
		t.Errorf("error %v, want one that names the scenario", err)
	}
	m.Remove("plain")
}

func TestSeriesCountIsWhatIsExposed(t *testing.T) {
	for _, spec := range []telemetry.ScenarioSpec{storefront(), plain(), visits(), account(), calls(), twofold()} {
		t.Run("scenario "+spec.Name, func(t *testing.T) {
			reg, _, _ := open(t, spec)
			var got telemetry.Series
			for _, s := range scrape(t, reg).of(spec.Name) {
				if s.kind != "histogram" {
					got.Plain++
					continue
				}
				got.Native++
				got.Classic += len(s.bounds) + 3 // +Inf, sum, count.
			}
			if want := telemetry.SeriesCount(spec); got != want {
				t.Errorf("exposed %+v, counted %+v", got, want)
			}
		})
	}
}
