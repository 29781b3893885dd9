package app

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/web"
)

// ask sends a request with a JSON body and returns the status, and the data or the error of
// the response.
func (r running) ask(t *testing.T, method, path, body string) (code int, status web.ScenarioStatus, message string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Data  web.ScenarioStatus `json:"data"`
		Error string             `json:"error"`
	}
	b, err := io.ReadAll(resp.Body)
	if err == nil {
		err = json.Unmarshal(b, &answer)
	}
	if err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, b)
	}
	return resp.StatusCode, answer.Data, answer.Error
}

// controlled runs an App that allows control, with one scenario.
func controlled(t *testing.T, scenario string) (r running, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file, scenario)
	o := options(file, io.Discard)
	o.EnableControl = true
	o.WatchInterval = 10 * time.Millisecond
	return startApp(t, o), file
}

const overridePath = "/api/v1/scenarios/s/override"

func TestAnOverrideChangesTheRateUntilItIsCleared(t *testing.T) {
	r, file := controlled(t, scenarioText("s", "10/s", url, "    limits: {max_rate: 50/s}\n"))
	r.eventually(t, `traffic_override_active{scenario="s"} 0`)

	code, status, message := r.ask(t, "PUT", overridePath, `{"rate": "30/s", "for": "1h", "reason": "test", "by": "me"}`)
	if code != http.StatusOK {
		t.Fatalf("%d %s", code, message)
	}
	o := status.Override
	if o == nil || o.Active || *o.Rate != 30 || o.By != "me" || o.Until.Sub(o.From) != time.Hour || o.Capped {
		t.Fatalf("override %+v", o)
	}
	if lead := time.Until(o.From); lead < time.Second || lead > 3*time.Second || o.From.Nanosecond() != 0 {
		t.Errorf("it takes effect at %v, %v ahead", o.From, lead)
	}
	r.eventually(t, `traffic_target_rate{scenario="s"} 30`)
	r.eventually(t, `traffic_override_active{scenario="s"} 1`)
	r.eventually(t, `traffic_share_rate{scenario="s"} 30`)

	// It stays through a reload, and a factor is one of what the file says then.
	writeConfig(t, file, scenarioText("s", "20/s", url, "    limits: {max_rate: 50/s}\n"))
	r.ask(t, "PUT", overridePath, `{"factor": 2, "for": "1h", "reason": "test"}`)
	r.eventually(t, `traffic_target_rate{scenario="s"} 40`)
	_, status, _ = r.ask(t, "PUT", overridePath, `{"factor": 3, "for": "1h", "reason": "test"}`)
	if !status.Override.Capped {
		t.Error("nobody is told that max_rate holds it back")
	}
	r.eventually(t, `traffic_target_rate{scenario="s"} 50`)

	if code, _, message = r.ask(t, "DELETE", overridePath, ""); code != http.StatusOK {
		t.Errorf("%d %s", code, message)
	}
	r.eventually(t, `traffic_target_rate{scenario="s"} 20`)
	r.eventually(t, `traffic_override_active{scenario="s"} 0`)
	if code, _, message = r.ask(t, "DELETE", overridePath, ""); code != http.StatusNotFound || !strings.Contains(message, "no override") {
		t.Errorf("cleared again: %d %s", code, message)
	}
}

func TestAnOverrideExpires(t *testing.T) {
	r, _ := controlled(t, scenarioText("s", "10/s", url, ""))
	if code, _, message := r.ask(t, "PUT", overridePath, `{"factor": 0, "for": "1s", "reason": "a pause"}`); code != http.StatusOK {
		t.Fatalf("%d %s", code, message)
	}
	r.eventually(t, `traffic_target_rate{scenario="s"} 0`)
	r.eventually(t, `traffic_target_rate{scenario="s"} 10`)
}

func TestOverridesThatCannotBeAreRefused(t *testing.T) {
	r, _ := controlled(t, scenarioText("s", "10/s", url, ""))
	past := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	far := time.Now().AddDate(1, 0, 0).UTC().Format(time.RFC3339)
	for name, tc := range map[string]struct {
		path, body string
		code       int
		message    string
	}{
		"unknown scenario":     {"/api/v1/scenarios/other/override", `{"rate": "1/s", "for": "1h", "reason": "r"}`, 404, `no scenario "other"`},
		"negative rate":        {overridePath, `{"rate": "-1/s", "for": "1h", "reason": "r"}`, 422, `found "-1/s"`},
		"negative factor":      {overridePath, `{"factor": -1, "for": "1h", "reason": "r"}`, 422, "found -1, expected 0 or more"},
		"huge factor":          {overridePath, `{"factor": 1e9, "for": "1h", "reason": "r"}`, 422, "at most 1e+06"},
		"too high a rate":      {overridePath, `{"rate": "2000000/s", "for": "1h", "reason": "r"}`, 422, "more than"},
		"factor beyond limits": {overridePath, `{"factor": 500000, "for": "1h", "reason": "r"}`, 422, "more than"},
		"no rate":              {overridePath, `{"rate": "fast", "for": "1h", "reason": "r"}`, 422, `found "fast"`},
		"past expiry":          {overridePath, `{"factor": 1, "until": "` + past + `", "reason": "r"}`, 422, "which is past"},
		"expiry before effect": {overridePath, `{"factor": 1, "until": "SOON", "reason": "r"}`, 422, "takes effect"},
		"expiry in a year":     {overridePath, `{"factor": 1, "until": "` + far + `", "reason": "r"}`, 422, "at most 31"},
		"no duration":          {overridePath, `{"factor": 1, "for": "a while", "reason": "r"}`, 422, `found "a while"`},
		"zero duration":        {overridePath, `{"factor": 1, "for": "0s", "reason": "r"}`, 422, "more than 0s"},
	} {
		t.Run(name, func(t *testing.T) {
			soon := time.Now().Add(time.Second).UTC().Format(time.RFC3339Nano)
			code, _, message := r.ask(t, "PUT", tc.path, strings.ReplaceAll(tc.body, "SOON", soon))
			if code != tc.code || !strings.Contains(message, tc.message) {
				t.Errorf("got %d %q, want %d and %q", code, message, tc.code, tc.message)
			}
		})
	}
	if _, body := r.get(t, "/api/v1/scenarios"); !strings.Contains(body, `"override":null`) {
		t.Errorf("something was changed: %s", body)
	}
}

func TestTooManyChangesAreRefusedAndTheOneInEffectStays(t *testing.T) {
	r, _ := controlled(t, scenarioText("s", "10/s", url, ""))
	var code int
	var message string
	for range 20 {
		if code, _, message = r.ask(t, "PUT", overridePath, `{"factor": 2, "for": "1h", "reason": "r"}`); code != http.StatusOK {
			break
		}
	}
	if code != http.StatusTooManyRequests || !strings.Contains(message, "try again") {
		t.Errorf("%d %s", code, message)
	}
}

// fleetText is the section of a replica that joins others on loopback.
func fleetText(name, more string) string {
	return fmt.Sprintf("fleet: {name: %s, listen: \"127.0.0.1:0\", cluster: app%s}\n", name, more)
}

// fleetConfig writes a configuration with a fleet.
func fleetConfig(t *testing.T, file, fleet, scenario string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(fleet+"scenarios:\n"+scenario), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAFleetSharesTheRateAndItsChanges(t *testing.T) {
	dir := t.TempDir()
	// Port 0 takes a free one, which the second replica's configuration names.
	first := filepath.Join(dir, "first.yaml")
	fleetConfig(t, first, fleetText("first", ""), scenarioText("s", "30/s", url, ""))
	o := options(first, io.Discard)
	o.EnableControl = true
	a := startApp(t, o)
	a.eventually(t, "traffic_fleet_live 1")

	second := filepath.Join(dir, "second.yaml")
	join := fmt.Sprintf(", join: [%q]", a.app.fleet.Status().Members[0].Address)
	fleetConfig(t, second, fleetText("second", join), scenarioText("s", "30/s", url, "    limits: {max_rate: 40/s}\n"))
	b := startApp(t, options(second, io.Discard))
	// It joins for some seconds, and is starting before that.
	code, body := b.get(t, "/-/ready")
	for deadline := time.Now().Add(20 * time.Second); code == http.StatusServiceUnavailable && !strings.Contains(body, "fleet") && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
		code, body = b.get(t, "/-/ready")
	}
	if code != http.StatusServiceUnavailable || !strings.Contains(body, "fleet") {
		t.Errorf("ready before it counts: %d %s", code, body)
	}
	for _, r := range []running{a, b} {
		r.eventually(t, "traffic_fleet_members 2")
		r.eventually(t, `traffic_share_rate{scenario="s"} 15`)
		r.eventually(t, "traffic_fleet_config_mismatch_members 1")
	}
	if code, _ := b.get(t, "/-/ready"); code != http.StatusOK {
		t.Error("not ready though it counts")
	}
	if code, body := b.get(t, "/fleet"); code != http.StatusOK || !strings.Contains(body, "first") {
		t.Errorf("/fleet: %d %s", code, body)
	}
	if code, body := b.get(t, "/memberlist"); code != http.StatusOK || !strings.Contains(body, "<h1>Gossip</h1>") {
		t.Errorf("/memberlist: %d %s", code, body)
	}

	if code, _, message := a.ask(t, "PUT", overridePath, `{"rate": "100/s", "for": "1h", "reason": "r"}`); code != http.StatusOK {
		t.Fatalf("%d %s", code, message)
	}
	a.eventually(t, `traffic_target_rate{scenario="s"} 100`)
	b.eventually(t, `traffic_target_rate{scenario="s"} 40`) // Its file allows no more.

	// The section fleet cannot be changed by a reload, but for the floor.
	for _, floor := range []struct{ text, share string }{{", min_replicas: 4", "10"}, {"", "20"}} {
		fleetConfig(t, second, fleetText("second", join+floor.text), scenarioText("s", "30/s", url, "    limits: {max_rate: 40/s}\n"))
		if err := b.app.reloader.Reload(); err != nil {
			t.Errorf("reload%s: %v", floor.text, err)
		}
		b.eventually(t, `traffic_share_rate{scenario="s"} `+floor.share)
	}
	fleetConfig(t, second, fleetText("renamed", join), scenarioText("s", "30/s", url, ""))
	if err := b.app.reloader.Reload(); err == nil || !strings.Contains(err.Error(), "restart") {
		t.Errorf("reload: %v", err)
	}

	if err := a.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	b.eventually(t, "traffic_fleet_members 1")
	b.eventually(t, `traffic_share_rate{scenario="s"} 40`)
}
