package telemetry_test

import "testing"

func TestAFollowedRateHasSeriesWhileItIsFollowed(t *testing.T) {
	reg, m, _ := open(t, account(), plain())
	values := func() map[string]float64 {
		found := map[string]float64{}
		for _, s := range scrape(t, reg) {
			switch s.name {
			case "traffic_followed_rate", "traffic_follow_last_success_timestamp_seconds":
				found[s.name+" of "+s.labels["scenario"]] = s.value
			}
		}
		return found
	}
	got := values()
	if len(got) != 2 || got["traffic_followed_rate of account"] != 40 || got["traffic_follow_last_success_timestamp_seconds of account"] != 1e9 {
		t.Errorf("series %v, want two, and none of the other scenario", got)
	}
	without := account()
	without.Followed = nil
	add(t, m, without)
	if got := values(); len(got) != 0 {
		t.Errorf("series %v of a scenario that follows no rate any more", got)
	}
}

func TestADayHasSlotsLeftWhileItHasALimit(t *testing.T) {
	reg, m, _ := open(t, account(), plain())
	left := func() (of []string) {
		for _, s := range scrape(t, reg) {
			if s.name == "traffic_day_slots_left" && s.value == 7 {
				of = append(of, s.labels["scenario"])
			}
		}
		return of
	}
	if got := left(); len(got) != 1 || got[0] != "account" {
		t.Errorf("series of %v, want one of account", got)
	}
	without := account()
	without.DaySlotsLeft = nil
	add(t, m, without)
	if got := left(); len(got) != 0 {
		t.Errorf("series of %v without a limit", got)
	}
}
