package config_test

import (
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
)

const fingerprinted = `name: a
rate: {sine: {mean: 10/s, amplitude: 5/s, period: 1h}}
slo: {objective: 99%, latency: 1s}
http_config: {basic_auth: {username: u, password: "${TEST_PASSWORD}"}}
requests:
  - {name: r, url: "http://127.0.0.1/", weight: 2, headers: {Accept: a}, body: x}
`

func fingerprints(t *testing.T, text string) (all, client string) {
	t.Helper()
	scenarios := parse(t, text).Scenarios
	s := scenarios[len(scenarios)-1]
	return s.Fingerprint(), s.ClientFingerprint()
}

func TestFingerprintsShowWhatHasChanged(t *testing.T) {
	all, client := fingerprints(t, with(fingerprinted))
	for _, test := range []struct {
		name, old, new string
		ofClient       bool
	}{
		{"name", "name: a\n", "name: b\n", false},
		{"rate", "mean: 10/s", "mean: 11/s", false},
		{"adjustment", "}}\nslo", "}, max: 12/s}\nslo", false},
		{"objective", "99%", "98%", false},
		{"no slo", "slo: {objective: 99%, latency: 1s}\n", "", false},
		{"arrivals", "slo:", "arrivals: poisson\nslo:", false},
		{"pacing", "slo:", "pacing: exact\nslo:", false},
		{"time zone", "slo:", "time_zone: Asia/Tokyo\nslo:", false},
		{"max_rate", "slo:", "limits: {max_rate: 9/s}\nslo:", false},
		{"late_after", "slo:", "limits: {late_after: 2s}\nslo:", false},
		{"max_in_flight", "slo:", "limits: {max_in_flight: 9}\nslo:", true},
		{"timeout", "slo:", "timeout: 9s\nslo:", true},
		{"flag", "{basic_auth", "{keep_alive: false, basic_auth", true},
		{"secret", `"${TEST_PASSWORD}"`, `"other"`, true},
		{"no authentication", `basic_auth: {username: u, password: "${TEST_PASSWORD}"}`, "", true},
		{"url", "http://127.0.0.1/", "http://127.0.0.1/?", true},
		{"weight", "weight: 2", "weight: 3", true},
		{"header name", "Accept: a", "accept: a", true},
		{"header value", "Accept: a", "Accept: b", true},
		{"secrecy of a header", "Accept: a", "Accept: {secret: a}", true},
		{"text from one key to another", "headers: {Accept: a}, body: x", "headers: {Accept: a, body: x}", true},
		{"expectation", "body: x", "body: x, expect: {status: [200]}", true},
		{"one more request", "body: x}", "body: x}\n  - {name: s, url: \"http://127.0.0.1/\"}", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			changed := strings.Replace(fingerprinted, test.old, test.new, 1)
			if changed == fingerprinted {
				t.Fatalf("%q is not there to be changed", test.old)
			}
			newAll, newClient := fingerprints(t, with(changed))
			if newAll == all {
				t.Error("the fingerprint is the same")
			}
			if (newClient != client) != test.ofClient {
				t.Errorf("the client's fingerprint differs: %v, want %v", newClient != client, test.ofClient)
			}
		})
	}
}

func TestFingerprintsDoNotDependOnHowItIsWritten(t *testing.T) {
	all, client := fingerprints(t, with(fingerprinted))
	for name, text := range map[string]string{
		"defaults written out": strings.Replace(fingerprinted, "slo:", "timeout: 10000ms\narrivals: uniform\nlimits: {max_in_flight: 500}\nslo:", 1),
		"other units":          strings.Replace(strings.Replace(fingerprinted, "10/s", "600/m", 1), "1h", "60m", 1),
		"variable written out": strings.Replace(fingerprinted, "${TEST_PASSWORD}", "hunter2 from the environment", 1),
		"comments":             strings.Replace(fingerprinted, "slo:", "# An objective.\nslo:", 1),
		"order":                strings.Replace(fingerprinted, "mean: 10/s, amplitude: 5/s", "amplitude: 5/s, mean: 10/s", 1),
	} {
		if newAll, newClient := fingerprints(t, with(text)); newAll != all || newClient != client {
			t.Errorf("%s: the fingerprint differs", name)
		}
	}
	other := strings.Replace(with("name: other"), "scenarios:\n", "", 1)
	second := "scenarios:\n" + other + strings.Replace(with(fingerprinted), "scenarios:\n", "", 1)
	if newAll, newClient := fingerprints(t, second); newAll != all || newClient != client {
		t.Error("second in the file: the fingerprint differs")
	}
}

func TestFingerprintsOfTheEnvironmentsValuesDiffer(t *testing.T) {
	of := func(password string) string {
		c, err := config.Parse("x.yaml", []byte(with(fingerprinted)), func(string) (string, bool) { return password, true }, nil)
		if err != nil {
			t.Fatal(err)
		}
		return c.Scenarios[0].ClientFingerprint()
	}
	if of("old") == of("new") {
		t.Error("a new password has the same fingerprint")
	}
}

func TestTheCanonicalFormMeansTheSame(t *testing.T) {
	names := append(files(t, "good-*.yaml"), "../../config.example.yaml")
	for _, name := range names {
		sameAgain(t, load(t, name))
	}
}

// sameAgain fails if the canonical form of a configuration does not parse to the same.
func sameAgain(t *testing.T, c *config.Config) {
	t.Helper()
	again, err := config.Parse("canonical.yaml", []byte(c.Canonical()), nil, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, c.Canonical())
	}
	if c.Canonical() != again.Canonical() {
		t.Errorf("%s\nbecomes:\n%s", c.Canonical(), again.Canonical())
	}
	for i, s := range c.Scenarios {
		if s.Fingerprint() != again.Scenarios[i].Fingerprint() {
			t.Errorf("scenario %q has another fingerprint", s.Name)
		}
	}
}
