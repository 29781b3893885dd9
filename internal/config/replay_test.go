package config_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
)

// disk has files by name. Those without content must not be read.
type disk map[string][]byte

func (d disk) Look(path string) error {
	_, err := d.Read(path, math.MaxInt)
	return err
}

func (d disk) Read(path string, limit int) ([]byte, error) {
	content, there := d[path]
	switch {
	case !there:
		return nil, fs.ErrNotExist
	case content == nil:
		return nil, errors.New("permission denied")
	case len(content) > limit:
		return nil, errors.New("too large")
	}
	return content, nil
}

// recordings are those that the tests replay.
func recordings() disk {
	return disk{
		"week.csv":   []byte("time,rate\nMon 00:00,10\nMon 12:00,34\nSun 12:00,34\n"),
		"hours.csv":  []byte("time,rate\n2026-03-02T00:00:00Z,10\n2026-03-02T01:00:00Z,70\n2026-03-02T02:00:00Z,10\n"),
		"range.json": []byte(`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1772409600,"10"],[1772413200,"70"],[1772416800,"10"]]}]}}`),
		"one.csv":    []byte("time,rate\n5,1\n"),
		"long.csv":   []byte("time,rate\n2026-03-02T00:00:00Z,10\n2026-03-12T00:00:00Z,70\n"),
		"eons.csv":   []byte("time,rate\n1970-03-02T00:00:00Z,10\n2190-03-12T00:00:00Z,70\n"),
		"fast.csv":   []byte("time,rate\nMon 00:00,10\nMon 12:00,3400000\n"),
		"bad.csv":    []byte("time,rate\nMon 00:00,10\nMon 12:00,fast\n"),
		"secret.csv": nil,
	}
}

func replayed(rate string) (*config.Config, error) {
	return config.Parse("x.yaml", []byte(with("time_zone: Europe/Berlin\nrate: "+rate)), environment, recordings())
}

func TestRecordingsAreReplayed(t *testing.T) {
	monday := time.Date(2026, 6, 1, 0, 0, 0, 0, time.FixedZone("", 2*3600))
	recorded := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for rate, want := range map[string]map[time.Time]float64{
		`{replay: {file: week.csv}}`: {
			monday: 10, monday.Add(6 * time.Hour): 22, monday.Add(-6 * time.Hour): 22, recorded.Add(-time.Hour): 10, recorded: 12,
		},
		`{replay: {file: week.csv, by: week}, scale: 0.5, max: 10/s}`: {monday: 5, monday.Add(6 * time.Hour): 10},
		`{sum: [{replay: {file: week.csv}}, 1/s]}`:                    {monday: 11},
		// By the clock of Berlin the instants were from 1:00 to 3:00.
		`{replay: {file: hours.csv, by: week}}`: {monday.Add(time.Hour): 10, monday.Add(2 * time.Hour): 70, monday.Add(150 * time.Minute): 40, monday.Add(20 * time.Hour): 10},
		`{replay: {file: hours.csv, otherwise: 3/s}}`: {
			recorded.Add(-1): 3, recorded: 10, recorded.Add(30 * time.Minute): 40, recorded.Add(2 * time.Hour): 3, monday: 3,
		},
		`{replay: {file: range.json, by: time, repeat: true}}`: {
			recorded.Add(-time.Hour): 70, recorded: 10, recorded.Add(30 * time.Minute): 40, recorded.Add(2 * time.Hour): 10, recorded.Add(25 * time.Hour): 70,
		},
		`{replay: {file: range.json, format: prometheus, otherwise: 0/s, start: "2026-06-01T00:00:00+02:00", stretch: 2}}`: {
			recorded: 0, monday: 10, monday.Add(time.Hour): 40, monday.Add(2 * time.Hour): 70, monday.Add(4 * time.Hour): 0,
		},
	} {
		c, err := replayed(rate)
		if err != nil {
			t.Errorf("%s: %v", rate, err)
			continue
		}
		for at, want := range want {
			if got := c.Scenarios[0].Timeline().Rate(at); math.Abs(got-want) > 1e-6 {
				t.Errorf("%s: the rate at %v is %v, want %v", rate, at, got, want)
			}
		}
	}
}

func TestMistakesInReplaysAreReported(t *testing.T) {
	for rate, want := range map[string]string{
		`{replay: {file: none.csv}}`:                                     `x.yaml:6:27: scenarios[0].rate.replay.file: found "none.csv", which cannot be read: file does not exist`,
		`{replay: {file: secret.csv}}`:                                   `which cannot be read: permission denied`,
		`{replay: {file: bad.csv}}`:                                      `rate.replay.file: found a recording that cannot be used: line 3, column 11: found the rate "fast"`,
		`{replay: {file: week.csv, format: prometheus}}`:                 `rate.replay.file: found a recording that cannot be used: line 1, column`,
		`{replay: {file: fast.csv}}`:                                     `rate: rate reaches "3400000/s"`,
		`{replay: {file: week.csv, by: time}}`:                           `rate.replay.by: found time, but the recording has times of the week: write by: week`,
		`{replay: {file: week.csv, stretch: 2}}`:                         `rate.replay.stretch: found stretch, but a week is replayed each week as it was`,
		`{replay: {file: hours.csv, by: week, repeat: true}}`:            `rate.replay.repeat: found repeat, but a week`,
		`{replay: {file: long.csv, by: week}}`:                           `rate.replay.by: found a recording of 240h0m0s, expected at most a week`,
		`{replay: {file: hours.csv}}`:                                    `rate.replay: found neither repeat nor otherwise, expected repeat: true`,
		`{replay: {file: hours.csv, repeat: true, otherwise: 1/s}}`:      `rate.replay.otherwise: found together with repeat`,
		`{replay: {file: one.csv, repeat: true}}`:                        `rate.replay.file: found a recording of one point`,
		`{replay: {file: eons.csv, repeat: true}}`:                       `rate: recording: its length`,
		`{replay: {file: eons.csv, repeat: true, stretch: 1000}}`:        `rate.replay.stretch: found "1000", which makes the recording too long`,
		`{replay: {file: hours.csv, repeat: true, start: tomorrow}}`:     `rate.replay.start: found "tomorrow", expected a point in time such as 2026-03-02T00:00:00Z`,
		`{replay: {file: hours.csv, repeat: true, stretch: 0}}`:          `rate.replay.stretch: found "0", expected 0.001 to 1000`,
		`{replay: {file: week.csv, scale: 2}}`:                           `unknown key "scale": write it beside replay`,
		`{replay: {by: week}}`:                                           `rate.replay.file: missing`,
		`{replay: {file: week.csv}, steady: 1/s}`:                        `rate: found steady and replay, expected only one shape`,
		`{replay: {file: week.csv, by: day}}`:                            `rate.replay.by: found "day", expected week or time`,
		`{sum: [{replay: {file: none.csv}}, {replay: {file: bad.csv}}]}`: `rate.sum[1].replay.file: found a recording`,
	} {
		if _, err := replayed(rate); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", rate, err, want)
		}
	}
}

func TestTheContentOfARecordingCounts(t *testing.T) {
	text := with("rate: {follow: {query: q, prometheus: {url: http://p/}, otherwise: {sum: [{replay: {file: week.csv}}]}}, max: 1/s}")
	hashes := map[string]bool{}
	for _, content := range []string{"time,rate\nMon 00:00,1\n", "time,rate\nMon 00:00,2\n"} {
		c, err := config.Parse("x.yaml", []byte(text), environment, disk{"week.csv": []byte(content)})
		if err != nil {
			t.Fatal(err)
		}
		hashes[c.Scenarios[0].Fingerprint()], hashes[fmt.Sprint(c.ScenariosHash())] = true, true
		if first := c.Scenarios[0]; first.ClientFingerprint() == "" {
			t.Error("no fingerprint of the client")
		}
	}
	if len(hashes) != 4 {
		t.Error("another recording gives the same hash")
	}
}

func TestWithoutADiskRecordingsAreTakenAsTheyAre(t *testing.T) {
	c := parse(t, with("rate: {replay: {file: none.csv, by: week}}"))
	if rate := c.Scenarios[0].Timeline().Rate(time.Now()); rate != 0 {
		t.Errorf("the rate is %v", rate)
	}
}
