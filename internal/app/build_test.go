package app

import (
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/engine"
)

func TestPacingIsTheEngines(t *testing.T) {
	for of, want := range map[config.Pacing]engine.Pacing{
		config.PacingAuto:  engine.PacingAuto,
		config.PacingExact: engine.PacingExact,
	} {
		if got := pacing(of); got != want {
			t.Errorf("%s is %v, want %v", of, got, want)
		}
	}
}
