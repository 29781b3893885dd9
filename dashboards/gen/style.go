package main

import (
	"fmt"
	"hash/crc32"

	"github.com/traffic-exporter/traffic_exporter/dashboards/grafana"
	candidate "github.com/traffic-exporter/traffic_exporter/internal/compare"
	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// Units, by Grafana's names.
const (
	seconds     = "s"
	perSecond   = "reqps"
	perSecondOf = "ops"
	ratio       = "percentunit"
	count       = "short"
	byteCount   = "bytes"
	bytesPerSec = "Bps"
	multiple    = "suffix:x"
	cores       = "suffix: cores"
	flag        = "bool_yes_no"
)

// Colours, by Grafana's names, so that they fit the light theme and the dark one.
const (
	good    = "green"
	warning = "yellow"
	bad     = "red"
	quiet   = "text"
)

// prometheus is the data source that the user chooses.
func prometheus() *grafana.Datasource {
	return &grafana.Datasource{Type: "prometheus", UID: "${datasource}"}
}

// board lays panels out, from left to right and from top to bottom.
type board struct {
	grafana.Dashboard
	x, y, height int
}

// place puts a panel beside the last one, or below if there is no room.
func (b *board) place(w, h int, p grafana.Panel) {
	if b.x+w > grafana.Columns {
		b.wrap()
	}
	p.GridPos = grafana.GridPos{X: b.x, Y: b.y, W: w, H: h}
	// An ID that stays when panels are moved, since links name it.
	p.ID = int(crc32.ChecksumIEEE([]byte(p.Title)) >> 1)
	b.Panels = append(b.Panels, p)
	b.x += w
	b.height = max(b.height, h)
}

// wrap begins below all that there is.
func (b *board) wrap() {
	b.x, b.y, b.height = 0, b.y+b.height, 0
}

// row begins a part of the dashboard.
func (b *board) row(title string) {
	b.wrap()
	open := false
	b.place(grafana.Columns, 1, grafana.Panel{Type: "row", Title: title, Collapsed: &open, Panels: &[]grafana.Panel{}})
	b.wrap()
}

// option changes a panel.
type option func(*grafana.Panel)

// panel is a panel with what all have.
func panel(kind, title, description, unit string, options []option) grafana.Panel {
	p := grafana.Panel{
		Type: kind, Title: title, Description: description, Datasource: prometheus(),
		FieldConfig: &grafana.FieldConfig{Defaults: grafana.Field{Unit: unit}, Overrides: []grafana.Override{}},
	}
	for _, o := range options {
		o(&p)
	}
	for i := range p.Targets {
		p.Targets[i].RefID = string(rune('A' + i))
		p.Targets[i].Datasource = prometheus()
		p.Targets[i].EditorMode = "code"
	}
	return p
}

// stat is one large value with its course.
func stat(title, description, unit string, options ...option) grafana.Panel {
	p := panel("stat", title, description, unit, options)
	p.Options = grafana.StatOptions{
		GraphMode: "area", ColorMode: "value", JustifyMode: "center", TextMode: "value", WideLayout: true,
		PercentChangeColorMode: "standard", Orientation: "auto",
		ReduceOptions: grafana.Reduce{Calcs: []string{"lastNotNull"}},
	}
	d := &p.FieldConfig.Defaults
	d.Color = &grafana.Color{Mode: "thresholds"}
	if d.Thresholds == nil {
		d.Thresholds = steps(quiet)
	}
	if d.NoValue == "" {
		d.NoValue = "-"
	}
	return p
}

// chart is a chart of lines.
func chart(title, description, unit string, options ...option) grafana.Panel {
	line, fill, gaps := 1, 6, false
	base := []option{func(p *grafana.Panel) {
		d := &p.FieldConfig.Defaults
		d.Min = new(float64)
		d.Color = &grafana.Color{Mode: "palette-classic"}
		d.Custom = &grafana.Custom{
			DrawStyle: "line", LineWidth: &line, FillOpacity: &fill, GradientMode: "none", ShowPoints: "never", SpanNulls: &gaps,
			Stacking: &grafana.Stacking{Mode: "none", Group: "A"}, ThresholdsStyle: &grafana.ThresholdsStyle{Mode: "off"},
			ScaleDistribution: &grafana.Scale{Type: "linear"},
		}
		p.Options = grafana.TimeSeriesOptions{
			Legend: grafana.Legend{
				ShowLegend: true, DisplayMode: "table", Placement: "bottom",
				Calcs: []string{"mean", "max", "lastNotNull"},
			},
			Tooltip: grafana.Tooltip{Mode: "multi", Sort: "desc"},
		}
	}}
	return panel("timeseries", title, description, unit, append(base, options...))
}

// bars is one value each of several, as bars.
func bars(title, description, unit string, options ...option) grafana.Panel {
	p := panel("bargauge", title, description, unit, options)
	p.Options = grafana.BarGaugeOptions{
		DisplayMode: "basic", ValueMode: "color", NamePlacement: "left", ShowUnfilled: true, Sizing: "auto",
		MinVizWidth: 8, MinVizHeight: 16, MaxVizHeight: 300, Orientation: "horizontal",
		Legend:        grafana.Legend{DisplayMode: "list", Placement: "bottom", Calcs: []string{}},
		ReduceOptions: grafana.Reduce{Calcs: []string{"lastNotNull"}},
	}
	d := &p.FieldConfig.Defaults
	d.Min = new(float64)
	d.Color = &grafana.Color{Mode: "thresholds"}
	if d.Thresholds == nil {
		d.Thresholds = steps("blue")
	}
	return p
}

// heatmap is a heatmap of a latency histogram in both its forms.
func heatmap(title, description string, options ...option) grafana.Panel {
	p := panel("heatmap", title, description, seconds, options)
	p.FieldConfig.Defaults.Custom = &grafana.Custom{ScaleDistribution: &grafana.Scale{Type: "linear"}}
	p.Options = grafana.HeatmapOptions{
		CellValues: grafana.Unit{Unit: perSecond},
		// The square root lets the few slow requests be seen beside the many quick ones.
		Color:        grafana.HeatmapColor{Mode: "scheme", Scheme: "Turbo", Fill: "dark-orange", Scale: "exponential", Exponent: 0.5, Steps: 64},
		Exemplars:    grafana.FixedColor{Color: "white"},
		FilterValues: grafana.LessOrEqual{LE: 1e-9},
		Legend:       grafana.Show{Show: true},
		ShowValue:    "never",
		Tooltip:      grafana.HeatmapHover{Mode: "single", YHistogram: true, ShowColorScale: true},
		YAxis:        grafana.YAxis{Unit: seconds, AxisPlacement: "left"},
	}
	return p
}

// query adds a query over the time range.
func query(legend, expr string) option {
	return func(p *grafana.Panel) {
		p.Targets = append(p.Targets, grafana.Target{Expr: expr, LegendFormat: legend, Range: true})
	}
}

// instantly adds a query for the end of the time range only.
func instantly(expr string) option {
	return func(p *grafana.Panel) {
		p.Targets = append(p.Targets, grafana.Target{Expr: expr, Instant: true})
	}
}

// buckets adds the queries of a heatmap. Grafana knows native histograms by themselves;
// to ask for them as a heatmap works in newer versions only.
func buckets(name, matchers string) option {
	native, classic := spread(name, matchers)
	return func(p *grafana.Panel) {
		p.Targets = append(p.Targets,
			grafana.Target{Expr: native, Format: "time_series", Range: true, Exemplar: true, LegendFormat: "native"},
			grafana.Target{Expr: classic, Format: "heatmap", Range: true, Exemplar: true, LegendFormat: "{{le}}"})
	}
}

// withExemplars shows the exemplars of the last query.
func withExemplars(p *grafana.Panel) { p.Targets[len(p.Targets)-1].Exemplar = true }

// steps are thresholds: the first colour holds from the beginning, each of the others
// from its value on.
func steps(first string, others ...grafana.Step) *grafana.Thresholds {
	return &grafana.Thresholds{Mode: "absolute", Steps: append([]grafana.Step{{Color: first}}, others...)}
}

func from(value float64, color string) grafana.Step { return grafana.Step{Value: &value, Color: color} }

// partSteps judge the delivered part of the target.
func partSteps() *grafana.Thresholds { return steps(bad, from(0.9, warning), from(0.95, good)) }

// thresholds colours values.
func thresholds(first string, others ...grafana.Step) option {
	return func(p *grafana.Panel) { p.FieldConfig.Defaults.Thresholds = steps(first, others...) }
}

// use is thresholds that are there already.
func use(t *grafana.Thresholds) option {
	return func(p *grafana.Panel) { p.FieldConfig.Defaults.Thresholds = t }
}

// drawn draws the thresholds as dashed lines into a chart.
func drawn(p *grafana.Panel) { p.FieldConfig.Defaults.Custom.ThresholdsStyle.Mode = "dashed" }

// reaching makes the axis reach at least to a value.
func reaching(value float64) option {
	return func(p *grafana.Panel) { p.FieldConfig.Defaults.Custom.AxisSoftMax = &value }
}

// stacked puts the series of a chart on top of each other. Those that are 0 would draw
// their lines on top of the others.
func stacked(p *grafana.Panel) {
	fill, line := 50, 0
	c := p.FieldConfig.Defaults.Custom
	c.Stacking.Mode, c.FillOpacity, c.LineWidth = "normal", &fill, &line
}

// upTo1 is for parts of a whole.
func upTo1(p *grafana.Panel) {
	one := 1.0
	p.FieldConfig.Defaults.Max = &one
}

// logarithmic is for latencies, where both the quick and the slow are of interest. A
// logarithm has no 0 to begin at.
func logarithmic(p *grafana.Panel) {
	d := &p.FieldConfig.Defaults
	d.Min, d.Custom.ScaleDistribution = nil, &grafana.Scale{Type: "log", Log: 10}
	none := 0
	d.Custom.FillOpacity = &none
}

// lines is for charts where fillings would hide each other.
func lines(p *grafana.Panel) {
	none := 0
	p.FieldConfig.Defaults.Custom.FillOpacity = &none
}

// signed is for values below 0.
func signed(p *grafana.Panel) { p.FieldConfig.Defaults.Min = nil }

// largestFirst sorts the legend, so that series at 0 do not hide the others.
func largestFirst(p *grafana.Panel) {
	o := p.Options.(grafana.TimeSeriesOptions)
	o.Legend.SortBy, o.Legend.SortDesc = "Max", true
	p.Options = o
}

// pointed shows single values between gaps, which a line cannot.
func pointed(p *grafana.Panel) { p.FieldConfig.Defaults.Custom.ShowPoints = "auto" }

// decimals fixes the number of decimals.
func decimals(n int) option {
	return func(p *grafana.Panel) { p.FieldConfig.Defaults.Decimals = &n }
}

// noValue is shown where there is none.
func noValue(text string) option {
	return func(p *grafana.Panel) { p.FieldConfig.Defaults.NoValue = text }
}

// named changes the series of a name.
func named(name string, properties ...grafana.Property) option {
	return override("byName", name, properties)
}

// like changes the series whose names match a regular expression.
func like(pattern string, properties ...grafana.Property) option {
	return override("byRegexp", "/"+pattern+"/", properties)
}

func override(matcher, options string, properties []grafana.Property) option {
	return func(p *grafana.Panel) {
		p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, grafana.Override{
			Matcher: grafana.Matcher{ID: matcher, Options: options}, Properties: properties,
		})
	}
}

// colored is a fixed colour.
func colored(name string) grafana.Property {
	return grafana.Property{ID: "color", Value: grafana.Color{Mode: "fixed", FixedColor: name}}
}

// dashes makes a line of dashes, without a filling and off any stack.
func dashes() []grafana.Property {
	return []grafana.Property{
		{ID: "custom.lineStyle", Value: grafana.LineStyle{Fill: "dash", Dash: []int{8, 6}}},
		{ID: "custom.lineWidth", Value: 2},
		{ID: "custom.fillOpacity", Value: 0},
		{ID: "custom.stacking", Value: grafana.Stacking{Mode: "none", Group: "A"}},
	}
}

// dashed is a dashed line of a fixed colour.
func dashed(color string) []grafana.Property { return append(dashes(), colored(color)) }

// reasons gives each reason for a failure its colour, the same everywhere: reds and
// purples for faults of the network or the exporter, oranges and yellows for responses of the
// target.
func reasons(p *grafana.Panel) {
	colors := map[protocol.Reason]string{
		protocol.ReasonLocal:          "semi-dark-purple",
		protocol.ReasonDenied:         "dark-purple",
		protocol.ReasonDNS:            "purple",
		protocol.ReasonRefused:        "dark-red",
		protocol.ReasonConnectTimeout: "light-red",
		protocol.ReasonTLS:            "light-purple",
		protocol.ReasonReset:          "semi-dark-red",
		protocol.ReasonTimeout:        "red",
		protocol.ReasonProtocol:       "dark-orange",
		protocol.ReasonStatus:         "orange",
		protocol.ReasonCheck:          "yellow",
		protocol.ReasonCanceled:       "text",
	}
	colorAll(p, protocol.ReasonNone+1, protocol.NumReasons, colors)
	largestFirst(p)
}

// drops gives each reason for not sending a slot its colour.
func drops(p *grafana.Panel) {
	colors := map[engine.DropReason]string{
		engine.DropInFlight:      "orange",
		engine.DropRateCap:       "purple",
		engine.DropLate:          "red",
		engine.DropBackOff:       "blue",
		engine.DropDailyLimit:    "super-light-blue",
		engine.DropJourneys:      "yellow",
		engine.DropNoToken:       "dark-red",
		engine.DropNoSession:     "light-red",
		engine.DropNoDescriptors: "dark-orange",
		engine.DropShutdown:      "text",
	}
	colorAll(p, engine.DropReason(0), engine.NumDropReasons, colors)
	largestFirst(p)
}

// outcomes gives each outcome of a journey its colour.
func outcomes(p *grafana.Panel) {
	colors := map[engine.JourneyOutcome]string{
		engine.JourneySuccess:  "green",
		engine.JourneyFailure:  "red",
		engine.JourneyWithheld: "purple",
		engine.JourneyCanceled: "text",
	}
	colorAll(p, engine.JourneyOutcome(0), engine.NumJourneyOutcomes, colors)
}

// withheld gives each reason for not sending a retry, a redirect or a step its colour.
func withheld(p *grafana.Panel) {
	colors := map[engine.WithheldReason]string{
		engine.WithheldRateCap:     "purple",
		engine.WithheldRetryBudget: "red",
		engine.WithheldInFlight:    "orange",
		engine.WithheldShutdown:    "text",
	}
	for r := range engine.WithheldReason(engine.NumWithheldReasons) {
		for e := range protocol.Extra(protocol.NumExtras) {
			named(e.String()+", "+r.String(), colored(mustHave(colors, r)))(p)
		}
	}
	largestFirst(p)
}

// mismatches gives each way in which a candidate's response differs its colour.
func mismatches(p *grafana.Panel) {
	colors := map[candidate.Result]string{
		candidate.Same:       "green",
		candidate.BaseFailed: "text",
		candidate.Failed:     "red",
		candidate.Status:     "orange",
		candidate.Check:      "yellow",
		candidate.Headers:    "light-blue",
		candidate.Body:       "blue",
		candidate.Missing:    "purple",
	}
	colorAll(p, candidate.Result(0), candidate.NumResults, colors)
	largestFirst(p)
}

// skips gives each reason for not comparing a slot its colour.
func skips(p *grafana.Panel) {
	colors := map[candidate.Skip]string{candidate.SkipRateCap: "purple", candidate.SkipBackOff: "blue", candidate.SkipLacks: "red"}
	for s := range candidate.Skip(candidate.NumSkips) {
		named(s.String()+", not compared", colored(mustHave(colors, s)))(p)
	}
	named(engine.WithheldInFlight.String()+", not compared", colored("orange"))(p)
	largestFirst(p)
}

// colorAll gives the series of each value, from the first to before the end, its colour.
func colorAll[K interface {
	~uint8
	fmt.Stringer
}](p *grafana.Panel, first K, end int, colors map[K]string) {
	for k := first; int(k) < end; k++ {
		named(k.String(), colored(mustHave(colors, k)))(p)
	}
}

// mustHave finds a colour. One that is missing is a mistake in this package, which the
// first run of the generator shows.
func mustHave[K interface {
	comparable
	fmt.Stringer
}](colors map[K]string, key K) string {
	color, ok := colors[key]
	if !ok {
		panic(fmt.Sprintf("no colour for %s", key))
	}
	return color
}

// codes gives classes of status codes their colours. An empty code is no response.
func codes(p *grafana.Panel) {
	like("^(2|1000$|1005$)", colored("green"))(p) // The last two close a WebSocket normally.
	like("^3", colored("blue"))(p)
	like("^4", colored("yellow"))(p)
	like("^5", colored("orange"))(p)
	named("no response", colored("red"))(p)
	largestFirst(p)
}
