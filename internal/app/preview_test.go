package app

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestPreviewPrintsUntilWhenTheSlotsOfADayLast(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	const zone = "    time_zone: Asia/Kathmandu\n"
	writeConfig(t, file, scenarioText("spent", "1/s", url, zone+"    limits: {max_slots_per_day: 3600}\n"), scenarioText("enough", "1/s", url, zone+"    limits: {max_slots_per_day: 86400}\n"))
	var out bytes.Buffer
	if err := Preview(&out, PreviewOptions{File: file, From: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"The first 3,600 slots of the day are sent, until 01:00:0", "82,800 are not", "The day has 86,400 slots, within max_slots_per_day (86,400)",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
