package app

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
)

func TestPacingIsTheEngines(t *testing.T) {
	for of, want := range map[config.Pacing]engine.Pacing{
		config.PacingAuto:   engine.PacingAuto,
		config.PacingExact:  engine.PacingExact,
		config.PacingCoarse: engine.PacingCoarse,
	} {
		if got := pacing(of); got != want {
			t.Errorf("%s is %v, want %v", of, got, want)
		}
	}
}

func TestTooFewFileDescriptorsAreSaid(t *testing.T) {
	cfg := parse(t, scenarioText("a", "1/s", url, "    limits: {max_in_flight: 60}\n"), scenarioText("b", "1/s", url, "    limits: {max_in_flight: 50}\n"))
	for limit, want := range map[int]bool{109: true, 110: false} {
		var log bytes.Buffer
		b := &builder{descriptors: dial.NewDescriptors(limit), logger: slog.New(slog.NewTextHandler(&log, nil))}
		b.warn(cfg)
		if said := strings.Contains(log.String(), "max_in_flight=110 connections=109"); said != want {
			t.Errorf("with %d: logged %q", limit, log.String())
		}
	}
	(&builder{}).warn(cfg) // No bound, nothing to say.
}
