package config_test

import (
	"encoding"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
)

const (
	hour = time.Hour
	day  = 24 * time.Hour
)

// An empty again is the text itself.
func TestTextsMeanWhatTheySayAndAreWrittenAgain(t *testing.T) {
	for _, test := range []struct {
		text  string
		want  any
		again string
	}{
		{"0", config.Duration(0), "0s"},
		{"0s", config.Duration(0), ""},
		{"500ms", config.Duration(500 * time.Millisecond), ""},
		{"90s", config.Duration(90 * time.Second), "1m30s"},
		{"5m", config.Duration(5 * time.Minute), ""},
		{"1h30m", config.Duration(90 * time.Minute), ""},
		{"1d", config.Duration(day), ""},
		{"1d12h", config.Duration(36 * hour), "36h"},
		{"2w", config.Duration(14 * day), ""},
		{"1y", config.Duration(365 * day), ""},
		{"1y2w3d4h5m6s7ms", config.Duration(382*day + 4*hour + 5*time.Minute + 6*time.Second + 7*time.Millisecond), "9172h5m6s7ms"},
		{"200/s", config.Rate(200), ""},
		{"90/m", config.Rate(1.5), "90/m"},
		{"10/h", config.Rate(10. / 3600), ""},
		{"1/d", config.Rate(1. / 86400), ""},
		{"0/s", config.Rate(0), ""},
		{"0/d", config.Rate(0), "0/s"},
		{"0.5/s", config.Rate(0.5), "30/m"},
		{"0.125/s", config.Rate(0.125), "7.5/m"},
		{"1e3/s", config.Rate(1000), "1000/s"},
		{"2.5E-1/s", config.Rate(0.25), "15/m"},
		{"1000000/s", config.Rate(1e6), ""},
		{"99.9%", config.Percent(0.999), ""},
		{"99.99%", config.Percent(0.9999), ""},
		{"50%", config.Percent(0.5), ""},
		{"0.001%", config.Percent(0.00001), ""},
		{"0%", config.Percent(0), ""},
		{"100%", config.Percent(1), ""},
		{"sampled", config.Traceparent{Sent: true, Sampled: 1}, ""},
		{"100%", config.Traceparent{Sent: true, Sampled: 1}, "sampled"},
		{"unsampled", config.Traceparent{Sent: true}, ""},
		{"0%", config.Traceparent{Sent: true}, "unsampled"},
		{"0.1%", config.Traceparent{Sent: true, Sampled: 0.001}, ""},
		{"none", config.Traceparent{}, ""},
		{"512", config.Bytes(512), ""},
		{"0", config.Bytes(0), ""},
		{"64KiB", config.Bytes(64 << 10), ""},
		{"10240KiB", config.Bytes(10 << 20), "10MiB"},
		{"1GiB", config.Bytes(1 << 30), ""},
		{"301", config.StatusRange{Low: 301, High: 301}, ""},
		{"2xx", config.StatusRange{Low: 200, High: 299}, ""},
		{"200-299", config.StatusRange{Low: 200, High: 299}, "2xx"},
		{"200-204", config.StatusRange{Low: 200, High: 204}, ""},
		{"204-204", config.StatusRange{Low: 204, High: 204}, "204"},
		{"00:00", config.TimeOfDay(0), ""},
		{"09:30", config.TimeOfDay(9*hour + 30*time.Minute), ""},
		{"23:59:59", config.TimeOfDay(day - time.Second), ""},
		{"09:30:00", config.TimeOfDay(9*hour + 30*time.Minute), "09:30"},
		{"mon 09:00", config.TimeOfWeek{Day: time.Monday, At: config.TimeOfDay(9 * hour)}, ""},
		{"sun 23:59:59", config.TimeOfWeek{Day: time.Sunday, At: config.TimeOfDay(day - time.Second)}, ""},
	} {
		t.Run(fmt.Sprintf("%T %s", test.want, test.text), func(t *testing.T) {
			if test.again == "" {
				test.again = test.text
			}
			got, err := readText(test.want, test.text)
			if err != nil || got != test.want {
				t.Errorf("got %v (%v), want %v", got, err, test.want)
			}
			if text, err := got.(encoding.TextMarshaler).MarshalText(); err != nil || string(text) != test.again {
				t.Errorf("written again: %q (%v), want %q", text, err, test.again)
			}
		})
	}
}

// readText reads a string as a value of the type of like.
func readText(like any, text string) (any, error) {
	switch like.(type) {
	case config.Duration:
		var v config.Duration
		err := v.UnmarshalText([]byte(text))
		return v, err
	case config.Rate:
		var v config.Rate
		err := v.UnmarshalText([]byte(text))
		return v, err
	case config.Percent:
		var v config.Percent
		err := v.UnmarshalText([]byte(text))
		return v, err
	case config.Traceparent:
		var v config.Traceparent
		err := v.UnmarshalText([]byte(text))
		return v, err
	case config.Bytes:
		var v config.Bytes
		err := v.UnmarshalText([]byte(text))
		return v, err
	case config.StatusRange:
		var v config.StatusRange
		err := v.UnmarshalText([]byte(text))
		return v, err
	case config.TimeOfDay:
		var v config.TimeOfDay
		err := v.UnmarshalText([]byte(text))
		return v, err
	case config.TimeOfWeek:
		var v config.TimeOfWeek
		err := v.UnmarshalText([]byte(text))
		return v, err
	case config.URL:
		var v config.URL
		err := v.UnmarshalText([]byte(text))
		return v, err
	default:
		return nil, fmt.Errorf("no case for %T", like)
	}
}

func TestTextsThatMeanNothingAreRefused(t *testing.T) {
	for _, test := range []struct {
		like  any
		texts []string
	}{
		{config.Duration(0), []string{
			"", " ", "1", "s", "1.5s", "-1s", "+1s", "1 s", "1s ", "1S", "1s1m", "1s1s", "1m1m", "ms", "1mss", "5 m", "１s", "293y", "1us", "1h30", "00", "9223372036854775808ms",
		}},
		{config.Rate(0), []string{
			"", "/", "/s", "1", "1/", "1/x", "1/ms", "1 /s", "1/ s", "-1/s", "+1/s", ".5/s", "5./s", "1e/s", "1e+/s", "0x10/s", "1_000/s", "1,5/s", "inf/s", "NaN/s", "1k/s", "1/s/s", "1.2.3/s", "1e400/s", "1e13/s", "1/S",
		}},
		{config.Percent(0), []string{"", "%", "99.9", "-1%", "1e1%", "99,9%", "99.9 %", ".5%", "99.9%%"}},
		{config.Traceparent{}, []string{"", "%", "1", "0.01", "-1%", "100.1%", "Sampled", "always", "sampled 1%"}},
		{config.Bytes(0), []string{"", "KiB", "-1", "+1", "1.5MiB", "10MB", "10 MiB", "10mib", "1TiB", "9223372036854775808", "9007199254740992GiB"}},
		{config.StatusRange{}, []string{"", "-", "2x", "2XX", "0xx", "6xx", "20", "5000", "0999", "20000", "1xxx", "599-1000", "1001-1000", "099", "600", "200-", "-200", "299-200", "2xx-3xx", "200 - 299", "+20", "20a"}},
		{config.TimeOfDay(0), []string{"", "9:00", "09", "24:00", "09:60", "09:00:60", "9am", "09:00:00.5", "-1:00", "09.00"}},
		{config.TimeOfWeek{}, []string{"", "mon", "09:00", "Mon 09:00", "monday 09:00", "mon  09:00", "mon 24:00", "xxx 09:00", "mon 9:00"}},
		{config.URL{}, []string{"", "/", "example.org", "//example.org/", "http:", "http://", "http:///a", "http://:80/", "mailto:a@b", "http://a b/", "http://a/ b", "http://a/#", "http://u@a/", "http://a:0/", "http://a:65536/", "http://a:b/", "http://[::1/", "http://a/\n", "http://a/{{b}}"}},
	} {
		for _, text := range test.texts {
			if got, err := readText(test.like, text); err == nil {
				t.Errorf("%T %q: read as %v", test.like, text, got)
			}
		}
	}
}

// TestEveryValueSurvivesItsText draws values of all sizes.
func TestEveryValueSurvivesItsText(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	units := []float64{1, 60, 3600, 86400}
	for range 20_000 {
		values := []any{
			config.Duration(time.Duration(random.Int64N(math.MaxInt64) >> random.IntN(63)).Truncate(time.Millisecond)),
			config.Rate(math.Pow(10, 24*random.Float64()-12)),
			config.Rate(float64(random.IntN(100_000)) / units[random.IntN(4)]),
			config.Percent(random.Float64()),
			config.Percent(1 - math.Pow(10, -10*random.Float64())),
			config.Traceparent{Sent: true, Sampled: config.Percent(random.Float64())},
			config.Bytes(random.Int64() >> random.IntN(63)),
			config.TimeOfDay(time.Duration(random.IntN(86400)) * time.Second),
			config.TimeOfWeek{Day: time.Weekday(random.IntN(7)), At: config.TimeOfDay(time.Duration(random.IntN(1440)) * time.Minute)},
		}
		low := 100 + random.IntN(500)
		values = append(values, config.StatusRange{Low: low, High: low + random.IntN(600-low)})
		for _, v := range values {
			text := fmt.Sprint(v)
			if back, err := readText(v, text); err != nil || back != v {
				t.Fatalf("%T %q: read as %v (%v)", v, text, back, err)
			}
		}
	}
}

func TestRatesAreWrittenAsShortAsCanBe(t *testing.T) {
	for rate, want := range map[config.Rate]string{
		1. / 60: "1/m", 1. / 3600: "1/h", 1. / 86400: "1/d", 1.0 / 3: "20/m", 7: "7/s",
		// Not of a file, but printed in messages.
		config.Rate(math.Inf(1)): "+Inf/s", -1: "-1/s",
	} {
		if got := rate.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
