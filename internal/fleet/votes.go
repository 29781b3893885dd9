package fleet

import (
	"cmp"
	"hash/fnv"
	"slices"
	"time"

	"github.com/grafana/dskit/ring"

	"github.com/traffic-exporter/traffic_exporter/internal/backoff"
	"github.com/traffic-exporter/traffic_exporter/internal/membership"
)

// voteKept is for how long a heartbeat carries a vote: longer than any target is spared.
const voteKept = 26 * time.Hour

// votes are a replica's: when it last found the target of a scenario failing, in Unix
// milliseconds, by the scenario's key.
type votes map[uint64]int64

// voteKey returns the number under which heartbeats carry the votes for a scenario: one
// that is none of the fields.
func voteKey(scenario string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(scenario)) // It never fails.
	return h.Sum64() | 1<<63
}

// put adds the votes to what a heartbeat carries, and forgets old ones.
func (v votes) put(into ring.InstanceVersions, now time.Time) {
	for key, at := range v {
		if now.Sub(time.UnixMilli(at)) > voteKept {
			delete(v, key)
			continue
		}
		into[key] = uint64(at)
	}
}

var _ backoff.Votes = (*Fleet)(nil)

// Vote implements backoff.Votes. The others hear of it with the next heartbeat.
func (f *Fleet) Vote(scenario string, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.votes[voteKey(scenario)] = at.UnixMilli()
}

// Agreed implements backoff.Votes.
func (f *Fleet) Agreed(scenario string) time.Time {
	key := voteKey(scenario)
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []opinion
	for _, m := range f.tracker.Statuses() {
		if m.State != membership.Live && m.State != membership.Leaving {
			continue
		}
		at := f.profiles[m.ID].votes[key]
		if m.ID == f.id {
			at = f.votes[key]
		}
		all = append(all, opinion{at: at, weight: uint64(m.Weight)})
	}
	return agreed(all)
}

// opinion is when a replica last found a target failing, in Unix milliseconds; 0 if
// never.
type opinion struct {
	at     int64
	weight uint64
}

// agreed returns the last instant from which on more than half of the replicas, by
// weight, have found so: the weighted median. It is zero if there is none.
func agreed(all []opinion) time.Time {
	var total, so uint64
	for _, o := range all {
		total += o.weight
	}
	slices.SortFunc(all, func(a, b opinion) int { return cmp.Compare(b.at, a.at) })
	for _, o := range all {
		if so += o.weight; o.at > 0 && 2*so > total {
			return time.UnixMilli(o.at)
		}
	}
	return time.Time{}
}
