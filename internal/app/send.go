package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/transcript"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// SendOptions say what Send sends.
type SendOptions struct {
	// File is the configuration, and Scenario the name of the scenario.
	File, Scenario string
	// Request, if not empty, is the name of the entry that is sent in place of the one that the
	// slot would be.
	Request string
	// Slot, if not empty, is the slot, as scenario/segment/number; otherwise it is the coming one.
	Slot string
}

// Send sends a slot of a scenario at once, prints what is exchanged, of a journey step by step
// and without its pauses, and returns an error if a request failed.
func Send(ctx context.Context, w io.Writer, o SendOptions) error {
	cfg, err := load(o.File, readable)
	if err != nil {
		return err
	}
	name, segment, seq, err := parseSlot(o)
	if err != nil {
		return err
	}
	sc, err := findScenario(cfg, name)
	if err != nil {
		return err
	}
	slot, err := findSlot(sc, segment, seq)
	if err != nil {
		return err
	}
	m, client, err := newTraffic(sc, apart(cfg))
	if err != nil {
		return err
	}
	defer client.Close()
	if m.tokens != nil {
		if err = m.tokens.Obtain(ctx); err != nil {
			return fmt.Errorf("token: %w", err)
		}
	}
	if m.descriptors != nil {
		if err = m.descriptors.Obtain(ctx); err != nil {
			return fmt.Errorf("descriptors: %w", err)
		}
	}
	if m.logins != nil {
		if err = m.logins.obtain(ctx, slot); err != nil {
			return fmt.Errorf("session: %w", err)
		}
	}
	entries := m.engineEntries(nobody{})
	entry := engine.Choose(entries, slot.Hash)
	if o.Request != "" {
		if entry, err = findRequest(sc, o.Request); err != nil {
			return err
		}
	}
	s := sender{w: w, client: client, names: m.names}
	s.call.Request = protocol.Request{Entry: entries[entry].Request, Scenario: sc.Name, Segment: slot.Segment, Seq: slot.Seq}
	_, _ = rand.Read(s.call.Request.Trace[:]) // Never fails, as crypto/rand says.
	fmt.Fprintf(w, "* slot %s/%s/%d, request %q\n", sc.Name, slot.Segment, slot.Seq, sc.Requests[entry].Name)
	if script := entries[entry].Script; script != nil {
		return s.journey(ctx, script.Begin(slot))
	}
	return s.request(ctx, nil)
}

// parseSlot returns the scenario and, if one is given, the segment and the number of a slot.
func parseSlot(o SendOptions) (scenario, segment string, seq uint64, err error) {
	if o.Slot == "" {
		return o.Scenario, "", 0, nil
	}
	parts := strings.Split(o.Slot, "/")
	if len(parts) != 3 {
		return "", "", 0, fmt.Errorf("slot %q: expected scenario/segment/number, as the header Traffic-Slot has it", o.Slot)
	}
	if seq, err = strconv.ParseUint(parts[2], 10, 64); err != nil {
		return "", "", 0, fmt.Errorf("slot %q: %q is no number", o.Slot, parts[2])
	}
	if o.Scenario != "" && o.Scenario != parts[0] {
		return "", "", 0, fmt.Errorf("slot %q is not one of scenario %q", o.Slot, o.Scenario)
	}
	return parts[0], parts[1], seq, nil
}

// findSlot returns the slot of a segment, or, if that is empty, the coming one, which is slot 0
// of the present segment if none is due within a year.
func findSlot(sc config.Scenario, segment string, seq uint64) (timeline.Slot, error) {
	now := time.Now()
	if segment == "" {
		if slot, ok := sc.Timeline().Cursor(now).Next(now.AddDate(1, 0, 0)); ok {
			return slot, nil
		}
		return timeline.Slot{Segment: sc.Timeline().Segment(now).ID, Due: now}, nil
	}
	begin, _, _ := strings.Cut(segment, "-")
	at, err := time.Parse("20060102T150405Z", begin)
	if err != nil {
		return timeline.Slot{}, fmt.Errorf("segment %q: expected a name such as %s", segment, sc.Timeline().Segment(now).ID)
	}
	s := sc.Timeline().Segment(at)
	switch {
	case s.ID != segment:
		return timeline.Slot{}, fmt.Errorf("segment %q: by this file it is %s, so its rate, arrivals or time zone were others", segment, s.ID)
	case seq >= s.Len():
		return timeline.Slot{}, fmt.Errorf("segment %q has only the slots 0 to %d", segment, int64(s.Len())-1)
	}
	return s.Slot(seq), nil
}

// nobody is told of steps in vain.
type nobody struct{}

// Skipped implements journey.Recorder.
func (nobody) Skipped(int) {}

// CheckFailed implements journey.Recorder.
func (nobody) CheckFailed(int, int) {}

// sender sends a slot and writes down what is exchanged.
type sender struct {
	w      io.Writer
	client protocol.Client
	names  []string
	call   protocol.Call
}

// request sends what the call holds. took, if not nil, takes its end.
func (s *sender) request(ctx context.Context, took func(*protocol.Call)) error {
	_, _ = rand.Read(s.call.Request.Span[:])
	if res := transcript.Run(ctx, s.client, &s.call, took, s.w); res.Failed() {
		return fmt.Errorf("request failed: %s: %w", res.Reason, res.Err)
	}
	return nil
}

// journey sends a journey.
func (s *sender) journey(ctx context.Context, j engine.Journey) error {
	var failure error
	shown := map[string]string{}
	for step := 1; ctx.Err() == nil; {
		switch m := j.Next(&s.call); m.Kind {
		case engine.MovePause:
			fmt.Fprintf(s.w, "* pause of %s left out\n", m.Pause.Round(time.Millisecond))
			continue
		case engine.MoveRequest:
			s.values(j, shown)
			fmt.Fprintf(s.w, "* step %d: %s\n", step, s.names[s.call.Request.Entry])
			step++
			err := s.request(ctx, j.Took)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			failure = first(failure, err)
			s.values(j, shown)
		case engine.MoveFailed:
			res := s.call.Result
			fmt.Fprintf(s.w, "* step %d: %s is not sent: %s: %v\n", step, s.names[s.call.Request.Entry], res.Reason, res.Err)
			step++
			failure = first(failure, fmt.Errorf("request failed: %s: %w", res.Reason, res.Err))
		default:
			j.Close(engine.JourneySuccess)
			return failure
		}
	}
	return ctx.Err()
}

// first returns the first error that is one.
func first(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// values writes down what was drawn and captured and is not shown yet.
func (s *sender) values(j engine.Journey, shown map[string]string) {
	told, ok := j.(interface {
		Values(tell func(name, value string))
	})
	if !ok {
		return
	}
	told.Values(func(name, value string) {
		if before, ok := shown[name]; !ok || before != value {
			shown[name] = value
			fmt.Fprintf(s.w, "* %s = %s\n", name, value)
		}
	})
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
