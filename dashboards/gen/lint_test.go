package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/dashboards/grafana"
)

// panels returns all panels that are not rows, by dashboard and title.
func panels(t *testing.T) map[string]grafana.Panel {
	t.Helper()
	all := map[string]grafana.Panel{}
	for name, d := range files(t) {
		for _, p := range d.Panels {
			if p.Type != "row" {
				all[strings.TrimSuffix(name, ".json")+"/"+p.Title] = p
			}
		}
	}
	return all
}

// expression is a query of a dashboard, and where it stands.
type expression struct{ where, text string }

// expressions returns all queries of a dashboard: of panels, annotations and variables.
func expressions(d grafana.Dashboard) []expression {
	var all []expression
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			all = append(all, expression{p.Title + " " + target.RefID, target.Expr})
		}
	}
	for _, a := range d.Annotations.List {
		all = append(all, expression{"annotation " + a.Name, a.Expr})
	}
	for _, v := range d.Templating.List {
		if q, ok := v.Query.(map[string]any); ok {
			all = append(all, expression{"variable " + v.Name, q["query"].(string)})
		}
	}
	return all
}

func TestDashboardsHaveWhatAllHave(t *testing.T) {
	uids := map[string]string{"overview.json": "traffic-exporter-overview", "scenario.json": "traffic-exporter-scenario", "fleet.json": "traffic-exporter-fleet"}
	for name, d := range files(t) {
		t.Run(name, func(t *testing.T) {
			if d.UID != uids[name] {
				t.Errorf("uid %q, want %q: links and bookmarks name it", d.UID, uids[name])
			}
			if !strings.HasPrefix(d.Title, "Traffic exporter / ") || d.Description == "" || !slices.Equal(d.Tags, []string{"traffic-exporter"}) {
				t.Errorf("title %q, description %q, tags %v", d.Title, d.Description, d.Tags)
			}
			if d.GraphTooltip != grafana.SharedCrosshair || d.Timezone != "browser" || d.Refresh != "30s" || d.Editable || d.SchemaVersion != grafana.SchemaVersion {
				t.Errorf("tooltip %d, time zone %q, refresh %q, editable %v, schema %d", d.GraphTooltip, d.Timezone, d.Refresh, d.Editable, d.SchemaVersion)
			}
			if len(d.Links) != 1 || d.Links[0].Type != "dashboards" || !slices.Equal(d.Links[0].Tags, d.Tags) || !d.Links[0].AsDropdown || !d.Links[0].IncludeVars || !d.Links[0].KeepTime {
				t.Errorf("links %+v, want the other dashboards with variables and time", d.Links)
			}
			var names []string
			for _, a := range d.Annotations.List {
				names = append(names, a.Name)
				if !a.Enable || a.Datasource.UID != "${datasource}" || a.TitleFormat == "" || a.Expr != a.Target.Expr {
					t.Errorf("annotation %+v", a)
				}
			}
			for _, want := range []string{"Alerts", "Overrides", "Reloads"} {
				if !slices.Contains(names, want) {
					t.Errorf("annotations %v without %s", names, want)
				}
			}
		})
	}
}

func TestVariablesAreAlike(t *testing.T) {
	order := []string{"datasource", "cluster", "namespace", "job", "scenario", "request", "instance", "slo_period", "latency_metrics"}
	for name, d := range files(t) {
		t.Run(name, func(t *testing.T) {
			last := -1
			for _, v := range d.Templating.List {
				at := slices.Index(order, v.Name)
				if at <= last {
					t.Errorf("%s is not known or not in order", v.Name)
				}
				last = at
				if v.Label == "" {
					t.Errorf("%s has no label", v.Name)
				}
				if v.Type == "query" && (v.Datasource == nil || v.Datasource.UID != "${datasource}" || v.Refresh != grafana.RefreshOnTimeChange) {
					t.Errorf("%s: data source %v, refresh %d", v.Name, v.Datasource, v.Refresh)
				}
				if v.Type != "query" || v.Name == "latency_metrics" {
					continue
				}
				// A scenario's own dashboard shows one.
				all := name != "scenario.json" || v.Name != "scenario"
				if v.Multi != all || v.Sort != grafana.SortByName || v.IncludeAll != all || all != (v.AllValue != "") {
					t.Errorf("%s: multi %v, sort %d, all %v %q", v.Name, v.Multi, v.Sort, v.IncludeAll, v.AllValue)
				}
			}
			if v := d.Templating.List[0]; v.Type != "datasource" || v.Query != "prometheus" {
				t.Errorf("the first variable is %+v, want the data source", v)
			}
		})
	}
}

func TestEveryVariableIsUsedAndKnown(t *testing.T) {
	builtIn := []string{"__rate_interval"}
	for name, d := range files(t) {
		used := map[string]bool{"datasource": true}
		known := slices.Clone(builtIn)
		for _, v := range d.Templating.List {
			known = append(known, v.Name)
		}
		for _, e := range expressions(d) {
			for _, v := range grafana.Variables(e.text) {
				used[v] = true
				if !slices.Contains(known, v) {
					t.Errorf("%s: %s: $%s is unknown", name, e.where, v)
				}
			}
		}
		for _, v := range d.Templating.List {
			if !used[v.Name] {
				t.Errorf("%s: nobody uses $%s", name, v.Name)
			}
		}
	}
}

func TestPanelsFillTheGridWithoutOverlaps(t *testing.T) {
	for name, d := range files(t) {
		t.Run(name, func(t *testing.T) {
			taken := map[[2]int]string{}
			bottom := 0
			for _, p := range d.Panels {
				g := p.GridPos
				if g.X < 0 || g.W < 1 || g.H < 1 || g.X+g.W > grafana.Columns {
					t.Errorf("%q is off the grid: %+v", p.Title, g)
				}
				bottom = max(bottom, g.Y+g.H)
				for x := g.X; x < g.X+g.W; x++ {
					for y := g.Y; y < g.Y+g.H; y++ {
						if other, ok := taken[[2]int{x, y}]; ok {
							t.Fatalf("%q overlaps %q", p.Title, other)
						}
						taken[[2]int{x, y}] = p.Title
					}
				}
			}
			if area := bottom * grafana.Columns; len(taken) != area {
				t.Errorf("%d of %d cells are empty", area-len(taken), area)
			}
			if d.Panels[0].Type != "row" || d.Panels[1].Type != "stat" {
				t.Error("the first row has no stats")
			}
		})
	}
}

func TestPanelsAreKnownByIDAndTitle(t *testing.T) {
	for name, d := range files(t) {
		ids, titles := map[int]bool{}, map[string]bool{}
		for _, p := range d.Panels {
			if p.ID <= 0 || ids[p.ID] || p.Title == "" || titles[p.Title] {
				t.Errorf("%s: panel %q with ID %d: one of them is missing or there twice", name, p.Title, p.ID)
			}
			ids[p.ID], titles[p.Title] = true, true
		}
	}
}

func TestPanelsExplainThemselves(t *testing.T) {
	units := []string{
		seconds, perSecond, perSecondOf, ratio, count, byteCount, bytesPerSec, multiple, cores, flag,
	}
	for where, p := range panels(t) {
		t.Run(where, func(t *testing.T) {
			if !strings.HasSuffix(p.Description, ".") || strings.Contains(p.Description, "—") {
				t.Errorf("description %q is not a sentence", p.Description)
			}
			if !slices.Contains(units, p.FieldConfig.Defaults.Unit) {
				t.Errorf("unit %q", p.FieldConfig.Defaults.Unit)
			}
			if len(p.Targets) == 0 || p.Datasource == nil || p.Datasource.UID != "${datasource}" {
				t.Errorf("%d targets, data source %v", len(p.Targets), p.Datasource)
			}
			for i, target := range p.Targets {
				if target.RefID != string(rune('A'+i)) || target.Datasource == nil || target.Datasource.UID != "${datasource}" {
					t.Errorf("target %d: %q, data source %v", i, target.RefID, target.Datasource)
				}
				if p.Type == "timeseries" && target.LegendFormat == "" {
					t.Errorf("target %s has no legend", target.RefID)
				}
				if target.Instant == target.Range {
					t.Errorf("target %s is neither instant nor over the range, or both", target.RefID)
				}
			}
		})
	}
}

func TestChartsHaveLegendsAndAxes(t *testing.T) {
	for where, p := range panels(t) {
		t.Run(where, func(t *testing.T) {
			if p.Type != "timeseries" {
				return
			}
			options := p.Options.(map[string]any)
			legend, tooltip := options["legend"].(map[string]any), options["tooltip"].(map[string]any)
			if legend["displayMode"] != "table" || fmt.Sprint(legend["calcs"]) != "[mean max lastNotNull]" {
				t.Errorf("legend %v", legend)
			}
			if tooltip["mode"] != "multi" || tooltip["sort"] != "desc" {
				t.Errorf("tooltip %v", tooltip)
			}
			d := p.FieldConfig.Defaults
			switch logarithm := d.Custom.ScaleDistribution.Type == "log"; {
			case logarithm && (d.Unit != seconds || d.Min != nil):
				t.Errorf("a logarithmic axis of unit %q from %v", d.Unit, d.Min)
			case !logarithm && (d.Unit == perSecond || d.Unit == perSecondOf) && (d.Min == nil || *d.Min != 0):
				t.Error("an axis of rates does not begin at 0")
			}
		})
	}
}

func TestColoursAreGrafanasOwn(t *testing.T) {
	name := regexp.MustCompile(`^((super-light|light|semi-dark|dark)-)?(red|orange|yellow|green|blue|purple)$|^(text|white)$`)
	found := 0
	check := func(t *testing.T, color string) {
		t.Helper()
		found++
		if !name.MatchString(color) {
			t.Errorf("colour %q is none that fits both themes", color)
		}
	}
	for _, d := range files(t) {
		for _, a := range d.Annotations.List {
			check(t, a.IconColor)
		}
	}
	for where, p := range panels(t) {
		t.Run(where, func(t *testing.T) {
			if th := p.FieldConfig.Defaults.Thresholds; th != nil {
				for i, s := range th.Steps {
					check(t, s.Color)
					if (i == 0) != (s.Value == nil) {
						t.Errorf("threshold %d begins at %v", i, s.Value)
					}
				}
			}
			for _, o := range p.FieldConfig.Overrides {
				for _, property := range o.Properties {
					if v, ok := property.Value.(map[string]any); ok && property.ID == "color" && v["mode"] == "fixed" {
						check(t, v["fixedColor"].(string))
					}
				}
			}
		})
	}
	if found < 100 {
		t.Errorf("only %d colours were found", found)
	}
}

func TestEveryReasonHasItsColourWhereverItIsDrawn(t *testing.T) {
	for where, p := range panels(t) {
		t.Run(where, func(t *testing.T) {
			for _, target := range p.Targets {
				if target.LegendFormat != "{{reason}}" {
					continue
				}
				colored := map[string]bool{}
				for _, o := range p.FieldConfig.Overrides {
					colored[o.Matcher.Options] = true
				}
				want := []string{"status", "timeout", "refused", "canceled"}
				if strings.Contains(target.Expr, "slots_dropped") {
					want = []string{"in_flight", "late", "back_off"}
				}
				for _, reason := range want {
					if !colored[reason] {
						t.Errorf("%s has no colour of its own", reason)
					}
				}
			}
		})
	}
}

// selector finds the selectors of our metrics, of the process and of Go.
var selector = regexp.MustCompile(`\b((?:traffic|process|go)_\w+)\{([^}]*)\}`)

func TestQueriesSelectTheFleet(t *testing.T) {
	for name, d := range files(t) {
		for _, e := range expressions(d) {
			matches := selector.FindAllStringSubmatch(e.text, -1)
			if len(matches) == 0 && !strings.Contains(e.text, "ALERTS{") && e.where != "variable cluster" {
				t.Errorf("%s: %s selects nothing: %s", name, e.where, e.text)
			}
			for _, m := range matches {
				for _, matcher := range []string{`cluster=~"$cluster"`, `namespace=~"$namespace"`, `job=~"$job"`} {
					// What a variable itself chooses, it cannot ask for.
					own := strings.HasPrefix(e.where, "variable ") && slices.Contains([]string{"variable namespace", "variable job"}, e.where)
					if !strings.Contains(m[2], matcher) && !own {
						t.Errorf("%s: %s: %s{%s} without %s", name, e.where, m[1], m[2], matcher)
					}
				}
			}
			if bare := regexp.MustCompile(`\b(traffic|process|go)_\w+\b(\[|\)| )`).FindString(e.text); bare != "" && !strings.HasPrefix(e.where, "variable") {
				t.Errorf("%s: %s: %s has no matchers", name, e.where, bare)
			}
		}
	}
}

func TestRatesAreOverGrafanasWindow(t *testing.T) {
	ranges := regexp.MustCompile(`\[([^\]]+)\]`)
	for name, d := range files(t) {
		for _, e := range expressions(d) {
			for _, m := range ranges.FindAllStringSubmatch(e.text, -1) {
				// Error budgets burn over windows of their own.
				fixed := strings.Contains(e.text, "traffic_slo_requests_total") && slices.Contains([]string{"5m", "30m", "1h", "6h", "$slo_period"}, m[1])
				if m[1] != "$__rate_interval" && !fixed {
					t.Errorf("%s: %s: a window of %s", name, e.where, m[1])
				}
			}
		}
	}
}

func TestCountersAreRatedAndGaugesAreNot(t *testing.T) {
	kinds := documented(t)
	rated := regexp.MustCompile(`\b(\w+)\((traffic_\w+)\{[^}]*\}\[`)
	plain := regexp.MustCompile(`\b(traffic_\w+)\{[^}]*\}(\[)?`)
	for name, d := range files(t) {
		for _, e := range expressions(d) {
			if strings.HasPrefix(e.where, "variable") {
				continue
			}
			for _, m := range rated.FindAllStringSubmatch(e.text, -1) {
				counts := kinds[base(m[2])] != "gauge"
				if counts != slices.Contains([]string{"rate", "increase"}, m[1]) {
					t.Errorf("%s: %s: %s of the %s %s", name, e.where, m[1], kinds[base(m[2])], m[2])
				}
			}
			for _, m := range plain.FindAllStringSubmatch(e.text, -1) {
				if kinds[base(m[1])] != "gauge" && m[2] == "" {
					t.Errorf("%s: %s: the bare %s %s", name, e.where, kinds[base(m[1])], m[1])
				}
			}
		}
	}
}

// base is the name of the metric that a classic bucket belongs to.
func base(name string) string { return strings.TrimSuffix(name, "_bucket") }

// documented returns the kinds of all metrics of ours, as docs/metrics.md has them.
func documented(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	// The table leaves out the first; the second is in it as soon as the exporter exposes it.
	kinds := map[string]string{"traffic_exporter_build_info": "gauge", "traffic_back_off_ratio": "gauge"}
	for _, m := range regexp.MustCompile("(?m)^\\| `(traffic_\\w+)` \\| (gauge|counter|histogram)").FindAllStringSubmatch(string(page), -1) {
		kinds[m[1]] = m[2]
	}
	if len(kinds) < 30 {
		t.Fatalf("docs/metrics.md documents only %d metrics", len(kinds))
	}
	return kinds
}

func TestMetricsAreThoseOfTheDocumentation(t *testing.T) {
	kinds, used := documented(t), map[string]bool{}
	for name, d := range files(t) {
		for _, e := range expressions(d) {
			for _, metric := range regexp.MustCompile(`\btraffic_\w+`).FindAllString(e.text, -1) {
				used[base(metric)] = true
				if kinds[base(metric)] == "" {
					t.Errorf("%s: %s: %s is not documented", name, e.where, metric)
				}
			}
		}
	}
	for metric := range kinds {
		if !used[metric] {
			t.Errorf("no dashboard shows %s", metric)
		}
	}
}

func TestHistogramsAreAskedForInBothForms(t *testing.T) {
	kinds := documented(t)
	for where, p := range panels(t) {
		t.Run(where, func(t *testing.T) {
			all, natives := "", 0
			for _, target := range p.Targets {
				all += target.Expr + "\n"
			}
			for metric, kind := range kinds {
				native := strings.Count(all, metric+"{")
				if kind != "histogram" {
					continue
				}
				if classic := strings.Count(all, metric+"_bucket{"); classic != native {
					t.Errorf("%s %d times native, %d times classic", metric, native, classic)
				}
				natives += native
			}
			for _, form := range []string{nativeForm, classicForm} {
				if n := strings.Count(all, "and on() (vector($latency_metrics) == "+form+")"); n != natives {
					t.Errorf("%d of %d queries of histograms are asked only in form %s", n, natives, form)
				}
			}
		})
	}
}

func TestHeatmapsAskForBuckets(t *testing.T) {
	found := 0
	for where, p := range panels(t) {
		if p.Type != "heatmap" {
			continue
		}
		found++
		for i, format := range []string{"time_series", "heatmap"} {
			target := p.Targets[i]
			if byBound := strings.Contains(target.Expr, "by (le)"); target.Format != format || byBound != (i == 1) || !target.Exemplar {
				t.Errorf("%s: target %s: format %q, exemplars %v, %s", where, target.RefID, target.Format, target.Exemplar, target.Expr)
			}
		}
	}
	if found == 0 {
		t.Error("there is no heatmap")
	}
}

func TestThePastIsDashed(t *testing.T) {
	found := 0
	for where, p := range panels(t) {
		t.Run(where, func(t *testing.T) {
			for _, target := range p.Targets {
				if !strings.Contains(target.Expr, " offset ") {
					continue
				}
				found++
				dashed := slices.ContainsFunc(p.FieldConfig.Overrides, func(o grafana.Override) bool {
					return o.Matcher.Options == target.LegendFormat && slices.ContainsFunc(o.Properties, func(p grafana.Property) bool { return p.ID == "custom.lineStyle" })
				})
				if !dashed {
					t.Errorf("%s is not dashed", target.LegendFormat)
				}
			}
		})
	}
	if found < 6 {
		t.Errorf("only %d comparisons with the past", found)
	}
}

func TestLinksLeadToDashboardsThatThereAre(t *testing.T) {
	var uids []string
	all := files(t)
	for _, d := range all {
		uids = append(uids, d.UID)
	}
	found := 0
	for where, p := range panels(t) {
		t.Run(where, func(t *testing.T) {
			for _, o := range p.FieldConfig.Overrides {
				for _, property := range o.Properties {
					links, ok := property.Value.([]any)
					if !ok || property.ID != "links" {
						continue
					}
					for _, link := range links {
						found++
						url := link.(map[string]any)["url"].(string)
						uid := strings.TrimPrefix(strings.SplitN(url, "?", 2)[0], "/d/")
						if !slices.Contains(uids, uid) || !strings.Contains(url, "${__url_time_range}") || !strings.Contains(url, "${datasource:queryparam}") {
							t.Errorf("link %s", url)
						}
					}
				}
			}
		})
	}
	if found == 0 {
		t.Error("nothing leads from the scenarios to their own dashboard")
	}
}
