//go:build linux

package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"
)

//go:embed performance.md.tmpl
var pageTemplate string

// plots is the folder of the plots and the results, in that of the documentation.
const plots = "performance"

func pagePath(docs string) string    { return filepath.Join(docs, "performance.md") }
func resultsPath(docs string) string { return filepath.Join(docs, plots, "results.json") }

// save writes the results, and the page and the plots that are made of them.
func (r *results) save(docs string) error {
	if err := os.MkdirAll(filepath.Join(docs, plots), 0o755); err != nil {
		return err
	}
	if err := r.write(resultsPath(docs)); err != nil {
		return err
	}
	return render(r, docs)
}

// render writes the page and the plots.
func render(r *results, docs string) error {
	files, err := r.files()
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(docs, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// files returns the page and the plots, by their names in the folder of the
// documentation.
func (r *results) files() (map[string]string, error) {
	files := map[string]string{}
	for _, p := range r.protocols(load) {
		files[r.costPlot(p)] = r.drawCosts(p)
	}
	files[plots+"/throughput.svg"] = r.drawThroughput()
	for _, p := range r.protocols(sends) {
		files[r.sendsPlot(p)] = r.drawSends(p)
	}
	t, err := template.New("performance.md").Parse(pageTemplate)
	if err != nil {
		return nil, err
	}
	var page bytes.Buffer
	if err := t.Execute(&page, view{r}); err != nil {
		return nil, err
	}
	files["performance.md"] = page.String()
	return files, nil
}

func (r *results) costPlot(p protocol) string { return fmt.Sprintf("%s/cpu-%s.svg", plots, string(p)) }

func (r *results) sendsPlot(p protocol) string {
	return fmt.Sprintf("%s/sends-%s.svg", plots, string(p))
}

// drawCosts draws the processor time of each request by rate.
func (r *results) drawCosts(p protocol) string {
	rates := r.rates(load, p)
	var lines []series
	for _, name := range r.toolsOf(load, p) {
		line := series{tool: name}
		for _, at := range rates {
			c := r.find(load, p, at, name)
			v, ok := over(c, perRequest)
			if !ok {
				v = math.NaN()
			}
			line.values = append(line.values, v)
			line.hollow = append(line.hollow, ok && !keeps(c))
		}
		lines = append(lines, line)
	}
	return lineChart(p.String()+": processor time for each request",
		"user and system time of the generator, by the rate of requests; logarithmic, lower is better; ring: the rate was not reached",
		collect(rates, rate.String), lines, mark)
}

// drawThroughput draws the throughput flat out.
func (r *results) drawThroughput() string {
	var panels []panel[bar]
	for _, p := range r.protocols(load) {
		next := panel[bar]{title: p.String()}
		for _, name := range r.toolsOf(load, p) {
			c := r.find(load, p, flatOut, name)
			if v, ok := over(c, run.throughput); ok {
				next.rows = append(next.rows, bar{tool: name, value: v, note: bound(c)})
			}
		}
		slices.SortStableFunc(next.rows, func(a, b bar) int { return int(b.value - a.value) })
		if len(next.rows) > 0 {
			panels = append(panels, next)
		}
	}
	return barChart("Flat out: requests in a second", "what the target got, with one core for the target; higher is better", panels, perSecond)
}

// bound says that the target and not the tool was the limit.
func bound(c *cell) string {
	if busy, _ := over(c, targetBusy); busy > 0.95 {
		return ", target busy"
	}
	return ""
}

// drawSends draws the lateness of the sends by tool.
func (r *results) drawSends(p protocol) string {
	var panels []panel[span]
	for _, at := range r.rates(sends, p) {
		next := panel[span]{title: at.String()}
		var short []string
		for _, name := range r.toolsOf(sends, p) {
			c := r.find(sends, p, at, name)
			if c == nil || c.Skipped != "" {
				continue
			}
			if !keeps(c) {
				short = append(short, name)
				continue
			}
			of := func(f func(lateness) time.Duration) float64 {
				v, _ := over(c, func(r run) float64 { return float64(f(r.Receiver.Even)) / 1000 })
				return v
			}
			next.rows = append(next.rows, span{
				tool: name, p50: of(func(l lateness) time.Duration { return l.P50 }),
				p99: of(func(l lateness) time.Duration { return l.P99 }), max: of(func(l lateness) time.Duration { return l.Max }),
			})
		}
		if len(short) > 0 {
			next.note = "rate not reached: " + strings.Join(short, "; ")
		}
		panels = append(panels, next)
	}
	return spanChart(p.String()+": how late requests arrive",
		"against an even schedule; dot: median, thick line: to the 99th percentile, ring: latest; logarithmic, left is better",
		panels, 1, mark)
}

// view is what the template of the page sees.
type view struct{ *results }

// Quick reports whether the figures are of a look only.
func (v view) Quick() bool { return v.Settings.Size == "quick" }

// Day returns the date.
func (v view) Day() string { return v.Date.Format(time.DateOnly) }

// System returns the machine in a sentence.
func (v view) System() string {
	m := v.Machine
	kind := "cores"
	if m.Virtual {
		kind = "virtual cores"
	}
	return fmt.Sprintf("%s, %d %s, %.0f GB, Linux %s", m.CPU, m.Cores, kind, float64(m.Memory)/1e9, m.Kernel)
}

// OneCore reports whether the tools had one processor.
func (v view) OneCore() bool { return countProcessors(v.Settings.ToolCPUs) == 1 }

// others returns how much of a core the rest of the machine used in each window.
func (v view) others() []float64 {
	var all []float64
	for _, c := range v.Cells {
		for _, r := range c.good() {
			if r.Receiver == nil && r.Window > 0 {
				all = append(all, float64(r.OtherCPU)/float64(r.Window))
			}
		}
	}
	return all
}

// Others says how much of a core the rest of the machine used.
func (v view) Others() string {
	all := v.others()
	if len(all) == 0 {
		return "an unknown part of a core"
	}
	return fmt.Sprintf("%.0f %% of a core in the median and %.0f %% at most", 100*median(all), 100*slices.Max(all))
}

// Busy reports whether the machine had other things to do, which makes all figures
// worth little.
func (v view) Busy() bool {
	const much = 0.25
	return median(v.others()) > much
}

// Stamped returns the part of the requests that the kernel has stamped, in percent, in
// the run where it was least.
func (v view) Stamped() string {
	least := 1.0
	for _, c := range v.Cells {
		for _, r := range c.good() {
			if r.Receiver != nil {
				least = min(least, r.Receiver.Stamped)
			}
		}
	}
	return fmt.Sprintf("%.4g %%", 100*least)
}

// Kept returns the part of a rate that has to be reached, in percent.
func (v view) Kept() string { return fmt.Sprintf("%.0f %%", 100*kept) }

// Costs returns the plots and tables of processor time.
func (v view) Costs() string {
	var b strings.Builder
	for _, p := range v.protocols(load) {
		fmt.Fprintf(&b, "### %s\n\n![Processor time for each request, %s](%s)\n\n%s\n", p, p, v.costPlot(p), v.costs(p))
	}
	return strings.TrimSpace(b.String())
}

// Throughputs returns the tables of throughputs.
func (v view) Throughputs() string {
	var b strings.Builder
	for _, p := range v.protocols(load) {
		fmt.Fprintf(&b, "%s:\n\n%s\n", p, v.throughputs(p))
	}
	return strings.TrimSpace(b.String())
}

// Memories returns the table of memory.
func (v view) Memories() string { return strings.TrimSpace(v.memories(http1)) }

// Sends returns the plots and tables of when requests leave.
func (v view) Sends() string {
	var b strings.Builder
	for _, p := range v.protocols(sends) {
		fmt.Fprintf(&b, "![How late requests arrive, %s](%s)\n\n", p, v.sendsPlot(p))
		for _, at := range v.rates(sends, p) {
			fmt.Fprintf(&b, "%s, %s:\n\n%s\n", p, at, v.lateness(p, at))
		}
		b.WriteString(v.notes(sends, p))
	}
	return strings.TrimSpace(b.String())
}

// Latencies returns the tables of the latencies that tools report, for a kind.
func (v view) Latencies(k kind) string {
	var b strings.Builder
	for _, p := range v.protocols(k) {
		for _, at := range v.rates(k, p) {
			fmt.Fprintf(&b, "%s, %s:\n\n%s\n", p, at, v.latencies(k, p, at))
		}
	}
	return strings.TrimSpace(b.String())
}

// Tools returns the table of all programs.
func (v view) Tools() string { return strings.TrimSpace(v.programs()) }

// Milliseconds returns a duration of the script.
func (v view) Milliseconds(d time.Duration) string { return digits(d.Seconds()*1000) + " ms" }
