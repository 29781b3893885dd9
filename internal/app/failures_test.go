package app

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// counter is a Recorder that counts what has finished.
type counter struct{ finished int }

func (*counter) Due(uint64)                        {}
func (*counter) Dropped(engine.DropReason, uint64) {}
func (c *counter) Finished(engine.Outcome)         { c.finished++ }

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
		l.Finished(success)
		l.Finished(canceled)
		if logs.Len() > 0 {
			t.Errorf("logged without a failure: %s", &logs)
		}
		for range 300 { // Five minutes of a failure a second.
			l.Finished(failure)
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
