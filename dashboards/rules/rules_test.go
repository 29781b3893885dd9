package rules_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"gopkg.in/yaml.v3"

	"github.com/traffic-exporter/traffic_exporter/dashboards/rules"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// scrape is the longest scrape interval that the rules are made for.
const scrape = 30 * time.Second

type rule struct {
	Record, Alert, Expr, For string
	KeepFiringFor            string `yaml:"keep_firing_for"`
	Labels, Annotations      map[string]string
}

type file struct {
	Groups []struct {
		Name, Interval string
		Rules          []rule
	}
}

// load returns the rules with all times divided.
func load(t *testing.T, scale float64) file {
	t.Helper()
	content, err := rules.File(scale)
	if err != nil {
		t.Fatal(err)
	}
	var f file
	if err := yaml.Unmarshal(content, &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Groups) == 0 {
		t.Fatal("no groups")
	}
	return f
}

// all returns the rules of all groups.
func (f file) all() []rule {
	var all []rule
	for _, g := range f.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// alerts returns the names of the alerts, without repetition.
func (f file) alerts() []string {
	names := map[string]bool{}
	for _, r := range f.all() {
		if r.Alert != "" {
			names[r.Alert] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTheFileIsUpToDate(t *testing.T) {
	want, err := rules.File(1)
	if err != nil {
		t.Fatal(err)
	}
	if read(t, rules.Name+".yaml") != string(want) {
		t.Error("the file of rules is out of date: run `make generate`")
	}
}

func TestReasonsOfOurOwnAreThoseOfTheProtocol(t *testing.T) {
	var ours []string
	for r := range protocol.Reason(protocol.NumReasons) {
		if r.Ours() {
			ours = append(ours, r.String())
		}
	}
	content := read(t, rules.Name+".yaml")
	for _, match := range regexp.MustCompile(`reason[!=]~"([^"]*canceled[^"]*)"`).FindAllStringSubmatch(content, -1) {
		if got := strings.Split(match[1], "|"); !slices.Equal(got, ours) {
			t.Fatalf("reasons %q, want %q", got, ours)
		}
	}
}

func TestAlertsSayWhatTheyAreAbout(t *testing.T) {
	name := regexp.MustCompile(`^Traffic(DNS|[A-Z][a-z]+)+$`)
	for _, r := range load(t, 1).all() {
		if r.Alert == "" {
			continue
		}
		t.Run(r.Alert, func(t *testing.T) {
			if !name.MatchString(r.Alert) {
				t.Error("the name is not Traffic and words")
			}
			if s := r.Labels["severity"]; !slices.Contains([]string{"critical", "warning", "info"}, s) {
				t.Errorf("severity %q", s)
			}
			if c := r.Labels["concern"]; !slices.Contains([]string{"errors", "latency", "delivery", "generator", "fleet", "configuration"}, c) {
				t.Errorf("concern %q", c)
			}
			for _, annotation := range []string{"summary", "description"} {
				if s := r.Annotations[annotation]; len(s) < 20 || !strings.HasSuffix(s, ".") {
					t.Errorf("%s %q is no sentence", annotation, s)
				}
			}
			if s := r.Annotations["summary"]; strings.Contains(s, "{{") {
				t.Errorf("summary %q is not constant", s)
			}
			if url := r.Annotations["runbook_url"]; !strings.HasSuffix(url, "/docs/runbook.md#"+strings.ToLower(r.Alert)) {
				t.Errorf("runbook_url %q", url)
			}
			if r.For == "" {
				t.Error("it fires at once")
			}
		})
	}
}

func TestEveryAlertHasASectionInTheRunbook(t *testing.T) {
	var sections []string
	text := read(t, "../../docs/runbook.md")
	for _, part := range strings.Split(text, "\n### ")[1:] {
		name, body, _ := strings.Cut(part, "\n")
		sections = append(sections, name)
		for _, heading := range []string{"**Means**", "**Look at**", "**Do**", "**False alarm**"} {
			if !strings.Contains(body, heading) {
				t.Errorf("section %s does not have %s", name, heading)
			}
		}
	}
	slices.Sort(sections)
	if alerts := load(t, 1).alerts(); !slices.Equal(sections, alerts) {
		t.Errorf("the runbook has sections %q, the alerts are %q", sections, alerts)
	}
}

func TestEveryAlertIsTestedToFireAndToBeSilent(t *testing.T) {
	files, err := filepath.Glob("tests/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("tests %q, %v", files, err)
	}
	var expected []map[string]string
	silent := map[string]int{}
	for _, name := range files {
		var f struct {
			Order []string `yaml:"group_eval_order"`
			Tests []struct {
				Name  string
				Rules []struct {
					Alertname string
					Expected  []struct {
						Labels map[string]string `yaml:"exp_labels"`
					} `yaml:"exp_alerts"`
				} `yaml:"alert_rule_test"`
			}
		}
		if err := yaml.Unmarshal([]byte(read(t, name)), &f); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i, g := range load(t, 1).Groups {
			// Without an order promtool makes up one each time.
			if i >= len(f.Order) || f.Order[i] != g.Name {
				t.Errorf("%s: group_eval_order is %q", name, f.Order)
			}
		}
		for _, test := range f.Tests {
			for _, r := range test.Rules {
				if len(r.Expected) == 0 {
					silent[r.Alertname]++
				}
				for _, e := range r.Expected {
					e.Labels["alertname"] = r.Alertname
					expected = append(expected, e.Labels)
				}
			}
		}
	}
	for _, r := range load(t, 1).all() {
		if r.Alert == "" {
			continue
		}
		fires := slices.ContainsFunc(expected, func(labels map[string]string) bool {
			for name, value := range r.Labels {
				if labels[name] != value {
					return false
				}
			}
			return labels["alertname"] == r.Alert
		})
		if !fires {
			t.Errorf("no test expects %s %v to fire", r.Alert, r.Labels)
		}
		if silent[r.Alert] == 0 {
			t.Errorf("no test expects %s to be silent", r.Alert)
		}
	}
}

func TestExpressionsUseWhatExists(t *testing.T) {
	documented := read(t, "../../docs/metrics.md")
	used := regexp.MustCompile(`\b(scenario|job):[a-zA-Z0-9_:]+`)
	recorded := map[string]bool{}
	for _, r := range load(t, 1).all() {
		for _, name := range used.FindAllString(r.Expr, -1) {
			if !recorded[name] {
				t.Errorf("%s is used by %s%s and not recorded before", name, r.Record, r.Alert)
			}
		}
		own := used.ReplaceAllString(r.Expr, "")
		for _, name := range regexp.MustCompile(`\btraffic_[a-z_]+`).FindAllString(own, -1) {
			name = strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_count")
			if name != "traffic_exporter_build_info" && !strings.Contains(documented, "| `"+name+"` |") {
				t.Errorf("%s%s uses %s, which docs/metrics.md does not know", r.Record, r.Alert, name)
			}
		}
		if r.Record != "" {
			if !regexp.MustCompile(`^(scenario|request|job):traffic_[a-z_]+:[a-z0-9_]+$`).MatchString(r.Record) || recorded[r.Record] {
				t.Errorf("record %s is not level:metric:operations, or not the first", r.Record)
			}
			recorded[r.Record] = true
		}
	}
}

// windows returns the windows of an expression.
func windows(t *testing.T, expr string) []time.Duration {
	t.Helper()
	var all []time.Duration
	// The step of a subquery is no window.
	for _, m := range regexp.MustCompile(`\[([^\]:]+)(?::[^\]]+)?\]`).FindAllStringSubmatch(expr, -1) {
		d, err := model.ParseDuration(m[1])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, time.Duration(d))
	}
	return all
}

func TestWindowsHoldFourScrapes(t *testing.T) {
	n := 0
	for _, r := range load(t, 1).all() {
		for _, w := range windows(t, r.Expr) {
			n++
			if w < 4*scrape {
				t.Errorf("%s%s has a window of %v", r.Record, r.Alert, w)
			}
		}
	}
	if n < 50 {
		t.Errorf("only %d windows were found", n)
	}
}

func TestScaleDividesAllTimes(t *testing.T) {
	original, scaled := load(t, 1), load(t, 60)
	if got, want := scaled.Groups[0].Interval, "500ms"; got != want {
		t.Errorf("interval %s, want %s", got, want)
	}
	compare := func(what, of, got, want string) {
		t.Helper()
		if got == "" && want == "" {
			return
		}
		g, gotErr := model.ParseDuration(got)
		w, wantErr := model.ParseDuration(want)
		if gotErr != nil || wantErr != nil || time.Duration(w) != 60*time.Duration(g) {
			t.Errorf("%s of %s is %q, want a sixtieth of %q", what, of, got, want)
		}
	}
	duration := regexp.MustCompile(`(?:\[|offset |\* |:)([0-9]+[a-z][0-9a-z]*)`)
	for i, r := range original.all() {
		s := scaled.all()[i]
		name := r.Record + r.Alert
		if s.Record+s.Alert != name {
			t.Fatalf("rule %d is %s%s, want %s", i, s.Record, s.Alert, name)
		}
		compare("for", name, s.For, r.For)
		compare("keep_firing_for", name, s.KeepFiringFor, r.KeepFiringFor)
		was, is := duration.FindAllStringSubmatch(r.Expr, -1), duration.FindAllStringSubmatch(s.Expr, -1)
		for j := range was {
			compare("a time", name, is[j][1], was[j][1])
		}
		if duration.ReplaceAllString(r.Expr, "") != duration.ReplaceAllString(s.Expr, "") {
			t.Errorf("%s differs by more than times:\n%s\n%s", name, r.Expr, s.Expr)
		}
	}
}

func TestScaledTimesAreRounded(t *testing.T) {
	// Two minutes, five minutes and three days.
	for _, c := range []struct {
		scale                  float64
		shortest, middle, long string
	}{
		{7, "17s", "43s", "10h17m9s"},
		{60, "2s", "5s", "1h12m"},
		{90, "1s300ms", "3s300ms", "48m"},
		{1e9, "100ms", "100ms", "100ms"},
	} {
		f := load(t, c.scale)
		var all []string
		for _, r := range f.all() {
			for _, w := range windows(t, r.Expr) {
				all = append(all, model.Duration(w).String())
			}
		}
		for _, want := range []string{c.shortest, c.middle, c.long} {
			if !slices.Contains(all, want) {
				t.Errorf("divided by %v no window is %s: %q", c.scale, want, slices.Compact(slices.Sorted(slices.Values(all))))
			}
		}
	}
}
