package compare

import (
	"cmp"
	"strings"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/journey"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// occurrence is which request of a journey is meant: the nth of a step.
type occurrence struct{ step, nth int }

// seen is a request of the first half, as it is kept for the second.
type seen struct {
	result  protocol.Result
	headers []string
	body    body
}

// pair is a slot that is sent to both targets. The halves follow one another, so that it is not used by two at a
// time.
type pair struct {
	p    *Pairing
	slot timeline.Slot
	// first is what the half that is first has seen, and ended says that it has ended.
	first map[occurrence]seen
	ended bool
	// failed says that a request to the scenario's own target has failed, and broken that a half was broken off, or
	// is too long to be held.
	failed, broken bool
}

// half watches one of the journeys of a pair.
type half struct {
	pair *pair
	base bool
	// asked is how often each step was asked for.
	asked map[int]int
}

var _ journey.Watcher = (*half)(nil)

// Bodies implements journey.Watcher.
func (h *half) Bodies() bool { return h.pair.p.o.Rules.Body != BodyIgnored }

// Asked implements journey.Watcher.
func (h *half) Asked(step int) int {
	if h.asked == nil {
		h.asked = map[int]int{}
	}
	h.asked[step]++
	return h.asked[step]
}

// Saw implements journey.Watcher.
func (h *half) Saw(s journey.Seen) {
	q := h.pair
	q.failed = q.failed || h.base && s.Result.Failed()
	at := occurrence{s.Step, s.Nth}
	if !q.ended {
		q.keep(at, s)
		return
	}
	one, both := q.first[at]
	if !both {
		q.missing(at.step)
		return
	}
	delete(q.first, at)
	q.p.release(one.body)
	other := q.see(s)
	q.p.release(other.body)
	if h.base {
		one, other = other, one
	}
	q.compared(at.step, one, other)
}

// keep holds what a request of the half that is first came to.
func (q *pair) keep(at occurrence, s journey.Seen) {
	switch {
	case len(q.first) == maxRequests:
		q.broken = true // Requests beyond the bound are not missing.
		return
	case q.first == nil:
		q.first = map[occurrence]seen{}
	}
	q.first[at] = q.see(s)
}

// see takes the compared parts from a response. A request that failed has nothing to compare but that.
func (q *pair) see(s journey.Seen) seen {
	one := seen{result: s.Result}
	one.result.Err = nil // It may hold on to much.
	one.result.Code = strings.Clone(one.result.Code)
	if s.Result.Failed() || s.Response == nil {
		return one
	}
	for _, name := range q.p.o.Rules.Headers {
		one.headers = append(one.headers, valuesOf(s.Response, name))
	}
	one.body = q.p.hold(s.Response.Body)
	return one
}

// valuesOf returns the values of a header field in one text.
func valuesOf(r *script.Response, name string) string {
	var all []string
	for _, f := range r.Fields {
		if strings.EqualFold(f.Name, name) {
			all = append(all, f.Value)
		}
	}
	return strings.Join(all, ", ")
}

// Closed implements journey.Watcher. With the second half the pair has ended: what only the first has is missing
// in the other, unless that was broken off.
func (h *half) Closed(o engine.JourneyOutcome) {
	q := h.pair
	q.broken = q.broken || o == engine.JourneyCanceled || o == engine.JourneyWithheld
	if !q.ended {
		q.ended = true
		return
	}
	for at, one := range q.first {
		q.p.release(one.body)
		q.missing(at.step)
	}
	q.first = nil
}

// missing counts a request that only one of the targets was sent.
func (q *pair) missing(step int) {
	v := Verdict{Result: Missing, Detail: "only one of the two was sent the request"}
	switch {
	case q.broken:
		return // Nobody knows what would have been sent.
	case q.failed:
		v.Result, v.Detail = BaseFailed, ""
	}
	q.record(step, v)
}

// compared counts a request that both targets were sent.
func (q *pair) compared(step int, base, candidate seen) {
	if base.result.Reason.Ours() || candidate.result.Reason.Ours() {
		return // It says nothing about either.
	}
	var v Verdict
	v.Result, v.Detail = q.verdict(base, candidate)
	if !base.result.Failed() && !candidate.result.Failed() {
		v.Base, v.Candidate = base.result.Service(), candidate.result.Service()
	}
	q.record(step, v)
}

func (q *pair) record(step int, v Verdict) {
	v.Slot, v.Request, v.At = q.slot, q.p.o.Requests[step], time.Now()
	q.p.o.Recorder.Compared(v)
}

// verdict says how two requests compare, and for people where they differ.
func (q *pair) verdict(base, candidate seen) (Result, string) {
	r := candidate.result.Reason
	switch {
	case base.result.Failed():
		return BaseFailed, ""
	case r != protocol.ReasonNone && r != protocol.ReasonStatus && r != protocol.ReasonCheck:
		return Failed, "the candidate failed: " + r.String()
	case base.result.Code != candidate.result.Code:
		return Status, "the status differs: " + code(base) + ", and " + code(candidate) + " of the candidate"
	case r != protocol.ReasonNone:
		return Check, "the candidate's response fails a check that the other one passes"
	}
	for i, name := range q.p.o.Rules.Headers {
		if base.headers[i] != candidate.headers[i] {
			return Headers, "the header " + name + " differs"
		}
	}
	if detail, differ := base.body.differs(candidate.body); differ {
		return Body, detail
	}
	return Same, ""
}

func code(s seen) string { return cmp.Or(s.result.Code, "none") }
