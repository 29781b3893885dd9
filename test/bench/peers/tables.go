//go:build linux

package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// kept is the part of a rate that a tool has to reach to count as keeping it.
const kept = 0.95

// table is one of Markdown.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// String returns the table; all columns but the first are to the right.
func (t *table) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s |\n|---|%s\n", strings.Join(t.head, " | "), strings.Repeat("---:|", len(t.head)-1))
	for _, r := range t.rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(r, " | "))
	}
	return b.String()
}

// over returns the median over the good runs of a cell, and whether there is any.
func over(c *cell, of func(run) float64) (float64, bool) {
	if c == nil || len(c.good()) == 0 {
		return 0, false
	}
	return median(collect(c.good(), of)), true
}

// perRequest returns the microseconds of processor time of each request.
func perRequest(r run) float64 { return float64(r.perRequest()) / float64(time.Microsecond) }

// keeps reports whether the tool kept the rate of the cell.
func keeps(c *cell) bool {
	got, ok := over(c, run.throughput)
	return ok && (c.Rate == flatOut || got >= kept*float64(c.Rate))
}

// reference returns whom a tool is compared with.
func reference(p protocol, at rate) string {
	switch {
	case p.http2():
		return "h2load"
	case at == flatOut:
		return "wrk"
	}
	return "wrk2"
}

// ratio returns how many times the processor time of the reference a request takes, as
// the median over the repetitions, each compared with its own; NaN if there is none.
func (r *results) ratio(c *cell) float64 {
	to := r.find(c.Kind, c.Protocol, c.Rate, reference(c.Protocol, c.Rate))
	if to == nil || to == c {
		return math.NaN()
	}
	var all []float64
	for _, mine := range c.good() {
		for _, theirs := range to.good() {
			if mine.Repetition == theirs.Repetition && theirs.perRequest() > 0 {
				all = append(all, perRequest(mine)/perRequest(theirs))
			}
		}
	}
	if len(all) == 0 {
		return math.NaN()
	}
	return median(all)
}

// costs returns the table of processor time for each request.
func (r *results) costs(p protocol) string {
	return r.byRate(load, p, func(c *cell) string {
		v, _ := over(c, perRequest)
		text := microseconds(v)
		if x := r.ratio(c); !math.IsNaN(x) {
			text += fmt.Sprintf(" (×%.3g)", x)
		}
		if len(c.good()) > 1 {
			text += fmt.Sprintf(" ±%.0f %%", 50*spread(collect(c.good(), perRequest)))
		}
		if !keeps(c) {
			got, _ := over(c, run.throughput)
			text += ", at " + perSecond(got) + " only"
		}
		return text
	})
}

// memories returns the table of resident memory.
func (r *results) memories(p protocol) string {
	return r.byRate(load, p, func(c *cell) string {
		now, _ := over(c, func(r run) float64 { return float64(r.Memory.Now) })
		peak, _ := over(c, func(r run) float64 { return float64(r.Memory.Peak) })
		return fmt.Sprintf("%.0f / %.0f MB", now/1e6, peak/1e6)
	})
}

// byRate returns a table with a row for each tool and a column for each rate.
func (r *results) byRate(k kind, p protocol, cellText func(c *cell) string) string {
	rates := r.rates(k, p)
	t := table{head: []string{""}}
	for _, at := range rates {
		t.head = append(t.head, at.String())
	}
	for _, name := range r.toolsOf(k, p) {
		row := []string{name}
		for _, at := range rates {
			row = append(row, r.entry(r.find(k, p, at, name), cellText))
		}
		t.add(row...)
	}
	return t.String() + r.notes(k, p)
}

// entry returns the text of a cell, or of there being nothing.
func (r *results) entry(c *cell, cellText func(c *cell) string) string {
	switch {
	case c == nil:
		return ""
	case c.Skipped != "" && r.missing(c.Tool):
		return "missing"
	case c.Skipped != "":
		return "–"
	case len(c.good()) == 0:
		return "failed"
	}
	return cellText(c)
}

// missing reports whether a program is.
func (r *results) missing(tool string) bool {
	name, _, _ := strings.Cut(tool, ",")
	return slices.ContainsFunc(r.Programs, func(p program) bool { return p.Name == name && p.Missing != "" })
}

// notes says below a table why something is not in it.
func (r *results) notes(k kind, p protocol) string {
	var all []string
	for _, c := range r.Cells {
		if c.Kind != k || c.Protocol != p {
			continue
		}
		why := c.Skipped
		if why == "" && len(c.good()) < len(c.Runs) {
			why = firstError(c)
		}
		if note := c.Tool + ": " + why + "."; why != "" && !slices.Contains(all, note) {
			all = append(all, note)
		}
	}
	if len(all) == 0 {
		return ""
	}
	return "\n" + strings.Join(all, " ") + "\n"
}

// firstError returns the first error, in one line.
func firstError(c *cell) string {
	for _, r := range c.Runs {
		if r.Error != "" {
			text := strings.Join(strings.Fields(r.Error), " ")
			return fmt.Sprintf("%d of %d runs failed (%s)", len(c.Runs)-len(c.good()), len(c.Runs), text[:min(len(text), 60)])
		}
	}
	return ""
}

// rates returns those of a kind and protocol, flat out last.
func (r *results) rates(k kind, p protocol) []rate {
	var all []rate
	for _, c := range r.Cells {
		if c.Kind == k && c.Protocol == p && !slices.Contains(all, c.Rate) {
			all = append(all, c.Rate)
		}
	}
	return all
}

// toolsOf returns the tools of a kind and protocol.
func (r *results) toolsOf(k kind, p protocol) []string {
	var all []string
	for _, c := range r.Cells {
		if c.Kind == k && c.Protocol == p && !slices.Contains(all, c.Tool) {
			all = append(all, c.Tool)
		}
	}
	return all
}

// protocols returns those of a kind.
func (r *results) protocols(k kind) []protocol {
	var all []protocol
	for _, p := range protocols() {
		if len(r.rates(k, p)) > 0 {
			all = append(all, p)
		}
	}
	return all
}

// throughputs returns the table of throughputs.
func (r *results) throughputs(p protocol) string {
	return r.byRate(load, p, func(c *cell) string {
		v, _ := over(c, run.throughput)
		text := perSecond(v) + plusMinus(c, run.throughput)
		if busy, _ := over(c, targetBusy); c.Rate == flatOut {
			text += fmt.Sprintf(", target %.0f %%", 100*busy)
		}
		if failed, _ := over(c, func(r run) float64 { return float64(r.Reported.Failed) }); failed > 0 {
			text += fmt.Sprintf(", %.0f failed", failed)
		}
		if dropped, _ := over(c, run.dropped); dropped > 0 {
			text += ", " + perSecond(dropped) + " dropped"
		}
		return text
	})
}

// targetBusy returns the part of a core that the target used.
func targetBusy(r run) float64 { return float64(r.TargetCPU) / float64(r.Window) }

// dropped returns the slots that the exporter did not send, each second; 0 of others.
func (r run) dropped() float64 {
	if r.Ledger == nil {
		return 0
	}
	return float64(r.Ledger.Dropped) / r.Ledger.Seconds
}

func plusMinus(c *cell, of func(run) float64) string {
	if len(c.good()) < 2 {
		return ""
	}
	return fmt.Sprintf(" ±%.0f %%", 50*spread(collect(c.good(), of)))
}

// programs returns the table of all programs.
func (r *results) programs() string {
	var b strings.Builder
	b.WriteString("| program | version |\n|---|---|\n")
	for _, p := range r.Programs {
		version := p.Version
		if p.Missing != "" {
			version = "**missing**: " + p.Missing
		}
		fmt.Fprintf(&b, "| %s | %s |\n", p.Name, version)
	}
	return b.String()
}

// microseconds returns a number of them with three digits, in the unit that fits.
func microseconds(us float64) string {
	switch abs := math.Abs(us); {
	case abs >= 1e6:
		return fmt.Sprintf("%.3g s", us/1e6)
	case abs >= 999.5:
		return digits(us/1000) + " ms"
	}
	return digits(us) + " µs"
}

// digits returns three of them, and never an exponent.
func digits(v float64) string {
	switch abs := math.Abs(v); {
	case abs >= 99.95:
		return fmt.Sprintf("%.0f", v)
	case abs >= 9.995:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// perSecond returns a throughput.
func perSecond(v float64) string {
	if v >= 999.5 {
		return digits(v/1000) + "k/s"
	}
	return fmt.Sprintf("%.0f/s", v)
}

// mark returns microseconds as an axis is marked with them.
func mark(us float64) string {
	switch {
	case us >= 1e6:
		return fmt.Sprintf("%g s", us/1e6)
	case us >= 1e3:
		return fmt.Sprintf("%g ms", us/1e3)
	}
	return fmt.Sprintf("%g µs", us)
}
