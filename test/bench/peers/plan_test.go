//go:build linux

package main

import (
	"maps"
	"regexp"
	"slices"
	"testing"
	"time"
)

func cells(t *testing.T, size, only string) []*cell {
	t.Helper()
	p, err := newPlan(size)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.finish(); err != nil {
		t.Fatal(err)
	}
	return p.cells(tools(map[string]string{}), regexp.MustCompile(only))
}

func TestEveryRepetitionRunsEveryCell(t *testing.T) {
	all := cells(t, "full", "")
	names := func(of []*cell) []string { return slices.Sorted(slices.Values(collect(of, (*cell).String))) }
	first := map[string]bool{}
	for repetition := range 3 {
		ordered := order(all, repetition)
		if !slices.Equal(names(ordered), names(all)) {
			t.Fatalf("repetition %d runs other cells", repetition)
		}
		first[ordered[0].Tool] = true
	}
	if len(first) != 3 {
		t.Errorf("found %v first, want another one in each repetition", first)
	}
}

func TestOnlyChooses(t *testing.T) {
	got := collect(cells(t, "quick", "^load/http1/flat/(wrk|k6)$"), (*cell).String)
	if want := []string{"load/http1/flat/wrk", "load/http1/flat/k6"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

func TestVariantsTakePartWhereTheyDiffer(t *testing.T) {
	kinds := map[string][]kind{}
	for _, c := range cells(t, "full", "exact|bare|coarse") {
		if !slices.Contains(kinds[c.Tool], c.Kind) {
			kinds[c.Tool] = append(kinds[c.Tool], c.Kind)
		}
	}
	want := map[string][]kind{
		"traffic_exporter, bare": {load}, "traffic_exporter, exact": {sends}, "traffic_exporter, coarse": {load, sends},
	}
	if !maps.EqualFunc(kinds, want, slices.Equal) {
		t.Errorf("found %v, want %v", kinds, want)
	}
}

func TestToolsSendLongEnough(t *testing.T) {
	p, err := newPlan("standard")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []kind{load, sends, stall} {
		if whole := time.Duration(p.lasting(k)) * time.Second; whole < p.Warmup+p.Window+100*time.Millisecond {
			t.Errorf("%s: %v are too few", k, whole)
		}
	}
}

func TestCountProcessors(t *testing.T) {
	for list, want := range map[string]int{"1": 1, "0,2": 2, "1-3": 3, "0,2-4,7": 5} {
		if got := countProcessors(list); got != want {
			t.Errorf("%s: found %d, want %d", list, got, want)
		}
	}
}

func TestOthers(t *testing.T) {
	if got, err := others("1", 4); err != nil || got != "0,2,3" {
		t.Errorf("found %q, %v, want 0,2,3", got, err)
	}
	if _, err := others("0", 1); err == nil {
		t.Error("one processor is enough")
	}
}
