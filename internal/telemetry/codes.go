package telemetry

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// maxCodes is how many codes a request may get in response before further ones are
	// counted together: room for every status of HTTP, of three digits, those above 599
	// included, which servers do send, and no target can go beyond. Prometheus has to bear a
	// target that sends them all, so there is no room for more.
	maxCodes = 1000
	// otherCode stands for all codes beyond maxCodes.
	otherCode = "other"
)

// codes are the counters of one request by the code of the response. A look-up of a
// code that was seen before takes no lock and allocates nothing.
type codes struct {
	request string
	vec     *prometheus.CounterVec

	known atomic.Pointer[map[string]prometheus.Counter]
	// mu serialises additions to known.
	mu     sync.Mutex
	closed bool
}

// newCodes creates the counter for no response, whose code is empty.
func newCodes(vec *prometheus.CounterVec, request string) *codes {
	c := &codes{request: request, vec: vec}
	c.known.Store(&map[string]prometheus.Counter{"": vec.WithLabelValues(request, "")})
	return c
}

func (c *codes) inc(code string) {
	counter, ok := (*c.known.Load())[code]
	if !ok {
		counter = c.add(code)
	}
	counter.Inc()
}

// add makes the counter of a code. Those beyond the limit are not remembered, which
// makes them slower and the map bounded.
func (c *codes) add(code string) prometheus.Counter {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := *c.known.Load()
	if counter, ok := known[code]; ok {
		return counter
	}
	if c.closed {
		// The request was removed, and must not come back with its last response.
		return prometheus.NewCounter(prometheus.CounterOpts{})
	}
	if len(known) >= maxCodes {
		return c.vec.WithLabelValues(c.request, otherCode)
	}
	counter, err := c.vec.GetMetricWithLabelValues(c.request, code)
	if err != nil { // Not UTF-8: a label must not hold it.
		return c.vec.WithLabelValues(c.request, otherCode)
	}
	known = maps.Clone(known)
	known[code] = counter
	c.known.Store(&known)
	return counter
}

// close deletes the series of the request for good.
func (c *codes) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.vec.DeletePartialMatch(prometheus.Labels{labelRequest: c.request})
}
