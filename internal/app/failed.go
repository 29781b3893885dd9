package app

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/web"
)

// Failures returns the last requests that failed, and the slowest ones, the newest first; of one
// scenario if that is not empty.
func (v *viewer) Failures(scenario string) []web.FailureStatus {
	var all []web.FailureStatus
	for _, f := range v.store.Failures.All(scenario) {
		slot := fmt.Sprintf("%s/%s/%d", f.Scenario, f.Segment, f.Seq)
		one := web.FailureStatus{
			Scenario: f.Scenario, Request: f.Request, Reason: f.Reason.String(), Slot: slot, TraceID: hex.EncodeToString(f.Trace[:]),
			Due: f.Due, Ended: f.Ended, Delay: f.Delay.Seconds(), Latency: f.Latency.Seconds(), Code: f.Code, Error: f.Error,
			Exchange: f.Exchange, Command: "traffic_exporter send " + shellWord(v.controller.reloader.file) + " --slot " + shellWord(slot),
		}
		switch {
		case f.Mismatch:
			one.Reason, one.TraceID = "mismatch", "" // Each side has its own.
		case f.Reason == protocol.ReasonNone:
			one.Reason = "slow"
		}
		all = append(all, one)
	}
	return all
}

// shellWord quotes a word for a POSIX shell, if it has to be.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:@%+,", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 && s[0] != '-' {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
