package recording_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // The tests need the zones wherever they run.

	"github.com/traffic-exporter/traffic_exporter/internal/recording"
)

// written writes a recording for comparison.
func written(r recording.Recording) string {
	var b strings.Builder
	if !r.Weekly {
		b.WriteString(r.Start.Format(time.RFC3339) + ":")
	}
	for _, p := range r.Points {
		fmt.Fprintf(&b, " %v %g", p.After, p.Rate)
	}
	return strings.TrimSpace(b.String())
}

func prometheusOf(result string) string {
	return `{"status":"success","data":{"resultType":"matrix","result":` + result + `}}`
}

func TestRecordingsAreRead(t *testing.T) {
	for name, tc := range map[string]struct {
		content string
		format  recording.Format
		want    string
	}{
		"times of the week":        {"time,rate\nMon 00:00,1\ntue 12:30,2.5\nSun 23:59:30,0\n", "", "0s 1 36h30m0s 2.5 167h59m30s 0"},
		"instants":                 {"time,rate\n2026-03-02T00:00:00Z,1\n2026-03-02T02:00:00+01:00,2\n", "", "2026-03-02T00:00:00Z: 0s 1 1h0m0s 2"},
		"seconds since 1970":       {"time,rate\n1772409600,1\n1772409660.5,1e2\n", "", "2026-03-02T00:00:00Z: 0s 1 1m0.5s 100"},
		"columns the other way":    {"rate,time\n1,Mon 00:00\n", recording.CSV, "0s 1"},
		"comments and other lines": {"# From a log.\r\ntime,rate\r\n\r\nMon 00:00, 1\r\n", "", "0s 1"},
		"quotes and a mark":        {"\ufefftime,rate\n\"Mon 00:00\",\"1\"\n", "", "0s 1"},
		"points without a rate":    {"time,rate\nMon 00:00,\nMon 01:00,NaN\nMon 02:00,3\n", "", "2h0m0s 3"},
		"prometheus": {
			prometheusOf(`[{"metric":{"job":"x"},"values":[[1772409600,"1"],[1772409660.5,"NaN"],[1772409720,"2.5"]]}]`), "",
			"2026-03-02T00:00:00Z: 0s 1 2m0s 2.5",
		},
		"prometheus by its name": {"\n " + prometheusOf(`[{"metric":{},"values":[[0,"0"]]}]`) + "\n", recording.Prometheus, "1970-01-01T00:00:00Z: 0s 0"},
	} {
		r, err := recording.Parse(tc.content, tc.format)
		if err != nil || written(r) != tc.want {
			t.Errorf("%s: %s, %v, want %s", name, written(r), err, tc.want)
		}
	}
}

func TestMistakesHaveTheirPlace(t *testing.T) {
	for content, want := range map[string]string{
		"":                               "it is empty, expected the header time,rate",
		"at,rate\n":                      `line 1: found the header "at,rate", expected time,rate`,
		"time,rate,more\n":               `line 1: found the header "time,rate,more"`,
		"time,rate\n":                    "found no point with a rate",
		"time,rate\nMon 00:00,NaN\n":     "found no point with a rate",
		"time,rate\nMon 00:00\n":         "record on line 2: wrong number of fields",
		"time,rate\nMo 00:00,1\n":        `line 2, column 1: found the time "Mo 00:00", expected one such as Mon 00:00`,
		"time,rate\nMon 24:00,1\n":       `line 2, column 1: found the time "Mon 24:00"`,
		"time,rate\nMon 00:00,fast\n":    `line 2, column 11: found the rate "fast", expected a number of 0 or more, in 1/s`,
		"time,rate\nMon 00:00,-1\n":      `line 2, column 11: found the rate "-1"`,
		"time,rate\nMon 00:00,+Inf\n":    `line 2, column 11: found the rate "+Inf"`,
		"rate,time\n1,1969-12-31\n":      `line 2, column 3: found the time "1969-12-31"`,
		"rate,time\n1,-1\n":              `line 2, column 3: found the time "-1", expected one from 1970 to 2199`,
		"time,rate\n1e300,1\n":           `line 2, column 1: found the time "1e300", expected one from 1970 to 2199`,
		"time,rate\nNaN,1\n":             `line 2, column 1: found the time "NaN", expected one from 1970 to 2199`,
		"time,rate\n5,1\n\n5,1\n":        `line 4, column 1: found the time "5" after "5", expected ascending times`,
		"time,rate\nMon 00:00,1\n0,1\n":  `line 3, column 1: found the time "0" beside "Mon 00:00", expected only times of the week or only instants`,
		"time,rate\n0,1\nMon 00:00,1\n":  `line 3, column 1: found the time "Mon 00:00" beside "0"`,
		"time,rate\n\"Mon 00:00,1\n":     "line 2, column 14: extraneous or missing",
		"{\n \"status\": 1}":             "line 2, column",
		"{\n \"status\": \n}":            "line 3, column",
		"{}{}":                           "line 1, column 4: found more behind the response, expected its end",
		`{"status":"error","error":"x"}`: `found a response with the status "error": x`,
		`{"status":"success","data":{"resultType":"vector","result":[]}}`: `found a result of type "vector", expected a matrix`,
		prometheusOf(`[]`): "found no point with a rate",
		prometheusOf(`[{"values":[]},{"values":[]}]`):     "found 2 series, expected one",
		prometheusOf(`[{"histograms":[[0,{}]]}]`):         "found native histograms, expected numbers",
		prometheusOf(`[{"values":[[0,1]]}]`):              "values[0]: found [0 1], expected a time and a number in quotes",
		prometheusOf(`[{"values":[[0,"1"],[1,"+Inf"]]}]`): `values[1]: found the rate "+Inf"`,
		prometheusOf(`[{"values":[[1,"1"],[0,"1"]]}]`):    `values[1]: found the time "0" after "1", expected ascending times`,
		prometheusOf(`[{"values":[[1e99,"1"]]}]`):         `values[0]: found the time "1e99", expected one from 1970 to 2199`,
		prometheusOf(`[{"values":[[1e999,"1"]]}]`):        `values[0]: found the time "1e999"`,
	} {
		if _, err := recording.Parse(content, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", content, err, want)
		}
	}
	if _, err := recording.Parse("time,rate\nMon 00:00,1\n", "yaml"); err == nil {
		t.Error("a format that there is not is read")
	}
}

func TestRecordingsAreBounded(t *testing.T) {
	var instants, weekly strings.Builder
	instants.WriteString("time,rate\n")
	for i := range recording.MaxPoints + 1 {
		fmt.Fprintf(&instants, "%d,1\n", i)
	}
	weekly.WriteString("time,rate\n")
	for i := range recording.MaxWeekly + 1 {
		fmt.Fprintf(&weekly, "Mon %02d:%02d:%02d,1\n", i/3600, i/60%60, i%60)
	}
	for content, want := range map[string]string{
		instants.String(): "found more than 600000 points",
		weekly.String():   "found 50001 points in a week",
	} {
		if _, err := recording.Parse(content, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestInstantsBecomeTimesOfTheWeek(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		start time.Time
		after []time.Duration
		want  string
	}{
		"a week from its middle on, with its end": {
			time.Date(2026, 3, 4, 0, 0, 0, 0, berlin),
			[]time.Duration{0, 24 * time.Hour, 5 * 24 * time.Hour, 7 * 24 * time.Hour},
			"0s 2 48h0m0s 0 72h0m0s 1",
		},
		"an hour that comes twice": {
			time.Date(2026, 10, 24, 22, 0, 0, 0, time.UTC),
			[]time.Duration{2 * time.Hour, 150 * time.Minute, 3 * time.Hour, 4 * time.Hour},
			"146h0m0s 0 146h30m0s 1 147h0m0s 3",
		},
		"an hour that there is not": {
			time.Date(2026, 3, 28, 23, 0, 0, 0, time.UTC),
			[]time.Duration{0, time.Hour, 2 * time.Hour, 3 * time.Hour},
			"144h0m0s 0 145h0m0s 1 147h0m0s 2 148h0m0s 3",
		},
	} {
		r := recording.Recording{Start: tc.start}
		for i, after := range tc.after {
			r.Points = append(r.Points, recording.Point{After: after, Rate: float64(i)})
		}
		got, err := r.ByWeek(berlin)
		if err != nil || written(got) != tc.want || !got.Weekly {
			t.Errorf("%s: %s, %v, want %s", name, written(got), err, tc.want)
		}
	}
	long := recording.Recording{Points: []recording.Point{{}, {After: 170 * time.Hour}}}
	if _, err := long.ByWeek(berlin); err == nil {
		t.Error("more than a week is taken for one")
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"time,rate\nMon 00:00,1\nMon 01:00,NaN\n", "rate,time\n1,0\n2,2026-03-02T00:00:00Z\n", prometheusOf(`[{"metric":{},"values":[[0,"0"],[1.5,"2"]]}]`),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content string) {
		r, err := recording.Parse(content, "")
		if err != nil {
			return
		}
		if len(r.Points) == 0 || !slices.IsSortedFunc(r.Points, func(a, b recording.Point) int { return max(-1, min(1, int(a.After-b.After))) }) {
			t.Errorf("points %v", r.Points)
		}
		for _, p := range r.Points {
			if !(p.Rate >= 0) || p.After < 0 || r.Weekly && p.After >= 7*24*time.Hour {
				t.Errorf("point %v", p)
			}
		}
	})
}
