//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

const (
	// steady is the scenario that the fleets send, and steadyRate what its file says.
	steady     = "steady"
	steadyRate = 300
	// raised is the rate that overrides ask for.
	raised = 600
	// straggling is how long after a slot was due a test waits for its request. Slots that
	// are overdue by a second are dropped.
	straggling = 2 * time.Second
)

// slotID names a slot of the scenario.
type slotID struct {
	segment string
	seq     uint64
}

// sending is a request that reached the target.
type sending struct {
	slotID
	due, at time.Time
	// from is the IP address that it came from.
	from string
}

// ledger is a target that writes down which slot each request is for.
type ledger struct {
	addr string
	// timelines are those of every rate that may be asked for.
	timelines map[float64]*timeline.Timeline

	mu       sync.Mutex
	segments map[string]*timeline.Segment
	sendings []sending
	// strange are requests for what no timeline has.
	strange []string
}

// newLedger returns a ledger that nothing reaches yet.
func newLedger(t *testing.T) *ledger {
	t.Helper()
	l := &ledger{timelines: map[float64]*timeline.Timeline{}, segments: map[string]*timeline.Segment{}}
	for _, rate := range []float64{steadyRate, raised} {
		tl, err := timeline.New(timeline.Options{Name: steady, Shape: timeline.Steady{Rate: rate}, Arrivals: timeline.Uniform})
		if err != nil {
			t.Fatal(err)
		}
		l.timelines[rate] = tl
	}
	return l
}

// startLedger opens a ledger on an IP address until the end of the test.
func startLedger(t *testing.T, ip string) *ledger {
	t.Helper()
	l := newLedger(t)
	l.addr = serve(t, ip, l.ServeHTTP)
	return l
}

// serve runs a server on an IP address until the end of the test and returns its address.
func serve(t *testing.T, ip string, h http.HandlerFunc) string {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(func() {
		_ = server.Close()
		serving.Wait()
	})
	return listener.Addr().String()
}

// ServeHTTP writes the request down and responds at once.
func (l *ledger) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	from, _, _ := net.SplitHostPort(r.RemoteAddr)
	l.enter(r.Header.Get("Traffic-Slot"), from, time.Now())
}

// enter writes down that a slot was sent.
func (l *ledger) enter(slot, from string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := sending{at: at, from: from}
	parts := strings.Split(slot, "/")
	if len(parts) == 3 && parts[0] == steady {
		seq, err := strconv.ParseUint(parts[2], 10, 64)
		segment := l.segment(parts[1])
		if err == nil && segment != nil && seq < segment.Len() {
			s.slotID, s.due = slotID{parts[1], seq}, segment.Due(seq)
			l.sendings = append(l.sendings, s)
			return
		}
	}
	l.strange = append(l.strange, slot)
}

// segment returns the segment of an ID, or nil if no timeline has it. An ID begins with
// the time at which its segment does.
func (l *ledger) segment(id string) *timeline.Segment {
	if s, known := l.segments[id]; known {
		return s
	}
	stamp, _, _ := strings.Cut(id, "-")
	start, err := time.Parse("20060102T150405Z", stamp)
	if err != nil {
		return nil
	}
	for _, tl := range l.timelines {
		if s := tl.Segment(start); s.ID == id {
			l.segments[id] = s
			return s
		}
	}
	return nil
}

// sent returns a copy of all that was written down.
func (l *ledger) sent() []sending {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.sendings)
}

// first returns when the earliest slot was due that has been sent.
func (l *ledger) first(t *testing.T) time.Time {
	t.Helper()
	all := l.sent()
	if len(all) == 0 {
		t.Fatal("no request has reached the target")
	}
	return slices.MinFunc(all, func(a, b sending) int { return a.due.Compare(b.due) }).due
}

// waitUntil waits until all slots due before an instant have been sent, if they are at
// all.
func (l *ledger) waitUntil(t *testing.T, instant time.Time) {
	t.Helper()
	eventually(t, func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if n := len(l.sendings); n == 0 || l.sendings[n-1].due.Before(instant.Add(straggling)) {
			return fmt.Errorf("of %d requests none was due %v after %v", n, straggling, instant)
		}
		return nil
	})
}

// plan is the rates that the fleet should send, each from an instant on, in order. The
// first one's instant does not matter.
type plan []struct {
	from time.Time
	rate float64
}

// always is the plan of the file's rate and no other.
func always() plan { return plan{{rate: steadyRate}} }

// slots returns the slots that are due at or after from and before to.
func (l *ledger) slots(p plan, from, to time.Time) []timeline.Slot {
	var all []timeline.Slot
	for i, stretch := range p {
		start, end := from, to
		if i > 0 && stretch.from.After(start) {
			start = stretch.from
		}
		if i+1 < len(p) && p[i+1].from.Before(end) {
			end = p[i+1].from
		}
		c := l.timelines[stretch.rate].Cursor(start)
		for s, ok := c.Next(end); ok; s, ok = c.Next(end) {
			all = append(all, s)
		}
	}
	return all
}

// audit lists the mistakes among the slots that were due in some time.
type audit struct {
	from, to time.Time
	// due are the slots of the plan, and missing those of them that were not sent.
	due, missing []timeline.Slot
	// doubled are sendings of slots that had been sent before, unplanned those of slots
	// that are not in the plan.
	doubled, unplanned []sending
	// perSecond is the number of requests by the second in which their slots were due.
	perSecond map[int64]int
	// latest is how long after it was due a request arrived.
	latest time.Duration
	// strange are requests, at any time, for what no timeline has.
	strange []string
}

// audit compares the plan with those sendings, due at or after from and before to, that
// the filter lets through. A nil filter lets all through.
func (l *ledger) audit(p plan, from, to time.Time, filter func(sending) bool) audit {
	a := audit{from: from, to: to, due: l.slots(p, from, to), perSecond: map[int64]int{}}
	count := map[slotID]int{}
	for _, s := range l.sent() {
		if s.due.Before(from) || !s.due.Before(to) || filter != nil && !filter(s) {
			continue
		}
		if count[s.slotID]++; count[s.slotID] > 1 {
			a.doubled = append(a.doubled, s)
		}
		a.perSecond[s.due.Unix()]++
		a.latest = max(a.latest, s.at.Sub(s.due))
	}
	planned := map[slotID]bool{}
	for _, s := range a.due {
		id := slotID{s.Segment, s.Seq}
		planned[id] = true
		if count[id] == 0 {
			a.missing = append(a.missing, s)
		}
	}
	for _, s := range l.sent() {
		if count[s.slotID] > 0 && !planned[s.slotID] {
			a.unplanned = append(a.unplanned, s)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	a.strange = slices.Clone(l.strange)
	return a
}

// problems describes the mistakes, apart from missing slots.
func (a audit) problems() []string {
	var all []string
	if n := len(a.doubled); n > 0 {
		all = append(all, fmt.Sprintf("%d requests for slots that had been sent, due in %s", n, bySecond(a.doubled, sending.second)))
	}
	if n := len(a.unplanned); n > 0 {
		all = append(all, fmt.Sprintf("%d requests for slots of another rate, due in %s", n, bySecond(a.unplanned, sending.second)))
	}
	if n := len(a.strange); n > 0 {
		all = append(all, fmt.Sprintf("%d requests for slots of no timeline, such as %q", n, a.strange[0]))
	}
	return all
}

// gaps describes the missing slots, if any.
func (a audit) gaps() []string {
	if len(a.missing) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d of %d slots were not sent, due in %s", len(a.missing), len(a.due), bySecond(a.missing, secondOf))}
}

// totals describes the whole seconds that have more than a slot too many or too few.
func (a audit) totals(p plan) []string {
	var all []string
	for second := a.from.Add(time.Second - 1).Unix(); second < a.to.Unix(); second++ {
		rate := p[0].rate
		for _, stretch := range p[1:] {
			if stretch.from.Unix() <= second {
				rate = stretch.rate
			}
		}
		if n := a.perSecond[second]; n < int(rate)-1 || n > int(rate)+1 {
			all = append(all, fmt.Sprintf("%d requests were due in second %s, want %v", n, clock(second), rate))
		}
	}
	return all
}

// second is the second in which the slot was due.
func (s sending) second() int64 { return s.due.Unix() }

func secondOf(s timeline.Slot) int64 { return s.Due.Unix() }

// bySecond lists how many there are in each second.
func bySecond[T any](all []T, second func(T) int64) string {
	count := map[int64]int{}
	var seconds []int64
	for _, x := range all {
		if count[second(x)]++; count[second(x)] == 1 {
			seconds = append(seconds, second(x))
		}
	}
	slices.Sort(seconds)
	var list []string
	for _, s := range seconds {
		list = append(list, fmt.Sprintf("%s: %d", clock(s), count[s]))
	}
	return strings.Join(list, ", ")
}

// clock writes a second as logs do.
func clock(second int64) string { return time.Unix(second, 0).UTC().Format("15:04:05") }

// settled is audit, once no slot is missing or none can come any more. On a busy machine a replica may
// be seconds behind the others.
func (l *ledger) settled(p plan, from, to time.Time) audit {
	a := l.audit(p, from, to, nil)
	for end := time.Now().Add(patientLateAfter); len(a.missing) > 0 && time.Now().Before(end); a = l.audit(p, from, to, nil) {
		time.Sleep(500 * time.Millisecond)
	}
	return a
}

// exact fails the test unless each slot of the plan, due at or after from and before to,
// was sent once, nothing else was, and each second has its number of them.
func (l *ledger) exact(t *testing.T, p plan, from, to time.Time) {
	t.Helper()
	l.waitUntil(t, to)
	a := l.settled(p, from, to)
	for _, problem := range slices.Concat(a.problems(), a.gaps(), a.totals(p)) {
		t.Error(problem)
	}
	t.Logf("%d slots due from %v to %v, the latest arrived %v after it was due",
		len(a.due), from.Format(time.TimeOnly), to.Format(time.TimeOnly), a.latest.Round(time.Millisecond))
}

func TestTheLedgerFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	// Over midnight, where numbering starts again, with another rate for five seconds.
	midnight := time.Date(2026, 3, 30, 0, 0, 0, 0, time.UTC)
	from, to := midnight.Add(-5*time.Second), midnight.Add(10*time.Second)
	begin, end := midnight.Add(2*time.Second), midnight.Add(7*time.Second)
	p := plan{{rate: steadyRate}, {from: begin, rate: raised}, {from: end, rate: steadyRate}}
	slot := func(segment string, seq uint64) string { return fmt.Sprintf("%s/%s/%d", steady, segment, seq) }

	for name, tc := range map[string]struct {
		// times returns how often slot i is sent; nil is once.
		times func(i int) int
		// extra returns another request; nil is none.
		extra func(l *ledger) string
		want  []string
	}{
		"nothing": {},
		"a missing slot": {
			times: func(i int) int { return min(1, max(i-1000, 1000-i)) },
			want:  []string{"1 of 6000 slots were not sent, due in 23:59:58: 1"},
		},
		"a missing second": {
			times: func(i int) int { return min(1, i/300) },
			want:  []string{"300 of 6000 slots were not sent, due in 23:59:55: 300", "0 requests were due in second 23:59:55, want 300"},
		},
		"slots sent twice": {
			times: func(i int) int { return 2 - min(1, max(0, i-1), max(0, 2100-i, i-2100)) },
			want:  []string{"3 requests for slots that had been sent, due in 23:59:55: 2, 00:00:02: 1", "302 requests were due in second 23:59:55, want 300"},
		},
		"a slot of another rate": {
			extra: func(l *ledger) string {
				segment := l.timelines[steadyRate].Segment(begin)
				return slot(segment.ID, segment.Count(begin.Add(time.Second)))
			},
			want: []string{"1 requests for slots of another rate, due in 00:00:03: 1"},
		},
		"a slot of no timeline": {
			extra: func(*ledger) string { return slot("20260330T000000Z-00000000", 7) },
			want:  []string{`1 requests for slots of no timeline, such as "steady/20260330T000000Z-00000000/7"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger(t)
			for i, s := range l.slots(p, from, to) {
				n := 1
				if tc.times != nil {
					n = tc.times(i)
				}
				for range n {
					l.enter(slot(s.Segment, s.Seq), "127.0.0.1", s.Due)
				}
			}
			if tc.extra != nil {
				l.enter(tc.extra(l), "127.0.0.1", begin)
			}
			a := l.audit(p, from, to, nil)
			if got := slices.Concat(a.problems(), a.gaps(), a.totals(p)); !slices.Equal(got, tc.want) {
				t.Errorf("found %q, want %q", got, tc.want)
			}
		})
	}
}
