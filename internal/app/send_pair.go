package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/compare"
	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// errDiffers is a candidate whose responses differ.
var errDiffers = errors.New("the candidate's responses differ")

// obtain obtains what a slot needs before it can be sent.
func (m *mix) obtain(ctx context.Context, slot timeline.Slot) error {
	if m.tokens != nil {
		if err := m.tokens.Obtain(ctx); err != nil {
			return fmt.Errorf("token: %w", err)
		}
	}
	if m.descriptors != nil {
		if err := m.descriptors.Obtain(ctx); err != nil {
			return fmt.Errorf("descriptors: %w", err)
		}
	}
	if m.logins != nil {
		if err := m.logins.obtain(ctx, slot); err != nil {
			return fmt.Errorf("session: %w", err)
		}
	}
	return nil
}

// differences notes how the responses to a pair compare.
type differences struct {
	names []string
	text  strings.Builder
	found bool
}

var _ compare.Recorder = (*differences)(nil)

// Compared implements compare.Recorder.
func (d *differences) Compared(v compare.Verdict) {
	text := "the same for both"
	switch {
	case v.Result == compare.BaseFailed:
		text = "failed at the scenario's own target, so that nothing is compared"
	case v.Result.IsMismatch():
		text, d.found = v.Detail, true
	}
	fmt.Fprintf(&d.text, "* %s: %s", d.names[v.Request], text)
	if v.Base > 0 {
		fmt.Fprintf(&d.text, " (%s, and %s of the candidate)", v.Base.Round(time.Microsecond), v.Candidate.Round(time.Microsecond))
	}
	fmt.Fprintln(&d.text)
}

// Skipped implements compare.Recorder.
func (d *differences) Skipped(compare.Skip) {}

// pairing returns what sends a slot of an entry to the candidate as well; nil if it is not compared. It obtains
// what the candidate's requests need.
func (m *mix) pairing(ctx context.Context, sc config.Scenario, entry int, slot timeline.Slot, d *differences) (engine.Pairing, error) {
	if m.candidate == nil || !sc.Compares(entry) || !compare.Sampled(slot.Hash, float64(sc.Compare.Sample)) {
		return nil, nil //nolint:nilnil // Most slots are no pairs.
	}
	if err := m.candidate.obtain(ctx, slot); err != nil {
		return nil, fmt.Errorf("candidate: %w", err)
	}
	entries := m.engineEntries(nil)
	m.pair(sc, entries, compare.Options{Recorder: d}, nil)
	return entries[entry].Pairs, nil
}

// pair sends a slot to both targets, in its order. What fails at the one keeps nothing from being sent to the other.
func (s *sender) pair(ctx context.Context, p engine.Pair, d *differences) error {
	own := func() error {
		fmt.Fprintln(s.w, "* to the scenario's own target:")
		return s.journey(ctx, p.Own)
	}
	candidate := func() error {
		fmt.Fprintln(s.w, "* to the candidate:")
		return s.journey(ctx, p.Candidate)
	}
	first, second := own, candidate
	if p.CandidateFirst {
		first, second = candidate, own
	}
	err := first()
	if ctx.Err() != nil {
		return err
	}
	err = errors.Join(err, second())
	fmt.Fprint(s.w, d.text.String())
	if err == nil && d.found {
		return errDiffers
	}
	return err
}
