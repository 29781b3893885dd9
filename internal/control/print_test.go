package control

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/web"
)

// noon is when the tests look at the clock.
func noon() time.Time {
	return time.Date(2026, time.March, 28, 12, 0, 0, 0, time.FixedZone("CET", 3600))
}

// override is one that began a minute before noon and lasts for a time.
func override(rate float64, d time.Duration) *web.OverrideStatus {
	return &web.OverrideStatus{Rate: &rate, From: noon().Add(-time.Minute).UTC(), Until: noon().Add(d).UTC(), Active: true, Reason: "spike", By: "ada@host"}
}

func pending(o *web.OverrideStatus) *web.OverrideStatus {
	o.From, o.Active = noon().Add(2*time.Second).UTC(), false
	return o
}

func capped(o *web.OverrideStatus) *web.OverrideStatus {
	o.Capped = true
	return o
}

func factor(x float64, d time.Duration) *web.OverrideStatus {
	o := override(0, d)
	o.Rate, o.Factor = nil, &x
	return o
}

func cleared() *web.OverrideStatus {
	o := pending(override(0, 2*time.Second))
	o.Rate, o.Clear, o.Reason = nil, true, ""
	return o
}

func TestTheListIsATable(t *testing.T) {
	var out bytes.Buffer
	err := PrintList(&out, []web.ScenarioStatus{
		{Name: "plain", FileRate: 200, TargetRate: 200},
		{Name: "changed", FileRate: 200, TargetRate: 600, Override: override(600, 29*time.Minute)},
		{Name: "capped", FileRate: 200, TargetRate: 300, MaxRate: 300, Override: capped(factor(2, 24*time.Hour))},
		{Name: "waiting", FileRate: 0.01, TargetRate: 0.01, Override: pending(factor(0, 90*time.Minute))},
		{Name: "clearing", FileRate: 1, TargetRate: 2, Override: cleared()},
	}, noon())
	want := `
SCENARIO  FILE   TARGET  OVERRIDE                        UNTIL                             REASON  BY
plain     200/s  200/s   -                               -                                 -       -
changed   200/s  600/s   600/s                           12:29:00 CET (in 29m)             spike   ada@host
capped    200/s  300/s   x2 (capped at 300/s)            2026-03-29 12:00:00 CET (in 1d)   spike   ada@host
waiting   36/h   36/h    x0 from 12:00:02 CET (in 2s)    13:30:00 CET (in 1h30m)           spike   ada@host
clearing  1/s    2/s     clear from 12:00:02 CET (in 2s)  -                                 -       ada@host
`
	// Where the columns are is not the point.
	squeeze := func(text string) string {
		var lines []string
		for line := range strings.Lines(strings.TrimSpace(text)) {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
		return strings.Join(lines, "\n")
	}
	if got := squeeze(out.String()); err != nil || got != squeeze(want) {
		t.Errorf("error %v, printed\n%s\nwant\n%s", err, got, squeeze(want))
	}
}

func TestAChangeIsOneClearLine(t *testing.T) {
	for want, s := range map[string]web.ScenarioStatus{
		"s: 600/s (the file says 200/s) from 12:00:02 CET (in 2s) until 12:30:02 CET (in 30m2s)\n": {
			Name: "s", FileRate: 200, Override: pending(override(600, 30*time.Minute+2*time.Second)),
		},
		"s: x0.5 (the file says 200/s) from 11:59:00 CET (1m ago) until 12:30:00 CET (in 30m)\n": {
			Name: "s", FileRate: 200, Override: factor(0.5, 30*time.Minute),
		},
		"s: 600/s (the file says 200/s) from 12:00:02 CET (in 2s) until 13:00:00 CET (in 1h), held back to max_rate 500/s\n": {
			Name: "s", FileRate: 200, MaxRate: 500, Override: capped(pending(override(600, time.Hour))),
		},
		"s: back to the file's 200/s from 12:00:02 CET (in 2s)\n": {Name: "s", FileRate: 200, Override: cleared()},
		"s: 200/s, as the file says\n":                            {Name: "s", FileRate: 200},
	} {
		var out bytes.Buffer
		PrintChange(&out, s, noon())
		if got := out.String(); got != want {
			t.Errorf("printed %swant %s", got, want)
		}
	}
}

func TestAChangeIsARateOrAFactor(t *testing.T) {
	for text, want := range map[string]float64{"x2": 2, "x0.5": 0.5, "x0": 0, "x1e3": 1000} {
		if o, err := Change(text); err != nil || o.Factor == nil || *o.Factor != want || o.Rate != "" {
			t.Errorf("%s is %v, %v", text, o, err)
		}
	}
	for _, text := range []string{"600/s", "90/m", "fast", "2x"} {
		if o, err := Change(text); err != nil || o.Factor != nil || o.Rate != text {
			t.Errorf("%s is %v, %v", text, o, err)
		}
	}
	for _, text := range []string{"x", "x2/s", "xfast", "xNaN", "xInf", "x1e999"} {
		if o, err := Change(text); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s is %v, %v", text, o, err)
		}
	}
}

func TestRatesReadAsInTheFile(t *testing.T) {
	for want, rate := range map[string]float64{
		"0/s": 0, "1500000/s": 1.5e6, "200/s": 200, "1/s": 1, "33.333/s": 100.0 / 3, "30/m": 0.5, "10/h": 10.0 / 3600, "2/d": 2.0 / 86400, "0.5/d": 0.5 / 86400,
	} {
		if got := perSecond(rate); got != want {
			t.Errorf("%v is %s, want %s", rate, got, want)
		}
	}
}
