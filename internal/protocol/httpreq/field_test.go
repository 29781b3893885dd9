package httpreq_test

import (
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

func TestALengthIsOneNumber(t *testing.T) {
	for value, want := range map[string]int64{
		"0": 0, "42": 42, "0042": 42, "7,7": 7, "7 ,\t7, 7": 7, "999999999999999999": 999999999999999999,
		"": -1, " ": -1, ",": -1, "7,": -1, ",7": -1, "7,8": -1, "7 7": -1, "+7": -1, "-7": -1, "0x7": -1, "7.0": -1, "1000000000000000000": -1,
	} {
		n, ok := httpreq.ContentLength([]byte(value))
		if !ok {
			n = -1
		}
		if n != want {
			t.Errorf("%q: %d, want %d", value, n, want)
		}
	}
	value := []byte("42, 42")
	if n := testing.AllocsPerRun(100, func() { httpreq.ContentLength(value) }); n > 0 {
		t.Errorf("%g allocations", n)
	}
}
