package app

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/backoff"
	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// counter is a Recorder that counts requests that ended, extra requests and withheld ones.
type counter struct{ finished, extras, withheld int }

func (*counter) Due(uint64)                                             {}
func (*counter) Dropped(engine.DropReason, uint64)                      {}
func (c *counter) Exchanged(engine.Outcome)                             { c.finished++ }
func (*counter) Finished()                                              {}
func (*counter) JourneyBegan(int)                                       {}
func (*counter) JourneyEnded(int, engine.JourneyOutcome, time.Duration) {}
func (c *counter) Extra(int, protocol.Extra)                            { c.extras++ }
func (c *counter) Withheld(int, protocol.Extra, engine.WithheldReason)  { c.withheld++ }

func TestOneFailureAMinuteIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logs bytes.Buffer
		var all counter
		l := newFailureLog(&all, []string{"browse", "buy"}, slog.New(slog.NewTextHandler(&logs, nil)))
		success := engine.Outcome{Result: protocol.Result{Code: "200"}}
		canceled := engine.Outcome{Result: protocol.Result{Reason: protocol.ReasonCanceled, Err: errors.New("stopping")}}
		failure := engine.Outcome{
			Entry: 1,
			Trace: [16]byte{0xab},
			Result: protocol.Result{
				Reason: protocol.ReasonRefused, Err: errors.New("connection refused"),
			},
		}
		l.Exchanged(success)
		l.Exchanged(canceled)
		if logs.Len() > 0 {
			t.Errorf("logged without a failure: %s", &logs)
		}
		for range 300 { // Five minutes of a failure a second.
			l.Exchanged(failure)
			time.Sleep(time.Second)
		}
		if n := strings.Count(logs.String(), "request failed"); n != 5 {
			t.Errorf("%d lines in five minutes, want 5:\n%s", n, &logs)
		}
		for _, want := range []string{"request=buy", "reason=refused", "trace_id=ab00", `err="connection refused"`} {
			if !strings.Contains(logs.String(), want) {
				t.Errorf("no %s in %s", want, &logs)
			}
		}
		if all.finished != 302 {
			t.Errorf("%d outcomes were recorded, want all 302", all.finished)
		}
	})
}

func TestWhatAGuardTakesForAFailure(t *testing.T) {
	ended := func(r protocol.Reason) func(*guarded) {
		return func(g *guarded) {
			now := time.Now()
			g.Exchanged(engine.Outcome{Result: protocol.Result{Sent: now, Done: now, Reason: r}})
		}
	}
	for _, tc := range []struct {
		name   string
		each   func(*guarded)
		spares bool
	}{
		{"a success", ended(protocol.ReasonNone), false},
		{"a refused connection", ended(protocol.ReasonRefused), true},
		{"no descriptor left", ended(protocol.ReasonLocal), false},
		{"a redirect beyond max_rate", ended(protocol.ReasonDenied), false},
		{"canceled", ended(protocol.ReasonCanceled), false},
		{"a success by a repeat", func(g *guarded) {
			g.Extra(0, protocol.Retry)
			ended(protocol.ReasonNone)(g)
		}, true},
		{"a success by a transparent retry", func(g *guarded) {
			g.Extra(0, protocol.TransparentRetry)
			ended(protocol.ReasonNone)(g)
		}, true},
		{"a success by a redirect", func(g *guarded) {
			g.Extra(0, protocol.Redirect)
			ended(protocol.ReasonNone)(g)
		}, false},
		{"a repeat that was withheld", func(g *guarded) {
			g.Withheld(0, protocol.Retry, engine.WithheldRetryBudget)
			ended(protocol.ReasonReset)(g)
		}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := backoff.Policy{Limit: 0.4, Over: 10 * time.Second, To: 0.1, Recover: time.Minute}
				var all counter
				g := &guarded{Recorder: &all, guard: backoff.New("s", p, nil, slog.New(slog.DiscardHandler))}
				for range 200 {
					tc.each(g)
					time.Sleep(100 * time.Millisecond)
				}
				if spares := g.guard.Ratio(time.Now()) < 1; spares != tc.spares {
					t.Errorf("the target is spared: %t, want %t", spares, tc.spares)
				}
				if all.finished != 200 {
					t.Errorf("%d outcomes were recorded, want 200", all.finished)
				}
			})
		})
	}
}
