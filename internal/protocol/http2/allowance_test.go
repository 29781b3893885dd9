package http2

import (
	"testing"
	"time"
)

// spent returns how much can be spent now, n at a time.
func (a *allowance) spent(now time.Time, n int) (sum int) {
	for a.spend(now, n) {
		sum += n
	}
	return sum
}

func TestTheAllowanceIsSpentAndComesBack(t *testing.T) {
	begin := time.Unix(1_700_000_000, 0)
	a := newAllowance(begin)
	if n := a.spent(begin, 1); n != maxUseless {
		t.Errorf("%d at once", n)
	}
	if n := a.spent(begin.Add(time.Second), 10); n != uselessRate {
		t.Errorf("%d in a second", n)
	}
	a.add(allowedPerResponse)
	if n := a.spent(begin.Add(time.Second), 1); n != allowedPerResponse {
		t.Errorf("%d for a response", n)
	}
	if n := a.spent(begin.Add(24*time.Hour), 1); n != maxUseless {
		t.Errorf("%d after a day", n)
	}
	a.add(1 << 30)
	if n := a.spent(begin.Add(24*time.Hour), 1); n != maxUseless {
		t.Errorf("%d after many responses", n)
	}
}
