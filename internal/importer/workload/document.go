package workload

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/curve"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/document"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/sensitive"
)

// Options say how the configuration is written.
type Options struct {
	// Name is that of the scenario, BaseURL where its requests go.
	Name, BaseURL string
	// Zone is the time zone of the curve.
	Zone *time.Location
	// CurveFile is the name of the file that a weekly curve is replayed from; empty to have the curve in the
	// configuration itself.
	CurveFile string
	// MinShare is the least share of the requests that an entry of the mix has, in percent.
	MinShare float64
	// Secrets and Personal have secrets and personal data written as they are.
	Secrets, Personal bool
	// Comment stands at the top.
	Comment []string
}

// maxEntries bounds the entries of a mix: the configuration takes no more.
const maxEntries = 100

// weights is what the weights of a mix add up to.
const weights = 100_000

// Document returns a configuration of the counts, and the curve that it replays, if it has
// one in a file.
func (c *Counter) Document(o Options) (document.File, curve.Curve) {
	w := &writer{o: o, detector: sensitive.New(), requests: names{}, data: names{}}
	rate := c.curve.Curve(o.Zone)
	s := document.Scenario{
		Name: o.Name, Rate: rateNode(rate, o.CurveFile), Poisson: true, BaseURL: document.Literal(o.BaseURL),
		Entries: w.entries(c.routes(), c.total, o.MinShare),
	}
	if name := o.Zone.String(); name != "UTC" {
		s.TimeZone = name
	}
	f := document.File{Data: w.all, Scenarios: []document.Scenario{s}}
	f.Comment = slices.Concat(o.Comment, c.summary(rate), w.left(c.total))
	return f, rate
}

// routes returns the routes of all methods, the most frequent first.
func (c *Counter) routes() []route {
	var all []route
	for method, tree := range c.trees {
		for _, r := range tree.Routes() {
			all = append(all, route{method, r})
		}
	}
	slices.SortFunc(all, func(a, b route) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.method, b.method), cmp.Compare(a.Pattern(), b.Pattern()), slices.Compare(a.Parameters, b.Parameters))
	})
	return all
}

// entries returns the entries of the routes that are frequent enough. A rarer one counts for that with the same
// path and other parameters, if there is one.
func (w *writer) entries(all []route, total uint64, minShare float64) []document.Entry {
	var entries []document.Entry
	var counts []uint64
	var kept uint64
	paths := map[string]int{}
	for _, r := range all {
		path := r.method + " " + r.Pattern()
		if i, ok := paths[path]; ok && (r.Mixed || 100*float64(r.Count) < minShare*float64(total) || len(entries) >= maxEntries) {
			counts[i] += r.Count
			kept += r.Count
			continue
		}
		if r.Mixed || 100*float64(r.Count) < minShare*float64(total) || len(entries) >= maxEntries {
			continue
		}
		if e, ok := w.entry(r); ok {
			if _, ok := paths[path]; !ok {
				paths[path] = len(entries)
			}
			entries, counts = append(entries, e), append(counts, r.Count)
			kept += r.Count
		}
	}
	for i := range entries {
		entries[i].Weight = max(1, int64(float64(counts[i])*weights/float64(kept)+0.5))
	}
	w.kept = kept
	return entries
}

// rateNode returns a curve as the configuration has it.
func rateNode(c curve.Curve, file string) *yaml.Node {
	switch {
	case c.Shape == curve.Weekly && file != "":
		return document.One("replay", document.NewMap().Set("file", document.String(file)).Set("by", document.String("week")).Node())
	case c.Shape == curve.Weekly:
		return document.One("weekly", points(c, func(at time.Duration) string { return strings.ToLower(curve.WeekTime(at)) }))
	case c.Shape == curve.Daily:
		return document.One("daily", points(c, func(at time.Duration) string { return curve.WeekTime(at)[len("Mon "):] }))
	default:
		return rate(c.Mean)
	}
}

func points(c curve.Curve, at func(time.Duration) string) *yaml.Node {
	n := document.List()
	for _, p := range c.Points {
		n.Content = append(n.Content, document.NewMap().Set("at", document.String(at(p.At))).Set("rate", rate(p.Rate)).Node())
	}
	return n
}

// rate returns a rate with four digits that matter.
func rate(perSecond float64) *yaml.Node {
	text := strconv.FormatFloat(perSecond, 'g', 4, 64)
	if rounded, err := strconv.ParseFloat(text, 64); err == nil {
		text = strconv.FormatFloat(rounded, 'f', -1, 64)
	}
	return document.String(text + "/s")
}

// summary returns lines about the counted and the skipped requests.
func (c *Counter) summary(rate curve.Curve) []string {
	from, to := c.curve.Span()
	lines := []string{fmt.Sprintf("%d requests from %s to %s, %.4g a second on average.", c.total, from.UTC().Format(time.RFC3339), to.UTC().Format(time.RFC3339), rate.Mean)}
	note := func(n uint64, format string) {
		if n > 0 {
			lines = append(lines, fmt.Sprintf(format, n, percent(n, n+c.total)))
		}
	}
	if rate.Gap > 0 {
		lines = append(lines, fmt.Sprintf("Nothing was logged for %s, which counts as missing and not as silence.", rate.Gap))
	}
	_, outside := c.curve.Total()
	note(outside, "Requests of too many other days to be in the curve: %d (%s).")
	note(c.left.NoRequest, "Left out, lines without a request of HTTP: %d (%s).")
	note(c.left.Static, "Left out, requests for images, scripts, styles, fonts and the like: %d (%s). --static keeps them.")
	note(c.left.Bots, "Left out, requests of robots and health checks: %d (%s). --bots keeps them.")
	note(c.left.Hosts, "Left out, requests for other hosts: %d (%s).")
	note(c.left.Methods, "Left out, requests with other methods: %d (%s).")
	return append(lines, c.hostLines()...)
}

// hostLines returns a line with the most frequent hosts if there are several.
func (c *Counter) hostLines() []string {
	all := c.hosts.sorted()
	if len(all) < 2 {
		return nil
	}
	var top []string
	for _, host := range all[:min(len(all), 10)] {
		top = append(top, fmt.Sprintf("%s %s", cmp.Or(host, "none"), percent(*c.hosts.counts[host], c.total)))
	}
	return []string{fmt.Sprintf("Requests for %d hosts are together here; --host keeps some: %s.", len(all), strings.Join(top, ", "))}
}

// left returns a line that says which share of the requests the mix has, unless it has all.
func (w *writer) left(total uint64) []string {
	if w.kept == total {
		return nil
	}
	return []string{fmt.Sprintf("The mix has %s of the requests. The rest are too rare for it, see --min-share; their share is spread over the others.", percent(w.kept, total))}
}

// percent returns a share in percent, with as many digits as it takes to see it.
func percent(n, of uint64) string {
	share := 100 * float64(n) / float64(max(of, 1))
	if share < 1 || share > 99 && share < 100 {
		return strconv.FormatFloat(share, 'f', 2, 64) + " %"
	}
	return strconv.FormatFloat(share, 'f', 1, 64) + " %"
}
