package app

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/demo"
	"github.com/traffic-exporter/traffic_exporter/internal/demo/demotest"
)

func TestTheVisitsOfTheDemoFindAShop(t *testing.T) {
	addr := demotest.Start(t, demo.Options{})
	cfg, err := config.Parse("demo.yaml", demoConfig, func(string) (string, bool) { return addr, true }, nil)
	if err != nil {
		t.Fatal(err)
	}
	sc, err := findScenario(cfg, "shop")
	if err != nil {
		t.Fatal(err)
	}
	m, client, err := newTraffic(sc, apart(cfg))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	missing := map[string]bool{}
	for _, name := range m.names {
		missing[name] = true
	}
	// Each slot takes a way of its own; after so many of them each step was on one.
	segment := sc.Timeline().Segment(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	for seq := uint64(0); len(missing) > 0; seq++ {
		if seq == 200 {
			t.Fatalf("after %d visits these steps were not sent: %v", seq, slices.Sorted(maps.Keys(missing)))
		}
		slot := segment.Slot(seq)
		var out strings.Builder
		s := sender{w: &out, client: client, names: m.names}
		s.call.Request.Scenario = sc.Name
		if err := s.journey(t.Context(), m.engineEntries(nil)[0].Script.Begin(slot)); err != nil {
			t.Fatalf("slot %d: %v\n%s", slot.Seq, err, out.String())
		}
		for name := range missing {
			if strings.Contains(out.String(), ": "+name+"\n") {
				delete(missing, name)
			}
		}
	}
}
