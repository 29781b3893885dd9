package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/transcript"
)

// Send sends the coming slot of a scenario at once, prints the exchange, and returns an
// error if the request failed. A request that is named is sent in place of the one
// that the slot would be.
func Send(ctx context.Context, w io.Writer, file, scenario, request string) error {
	cfg, err := load(file, readable)
	if err != nil {
		return err
	}
	sc, err := findScenario(cfg, scenario)
	if err != nil {
		return err
	}
	client, err := newClient(sc, apart())
	if err != nil {
		return err
	}
	defer client.Close()

	r := comingRequest(sc, time.Now())
	if request != "" {
		if r.Entry, err = findRequest(sc, request); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "* slot %s/%s/%d, request %q\n", r.Scenario, r.Segment, r.Seq, sc.Requests[r.Entry].Name)
	if res := transcript.Exchange(ctx, client, r, w); res.Failed() {
		return fmt.Errorf("request failed: %s: %w", res.Reason, res.Err)
	}
	return nil
}

// comingRequest returns the request of the scenario's next slot, or of slot 0 of its
// segment if none is due within a year.
func comingRequest(sc config.Scenario, now time.Time) protocol.Request {
	r := protocol.Request{Scenario: sc.Name, Segment: sc.Timeline().Segment(now).ID}
	if slot, ok := sc.Timeline().Cursor(now).Next(now.AddDate(1, 0, 0)); ok {
		r.Segment, r.Seq = slot.Segment, slot.Seq
		r.Entry = engine.Entry(weights(sc), slot.Hash)
	}
	_, _ = rand.Read(r.Trace[:]) // Never fails, as crypto/rand says.
	_, _ = rand.Read(r.Span[:])
	return r
}

func findScenario(cfg *config.Config, name string) (config.Scenario, error) {
	for _, sc := range cfg.Scenarios {
		if sc.Name == name {
			return sc, nil
		}
	}
	return config.Scenario{}, noScenario(cfg, name)
}

// noScenario names the scenarios that there are.
func noScenario(cfg *config.Config, name string) error {
	const most = 20
	var names []string
	for _, sc := range cfg.Scenarios[:min(most, len(cfg.Scenarios))] {
		names = append(names, sc.Name)
	}
	if more := len(cfg.Scenarios) - most; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return fmt.Errorf("no scenario %q: there is %s", name, strings.Join(names, ", "))
}

func findRequest(sc config.Scenario, name string) (int, error) {
	i := slices.IndexFunc(sc.Requests, func(r config.Request) bool { return r.Name == name })
	if i < 0 {
		var names []string
		for _, r := range sc.Requests {
			names = append(names, r.Name)
		}
		return 0, fmt.Errorf("no request %q in scenario %q: there is %s", name, sc.Name, strings.Join(names, ", "))
	}
	return i, nil
}
