package history

import (
	"io"
	"math"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// nobody is a recorder that does nothing.
type nobody struct{ engine.Recorder }

func (nobody) Due(uint64)                                             {}
func (nobody) Dropped(engine.DropReason, uint64)                      {}
func (nobody) Finished()                                              {}
func (nobody) Exchanged(engine.Outcome)                               {}
func (nobody) JourneyBegan(int)                                       {}
func (nobody) JourneyEnded(int, engine.JourneyOutcome, time.Duration) {}
func noGauges(string) Gauges                                          { return Gauges{Target: math.NaN()} }

func targetOf(v float64) func(string) Gauges {
	return func(string) Gauges { return Gauges{Target: v} }
}

func outcome(latency time.Duration, r protocol.Reason) engine.Outcome {
	return engine.Outcome{Result: protocol.Result{Sent: start, Done: start.Add(latency), Reason: r}}
}

var (
	start = time.Unix(1_800_000_000, 0)
	shop  = Options{Requests: []string{"get"}, SLO: SLO{Objective: 0.9, Latency: 100 * time.Millisecond}}
)

func TestABucketHoldsItsDurations(t *testing.T) {
	for range 100_000 {
		d := time.Duration(math.Exp(rand.Float64()*math.Log(float64(100*time.Second)))) + 1
		from, to := bounds(bucket(d))
		if us := float64(d/time.Microsecond) * 1e-6; us < from-1e-9 || us >= to+1e-9 || to-from > from/16+1.1e-6 {
			t.Fatalf("%v is in the bucket from %g to %g", d, from, to)
		}
	}
	if got := bucket(time.Hour); got != numBuckets-1 {
		t.Errorf("an hour is in bucket %d", got)
	}
	if got := bucket(-time.Second); got != 0 {
		t.Errorf("less than nothing is in bucket %d", got)
	}
}

func TestAQuantileIsOffByLittle(t *testing.T) {
	var h histogram
	var all []float64
	for range 10_000 {
		v := math.Exp(rand.NormFloat64()) * 0.02
		all = append(all, v)
		h.observe(time.Duration(v * float64(time.Second)))
	}
	slices.Sort(all)
	var c counts
	h.read(&c)
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 1} {
		want := all[min(len(all)-1, int(q*float64(len(all))))]
		for name, got := range map[string]float64{"whole": c.quantile(q), "sparse": Merge(sparse(&c)).Quantile(q)} {
			if math.Abs(got-want) > 0.07*want {
				t.Errorf("quantile %g, %s, is %g, want %g", q, name, got, want)
			}
		}
	}
	if got := (&counts{}).quantile(0.5); !math.IsNaN(got) {
		t.Errorf("the median of nothing is %g", got)
	}
}

func TestEverySecondAndMinuteIsKept(t *testing.T) {
	s := New(start)
	r := s.Recorder("shop", shop, nobody{})
	for i := 1; i <= 180; i++ {
		r.Due(10)
		r.Dropped(engine.DropInFlight, 1)
		for range 9 {
			r.Exchanged(outcome(10*time.Millisecond, protocol.ReasonNone))
			r.Finished()
		}
		if i%2 == 0 {
			r.Exchanged(outcome(20*time.Millisecond, protocol.ReasonStatus))
		}
		s.Tick(start.Add(time.Duration(i)*time.Second), targetOf(10))
	}
	h := s.Scenario("shop")
	seconds := h.Seconds(start.Unix())
	if seconds.Len != 180 || seconds.From != start.Unix() || seconds.Columns[Sent][7] != 9 || seconds.Columns["dropped:in_flight"][7] != 1 ||
		seconds.Columns["failed:status"][7] != 1 || seconds.Columns[Target][7] != 10 {
		t.Errorf("seconds are %+v", seconds)
	}
	minutes := h.Minutes(0)
	if minutes.Len != 3 || minutes.Columns[Sent][1] != 540 || minutes.Columns[Good][1] != 540 || minutes.Columns[Bad][1] != 30 || minutes.Columns[Target][1] != 10 {
		t.Errorf("minutes are %+v", minutes)
	}
	if p50 := minutes.Columns[P50][1]; p50 < 0.0095 || p50 > 0.0105 {
		t.Errorf("the median is %g", p50)
	}
	if good, bad, since := h.Budget(); good != 1620 || bad != 90 || !since.Equal(start) {
		t.Errorf("good %g, bad %g since %v", good, bad, since)
	}
	if got := h.Seconds(start.Add(170 * time.Second).Unix()); got.Len != 10 || got.From != start.Unix()+170 {
		t.Errorf("since the 170th second there are %d from %d", got.Len, got.From)
	}
	recent := h.Recent(start.Add(180 * time.Second))
	if recent.Flow.Sent < 8.9 || recent.Flow.Sent > 9.1 || recent.Over < smoothing || recent.Over > 2*smoothing {
		t.Errorf("at present it sends %g over %v", recent.Flow.Sent, recent.Over)
	}
	if steps := h.Steps(); len(steps) != 1 || steps[0] != (Step{"get", 1710, 90}) {
		t.Errorf("steps are %+v", steps)
	}
}

func TestHistorySurvivesAReloadAndEndsWithItsScenario(t *testing.T) {
	s := New(start)
	s.Recorder("shop", shop, nobody{}).Due(5)
	s.Tick(start.Add(time.Second), noGauges)
	s.Recorder("shop", Options{Requests: []string{"other"}}, nobody{}).Due(6)
	s.Tick(start.Add(2*time.Second), noGauges)
	if got := s.Scenario("shop").Seconds(0).Columns[Sent]; !slices.Equal(got, []float32{5, 6}) {
		t.Errorf("sent %v", got)
	}
	s.Keep(map[string]bool{})
	if s.Scenario("shop") != nil {
		t.Error("it is still there")
	}
}

func TestAClockThatStepsLeavesGapsOrBeginsAnew(t *testing.T) {
	r := newRing(1, 10)
	r.add(100, map[string]float64{"x": 1})
	r.add(103, map[string]float64{"x": 2})
	got := r.since(0)
	if got.Len != 4 || got.Columns["x"][0] != 1 || got.Columns["x"][1] == got.Columns["x"][1] || got.Columns["x"][3] != 2 {
		t.Errorf("with a gap it is %+v", got)
	}
	r.add(50, map[string]float64{"x": 3})
	if got := r.since(0); got.From != 50 || got.Len != 1 {
		t.Errorf("after a step back it is %+v", got)
	}
	for i := range int64(25) {
		r.add(60+i, map[string]float64{"x": float64(i)})
	}
	if got := r.since(0); got.From != 75 || got.Len != 10 || got.Columns["x"][9] != 24 {
		t.Errorf("of many it keeps %+v", got)
	}
}

func TestManyScenariosHaveFewSeconds(t *testing.T) {
	s := New(start)
	names := map[string]bool{}
	for i := range manyScenarios + 1 {
		name := string(rune('a' + i))
		names[name] = true
		s.Recorder(name, shop, nobody{})
	}
	if got := s.Scenario("a").seconds.size; got != few {
		t.Errorf("%d seconds of each", got)
	}
	delete(names, "b")
	s.Keep(names)
	if got := s.Scenario("a").seconds.size; got != seconds {
		t.Errorf("%d seconds of each when there are fewer", got)
	}
}

func TestRecordingDoesNotAllocate(t *testing.T) {
	s := New(start)
	r := s.Recorder("shop", shop, nobody{})
	w := s.Failures.Witness("shop", shop.Requests)
	w.requests[0].bar.Store(int64(time.Second))
	o := outcome(10*time.Millisecond, protocol.ReasonNone)
	if n := testing.AllocsPerRun(1000, func() {
		r.Due(1)
		r.Exchanged(o)
		r.Finished()
		if w.Slow(0, o.Latency()) {
			t.Error("it is slow")
		}
	}); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

// TestMemoryOfAScenario is where the figure in the documentation comes from.
func TestMemoryOfAScenario(t *testing.T) {
	s := New(start)
	r := s.Recorder("shop", shop, nobody{})
	for i := range 3 * minutes {
		r.Due(1)
		r.Exchanged(outcome(time.Millisecond, protocol.ReasonStatus))
		s.Tick(start.Add(time.Duration(i+1)*time.Second), targetOf(1))
	}
	h, bytes := s.Scenario("shop"), 0
	for _, ring := range []*ring{h.seconds, h.minutes} {
		for _, c := range ring.columns {
			bytes += 4 * cap(c)
		}
	}
	if t.Logf("%d bytes of points", bytes); bytes > 110_000 {
		t.Errorf("%d bytes", bytes)
	}
}

func fail(w *Witness, seq uint64, at time.Time, latency time.Duration, r protocol.Reason) {
	w.requests[0].next[r].Store(0) // Time does not pass here.
	o := outcome(latency, r)
	o.Result.Sent, o.Result.Done = at.Add(-latency), at
	w.Saw(engine.Sighting{Slot: timeline.Slot{Segment: "s", Seq: seq}}, o)
}

func TestTheLastFailuresOfEachReasonAreKept(t *testing.T) {
	s := New(start)
	w := s.Failures.Witness("shop", shop.Requests)
	for i := range uint64(30) {
		fail(w, i, start, time.Second, protocol.ReasonStatus)
		wait := time.Duration(w.requests[0].next[protocol.ReasonStatus].Load() - time.Now().UnixNano())
		if slow := wait > failureEvery; slow != (i >= keptFailures-1) {
			t.Errorf("after %d the next is kept in %v", i+1, wait)
		}
	}
	fail(w, 99, start, time.Second, protocol.ReasonTimeout)
	all := s.Failures.All("shop")
	if len(all) != keptFailures+1 || all[0].Seq != 99 || all[1].Seq != 29 || all[len(all)-1].Seq != 10 {
		t.Errorf("%d are kept: %+v", len(all), all)
	}
	if got := s.Failures.All("other"); len(got) != 0 {
		t.Errorf("of another there are %d", len(got))
	}
}

func TestOfAFailedConnectionThereIsItsAddressAndStep(t *testing.T) {
	for want, err := range map[string]*dial.Error{
		`* no connection to "shop:443": the TLS handshake failed after 1s`: {Step: dial.StepTLS, Addr: "shop:443", Err: io.EOF},
		`* no connection to "shop:80": connecting failed after 1s`:         {Step: dial.StepConnect, Addr: "shop:80", Err: syscall.ECONNREFUSED},
		`* no connection to "shop:80": resolving the name failed after 1s`: {Step: dial.StepConnect, Addr: "shop:80", Err: &net.DNSError{Name: "shop", Err: "no such host"}},
	} {
		s := New(start)
		o := outcome(time.Second, dial.Reason(err))
		o.Result.Err = err
		s.Failures.Witness("shop", shop.Requests).Saw(engine.Sighting{}, o)
		if all := s.Failures.All(""); len(all) != 1 || !strings.Contains(all[0].Exchange, want+"\n* failed: ") || !strings.Contains(all[0].Exchange, err.Error()) {
			t.Errorf("it is %+v, want %s", all, want)
		}
	}
}

func TestTheSlowestAreKeptForAnHour(t *testing.T) {
	s := New(start)
	w := s.Failures.Witness("shop", shop.Requests)
	for i := range uint64(20) {
		if latency := time.Duration(i*7%20+1) * time.Millisecond; w.Slow(0, latency) {
			fail(w, i, start, latency, protocol.ReasonNone)
		}
	}
	var kept []time.Duration
	for _, f := range s.Failures.All("") {
		kept = append(kept, f.Latency)
	}
	if len(kept) != keptSlow || w.Slow(0, 15*time.Millisecond) || !w.Slow(0, 30*time.Millisecond) {
		t.Errorf("kept are %v", kept)
	}
	s.Failures.expire(start.Add(2 * slowFor))
	if got := s.Failures.All(""); len(got) != 0 || !w.Slow(0, time.Millisecond) {
		t.Errorf("after two hours there are %d", len(got))
	}
}

func TestFailuresAreBounded(t *testing.T) {
	f := newFailures()
	for i := range 2000 {
		f.add(&Failure{Scenario: "shop", Request: string(rune('a' + i)), Reason: protocol.ReasonStatus, Exchange: string(make([]byte, maxExchange))})
	}
	if f.bytes > maxFailures || f.bytes < maxFailures/2 || len(f.kinds) != f.order.Len() {
		t.Errorf("%d bytes of %d", f.bytes, f.order.Len())
	}
	f.forget("shop")
	if f.bytes != 0 || len(f.kinds) != 0 {
		t.Errorf("%d bytes are left", f.bytes)
	}
}

func BenchmarkRecorder(b *testing.B) {
	s := New(start)
	r := s.Recorder("shop", shop, nobody{})
	w := s.Failures.Witness("shop", shop.Requests)
	w.requests[0].bar.Store(int64(time.Second))
	o := outcome(10*time.Millisecond, protocol.ReasonNone)
	b.ReportAllocs()
	for b.Loop() {
		r.Due(1)
		r.Exchanged(o)
		w.Slow(0, o.Latency())
		r.Finished()
	}
}

func BenchmarkTick(b *testing.B) {
	s := New(start)
	r := s.Recorder("shop", shop, nobody{})
	now := start
	for b.Loop() {
		now = now.Add(time.Second)
		r.Exchanged(outcome(time.Millisecond, protocol.ReasonNone))
		s.Tick(now, noGauges)
	}
}
