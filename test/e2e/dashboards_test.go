//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/dashboards/grafana"
	"github.com/traffic-exporter/traffic_exporter/internal/demo"
	"github.com/traffic-exporter/traffic_exporter/internal/demo/demotest"
	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

// TestEveryQueryOfTheDashboardsHasData asks a real server all that the dashboards ask,
// once with native histograms only and once with classic ones only.
func TestEveryQueryOfTheDashboardsHasData(t *testing.T) {
	t.Parallel()
	takeTurn(t)
	target := demotest.Start(t, demo.Options{Law: demo.Law{P50: 10 * time.Millisecond, P99: 40 * time.Millisecond}, ErrorRatio: 0.1})
	f := newShownFleet(t, target)
	first := f.start(t, 2)
	native := scrapeFleet(t, f, "scrape_native_histograms: true")
	classic := scrapeFleet(t, f, "scrape_native_histograms: false")
	for _, p := range []*prometheus{native, classic} {
		eventually(t, func() error {
			up, err := p.value("sum(up)", time.Now())
			if err == nil && up != 2 {
				err = fmt.Errorf("%v replicas are up, want 2", up)
			}
			return err
		})
	}
	begin := time.Now()

	// Rare events have to happen: a replica joins, a rate is changed, the
	// configuration is loaded again, a file with data loses its rows. The target fails as it is.
	first[0].rate(t, "set", steady, "x2", "--for=10m", "--reason=end to end")
	f.reload(t, first...)
	f.launch(t).ready(t)
	write(t, filepath.Join(filepath.Dir(f.file), "users.csv"), "name\n")

	for name, p := range map[string]*prometheus{"native": native, "classic": classic} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, err := filepath.Glob("../../dashboards/*.json")
			if err != nil || len(files) < 3 {
				t.Fatalf("dashboards %v, %v", files, err)
			}
			for _, file := range files {
				t.Run(filepath.Base(file), func(t *testing.T) {
					showing(t, p, file, name, begin, first[0].metrics(t))
				})
			}
		})
	}
}

// newShownFleet writes the configuration of three replicas with a scenario that has all
// that dashboards show of one: requests that succeed and fail, that get a response and
// that do not, journeys, tokens, new connections all the time, an SLO. Others differ in all that they can.
func newShownFleet(t *testing.T, target string) *fleet {
	t.Helper()
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token": "t", "token_type": "Bearer", "expires_in": 3600}`)
	}))
	t.Cleanup(tokens.Close)
	production := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"status": "success", "data": {"resultType": "scalar", "result": [1, "1.5"]}}`)
	}))
	t.Cleanup(production.Close)
	places := loopback(t, 3)
	f := &fleet{file: filepath.Join(t.TempDir(), "config.yaml"), flags: []string{"--web.enable-control", "--config.watch-interval=200ms"}, places: places}
	write(t, filepath.Join(filepath.Dir(f.file), "users.csv"), "name\nada\nbruno\n")
	write(t, f.file, fmt.Sprintf(`
fleet:
  name: ${REPLICA}
  cluster: e2e
%s
data: {users: {file: users.csv}}
scenarios:
  - name: %s
    rate: 60/s
    base_url: "http://%[3]s"
    compare: {with: {base_url: "http://%[3]s"}, sample: 20%%}
    limits: {max_slots_per_day: 100000000}
    variables: {user: {row: users}}
    slo: {objective: 99%%, latency: 30ms}
    http_config: {traceparent: sampled, keep_alive: false, oauth2: {client_id: id, client_secret: secret, token_url: "%[5]s"}}
    requests:
      - {name: get, weight: 5, url: "/"}
      - {name: post, weight: 4, method: POST, body: x, url: "/"}
      - {name: refused, url: "http://%[4]s/"}
      - {name: wrong, url: "/shop/catalogue", expect: {json: {items: []}}}
      - name: visit
        weight: 2
        cookies: true
        steps:
          - {name: login, method: POST, url: "/shop/login", body: {form: {user: "{{ user.name }}", password: secret}}, expect: {status: [303]}}
          - {name: cart, url: "/shop/cart", expect: {json: {total: 0}}}
  - name: wave.1
    rate: {sine: {mean: 20/s, amplitude: 10/s, period: 1m}}
    slo: {objective: 99.9%%, latency: 300ms}
    http_config: {protocol: h2c, traceparent: sampled}
    requests: [{name: get, url: "http://%[3]s/"}]
  - name: dropping
    rate: 30/s
    limits: {max_in_flight: 1}
    http_config: {traceparent: sampled}
    requests: [{name: get, url: "http://%[3]s/?latency=300ms"}]
  - name: %[6]s
    rate: {follow: {query: shop, prometheus: {url: "%[7]s"}, every: 5s, otherwise: 1/s}, max: 2/s}
    http_config: {traceparent: sampled}
    requests: [{name: call, url: "grpc://%[3]s/shop.v1.Catalogue/List", body: {message: {}}}]
`, gossip(places), steady, target, freeport.Address(t), tokens.URL, calling, production.URL))
	return f
}

// reload changes the file and waits until the replicas have read it.
func (f *fleet) reload(t *testing.T, replicas ...*replica) {
	t.Helper()
	const loaded = "traffic_config_last_reload_success_timestamp_seconds"
	before := map[*replica]float64{}
	for _, r := range replicas {
		at, err := sample(r.metrics(t), loaded)
		if err != nil {
			t.Fatal(err)
		}
		before[r] = at
	}
	content, err := os.ReadFile(f.file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, f.file, string(content)+"# Read again.\n")
	for _, r := range replicas {
		eventually(t, func() error {
			at, err := sample(r.metrics(t), loaded)
			if err == nil && at == before[r] {
				err = fmt.Errorf("replica %s has not read the file again", r.name)
			}
			return err
		})
	}
}

// scrapeFleet runs a server that scrapes all places of a fleet, with an alert that fires.
func scrapeFleet(t *testing.T, f *fleet, histograms string) *prometheus {
	t.Helper()
	var targets []string
	for _, p := range f.places {
		targets = append(targets, strconv.Quote(p.web))
	}
	rules := filepath.Join(t.TempDir(), "rules.yml")
	write(t, rules, "groups: [{name: e2e, rules: [{alert: TrafficEndToEnd, expr: vector(1), labels: {severity: info}}]}]")
	return runPrometheus(t, fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [%q]
scrape_configs:
  - job_name: traffic_exporter
    %s
    static_configs: [{targets: [%s]}]
`, rules, histograms, strings.Join(targets, ", ")))
}

// showing tests one dashboard against a server with histograms of one form.
func showing(t *testing.T, p *prometheus, file, form string, begin time.Time, metrics string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var d grafana.Dashboard
	if err := json.Unmarshal(content, &d); err != nil {
		t.Fatal(err)
	}
	s := shown{prometheus: p, begin: begin, metrics: metrics}
	s.values = s.choose(t, d)
	if want := map[string]string{"native": "-1", "classic": "1"}[form]; s.values["latency_metrics"] != want {
		t.Fatalf("the form of histograms is %s, want %s", s.values["latency_metrics"], want)
	}
	asked := 0
	for _, panel := range d.Panels {
		if panel.Type == "heatmap" {
			asked++
			eventually(t, func() error { return s.heatmap(panel, form) })
			continue
		}
		for _, target := range panel.Targets {
			asked++
			eventually(t, func() error { return named(panel.Title, s.of(target).data(target)) })
		}
	}
	for _, a := range d.Annotations.List {
		asked++
		eventually(t, func() error { return named(a.Name, s.data(grafana.Target{Expr: a.Expr, LegendFormat: tags(a)})) })
	}
	if asked < 30 {
		t.Errorf("only %d queries were asked", asked)
	}
}

// calling is the scenario that makes calls of gRPC, to a target that has no descriptors, at a rate
// that is followed.
const calling = "calls"

// of returns s with the scenario that has what a query of the dashboard Scenario asks for.
func (s shown) of(target grafana.Target) shown {
	if strings.Contains(target.Expr, "traffic_grpc_") || strings.Contains(target.Expr, "traffic_follow") {
		s.values = maps.Clone(s.values)
		s.values["scenario"] = calling
	}
	return s
}

// named puts the name of the part before an error.
func named(part string, err error) error {
	if err != nil {
		err = fmt.Errorf("%s: %w", part, err)
	}
	return err
}

// tags are those labels of an annotation that each of its events has.
func tags(a grafana.Annotation) string {
	if a.Name == "Alerts" {
		return "{{alertname}}{{severity}}"
	}
	return ""
}

// shown asks a server what a dashboard asks.
type shown struct {
	*prometheus
	values  grafana.Values
	begin   time.Time
	metrics string
}

var _ grafana.Server = shown{}

// choose chooses all that each variable offers, one by one where several may be chosen.
func (s shown) choose(t *testing.T, d grafana.Dashboard) grafana.Values {
	t.Helper()
	values, err := d.Resolve(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		var offered []string
		eventually(t, func() error {
			var err error
			offered, err = v.Ask(s, values)
			// This server knows nothing of Kubernetes.
			if here := v.Name != "cluster" && v.Name != "namespace"; err == nil && here != (len(offered) > 0) {
				err = fmt.Errorf("variable %s offers %v", v.Name, offered)
			}
			return err
		})
		if v.Name == "scenario" {
			if !slices.Equal(offered, []string{calling, "dropping", steady, "wave.1"}) {
				t.Errorf("the scenarios are %v", offered)
			}
			if !v.Multi {
				offered = []string{steady} // It has all that can be shown of HTTP.
			}
		}
		values[v.Name] = v.Choose(offered)
	}
	values["__rate_interval"] = "10s"
	return values
}

// LabelValues is part of grafana.Server.
func (s shown) LabelValues(selector, label string) ([]string, error) {
	data, err := s.api("label/"+label+"/values", url.Values{"match[]": {selector}})
	if err != nil {
		return nil, err
	}
	var all []string
	return all, json.Unmarshal(data, &all)
}

// QueryResult is part of grafana.Server.
func (s shown) QueryResult(expr string) ([]string, error) {
	result, err := s.ask("query", url.Values{"query": {expr}})
	var lines []string
	for _, r := range result {
		var labels []string
		for name, value := range r.Metric {
			labels = append(labels, fmt.Sprintf("%s=%q", name, value))
		}
		lines = append(lines, fmt.Sprintf("{%s} %v 1700000000000", strings.Join(labels, ","), r.Value[1]))
	}
	return lines, err
}

// result is one series of a response.
type result struct {
	Metric     map[string]string
	Value      [2]any
	Values     [][2]any
	Histograms []any
}

func (s shown) ask(path string, query url.Values) ([]result, error) {
	data, err := s.api(path, query)
	if err != nil {
		return nil, err
	}
	var answer struct{ Result []result }
	return answer.Result, json.Unmarshal(data, &answer)
}

// past finds comparisons with the past. This server has none: seconds have to
// stand in for days.
var past = regexp.MustCompile(`offset 1([dw])`)

// query asks a target as Grafana would.
func (s shown) query(target grafana.Target) ([]result, error) {
	text, err := s.values.Interpolate(target.Expr)
	if err != nil {
		return nil, err
	}
	query := url.Values{"query": {past.ReplaceAllString(text, "offset 2s")}}
	if target.Instant {
		return s.ask("query", query)
	}
	query.Set("start", strconv.FormatInt(s.begin.Unix(), 10))
	query.Set("end", strconv.FormatInt(time.Now().Unix(), 10))
	query.Set("step", "1")
	return s.ask("query_range", query)
}

// data returns an error unless a target has data, with the labels that the legend names.
func (s shown) data(target grafana.Target) error {
	if s.unknown(target.Expr) {
		return nil
	}
	series, err := s.query(target)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(series, result.finite) {
		return fmt.Errorf("no data for %s", target.Expr)
	}
	for _, m := range regexp.MustCompile(`{{(\w+)}}`).FindAllStringSubmatch(target.LegendFormat, -1) {
		for _, r := range series {
			if r.Metric[m[1]] == "" {
				return fmt.Errorf("a series without the label %s of the legend: %v", m[1], r.Metric)
			}
		}
	}
	if target.Exemplar {
		return s.exemplars(target.Expr)
	}
	return nil
}

// unknown reports whether an expression is about back-off, where this binary does not
// expose it yet.
func (s shown) unknown(expr string) bool {
	const name = "traffic_back_off_ratio"
	return strings.Contains(expr, name) && !strings.Contains(s.metrics, name)
}

// finite reports whether a series has a value that can be drawn.
func (r result) finite() bool {
	for _, v := range append(r.Values, r.Value) {
		text, _ := v[1].(string)
		if f, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			return true
		}
	}
	return false
}

// heatmap returns an error unless the target of the form, the first being native, has
// data and the other none.
func (s shown) heatmap(panel grafana.Panel, form string) error {
	var problems []error
	for i, name := range []string{"native", "classic"} {
		series, err := s.query(panel.Targets[i])
		if err != nil {
			return err
		}
		histograms := slices.ContainsFunc(series, func(r result) bool { return len(r.Histograms) > 0 })
		drawn := histograms || slices.ContainsFunc(series, result.finite)
		if drawn != (name == form) || histograms != (drawn && name == "native") {
			problems = append(problems, fmt.Errorf("%s: the %s target has %d series, histograms: %v", panel.Title, name, len(series), histograms))
		}
		if name == form {
			problems = append(problems, named(panel.Title, s.exemplars(panel.Targets[i].Expr)))
		}
	}
	return errors.Join(problems...)
}

// exemplars returns an error unless the series that an expression reads have exemplars
// that name a trace.
func (s shown) exemplars(expr string) error {
	text, err := s.values.Interpolate(expr)
	if err != nil {
		return err
	}
	data, err := s.api("query_exemplars", url.Values{
		"query": {text}, "start": {strconv.FormatInt(s.begin.Unix(), 10)}, "end": {strconv.FormatInt(time.Now().Unix()+1, 10)},
	})
	if err != nil {
		return err
	}
	var answer []struct {
		Exemplars []struct{ Labels map[string]string }
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return err
	}
	for _, a := range answer {
		for _, e := range a.Exemplars {
			if len(e.Labels["trace_id"]) == 32 {
				return nil
			}
		}
	}
	return fmt.Errorf("no exemplars for %s", expr)
}
