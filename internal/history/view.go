package history

import (
	"iter"
	"math"
	"time"
)

// Recent are the figures of the last ten to twenty seconds.
type Recent struct {
	// Over is how long that is.
	Over time.Duration
	// Flow is what this replica did, per second.
	Flow *Flow
	// Delay is the 99th percentile of the generator's own delay in seconds; NaN where nothing
	// ended.
	Delay float64
	// Buckets is the histogram of latencies.
	Buckets Buckets
}

// Recent returns the present figures.
func (s *Scenario) Recent(now time.Time) Recent {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, before := s.read(now), &s.older
	t := x.totals.minus(&before.totals)
	latency, delay := x.latency.minus(&before.latency), x.delay.minus(&before.delay)
	r := Recent{Over: now.Sub(before.at), Flow: &Flow{}, Delay: delay.quantile(0.99), Buckets: sparse(latency)}
	r.Flow.add(flowOf(&t, x.totals.Journeys, latency, delay), 1/max(1e-3, r.Over.Seconds()), 1)
	return r
}

// Seconds returns the points of seconds that begin at or after a Unix time.
func (s *Scenario) Seconds(since int64) Series {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seconds.since(since)
}

// Minutes returns the points of whole minutes that begin at or after a Unix time.
func (s *Scenario) Minutes(since int64) Series {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.minutes.since(since)
}

// Step are the figures of one request of the mix.
type Step struct {
	Name string
	// Ended and Failed are of the last 15 minutes.
	Ended, Failed uint64
}

// Steps returns the figures of the requests in the order of the mix.
func (s *Scenario) Steps() []Step {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Step, 0, len(s.order))
	for _, name := range s.order {
		q := s.requests[name]
		all = append(all, Step{Name: name, Ended: q.request.ended.Load() - q.ended[0], Failed: q.request.failed.Load() - q.failed[0]})
	}
	return all
}

// Budget returns how many requests of this replica in the last 24 hours were good and bad, and
// since when it has counted them.
func (s *Scenario) Budget() (good, bad float64, since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.Totals()
	d := t.minus(&s.minute.totals)
	good, bad = float64(d.Good), float64(d.Bad)
	day := s.minutes.since(0)
	from := s.minute.at.Unix()
	for i := range day.Len {
		if g := at(day.Columns[Good], i); !math.IsNaN(g) {
			good, bad = good+g, bad+at(day.Columns[Bad], i)
			from = min(from, day.From+int64(i)*day.Step)
		}
	}
	return good, bad, time.Unix(from, 0)
}

// at returns a value of a column, which may be missing.
func at(column []float32, i int) float64 {
	if i >= len(column) {
		return math.NaN()
	}
	return float64(column[i])
}

// Buckets is a histogram without its empty buckets: pairs of an index and a count.
type Buckets []uint32

func sparse(c *counts) Buckets {
	var out Buckets
	for i, n := range c {
		if n > 0 {
			out = append(out, uint32(i), n)
		}
	}
	return out
}

// all yields the indices and counts. What comes from others may have indices that there are not,
// which are left out.
func (b Buckets) all() iter.Seq2[int, uint32] {
	return func(yield func(int, uint32) bool) {
		for i := 0; i+1 < len(b); i += 2 {
			if b[i] < numBuckets && !yield(int(b[i]), b[i+1]) {
				return
			}
		}
	}
}

// Total returns how many durations there are.
func (b Buckets) Total() (n uint64) {
	for _, count := range b.all() {
		n += uint64(count)
	}
	return n
}

// Fit returns the histogram with most buckets at most: as often as it takes, each two neighbours
// become one, which doubles the error of quantiles.
func (b Buckets) Fit(most int) Buckets {
	for width := 2; len(b) > 2*most && width < numBuckets; width *= 2 {
		var c counts
		for i, n := range b.all() {
			c[i/width*width+width/2] += n
		}
		b = sparse(&c)
	}
	return b
}

// Merge returns a histogram of all.
func Merge(all ...Buckets) Buckets {
	var sum counts
	for _, b := range all {
		for i, n := range b.all() {
			sum[i] += n
		}
	}
	return sparse(&sum)
}

// Quantile returns a quantile in seconds; NaN of nothing.
func (b Buckets) Quantile(q float64) float64 {
	var c counts
	for i, n := range b.all() {
		c[i] += n
	}
	return c.quantile(q)
}
