package history

import (
	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// Flow is what one or more replicas did for a scenario, per second or in some time. The zero Flow
// is nothing. Not safe for concurrent use.
type Flow struct {
	// Sent are slots, Ended are requests, and Users are journeys in progress.
	Sent, Ended, Users float64
	Dropped            [engine.NumDropReasons]float64
	Failed             [protocol.NumReasons]float64

	latency [numBuckets]float64
}

// Observe adds a histogram of latencies, scaled so that it counts n requests.
func (f *Flow) Observe(b Buckets, n float64) {
	total := b.Total()
	for i, count := range b.all() {
		f.latency[i] += n * float64(count) / float64(total)
	}
}

// Add adds the flow of other replicas in the same time.
func (f *Flow) Add(o *Flow) { f.add(o, 1, 1) }

// DroppedSum returns the slots that were dropped for any reason.
func (f *Flow) DroppedSum() float64 { return sum(f.Dropped[:]) }

// FailedSum returns the requests that failed for any reason.
func (f *Flow) FailedSum() float64 { return sum(f.Failed[:]) }

func sum(all []float64) (total float64) {
	for _, n := range all {
		total += n
	}
	return total
}

// Quantile returns a quantile of the latencies in seconds; NaN of nothing.
func (f *Flow) Quantile(q float64) float64 { return quantile(f.latency[:], q) }

// add adds another flow, its counts multiplied by times and its users by share.
func (f *Flow) add(o *Flow, times, share float64) {
	f.Sent += times * o.Sent
	f.Ended += times * o.Ended
	f.Users += share * o.Users
	for i, n := range o.Dropped {
		f.Dropped[i] += times * n
	}
	for i, n := range o.Failed {
		f.Failed[i] += times * n
	}
	for i, n := range o.latency {
		f.latency[i] += times * n
	}
}

// flowOf returns the flow of what this replica has counted.
func flowOf(t *Totals, users int64, latency, delay *counts) *Flow {
	f := &Flow{Sent: t.sent(), Ended: float64(delay.total()), Users: float64(users)}
	for i, n := range t.Dropped {
		f.Dropped[i] = float64(n)
	}
	for i, n := range t.Failed {
		f.Failed[i] = float64(n)
	}
	for i, n := range latency {
		f.latency[i] = float64(n)
	}
	return f
}

// columns returns the flow as values of columns. Reasons that did not occur have none.
func (f *Flow) columns() map[string]float64 {
	v := map[string]float64{Sent: f.Sent, Ended: f.Ended, P50: f.Quantile(0.5), P99: f.Quantile(0.99)}
	for i, n := range f.Dropped {
		if n > 0 {
			v[Dropped+engine.DropReason(i).String()] = n
		}
	}
	for i, n := range f.Failed {
		if n > 0 {
			v[Failed+protocol.Reason(i).String()] = n
		}
	}
	return v
}

// flows is the sum of the flows of some seconds.
type flows struct {
	sum Flow
	// seconds is how many there were, and known how many of their flows.
	seconds, known int
}

// add adds the flow of a second; nil if it is not known.
func (f *flows) add(o *Flow) {
	f.seconds++
	if o != nil {
		f.known++
		f.sum.Add(o)
	}
}

// drain returns the flow of as many seconds as that, and begins anew; nil if that of most of them
// is not known.
func (f *flows) drain(seconds float64) *Flow {
	defer func() { *f = flows{} }()
	if f.known == 0 || 2*f.known < f.seconds {
		return nil
	}
	out := &Flow{}
	out.add(&f.sum, seconds/float64(f.known), 1/float64(f.known))
	return out
}
