package config

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/recording"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// Replay is a rate that was recorded: straight lines between its points, over gaps as well.
type Replay struct {
	// A file with the recording: CSV with the header time,rate, or what Prometheus responds to /api/v1/query_range with one series.
	// Times are mon 00:00, RFC 3339 or seconds since 1970, rates requests per second; points without a value are left out. It is read whenever the configuration is loaded.
	File string `yaml:"file" required:"true" format:"recording"`
	// How the file is written. Found out from its content when left out.
	Format RecordingFormat `yaml:"format" oneof:"csv prometheus"`
	// Which times count: week replays each week the rates recorded at that time of the week, by the clock of time_zone, from Monday 00:00; time replays instants once, or again and again.
	// Left out, week for a file with times of the week, and time for one with instants.
	By ReplayBy `yaml:"by" oneof:"week time"`
	// When to replay the first point, such as 2026-03-02T00:00:00Z. At its own time when left out. Only by time.
	Start Instant `yaml:"start"`
	// A factor for its times: 2 takes twice as long. Only by time.
	Stretch float64 `yaml:"stretch" default:"1" min:"0.001" max:"1000"`
	// Whether the recording is replayed again and again, before start as well. Only by time, which needs this or otherwise.
	Repeat bool `yaml:"repeat" default:"false"`
	// The rate before the first point and after the last. Only by time.
	Otherwise *Rate `yaml:"otherwise"`

	shape timeline.Shape
	// hash is that of the file's content.
	hash string
}

// RecordingFormat is how a recording is written.
type RecordingFormat string

// The formats of recordings.
const (
	RecordingCSV        RecordingFormat = "csv"
	RecordingPrometheus RecordingFormat = "prometheus"
)

// ReplayBy is which times of a recording count.
type ReplayBy string

// The times that may count.
const (
	ReplayByWeek ReplayBy = "week"
	ReplayByTime ReplayBy = "time"
)

// Instant is a point in time, written as RFC 3339 has it; zero for none.
type Instant struct{ time.Time }

func (Instant) expectation() string { return "a point in time such as 2026-03-02T00:00:00Z" }

// UnmarshalText sets the instant from its text. An error names the expected syntax.
func (i *Instant) UnmarshalText(text []byte) error {
	at, err := time.Parse(time.RFC3339, string(text))
	if err != nil || at.UTC().Year() < 1970 || at.UTC().Year() > 2199 {
		return expectedError(i.expectation())
	}
	i.Time = at.UTC()
	return nil
}

// MarshalText returns the instant in UTC.
func (i Instant) MarshalText() ([]byte, error) { return []byte(i.UTC().Format(time.RFC3339Nano)), nil }

// replay checks a replay and reads its recording.
func (v validator) replay(path string, r *Replay, loc *time.Location) {
	if v.disk == nil || loc == nil || !v.ok(path) {
		return
	}
	at := join(path, "file")
	content, err := v.disk.Read(r.File, recording.MaxSize)
	if err != nil {
		v.fail(at, "found %s, which cannot be read: %v", v.found(at), err)
		return
	}
	sum := sha256.Sum256(content)
	r.hash = hex.EncodeToString(sum[:])
	rec, err := recording.Parse(string(content), recording.Format(r.Format))
	if err != nil {
		v.fail(at, "found a recording that cannot be used: %v", err)
		return
	}
	if r.By == ReplayByWeek || rec.Weekly && r.By == "" {
		v.replayWeek(path, r, rec, loc)
	} else {
		v.replayTime(path, r, rec)
	}
}

// replayWeek makes the shape of a recording that is replayed by the week.
func (v validator) replayWeek(path string, r *Replay, rec recording.Recording, loc *time.Location) {
	for _, key := range []string{"start", "stretch", "repeat", "otherwise"} {
		if at := join(path, key); v.given(at) {
			v.fail(at, "found %s, but a week is replayed each week as it was: leave it out, or write by: time for a recording of instants", key)
		}
	}
	rec, err := rec.ByWeek(loc)
	if err != nil {
		v.fail(join(path, "by"), "%v", err)
		return
	}
	shape := timeline.Weekly{Points: make([]timeline.WeekPoint, len(rec.Points))}
	for i, p := range rec.Points {
		shape.Points[i] = timeline.WeekPoint{
			Day: time.Weekday(1+p.After/durationDay) % 7, At: p.After % durationDay, Rate: p.Rate,
		}
	}
	r.shape = shape
}

// replayTime makes the shape of a recording that is replayed by time.
func (v validator) replayTime(path string, r *Replay, rec recording.Recording) {
	file, by := join(path, "file"), join(path, "by")
	switch {
	case rec.Weekly:
		v.fail(by, "found time, but the recording has times of the week: write by: week")
		return
	case len(rec.Points) < 2:
		v.fail(file, "found a recording of one point, expected two or more to replay it by time")
		return
	case r.Repeat && r.Otherwise != nil:
		v.fail(join(path, "otherwise"), "found together with repeat, expected only one of them: a recording that repeats has no end")
		return
	case !r.Repeat && r.Otherwise == nil:
		v.fail(path, "found neither repeat nor otherwise, expected repeat: true or a rate before and after the recording such as otherwise: 0/s")
		return
	}
	shape := &timeline.Recorded{Start: rec.Start, Repeat: r.Repeat, Points: make([]timeline.RecordedPoint, len(rec.Points))}
	if !r.Start.IsZero() {
		shape.Start = r.Start.Time
	}
	if r.Otherwise != nil {
		shape.Otherwise = float64(*r.Otherwise)
	}
	for i, p := range rec.Points {
		after := math.Round(float64(p.After) * r.Stretch)
		if after >= math.MaxInt64 {
			v.fail(join(path, "stretch"), "found %s, which makes the recording too long", v.found(join(path, "stretch")))
			return
		}
		shape.Points[i] = timeline.RecordedPoint{After: time.Duration(after), Rate: p.Rate}
	}
	r.shape = shape
}

// compile returns the shape of the recording: a rate of 0 where nothing is read.
func (r *Replay) compile() timeline.Shape {
	if r.shape == nil {
		return timeline.Steady{}
	}
	return r.shape
}

// recordings returns the hashes of the recordings in a rate.
func (s RateShape) recordings() []string {
	var all []string
	if s.Replay != nil {
		all = append(all, s.Replay.hash)
	}
	if s.Follow != nil {
		all = append(all, s.Follow.Otherwise.recordings()...)
	}
	for _, one := range s.Sum {
		all = append(all, one.recordings()...)
	}
	return all
}
