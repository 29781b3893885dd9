// Package workload counts the requests of access logs and writes a configuration that sends the same mix
// at the same rate. However long a log is, it takes bounded memory.
package workload

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"unsafe"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/accesslog"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/curve"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/fold"
)

// Filter says which requests count.
type Filter struct {
	// Hosts are the hosts whose requests count, in lower case; none for all.
	Hosts []string
	// Methods are the methods that count; none for all.
	Methods []string
	// Static and Bots say that requests for images, scripts, styles and fonts count, and those of
	// robots and health checks.
	Static, Bots bool
}

// Left are requests that do not count, by what they are.
type Left struct {
	// NoRequest are lines without a request of HTTP.
	NoRequest                    uint64
	Hosts, Methods, Static, Bots uint64
}

// Counter counts requests. Make it with NewCounter. It is not safe for concurrent use.
type Counter struct {
	filter Filter
	trees  map[string]*fold.Tree
	curve  curve.Counter
	agents agents
	hosts  tally
	left   Left
	total  uint64
}

// NewCounter returns a counter without requests.
func NewCounter(f Filter) *Counter {
	return &Counter{filter: f, trees: map[string]*fold.Tree{}, agents: newAgents(), hosts: newTally()}
}

// Add counts a line's request, unless it is left out.
func (c *Counter) Add(e *accesslog.Record) {
	if e.Method == "" {
		c.left.NoRequest++
		return
	}
	if !c.counts(e) {
		return
	}
	c.total++
	c.hosts.add(e.Host)
	c.curve.Add(e.Time)
	// The tree copies what it keeps.
	c.tree(e.Method).AddLabeled(unsafe.String(unsafe.SliceData(e.Target), len(e.Target)), e.Status) //nolint:gosec // see above
}

// counts reports whether a request counts, and counts the others by what they are.
func (c *Counter) counts(e *accesslog.Record) bool {
	switch {
	case len(c.filter.Hosts) > 0 && !slices.Contains(c.filter.Hosts, strings.ToLower(string(e.Host))):
		c.left.Hosts++
	case len(c.filter.Methods) > 0 && !slices.Contains(c.filter.Methods, e.Method):
		c.left.Methods++
	case !c.filter.Bots && c.agents.isBot(e.Agent):
		c.left.Bots++
	case !c.filter.Static && isStatic(e.Target):
		c.left.Static++
	default:
		return true
	}
	return false
}

// Total returns how many requests were counted.
func (c *Counter) Total() uint64 { return c.total }

// tree returns the tree of a method. There are few methods.
func (c *Counter) tree(method string) *fold.Tree {
	t := c.trees[method]
	if t == nil {
		t = fold.NewTree(fold.Options{Parameters: true, Targets: 200, AllTargets: 30_000, Length: 256})
		c.trees[method] = t
	}
	return t
}

// tally counts a bounded number of distinct strings.
type tally struct {
	counts map[string]*uint64
	others uint64
}

// maxTally bounds the texts that are counted by themselves.
const maxTally = 1000

func newTally() tally { return tally{counts: map[string]*uint64{}} }

func (t *tally) add(text []byte) {
	n := t.counts[string(text)]
	switch {
	case n != nil:
		*n++
	case len(t.counts) < maxTally:
		n = new(uint64)
		*n = 1
		t.counts[string(text)] = n
	default:
		t.others++
	}
}

// sorted returns the texts, the most frequent first.
func (t *tally) sorted() []string {
	return slices.SortedFunc(maps.Keys(t.counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(*t.counts[b], *t.counts[a]), cmp.Compare(a, b))
	})
}
