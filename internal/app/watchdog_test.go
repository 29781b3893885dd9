package app

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/share"
)

// watched is a watchdog of one scenario, the slots that it has counted, and its log.
type watched struct {
	*watchdog
	built built
	due   atomic.Uint64
	logs  bytes.Buffer
	now   time.Time
}

func watch(t *testing.T, rate string, arcs engine.Arcs) *watched {
	t.Helper()
	w := &watched{now: time.Date(2026, 6, 15, 10, 0, 0, 0, time.UTC)}
	w.built = built{rate: newRate(parse(t, scenarioText("s", rate, url, "")).Scenarios[0].Timeline(), nil, nil), due: w.due.Load}
	w.watchdog = newWatchdog(func() map[string]built { return map[string]built{"s": w.built} }, arcs, slog.New(slog.NewTextHandler(&w.logs, nil)))
	w.look(w.now)
	return w
}

// pass looks for a while; sent says whether slots are counted meanwhile.
func (w *watched) pass(d time.Duration, sent bool) {
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(watchEvery)
		if sent {
			w.due.Add(1)
		}
		w.look(w.now)
	}
}

func TestAScenarioThatHangsIsNoticed(t *testing.T) {
	w := watch(t, "10/s", engine.Alone{})
	w.pass(time.Minute, true)
	if err := w.check(); err != nil || w.logs.Len() > 0 {
		t.Fatalf("a scenario that sends: %v, %s", err, w.logs.String())
	}
	w.pass(silentAfter, false)
	if err := w.check(); err != nil {
		t.Errorf("after a second: %v", err)
	}
	w.pass(2*watchEvery, false)
	if err := w.check(); err == nil || !strings.Contains(err.Error(), `scenario "s" is silent`) {
		t.Errorf("after two seconds: %v", err)
	}
	w.pass(8*time.Second, false)
	if got := w.built.rate.silentFor(); got != 10 {
		t.Errorf("silent for %v s, want 10", got)
	}
	w.pass(time.Second, true)
	if err := w.check(); err != nil || w.built.rate.silentFor() != 0 {
		t.Errorf("it sends again: %v, silent for %v s", err, w.built.rate.silentFor())
	}
	if n := strings.Count(w.logs.String(), "\n"); n != 2 {
		t.Errorf("%d lines, want one when it falls silent and one when it sends again:\n%s", n, w.logs.String())
	}
}

// nothing is an Arcs that owns nothing.
type nothing struct{}

func (nothing) Arc(time.Time) share.Arc { return share.Arc{} }

// shifting is an Arcs that is another one at each look.
type shifting struct{}

func (shifting) Arc(at time.Time) share.Arc {
	if at.UnixNano()/int64(watchEvery)%2 == 0 {
		return share.Whole()
	}
	return share.Arc{}
}

func TestWhoHasNothingToSendIsNotSilent(t *testing.T) {
	for name, w := range map[string]*watched{
		"at a rate of 0":       watch(t, "0/s", engine.Alone{}),
		"without a share":      watch(t, "10/s", nothing{}),
		"while shares change":  watch(t, "10/s", shifting{}),
		"between seldom slots": watch(t, "1/d", engine.Alone{}),
	} {
		w.pass(time.Minute, false)
		if err := w.check(); err != nil || w.logs.Len() > 0 || w.built.rate.silentFor() != 0 {
			t.Errorf("%s: %v, %s", name, err, w.logs.String())
		}
	}
}

func TestASlotThatIsSeldomIsMissed(t *testing.T) {
	w := watch(t, "1/m", engine.Alone{})
	w.pass(2*time.Minute, false)
	if err := w.check(); err == nil {
		t.Error("a minute's slot is not missed")
	}
}

// stuck is a client whose requests hang before they are sent.
type stuck struct{ release chan struct{} }

var _ protocol.Client = stuck{}

func (s stuck) Start(c *protocol.Call) {
	<-s.release
	c.Done()
}

func (stuck) Flush() {}

func (stuck) Close() {}

// slots is a Recorder that counts due slots.
type slots struct {
	engine.Recorder // Only for its other methods, which are not called.

	due atomic.Uint64
}

func (s *slots) Due(n uint64) { s.due.Add(n) }

func (s *slots) Dropped(engine.DropReason, uint64) {}

func (s *slots) Exchanged(engine.Outcome)                               {}
func (s *slots) Finished()                                              {}
func (s *slots) JourneyBegan(int)                                       {}
func (s *slots) JourneyEnded(int, engine.JourneyOutcome, time.Duration) {}

func TestAStuckClientIsNoticedAndDoesNotHoldUpTheStop(t *testing.T) {
	client := &stuck{release: make(chan struct{})}
	recorder := &slots{}
	sc := parse(t, scenarioText("s", "100/s", url, "")).Scenarios[0]
	e := engine.New(engine.Options{})
	e.Apply([]engine.Scenario{{
		Name: "s", Timeline: sc.Timeline(), Entries: []engine.Entry{{Weight: 1}}, Client: client, Recorder: recorder,
		Limits: engine.Limits{MaxInFlight: 1000, LateAfter: time.Second},
	}})
	all := map[string]built{"s": {rate: newRate(sc.Timeline(), nil, nil), due: recorder.due.Load}}
	w := newWatchdog(func() map[string]built { return all }, engine.Alone{}, slog.New(slog.DiscardHandler))
	deadline := time.Now().Add(20 * time.Second)
	for w.check() == nil {
		if time.Now().After(deadline) {
			t.Fatal("it is not noticed")
		}
		time.Sleep(10 * time.Millisecond)
		w.look(time.Now())
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	done := make(chan error, 1)
	go func() { done <- endWithin(ctx, 50*time.Millisecond, e.Stop) }()
	select {
	case err := <-done:
		if err == nil {
			t.Error("the stop says nothing of a scenario that hangs")
		}
	case <-time.After(20 * time.Second):
		t.Error("the stop hangs")
	}
	close(client.release)
}
