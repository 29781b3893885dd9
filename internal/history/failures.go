package history

import (
	"container/list"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/transcript"
)

const (
	// keptFailures is how many failures of a request are kept for each reason, and keptSlow how
	// many of its slowest successes, for slowFor.
	keptFailures, keptSlow = 20, 5
	slowFor                = time.Hour
	// failureEvery is the least time between two failures that are kept of a request for one
	// reason: a target that fails thousands of times a second costs no more for it. When there are
	// as many as are kept it is replaceEvery: people have time to look at one that they were shown.
	failureEvery, replaceEvery = 50 * time.Millisecond, time.Second
	// maxExchange bounds the text of an exchange, and maxExchangeBody each of its bodies, in
	// bytes.
	maxExchange, maxExchangeBody = 32 << 10, 8 << 10
	// maxFailures is how many bytes all failures take at most; the oldest make room.
	maxFailures = 16 << 20
	// failureSize is what a failure takes beside its texts.
	failureSize = 512
)

// Failure is a request that failed, or was one of the slowest.
type Failure struct {
	Scenario, Request string
	// Reason is ReasonNone for one that was slow, and for a mismatch.
	Reason protocol.Reason
	// Mismatch says that the response of the candidate differs; then Error says where.
	Mismatch bool
	// Segment and Seq are those of its slot.
	Segment string
	Seq     uint64
	Trace   [16]byte
	// Due is when the request was due, and Ended when it ended. Delay is how late it was sent.
	Due, Ended     time.Time
	Delay, Latency time.Duration
	Code, Error    string
	// Exchange is the whole exchange, with secrets hidden, or why there was no connection; empty
	// where nobody looked.
	Exchange string
}

// kind returns the properties that distinguish the failure from others.
func (f *Failure) kind() kind { return kind{f.Scenario, f.Request, f.Reason, f.Mismatch} }

// isSlow reports whether it is there for nothing but how long it took.
func (f *Failure) isSlow() bool { return f.kind().isSlow() }

func (f *Failure) size() int {
	return failureSize + len(f.Exchange) + len(f.Error)
}

// kind distinguishes failures.
type kind struct {
	scenario, request string
	reason            protocol.Reason
	mismatch          bool
}

// isSlow reports whether such failures are none, but slow.
func (k kind) isSlow() bool { return k.reason == protocol.ReasonNone && !k.mismatch }

// Failures are the last requests that failed, and the slowest ones that did not, of all
// scenarios. They take 16 MiB at most. Safe for concurrent use.
type Failures struct {
	mu sync.Mutex
	// kinds are the failures of each kind, the newest last; those that were slow are in the order
	// of their latency. order has all of them, as they came.
	kinds map[kind][]*list.Element
	order list.List
	bytes int
	bars  map[kind]*atomic.Int64
}

func newFailures() *Failures {
	return &Failures{kinds: map[kind][]*list.Element{}, bars: map[kind]*atomic.Int64{}}
}

// Witness returns a witness of a scenario whose requests have these names.
func (f *Failures) Witness(scenario string, requests []string) *Witness {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := &Witness{failures: f, scenario: scenario, requests: make([]witnessed, len(requests))}
	for i, name := range requests {
		k := kind{scenario: scenario, request: name}
		if f.bars[k] == nil {
			f.bars[k] = &atomic.Int64{}
		}
		w.requests[i].name, w.requests[i].bar = name, f.bars[k]
	}
	return w
}

// All returns the failures, the newest first; of one scenario if that is not empty.
func (f *Failures) All(scenario string) []Failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []Failure
	for e := f.order.Back(); e != nil; e = e.Prev() {
		if one := failureOf(e); scenario == "" || one.Scenario == scenario {
			all = append(all, *one)
		}
	}
	return all
}

func failureOf(e *list.Element) *Failure {
	one, _ := e.Value.(*Failure)
	return one
}

// add keeps a failure, and as many of the others as there is room for. It reports whether there are
// as many of its kind as are kept.
func (f *Failures) add(one *Failure) (full bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	k := one.kind()
	e := f.order.PushBack(one)
	f.bytes += one.size()
	all, most := append(f.kinds[k], e), keptFailures
	if one.isSlow() {
		slices.SortStableFunc(all, func(a, b *list.Element) int { return int(failureOf(a).Latency - failureOf(b).Latency) })
		most = keptSlow
	}
	f.kinds[k] = all
	full = len(all) >= most
	if len(all) > most {
		f.remove(all[0])
	}
	for f.bytes > maxFailures {
		f.remove(f.order.Front())
	}
	f.raise(k)
	return full
}

// raise sets the latency beyond which a request is one of the slowest.
func (f *Failures) raise(k kind) {
	bar := f.bars[k]
	if bar == nil || !k.isSlow() {
		return
	}
	if all := f.kinds[k]; len(all) >= keptSlow {
		bar.Store(int64(failureOf(all[0]).Latency))
	} else {
		bar.Store(0)
	}
}

func (f *Failures) remove(e *list.Element) {
	one := failureOf(e)
	k := one.kind()
	f.kinds[k] = slices.DeleteFunc(f.kinds[k], func(o *list.Element) bool { return o == e })
	if len(f.kinds[k]) == 0 {
		delete(f.kinds, k)
	}
	f.order.Remove(e)
	f.bytes -= one.size()
}

// expire forgets slow requests of too long ago.
func (f *Failures) expire(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for e := f.order.Front(); e != nil; {
		next := e.Next()
		if one := failureOf(e); one.isSlow() && now.Sub(one.Ended) > slowFor {
			f.remove(e)
			f.raise(one.kind())
		}
		e = next
	}
}

// forget forgets a scenario.
func (f *Failures) forget(scenario string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for e := f.order.Front(); e != nil; {
		next := e.Next()
		if failureOf(e).Scenario == scenario {
			f.remove(e)
		}
		e = next
	}
	for k := range f.bars {
		if k.scenario == scenario {
			delete(f.bars, k)
		}
	}
}

// Witness keeps the failures of one scenario. Safe for concurrent use.
type Witness struct {
	failures *Failures
	scenario string
	requests []witnessed
}

var _ engine.Witness = (*Witness)(nil)

// witnessed is a request of the mix.
type witnessed struct {
	name string
	// bar is the latency beyond which it is one of the slowest, and next when the next failure
	// is kept, by reason, in nanoseconds.
	bar  *atomic.Int64
	next [protocol.NumReasons]atomic.Int64
}

// due reports whether it is time for another failure, and if so not for the next while.
func (w *witnessed) due(r protocol.Reason) bool {
	now := time.Now().UnixNano()
	next := w.next[r].Load()
	return now >= next && w.next[r].CompareAndSwap(next, now+int64(failureEvery))
}

// Tap implements engine.Witness.
func (w *Witness) Tap(entry int, r protocol.Reason) protocol.Tap {
	if r == protocol.ReasonCanceled || !w.requests[entry].due(r) {
		return nil
	}
	return &transcript.Transcript{Limit: maxExchangeBody}
}

// Slow implements engine.Witness.
func (w *Witness) Slow(entry int, latency time.Duration) bool {
	return int64(latency) > w.requests[entry].bar.Load()
}

// Saw implements engine.Witness.
func (w *Witness) Saw(s engine.Sighting, o engine.Outcome) {
	r := o.Result.Reason
	if r == protocol.ReasonCanceled || s.Tap == nil && r != protocol.ReasonNone && !w.requests[o.Entry].due(r) {
		return
	}
	one := &Failure{
		Scenario: w.scenario, Request: w.requests[o.Entry].name, Reason: r,
		Segment: s.Slot.Segment, Seq: s.Slot.Seq, Trace: o.Trace, Due: s.Due, Ended: o.Result.Done,
		Delay: o.Delay, Latency: o.Latency(), Code: strings.Clone(o.Result.Code),
	}
	hide := s.Hide
	if hide == nil {
		hide = func(text string) string { return text }
	}
	if o.Result.Err != nil {
		one.Error = hide(clip(transcript.Redact(o.Result.Err.Error())))
	}
	t, seen := s.Tap.(*transcript.Transcript)
	if _, unconnected := errors.AsType[*dial.Error](o.Result.Err); !seen && unconnected {
		t, seen = &transcript.Transcript{}, true // There was nothing to be tapped.
	}
	if seen {
		t.Outcome(o.Result)
		one.Exchange = hide(transcript.Redact(clip(t.String())))
	}
	if full := w.failures.add(one); full && r != protocol.ReasonNone {
		w.requests[o.Entry].next[r].Store(time.Now().Add(replaceEvery).UnixNano())
	}
}

// clip returns the beginning of a string that is too long.
func clip(s string) string {
	if len(s) <= maxExchange {
		return s
	}
	return strings.ToValidUTF8(s[:maxExchange], "") + "\n* the rest is not shown\n"
}
