package telemetry_test

import "testing"

func TestSessionsHaveSeriesWhileTheScenarioHasAny(t *testing.T) {
	reg, m, all := open(t, account(), plain())
	all[0].SessionRenewed()
	all[0].SessionFailed()
	all[0].SessionFailed()
	values := func() map[string]float64 {
		found := map[string]float64{}
		for _, s := range scrape(t, reg) {
			switch s.name {
			case "traffic_sessions", "traffic_session_renewals_total", "traffic_session_failures_total", "traffic_token_expiry_timestamp_seconds":
				found[s.name+" of "+s.labels["scenario"]] = s.value
			}
		}
		return found
	}
	got := values()
	for name, want := range map[string]float64{
		"traffic_sessions of account": 1, "traffic_session_renewals_total of account": 1, "traffic_session_failures_total of account": 2,
		"traffic_token_expiry_timestamp_seconds of account": 2e9,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if len(got) != 4 {
		t.Errorf("series %v, want none of the other scenario", got)
	}
	without := account()
	without.Sessions, without.TokenExpires = nil, nil
	if _, err := m.Scenario(without); err != nil {
		t.Fatal(err)
	}
	if got := values(); len(got) != 0 {
		t.Errorf("series %v of a scenario that has no token any more", got)
	}
}
