//go:build linux

package main

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// docs is the folder of the documentation.
const docs = "../../../docs"

// someResults are of two repetitions of three tools. One tool is missing, and one
// cannot do all.
func someResults() *results {
	r := &results{
		Date: time.Unix(1_800_000_000, 0).UTC(), Settings: settings{Size: "standard", Repetitions: 2, ToolCPUs: "1"},
		Programs: []program{{Name: "traffic_exporter", Version: "1"}, {Name: "wrk2", Version: "2"}, {Name: "hey", Missing: "not found; <get> it"}},
	}
	add := func(c *cell, cpus ...time.Duration) {
		for i, cpu := range cpus {
			x := run{
				Repetition: i, Window: time.Second, Requests: int(c.Rate), CPU: cpu * time.Duration(c.Rate), TargetCPU: time.Second / 2,
				Memory: memory{Now: 10e6, Peak: 20e6}, Reported: reported{P50: time.Millisecond, P99: 4 * time.Millisecond},
			}
			if c.Rate == flatOut {
				x.Requests, x.CPU = 10000, cpu*10000
			}
			if c.Kind != load {
				late := lateness{P50: 20 * time.Microsecond, P90: 50 * time.Microsecond, P99: 2 * time.Millisecond, Max: 3 * time.Millisecond, Sends: 1000, Rate: 999}
				x.Receiver = &received{Stamped: 1, Even: late, Nominal: late, Truth: truth{P50: 900 * time.Microsecond, P99: 3 * time.Millisecond}, Stalled: 0.5}
			}
			c.Runs = append(c.Runs, x)
		}
		r.Cells = append(r.Cells, c)
	}
	const us = time.Microsecond
	add(&cell{Kind: load, Protocol: http1, Rate: 1000, Tool: "traffic_exporter"}, 100*us, 300*us)
	add(&cell{Kind: load, Protocol: http1, Rate: 1000, Tool: "wrk2"}, 50*us, 100*us)
	add(&cell{Kind: load, Protocol: http1, Rate: 1000, Tool: "hey", Skipped: "not found"})
	add(&cell{Kind: load, Protocol: http1, Rate: flatOut, Tool: "traffic_exporter"}, 50*us, 50*us)
	add(&cell{Kind: load, Protocol: http1, Rate: flatOut, Tool: "wrk2", Skipped: "always sends at a rate"})
	add(&cell{Kind: load, Protocol: http1, Rate: flatOut, Tool: "hey", Skipped: "not found"})
	for _, k := range []kind{sends, stall} {
		add(&cell{Kind: k, Protocol: http1, Rate: 1000, Tool: "traffic_exporter"}, us, us)
		add(&cell{Kind: k, Protocol: http1, Rate: 1000, Tool: "wrk2"}, us, us)
		add(&cell{Kind: k, Protocol: http1, Rate: 1000, Tool: "hey", Skipped: "not found"})
	}
	return r
}

func TestRatiosAreThoseOfTheSameRepetition(t *testing.T) {
	r := someResults()
	// Of 100/50 and 300/100, not 200/75.
	if got := r.ratio(r.find(load, http1, 1000, "traffic_exporter")); got != 2.5 {
		t.Errorf("the ratio is %v, want 2.5", got)
	}
	if got := r.ratio(r.find(load, http1, flatOut, "traffic_exporter")); !math.IsNaN(got) {
		t.Errorf("the ratio to nothing is %v, want NaN", got)
	}
}

func TestTablesShowGaps(t *testing.T) {
	got := someResults().costs(http1)
	for _, want := range []string{
		"| traffic_exporter | 200 µs (×2.5) ±50 % | 50.0 µs ±0 % |\n",
		"| wrk2 | 75.0 µs ±33 % | – |\n",
		"| hey | missing | missing |\n",
		"\nhey: not found. wrk2: always sends at a rate.\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("found\n%s\nwant in it\n%s", got, want)
		}
	}
}

func TestAToolThatDoesNotKeepTheRateIsMarked(t *testing.T) {
	r := someResults()
	c := r.find(load, http1, 1000, "wrk2")
	for i := range c.Runs {
		c.Runs[i].Requests = 800
	}
	if got := r.costs(http1); !strings.Contains(got, ", at 800/s only") {
		t.Errorf("found\n%s", got)
	}
}

func TestFailedRunsAreReported(t *testing.T) {
	r := someResults()
	c := r.find(load, http1, 1000, "wrk2")
	c.Runs[0].Error = "wrk2 ended early:\nno luck"
	if got := r.costs(http1); !strings.Contains(got, "wrk2: 1 of 2 runs failed (wrk2 ended early: no luck)") {
		t.Errorf("found\n%s", got)
	}
	c.Runs[1].Error = "again"
	if got := r.costs(http1); !strings.Contains(got, "| wrk2 | failed |") {
		t.Errorf("found\n%s", got)
	}
}

// wellFormed fails the test unless a drawing is XML that can be drawn.
func wellFormed(t *testing.T, name, drawing string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(drawing)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		element, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		for _, a := range element.Attr {
			if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
				t.Errorf("%s: <%s %s=%q>", name, element.Name.Local, a.Name.Local, a.Value)
			}
		}
	}
}

func TestThePageHasItsPlots(t *testing.T) {
	files, err := someResults().files()
	if err != nil {
		t.Fatal(err)
	}
	page := files["performance.md"]
	for name, text := range files {
		if filepath.Ext(name) != ".svg" {
			continue
		}
		wellFormed(t, name, text)
		if !strings.Contains(page, "]("+name+")") {
			t.Errorf("the page does not show %s", name)
		}
	}
	if len(files) != 4 || strings.Contains(page, "NaN") || strings.Contains(page, "<no value>") {
		t.Errorf("found %d files and the page\n%s", len(files), page)
	}
}

func TestDrawingsOfNothing(t *testing.T) {
	wellFormed(t, "lines", lineChart("a < b & c", "", []string{"1"}, []series{{tool: "wrk", values: []float64{math.NaN()}}}, mark))
	wellFormed(t, "bars", barChart("", "", nil, perSecond))
	wellFormed(t, "spans", spanChart("", "", []panel[span]{{title: "none"}}, 1, mark))
	files, err := (&results{}).files()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if filepath.Ext(name) == ".svg" {
			wellFormed(t, name, text)
		}
	}
}

func TestLabelsDoNotOverlap(t *testing.T) {
	var lines []series
	for i := range 10 {
		lines = append(lines, series{tool: fmt.Sprintf("tool %d", i), values: []float64{100, 100 + float64(i)/10}})
	}
	drawing := lineChart("", "", []string{"a", "b"}, lines, mark)
	var last float64
	for d := xml.NewDecoder(strings.NewReader(drawing)); ; {
		token, err := d.Token()
		if err != nil {
			break
		}
		element, ok := token.(xml.StartElement)
		if !ok || element.Name.Local != "text" || element.Attr[0].Value != "684.0" {
			continue
		}
		var y float64
		if _, err := fmt.Sscan(element.Attr[1].Value, &y); err != nil {
			t.Fatal(err)
		}
		if y < last+14 {
			t.Errorf("a name at %v is too near to that at %v", y, last)
		}
		last = y
	}
	if last == 0 {
		t.Error("there are no names")
	}
}

func TestAxis(t *testing.T) {
	a := newAxis([]float64{3, 70, math.NaN(), 0}, 0, 100)
	if a.low != 2 || a.high != 100 {
		t.Errorf("found an axis from %v to %v, want from 2 to 100", a.low, a.high)
	}
	if got := a.ticks(); fmt.Sprint(got) != "[2 5 10 20 50 100]" {
		t.Errorf("found the ticks %v", got)
	}
	if a.at(2) != 0 || a.at(100) != 100 || a.at(1e9) != 100 {
		t.Errorf("found the ends at %v and %v", a.at(2), a.at(100))
	}
	one := newAxis([]float64{10}, 0, 100)
	if one.low >= one.high {
		t.Errorf("an axis of one value goes from %v to %v", one.low, one.high)
	}
}

func TestNumbersForPeople(t *testing.T) {
	for us, want := range map[float64]string{0: "0.00 µs", 1.234: "1.23 µs", 12.34: "12.3 µs", 999: "999 µs", 999.7: "1.00 ms", 12345: "12.3 ms", 2e6: "2 s"} {
		if got := microseconds(us); got != want {
			t.Errorf("%v is %q, want %q", us, got, want)
		}
	}
	for v, want := range map[float64]string{99.6: "100/s", 1234: "1.23k/s", 66376: "66.4k/s"} {
		if got := perSecond(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
	for at, want := range map[rate]string{flatOut: "flat out", 100: "100/s", 20000: "20k/s"} {
		if got := at.String(); got != want {
			t.Errorf("%v is %q, want %q", float64(at), got, want)
		}
	}
}

func TestThePageIsUpToDate(t *testing.T) {
	r, err := readResults(resultsPath(docs))
	if err != nil {
		t.Fatal(err)
	}
	files, err := r.files()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(docs, name))
		if err != nil || string(got) != want {
			t.Errorf("%s is not that of performance/results.json: run go generate in test/bench/peers (%v)", name, err)
		}
	}
}
