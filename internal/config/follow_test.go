package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
)

func TestAFollowedRateHasItsDefaults(t *testing.T) {
	s := parse(t, with(`rate: {follow: {query: up, prometheus: {url: "http://127.0.0.1:9090"}, otherwise: {daily: [{at: "12:00", rate: 7/s}]}}, max: 50/s, scale: 0.1}`)).Scenarios[0]
	f := s.Rate.Follow
	if time.Duration(f.Every) != 30*time.Second || time.Duration(f.Hold) != 10*time.Minute || f.Smooth != 0 || f.MaxStep != nil {
		t.Errorf("%+v", f)
	}
	if rate := s.Timeline().Rate(time.Now()); rate != 7 {
		t.Errorf("before anything is found the rate is %v, want that of otherwise, not adjusted", rate)
	}
	if s.Rate.Scale != 0.1 || *s.Rate.Max != 50 {
		t.Errorf("adjusted by %v and %v", s.Rate.Scale, s.Rate.Max)
	}
}

func TestMistakesInFollowAreReported(t *testing.T) {
	follow := func(more string) string {
		return `{follow: {query: up, prometheus: {url: "http://127.0.0.1:9090"}, otherwise: 1/s` + more + `}, max: 5/s}`
	}
	for rate, want := range map[string]string{
		strings.Replace(follow(""), ", max: 5/s", "", 1):               `rate.follow: found no max beside follow, expected the highest rate to follow`,
		strings.Replace(follow(""), "5/s", "1000001/s", 1):             `rate.max: found "1000001/s", expected at most 1000000/s`,
		strings.Replace(follow(""), "query: up", `query: " "`, 1):      `rate.follow.query: found an empty query`,
		strings.Replace(follow(""), "otherwise: 1/s", "every: 30s", 1): `rate.follow.otherwise: missing`,
		strings.Replace(follow(""), "http:", "ftp:", 1):                `rate.follow.prometheus.url: found`,

		follow(", every: 1s"):                             `rate.follow.every: found "1s", expected 5s to 5m`,
		follow(", every: 30s, hold: 59s"):                 `rate.follow.hold: found "59s", expected at least twice every, which is 30s`,
		follow(", max_step: 0/s"):                         `rate.follow.max_step: found "0/s", expected more than 0/s`,
		follow(", max: 3/s"):                              `unknown key "max": write it beside follow`,
		follow(", url: http://x/"):                        `unknown key "url": write it in prometheus`,
		`{sum: [` + follow("") + `, 1/s]}`:                `rate.sum[0].follow: found follow within another rate`,
		strings.Replace(follow(""), "1/s", follow(""), 1): `rate.follow.otherwise.follow: found follow within another rate`,
		strings.Replace(follow(""), "1/s", "{steady: 1/s, sine: {mean: 1/s, amplitude: 1/s, period: 1h}}", 1):                             `rate.follow.otherwise: found steady and sine`,
		strings.Replace(follow(""), `9090"`, `9090", http_config: {tls_config: {}}`, 1):                                                   `http_config.tls_config: found TLS settings, but url is no https URL`,
		strings.Replace(follow(""), `9090"`, `9090", http_config: {headers: {"a b": c}}`, 1):                                              `found an invalid header`,
		strings.Replace(follow(""), `9090"`, `9090", http_config: {basic_auth: {username: u}, authorization: {credentials: hunter2}}`, 1): `found together with basic_auth`,
		strings.Replace(follow(""), `9090"`, `9090", http_config: {no_proxy: x}`, 1):                                                      `found without proxy_url`,
	} {
		_, err := config.Parse("x.yaml", []byte(with("rate: "+rate)), environment, nil)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: error %v, want %s", rate, err, want)
		}
	}
}
