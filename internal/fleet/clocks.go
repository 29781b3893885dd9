package fleet

import (
	"fmt"
	"slices"
	"time"
)

const (
	// samples is how many heartbeats of a member the estimate of its clock rests on. The
	// one that was the shortest on its way counts (as in NTP's clock filter, RFC 5905,
	// section 10).
	samples = 8
	// maxSkew is how far this replica's clock may be from those of most others before it
	// stops sending: stamps that are older or newer by this much are taken for the dead
	// or for the not yet born.
	maxSkew = 2 * time.Second
)

// clocks show by how much this replica's clock is ahead of the others'. A delay is the time
// from a heartbeat's sending, by its sender's clock, to its receipt, by ours: our clock's
// lead and its time on the way.
type clocks map[string]*delays

type delays struct {
	last [samples]time.Duration
	n    int
}

func (c clocks) add(id string, d time.Duration) {
	if c[id] == nil {
		c[id] = &delays{}
	}
	s := c[id]
	s.last[s.n%samples] = d
	s.n++
}

// ahead returns by how much this replica's clock is ahead of the member's, too high by
// the time of the fastest of the last heartbeats on its way.
func (c clocks) ahead(id string) (time.Duration, bool) {
	s := c[id]
	if s == nil {
		return 0, false
	}
	return slices.Min(s.last[:min(s.n, samples)]), true
}

// median returns the median of what this replica's clock is ahead of the others' by.
func (c clocks) median() time.Duration { return median(c.all()) }

func (c clocks) all() []time.Duration {
	all := make([]time.Duration, 0, len(c))
	for id := range c {
		d, _ := c.ahead(id)
		all = append(all, d)
	}
	return all
}

func median(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

// doubt says that this replica's clock must be wrong: more than half of the fleet agree on
// that, which takes three at least. It returns the empty string otherwise.
func (c clocks) doubt() string {
	ahead, behind := 0, 0
	for _, d := range c.all() {
		switch {
		case d > maxSkew:
			ahead++
		case d < -maxSkew:
			behind++
		}
	}
	if 2*max(ahead, behind) > len(c)+1 {
		return fmt.Sprintf("its clock is off by %.1f s against most of the fleet", c.median().Seconds())
	}
	return ""
}
