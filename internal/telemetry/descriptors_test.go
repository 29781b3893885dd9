package telemetry_test

import "testing"

func TestDescriptorsHaveSeriesWhileTheScenarioHasCalls(t *testing.T) {
	reg, m, all := open(t, calls(), plain())
	all[0].DescriptorsLoaded()
	all[0].DescriptorsFailed()
	all[0].DescriptorsFailed()
	values := func() map[string]float64 {
		found := map[string]float64{}
		for _, s := range scrape(t, reg) {
			switch s.name {
			case "traffic_grpc_descriptors", "traffic_grpc_descriptor_loads_total", "traffic_grpc_descriptor_failures_total":
				found[s.name+" of "+s.labels["scenario"]] = s.value
			}
		}
		return found
	}
	got := values()
	for name, want := range map[string]float64{
		"traffic_grpc_descriptors of calls": 1, "traffic_grpc_descriptor_loads_total of calls": 1, "traffic_grpc_descriptor_failures_total of calls": 2,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if len(got) != 3 {
		t.Errorf("series %v, want none of the other scenario", got)
	}
	without := calls()
	without.Descriptors = nil
	if _, err := m.Scenario(without); err != nil {
		t.Fatal(err)
	}
	if got := values(); len(got) != 0 {
		t.Errorf("series %v of a scenario that has no calls any more", got)
	}
}
