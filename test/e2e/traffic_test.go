//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/demo"
	"github.com/traffic-exporter/traffic_exporter/internal/demo/demotest"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// window is how long traffic is looked at.
const window = 30 * time.Second

func TestPrometheusSeesTheRateAndTheLatencies(t *testing.T) {
	t.Parallel()
	law := demo.Law{P50: 20 * time.Millisecond, P99: 80 * time.Millisecond}
	target := demotest.Start(t, demo.Options{Law: law})
	e := startExporter(t, fmt.Sprintf(`
scenarios:
  - name: steady
    rate: 100/s
    slo: {objective: 99%%, latency: 60ms}
    http_config: {traceparent: 10%%}
    requests: [{name: get, url: "http://%[1]s/"}]
  - name: wave
    rate: {sine: {mean: 100/s, amplitude: 50/s, period: 2m}}
    arrivals: poisson
    requests:
      - {name: get, weight: 3, url: "http://%[1]s/"}
      - {name: post, weight: 1, method: POST, url: "http://%[1]s/", body: "x"}
`, target))
	p := startPrometheus(t, e.addr)
	at := p.gather(t, window+2*time.Second)

	t.Run("the steady rate is the target", func(t *testing.T) {
		within(t, p.mustValue(t, `sum(rate(traffic_requests_total{scenario="steady"}[30s]))`, at), 100, 1)
	})
	t.Run("the shaped rate is the target", func(t *testing.T) {
		shape := timeline.Sine{Mean: 100, Amplitude: 50, Period: 2 * time.Minute}
		tl, err := timeline.New(timeline.Options{Name: "wave", Arrivals: timeline.Poisson, Shape: shape})
		if err != nil {
			t.Fatal(err)
		}
		// increase() would carry the mean rate to the window's ends, where a rate that
		// changes is another one; so compare two samples at their own times.
		const counter = `traffic_slots_finished_total{scenario="wave"}`
		from := unix(p.mustValue(t, `timestamp(`+counter+` offset 30s)`, at))
		to := unix(p.mustValue(t, `timestamp(`+counter+`)`, at))
		want := float64(tl.Count(from, to))
		within(t, p.mustValue(t, counter+` - `+counter+` offset 30s`, at), want, want/100)
		within(t, p.mustValue(t, `traffic_target_rate{scenario="wave"}`, at), tl.Rate(at), 3)
	})
	t.Run("quantiles of native histograms fit the law", func(t *testing.T) {
		for _, q := range []float64{0.5, 0.99} {
			expr := fmt.Sprintf(`histogram_quantile(%v, sum(rate(traffic_request_duration_seconds{scenario="steady"}[30s])))`, q)
			want := law.Quantile(q).Seconds()
			within(t, p.mustValue(t, expr, at), want, 0.1*want+0.005)
		}
	})
	t.Run("quantiles of classic histograms fit the law", func(t *testing.T) {
		for _, q := range []float64{0.5, 0.99} {
			expr := fmt.Sprintf(`histogram_quantile(%v, sum by (le) (rate(traffic_request_duration_seconds_bucket{scenario="steady"}[30s])))`, q)
			want := classicQuantile(q, law, bounds(t, e.metrics(t)))
			within(t, p.mustValue(t, expr, at), want, 0.1*want+0.005)
		}
	})
	t.Run("the mix has its weights", func(t *testing.T) {
		ratio := p.mustValue(t, `sum(increase(traffic_requests_total{request="post"}[30s])) / sum(increase(traffic_requests_total{scenario="wave"}[30s]))`, at)
		within(t, ratio, 0.25, 0.05)
	})
	t.Run("the SLO counts what was in time", func(t *testing.T) {
		ratio := p.mustValue(t, `sum(increase(traffic_slo_requests_total{good="true"}[30s])) / sum(increase(traffic_slo_requests_total[30s]))`, at)
		within(t, ratio, law.CDF(60*time.Millisecond), 0.03)
	})
	t.Run("the ledger adds up", func(t *testing.T) {
		expr := `sum(traffic_slots_due_total) - sum(traffic_slots_finished_total) - sum(traffic_slots_in_flight) - sum(traffic_slots_dropped_total)`
		within(t, p.mustValue(t, expr, at), 0, 0)
	})
	t.Run("exemplars lead to traces", func(t *testing.T) { checkExemplars(t, p, at) })
	t.Run("promtool has nothing to say", func(t *testing.T) {
		cmd := exec.Command(env().promtool, "check", "metrics")
		cmd.Stdin = strings.NewReader(e.metrics(t))
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("promtool check metrics: %v\n%s", err, out)
		}
	})
	t.Run("no scrape has a warning", p.quiet)
	t.Run("nothing was late or dropped", func(t *testing.T) {
		within(t, p.mustValue(t, `sum(traffic_slots_dropped_total)`, at), 0, 0)
	})
	e.stop(t)
}

// unix returns the instant of a timestamp in seconds.
func unix(seconds float64) time.Time { return time.UnixMilli(int64(math.Round(seconds * 1000))) }

func within(t *testing.T, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%v, want %v within %v", got, want, tolerance)
	}
}

// bounds returns the bounds of the classic buckets of the steady scenario.
func bounds(t *testing.T, metrics string) []float64 {
	t.Helper()
	var all []float64
	re := regexp.MustCompile(`traffic_request_duration_seconds_bucket\{outcome="success",request="get",scenario="steady",le="([0-9.e+-]+)"\}`)
	for _, m := range re.FindAllStringSubmatch(metrics, -1) {
		le, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, le)
	}
	if len(all) < 10 || !slices.Contains(all, 0.06) {
		t.Fatalf("bounds %v: too few, or without the SLO's", all)
	}
	return all
}

// classicQuantile is what histogram_quantile makes of a law whose values it only sees
// in buckets: a straight line within each.
func classicQuantile(q float64, law demo.Law, bounds []float64) float64 {
	below, start := 0.0, 0.0
	for _, le := range bounds {
		part := law.CDF(time.Duration(le * float64(time.Second)))
		if part >= q {
			return start + (le-start)*(q-below)/(part-below)
		}
		below, start = part, le
	}
	return math.Inf(1)
}

func checkExemplars(t *testing.T, p *prometheus, at time.Time) {
	t.Helper()
	data, err := p.api("query_exemplars", url.Values{
		"query": {`traffic_request_duration_seconds`},
		"start": {at.Add(-window).UTC().Format(time.RFC3339)}, "end": {at.UTC().Format(time.RFC3339)},
	})
	if err != nil {
		t.Fatal(err)
	}
	var series []struct {
		Exemplars []struct{ Labels map[string]string }
	}
	if err := json.Unmarshal(data, &series); err != nil {
		t.Fatal(err)
	}
	if len(series) == 0 || len(series[0].Exemplars) == 0 {
		t.Fatal("no exemplars")
	}
	for _, x := range series[0].Exemplars {
		if len(x.Labels["trace_id"]) != 32 {
			t.Errorf("exemplar %v without a trace id", x.Labels)
		}
	}
}

// arrivals records when requests reach a target.
type arrivals struct {
	mu sync.Mutex
	at []time.Time
}

func (a *arrivals) observe(*http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at = append(a.at, time.Now())
}

func (a *arrivals) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.at)
}

// between counts the arrivals from one instant until before another.
func (a *arrivals) between(from, to time.Time) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, at := range a.at {
		if !at.Before(from) && at.Before(to) {
			n++
		}
	}
	return n
}

// perSecond counts the arrivals in each whole second of the clock between the first
// and the last.
func (a *arrivals) perSecond() []int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.at) == 0 {
		return nil
	}
	first := a.at[0].Unix() + 1
	counts := make([]int, a.at[len(a.at)-1].Unix()-first)
	for _, at := range a.at {
		if i := at.Unix() - first; i >= 0 && i < int64(len(counts)) {
			counts[i]++
		}
	}
	return counts
}

func TestAStallOfTheTargetShowsInTheP99AndMakesNoBurst(t *testing.T) {
	t.Parallel()
	var seen arrivals
	target := demotest.Start(t, demo.Options{
		Law:        demo.Law{P50: 10 * time.Millisecond, P99: 20 * time.Millisecond},
		StallEvery: 10 * time.Second, StallFor: time.Second,
		Observe: seen.observe,
	})
	e := startExporter(t, fmt.Sprintf(`
scenarios:
  - name: stalled
    rate: 60/s
    requests: [{name: get, url: "http://%s/"}]
`, target))
	p := startPrometheus(t, e.addr)
	at := p.gather(t, window+2*time.Second)

	// One request in ten is due in a stall and waits for its end, up to a second: so the
	// slowest twentieth has waited for half of one, the slowest hundredth for nine tenths.
	// The waiting end all at once, and a window of 20 s has 19 s of samples: end it
	// between two stalls, so that two of them are in it whole and none in part.
	between := at.Add(-5 * time.Second).Truncate(10 * time.Second).Add(5 * time.Second)
	for q, want := range map[float64]float64{0.99: 0.915, 0.95: 0.535, 0.8: 0.014} {
		expr := fmt.Sprintf(`histogram_quantile(%v, sum(rate(traffic_request_duration_seconds[20s])))`, q)
		t.Run(expr, func(t *testing.T) { within(t, p.mustValue(t, expr, between), want, 0.01+0.1*want) })
	}
	within(t, p.mustValue(t, `sum(traffic_slots_dropped_total)`, at), 0, 0)
	// A burst would be up to 60 more; a busy machine moves a few across a second's border.
	for i, n := range seen.perSecond() {
		if n < 50 || n > 70 {
			t.Errorf("%d requests reached the target in second %d, want 60", n, i)
		}
	}
	e.stop(t)
}
