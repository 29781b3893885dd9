package httpreq

import (
	"math/rand/v2"
	"strconv"
	"testing"
)

func TestStatusesContainWhatTheirRangesDo(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var ranges []StatusRange
		in := make(map[int]bool)
		for range rng.IntN(4) {
			first := 100 + rng.IntN(500)
			r := StatusRange{first, first + rng.IntN(600-first)}
			ranges = append(ranges, r)
			for code := r.First; code <= r.Last; code++ {
				in[code] = true
			}
		}
		s, err := NewStatuses(ranges...)
		if err != nil {
			t.Fatal(err)
		}
		for code := -1000; code < 2000; code++ {
			want := in[code]
			if 600 <= code && code <= 999 { // Of no class: a server error.
				want = in[500]
			}
			if s.Contains(code) != want {
				t.Fatalf("%v contains %d: %t", ranges, code, s.Contains(code))
			}
		}
	}
}

func TestStatusesRefuseRangesOutsideHTTP(t *testing.T) {
	for _, r := range []StatusRange{{99, 100}, {599, 600}, {300, 299}, {0, 0}, {-1, 1000}} {
		if s, err := NewStatuses(StatusRange{200, 200}, r); err == nil || s != (Statuses{}) {
			t.Errorf("%v: got %v, %v", r, s, err)
		}
	}
}

func TestCodesAreTheStatusesInText(t *testing.T) {
	c := NewCodes()
	for code := range 1000 {
		want := strconv.Itoa(code)
		if code < 100 {
			want = ""
		}
		if got := c.Text(code); got != want {
			t.Errorf("%d is %q", code, got)
		}
	}
	if n := testing.AllocsPerRun(100, func() { _ = c.Text(404) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
