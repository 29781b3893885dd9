package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/journey"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/transcript"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// SendOptions say what Send sends.
type SendOptions struct {
	// File is the configuration, and Scenario the name of the scenario, which may be empty with
	// Slot and where there is only one.
	File, Scenario string
	// Request, if not empty, is the name of the entry that is sent in place of the one that the
	// slot would be.
	Request string
	// Slot, if not empty, is the slot, as scenario/segment/number; otherwise it is the coming one.
	Slot string
}

// Send sends a slot of a scenario now, prints the exchange, and returns an error if a
// request failed. It goes through a journey step by step and without its pauses.
func Send(ctx context.Context, w io.Writer, o SendOptions) error {
	cfg, err := load(o.File, newDisk())
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
	if err = m.obtain(ctx, slot); err != nil {
		return err
	}
	entries := m.engineEntries(nil)
	entry := engine.Choose(entries, slot.Hash)
	if o.Request != "" {
		if entry, err = findRequest(sc, o.Request); err != nil {
			return err
		}
	}
	s := sender{w: w, client: client, names: m.shownNames()}
	s.call.Request = protocol.Request{Entry: entries[entry].Request, Scenario: sc.Name, Segment: slot.Segment, Seq: slot.Seq}
	s.call.Request.Sampled = sc.HTTPConfig.Traceparent.Sampled > 0 // Somebody wants to see this one.
	_, _ = rand.Read(s.call.Request.Trace[:])                      // Never fails, as crypto/rand says.
	fmt.Fprintf(w, "* slot %s/%s/%d, request %q\n", sc.Name, slot.Segment, slot.Seq, sc.Requests[entry].Name)
	d := &differences{names: m.names}
	pairs, err := m.pairing(ctx, sc, entry, slot, d)
	if err != nil {
		return err
	}
	if pairs != nil {
		return s.pair(ctx, pairs.Begin(slot), d)
	}
	if script := entries[entry].Script; script != nil {
		return s.journey(ctx, script.Begin(slot))
	}
	x := s.begin(&s.call)
	x.Wait(ctx)
	return s.end(x, nil, asItIs)
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
	case seq < s.First() || seq >= s.Len():
		return timeline.Slot{}, fmt.Errorf("segment %q has only the slots %d to %d", segment, s.First(), int64(s.Len())-1)
	}
	return s.Slot(seq), nil
}

// sender sends a slot and writes down the exchange.
type sender struct {
	w      io.Writer
	client protocol.Client
	names  []string
	call   protocol.Call
}

// begin begins the exchange of a call.
func (s *sender) begin(c *protocol.Call) *transcript.Running {
	_, _ = rand.Read(c.Request.Span[:])
	return transcript.Begin(s.client, c)
}

// end writes down an exchange that has ended, and returns how that failed. took, if not nil, takes
// its end, and hide leaves out what must not be shown.
func (s *sender) end(x *transcript.Running, took func(*protocol.Call), hide func(string) string) error {
	res, text := x.End(took)
	if x.GivenUp() {
		s.client.Close() // It may still be at it, and at what hide looks at.
	}
	fmt.Fprint(s.w, hide(text))
	if res.Failed() {
		return fmt.Errorf("request failed: %s: %w", res.Reason, res.Err)
	}
	return nil
}

// asItIs hides nothing.
func asItIs(text string) string { return text }

// journey sends a journey.
func (s *sender) journey(ctx context.Context, j engine.Journey) error {
	p := &player{sender: s, ctx: ctx, journey: j, shown: map[string]string{}, running: map[*protocol.Call]*sending{}}
	p.known, _ = j.(known)
	if err := journey.Play(j, &s.call, p); err != nil {
		return err // The client may still be busy with it.
	}
	j.Close(engine.JourneySuccess)
	return p.failure
}

// player plays a journey without its pauses, and writes down its steps.
type player struct {
	*sender

	ctx     context.Context //nolint:containedctx // It is that of the call of journey.
	journey engine.Journey
	// known is the journey as well; nil if it does not show its values.
	known known
	// shown are the values that were written down already, and step is the number of the last step.
	shown map[string]string
	step  int
	// running are the steps in flight, by their calls.
	running map[*protocol.Call]*sending
	// failure is how the first request failed that did.
	failure error
}

// sending is a step that is in flight.
type sending struct {
	*transcript.Running

	// step is its number, drawn the values written down before it, and known the values that are not
	// written down again behind it.
	step  int
	drawn string
	known map[string]string
}

var _ journey.Player = (*player)(nil)

// known is a journey that shows the values that it drew and captured.
type known interface {
	// Values calls the function with each name and its value, if it may be shown.
	Values(show func(name, value string))
	// Hide returns a string without its secrets.
	Hide(text string) string
}

// Pause implements journey.Player.
func (p *player) Pause(d time.Duration) error {
	fmt.Fprintf(p.w, "* pause of %s left out\n", d.Round(time.Millisecond))
	return p.ctx.Err()
}

// Start implements journey.Player.
func (p *player) Start(c *protocol.Call, ended func()) error {
	p.step++
	x := &sending{step: p.step, drawn: p.values(p.shown)}
	x.known = maps.Clone(p.shown)
	x.Running = p.begin(c)
	p.running[c] = x
	go func() {
		x.Wait(p.ctx)
		ended()
	}()
	return nil
}

// Ended implements journey.Player. Requests that are sent at once are written down as they end.
func (p *player) Ended(c *protocol.Call) error {
	x := p.running[c]
	fmt.Fprintf(p.w, "%s* step %d: %s\n", x.drawn, x.step, p.names[c.Request.Entry])
	hide := asItIs
	if p.known != nil {
		hide = p.known.Hide
	}
	err := p.end(x.Running, p.journey.RequestEnded, hide)
	if p.ctx.Err() != nil {
		return p.ctx.Err()
	}
	p.failed(err)
	fmt.Fprint(p.w, p.values(x.known))
	maps.Copy(p.shown, x.known)
	return nil
}

// Unsent implements journey.Player.
func (p *player) Unsent(c *protocol.Call) error {
	p.step++
	fmt.Fprintf(p.w, "* step %d: %s is not sent: %s: %v\n", p.step, p.names[c.Request.Entry], c.Result.Reason, c.Result.Err)
	p.failed(fmt.Errorf("request failed: %s: %w", c.Result.Reason, c.Result.Err))
	return p.ctx.Err()
}

// failed keeps the first error.
func (p *player) failed(err error) {
	if p.failure == nil {
		p.failure = err
	}
}

// values returns the values that were drawn and captured and are not among those shown, and adds them
// to these.
func (p *player) values(shown map[string]string) string {
	if p.known == nil {
		return ""
	}
	var text strings.Builder
	p.known.Values(func(name, value string) {
		if before, ok := shown[name]; !ok || before != value {
			shown[name] = value
			fmt.Fprintf(&text, "* %s = %s\n", name, value)
		}
	})
	return text.String()
}

// findScenario returns the scenario of that name. Without a name it is the only one.
func findScenario(cfg *config.Config, name string) (config.Scenario, error) {
	if name == "" && len(cfg.Scenarios) == 1 {
		return cfg.Scenarios[0], nil
	}
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
	there := strings.Join(names, ", ")
	if name == "" {
		return fmt.Errorf("no scenario is named: there is %s", there)
	}
	return fmt.Errorf("no scenario %q: there is %s", name, there)
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
