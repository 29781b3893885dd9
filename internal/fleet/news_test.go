package fleet

import (
	"fmt"
	"slices"
	"testing"
)

func TestTheStoreIsReportedAwayOnceAndNotByWhoStoodStill(t *testing.T) {
	for name, tc := range map[string]struct {
		// up is whether the store is heard in each second from 100 on.
		up      string
		resumed int64
		want    []string
	}{
		"it is there":                         {"++++", 0, nil},
		"away and back":                       {"++--++", 0, []string{"away 102", "back 104"}},
		"away from the beginning":             {"----++", 0, nil},
		"away again":                          {"+-+-", 0, []string{"away 101", "back 102", "away 103"}},
		"this replica stood still":            {"+--+++++++", 101, nil},
		"it stood still, and the store is so": {"+-----------+", 101, []string{"away 107", "back 112"}},
		"it stood still long ago":             {"+-+", 50, []string{"away 101", "back 102"}},
	} {
		t.Run(name, func(t *testing.T) {
			n := storeNews{resumed: tc.resumed}
			var got []string
			for i, up := range tc.up {
				second := int64(100 + i)
				away, back := n.about(up == '+', second)
				if away {
					got = append(got, fmt.Sprint("away ", second))
				}
				if back {
					got = append(got, fmt.Sprint("back ", second))
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("reported %q, want %q", got, tc.want)
			}
		})
	}
}
