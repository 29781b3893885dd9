//go:build linux

package main

import (
	"io"
	"strings"
	"testing"
)

// soaked returns ten points that differ from flat ones by what change says.
func soaked(change func(i int, p *point)) []point {
	points := make([]point, soakPoints)
	for i := range points {
		points[i] = point{finished: float64(1000 * i), rss: 50e6, goroutines: 200, files: 100, series: 202}
		change(i, &points[i])
	}
	return points
}

func TestWhatStaysFlatPasses(t *testing.T) {
	if err := judgeSoak(soaked(func(int, *point) {}), 64, io.Discard); err != nil {
		t.Error(err)
	}
}

func TestWhatGrowsFails(t *testing.T) {
	for want, change := range map[string]func(i int, p *point){
		"RSS":        func(i int, p *point) { p.rss += float64(i) * 3e6 },
		"goroutines": func(i int, p *point) { p.goroutines += float64(i) * 100 },
		"files":      func(i int, p *point) { p.files += float64(i) * 50 },
		"series":     func(i int, p *point) { p.series += float64(i) * 3 },
	} {
		if err := judgeSoak(soaked(change), 64, io.Discard); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: found %v", want, err)
		}
	}
}

func TestWhatWarmsUpPasses(t *testing.T) {
	change := func(i int, p *point) { p.rss += 20e6 * float64(min(i, 3)) }
	if err := judgeSoak(soaked(change), 64, io.Discard); err != nil {
		t.Error(err)
	}
}

func TestASoakThatSendsNothingFails(t *testing.T) {
	if err := judgeSoak(soaked(func(_ int, p *point) { p.finished = 0 }), 64, io.Discard); err == nil {
		t.Error("found no error")
	}
	if err := judgeSoak(soaked(func(_ int, p *point) { p.failed = p.finished / 2 }), 64, io.Discard); err == nil {
		t.Error("found no error for failed requests")
	}
}
