package app

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/web"
)

// data gets the data of a response of the API.
func data[T any](t *testing.T, r running, path string) T {
	t.Helper()
	_, body := r.get(t, path)
	var answer struct {
		Data T `json:"data"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%s: %v in %s", path, err, body)
	}
	return answer.Data
}

func TestALivePageHasTheDayOfAScenario(t *testing.T) {
	r, _ := controlled(t, scenarioText("s", "10/s", url, "    time_zone: Europe/Berlin\n    slo: {objective: 99%, latency: 1s}\n"))
	l := data[web.Live](t, r, "/api/v1/live?scenario=s")
	if l.Count != 1 || l.Fleet != nil || !l.Control || len(l.Reload.Errors) != 0 || l.Reload.Hash == "" {
		t.Fatalf("it is %+v", l)
	}
	s, d := l.Scenarios[0], l.Detail
	if s.Name != "s" || s.Zone != "Europe/Berlin" || s.Peak != 10 || s.Budget == nil || len(s.Day.Target) != halfHours {
		t.Errorf("the scenario is %+v", s)
	}
	if d == nil || len(d.Target) != int((d.End-d.From)/d.Step) || d.Target[0] != 10 || d.Until <= d.From {
		t.Errorf("the history is %+v", d)
	}
	if more := data[web.Live](t, r, "/api/v1/live?scenario=s&since=1800000000"); len(more.Detail.Target) != 0 || more.Detail.Shape != d.Shape {
		t.Errorf("what follows is %+v", more.Detail)
	}
	if none := data[web.Live](t, r, "/api/v1/live?scenario=other&match=x"); none.Detail != nil || len(none.Scenarios) != 0 || none.Count != 1 {
		t.Errorf("of another there is %+v", none)
	}
}

func TestMistakesOfTheQueryAreNamed(t *testing.T) {
	r, _ := controlled(t, scenarioText("s", "10/s", url, ""))
	for path, want := range map[string]string{
		"/api/v1/live?since=yesterday":       "expected seconds since 1970",
		"/api/v1/live?limit=0":               "expected a number from 1 to 1000",
		"/api/v1/live?colour=red":            "unknown query parameter",
		"/api/v1/failures?reason=a&reason=b": "twice",
	} {
		if code, body := r.get(t, path); code != http.StatusBadRequest || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
}

func TestAFailureIsKeptWithTheCommandThatSendsItAgain(t *testing.T) {
	r, file := controlled(t, scenarioText("s", "100/s", url, ""))
	var all []web.FailureStatus
	for deadline := time.Now().Add(20 * time.Second); len(all) == 0; {
		if time.Now().After(deadline) {
			t.Fatal("nothing is kept")
		}
		all = data[[]web.FailureStatus](t, r, "/api/v1/failures?scenario=s&reason=refused")
	}
	f := all[0]
	if f.Request != "get" || !strings.HasPrefix(f.Slot, "s/") || len(f.TraceID) != 32 || f.Due.IsZero() || !strings.Contains(f.Error, "refused") {
		t.Errorf("it is %+v", f)
	}
	if want := "traffic_exporter send " + file + " --slot " + f.Slot; f.Command != want {
		t.Errorf("the command is %s, want %s", f.Command, want)
	}
}

func TestAHighRateWithoutACeilingHasToBeForced(t *testing.T) {
	for name, tc := range map[string]struct {
		scenario, rate string
		confirm        bool
		code           int
	}{
		"as high as three times": {"", "30/s", false, 200},
		"above three times":      {"", "31/s", true, 200},
		"as high as ten times":   {"", "100/s", true, 200},
		"above ten times":        {"", "101/s", true, 422},
		"with a ceiling":         {"    limits: {max_rate: 50/s}\n", "1000/s", true, 200},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := controlled(t, scenarioText("s", "10/s", url, tc.scenario))
			body := `{"rate": "` + tc.rate + `", "for": "1h", "reason": "test"}`
			p := preview(t, r, body)
			if p.FilePeak != 10 || p.Confirm != tc.confirm || p.Refused != (tc.code != 200) {
				t.Errorf("the preview is %+v", p)
			}
			if code, _, message := r.ask(t, "PUT", overridePath, body); code != tc.code {
				t.Errorf("%d %s", code, message)
			}
			if code, _, message := r.ask(t, "PUT", overridePath, strings.Replace(body, "{", `{"force": true, `, 1)); code != 200 {
				t.Errorf("forced, %d %s", code, message)
			}
		})
	}
}

// preview asks what an override would lead to.
func preview(t *testing.T, r running, body string) web.OverridePreview {
	t.Helper()
	resp, err := http.Post(r.base+overridePath+"/preview", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Data web.OverridePreview `json:"data"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer.Data
}

func TestWordsAreQuotedForTheShell(t *testing.T) {
	for in, want := range map[string]string{
		"config.yaml": "config.yaml", "s/20260101T000000Z-ab/7": "s/20260101T000000Z-ab/7",
		"my config.yaml": "'my config.yaml'", "it's; rm": `'it'\''s; rm'`, "": "''", "-x": "'-x'",
	} {
		if got := shellWord(in); got != want {
			t.Errorf("%q is %s, want %s", in, got, want)
		}
	}
}

func TestADayWhoseSlotsAreSentIsNoTrouble(t *testing.T) {
	r, _ := controlled(t, scenarioText("s", "100/s", url, "    limits: {max_slots_per_day: 1}\n"))
	eventually(t, func() bool {
		s := data[web.Live](t, r, "/api/v1/live").Scenarios[0]
		return s.DayLimited > 50 && s.Dropped >= s.DayLimited
	}, "slots beyond the limit are told from others that are dropped")
	if l := data[web.Live](t, r, "/api/v1/live"); l.Troubled != 0 || l.Scenarios[0].Trouble != "" {
		t.Errorf("%d scenarios need a look: %q", l.Troubled, l.Scenarios[0].Trouble)
	}
	if _, body := r.get(t, "/metrics"); !strings.Contains(body, `traffic_day_slots_left{scenario="s"} 0`) {
		t.Error("the metrics have no day without slots left")
	}
}
