package share_test

import (
	"fmt"

	"github.com/traffic-exporter/traffic_exporter/internal/share"
)

func ExampleView_Owner() {
	v := share.NewView([]share.Member{{ID: "a", Weight: 1}, {ID: "b", Weight: 1}, {ID: "c", Weight: 2}})
	for seq := range uint64(8) {
		m, _ := v.Owner(seq)
		fmt.Print(m.ID, " ")
	}
	// Output: a c a c b a c b
}
