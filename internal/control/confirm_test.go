package control

import (
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/web"
)

func TestAHighRateIsConfirmedByName(t *testing.T) {
	for name, tc := range map[string]struct {
		typed   string
		confirm bool
		ok      bool
	}{
		"not asked":       {"", false, true},
		"the name":        {"storefront\n", true, true},
		"the name at EOF": {"storefront", true, true},
		"nothing":         {"", true, false},
		"yes":             {"yes\n", true, false},
		"another name":    {"Storefront\n", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			err := Confirm(strings.NewReader(tc.typed), &out, web.OverridePreview{Scenario: "storefront", Peak: 600, FilePeak: 150, Confirm: tc.confirm})
			if (err == nil) != tc.ok {
				t.Errorf("error %v", err)
			}
			if asked := strings.Contains(out.String(), "600/s is more than three times the file's of 150/s"); asked != tc.confirm {
				t.Errorf("printed %q", out.String())
			}
		})
	}
}
