package compare

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/journey"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// tally is a Recorder that keeps all.
type tally struct {
	verdicts []Verdict
	skips    []Skip
}

func (r *tally) Compared(v Verdict) { r.verdicts = append(r.verdicts, v) }
func (r *tally) Skipped(s Skip)     { r.skips = append(r.skips, s) }

// results returns the results by request.
func (r *tally) results() map[int][]Result {
	all := map[int][]Result{}
	for _, v := range r.verdicts {
		all[v.Request] = append(all[v.Request], v.Result)
	}
	return all
}

// came is a request of step 0 with a response.
func came(code, body string, took time.Duration) journey.Seen {
	begin := time.Unix(0, 0)
	return journey.Seen{
		Nth: 1, Result: protocol.Result{Sent: begin, Done: begin.Add(took), Code: code},
		Response: &script.Response{Body: body, Fields: []script.Field{{Name: "Cache-Control", Value: body}}},
	}
}

// failed is one that failed.
func failed(code string, r protocol.Reason) journey.Seen {
	s := came(code, "", time.Second)
	s.Result.Reason = r
	return s
}

func TestRequestsCompareByTheFirstThatDiffers(t *testing.T) {
	ok := came("200", `{"a":1}`, 10*time.Millisecond)
	for name, tc := range map[string]struct {
		base, candidate journey.Seen
		rules           Rules
		want            Result
		detail          string
		timed           bool
	}{
		"nothing": {base: ok, candidate: came("200", `{"a":2}`, time.Second), want: Same, timed: true},
		"the status": {
			base: ok, candidate: came("204", "", time.Second), rules: Rules{Body: BodyJSON}, want: Status,
			detail: "the status differs: 200, and 204 of the candidate", timed: true,
		},
		"the status, unexpected": {base: ok, candidate: failed("500", protocol.ReasonStatus), want: Status, detail: "the status differs: 200, and 500 of the candidate"},
		"a check":                {base: ok, candidate: failed("200", protocol.ReasonCheck), want: Check, detail: "the candidate's response fails a check that the other one passes"},
		"a timeout":              {base: ok, candidate: failed("", protocol.ReasonTimeout), want: Failed, detail: "the candidate failed: timeout"},
		"a header": {
			base: ok, candidate: came("200", `{"a":2}`, time.Second), rules: Rules{Headers: []string{"Date", "cache-control"}, Body: BodyJSON},
			want: Headers, detail: "the header cache-control differs", timed: true,
		},
		"the body":             {base: ok, candidate: came("200", `{"a":2}`, time.Second), rules: Rules{Body: BodyJSON}, want: Body, detail: "the body differs at a", timed: true},
		"the body by bytes":    {base: ok, candidate: came("200", `{"a": 1}`, time.Second), rules: Rules{Body: BodyExact}, want: Body, detail: "the body differs", timed: true},
		"nothing by value":     {base: ok, candidate: came("200", `{"a": 1}`, time.Second), rules: Rules{Body: BodyJSON}, want: Same, timed: true},
		"both failed alike":    {base: failed("500", protocol.ReasonStatus), candidate: failed("500", protocol.ReasonStatus), want: BaseFailed},
		"only the base failed": {base: failed("", protocol.ReasonRefused), candidate: ok, want: BaseFailed},
	} {
		for _, candidateFirst := range []bool{false, true} {
			t.Run(name+" "+strconv.FormatBool(candidateFirst), func(t *testing.T) {
				book := &tally{}
				p := New(Options{Rules: tc.rules, Requests: []int{7}, Recorder: book})
				q := &pair{p: p, slot: timeline.Slot{Seq: 3}}
				own, other := &half{pair: q, base: true}, &half{pair: q}
				play := func(h *half, s journey.Seen) {
					h.Saw(s)
					h.Closed(engine.JourneySuccess)
				}
				if candidateFirst {
					play(other, tc.candidate)
					play(own, tc.base)
				} else {
					play(own, tc.base)
					play(other, tc.candidate)
				}
				if len(book.verdicts) != 1 {
					t.Fatalf("verdicts %+v, want one", book.verdicts)
				}
				v := book.verdicts[0]
				if v.Result != tc.want || v.Detail != tc.detail || v.Request != 7 || v.Slot.Seq != 3 {
					t.Errorf("verdict %+v, want %v: %s", v, tc.want, tc.detail)
				}
				if timed := v.Base == 10*time.Millisecond && v.Candidate > 0; timed != tc.timed {
					t.Errorf("latencies %v and %v, want them: %t", v.Base, v.Candidate, tc.timed)
				}
				if p.held.Load() != 0 {
					t.Errorf("%d bytes are still held", p.held.Load())
				}
			})
		}
	}
}

func TestFailuresOfOurOwnAreNoVerdict(t *testing.T) {
	for _, r := range []protocol.Reason{protocol.ReasonLocal, protocol.ReasonDenied, protocol.ReasonCanceled} {
		book := &tally{}
		q := &pair{p: New(Options{Requests: []int{0}, Recorder: book})}
		(&half{pair: q, base: true}).Saw(came("200", "", 1))
		q.ended = true
		(&half{pair: q}).Saw(failed("", r))
		if len(book.verdicts) > 0 {
			t.Errorf("%v is told as %+v", r, book.verdicts)
		}
	}
}

// step is a request of a half: which, and whether it failed.
type step struct {
	step   int
	failed bool
}

func TestRequestsOfJourneysArePairedByTheirStepsAndTurns(t *testing.T) {
	for name, tc := range map[string]struct {
		base, candidate []step
		// broken says that limits ended the candidate's half.
		broken bool
		want   map[int][]Result
	}{
		"alike": {base: []step{{0, false}, {1, false}, {1, false}}, candidate: []step{{0, false}, {1, false}, {1, false}}, want: map[int][]Result{0: {Same}, 1: {Same, Same}}},
		"the candidate ends early": {
			base: []step{{0, false}, {1, false}, {2, false}}, candidate: []step{{0, false}, {1, true}},
			want: map[int][]Result{0: {Same}, 1: {Failed}, 2: {Missing}},
		},
		"the candidate does more": {base: []step{{0, false}}, candidate: []step{{0, false}, {0, false}}, want: map[int][]Result{0: {Same, Missing}}},
		"the base ends early": {
			base: []step{{0, true}}, candidate: []step{{0, false}, {1, false}}, want: map[int][]Result{0: {BaseFailed}, 1: {BaseFailed}},
		},
		"limits end the candidate": {base: []step{{0, false}, {1, false}}, candidate: []step{{0, false}}, broken: true, want: map[int][]Result{0: {Same}}},
	} {
		for _, candidateFirst := range []bool{false, true} {
			t.Run(name+" "+strconv.FormatBool(candidateFirst), func(t *testing.T) {
				book := &tally{}
				p := New(Options{Requests: []int{0, 1, 2}, Recorder: book})
				q := &pair{p: p}
				play := func(base bool, steps []step) {
					h := &half{pair: q, base: base}
					for _, s := range steps {
						seen := came("200", "", 1)
						if s.failed {
							seen = failed("", protocol.ReasonReset)
						}
						seen.Step, seen.Nth = s.step, h.Asked(s.step)
						h.Saw(seen)
					}
					o := engine.JourneySuccess
					if tc.broken && !base {
						o = engine.JourneyWithheld
					}
					h.Closed(o)
				}
				if candidateFirst {
					play(false, tc.candidate)
					play(true, tc.base)
				} else {
					play(true, tc.base)
					play(false, tc.candidate)
				}
				got := book.results()
				for request := range 3 {
					if !slices.Equal(got[request], tc.want[request]) {
						t.Errorf("request %d: %v, want %v", request, got[request], tc.want[request])
					}
				}
			})
		}
	}
}

func TestSlotsAreSampledAndOrderedByTheirHashesAlone(t *testing.T) {
	const n = 200_000
	var sampled, first, both int
	hashes := rand.New(rand.NewPCG(1, 2))
	for range n {
		hash := hashes.Uint64()
		in, order := Sampled(hash, 0.1), CandidateFirst(hash)
		if in {
			sampled++
		}
		if order {
			first++
		}
		if in && order {
			both++
		}
		if Sampled(hash, 0) || !Sampled(hash, 1) {
			t.Fatal("none are of no share, and all of the whole")
		}
		if in && !Sampled(hash, 0.2) {
			t.Fatal("a slot of a small sample is one of a larger one, too")
		}
	}
	for name, got := range map[string]float64{
		"sampled": float64(sampled) / n / 0.1, "candidate first": float64(first) / n / 0.5, "both": float64(both) / n / 0.05,
	} {
		if got < 0.95 || got > 1.05 {
			t.Errorf("%s: %.3f of what is expected", name, got)
		}
	}
}

// spares spares all slots.
type spares struct{}

func (spares) Spares(timeline.Slot) bool { return true }

// lacks lacks what slots need.
type lacks struct{}

func (lacks) Lacks(timeline.Slot, time.Time) (engine.DropReason, bool) {
	return engine.DropNoToken, true
}

func TestASlotThatCannotBeComparedIsSkippedForAReason(t *testing.T) {
	for name, tc := range map[string]struct {
		o    Options
		want []Skip
	}{
		"not sampled":         {o: Options{Share: 0}},
		"the candidate fails": {o: Options{Share: 1, Sparing: spares{}}, want: []Skip{SkipBackOff}},
		"it lacks a token":    {o: Options{Share: 1, Needs: lacks{}}, want: []Skip{SkipLacks}},
	} {
		book := &tally{}
		tc.o.Recorder = book
		if New(tc.o).Wants(timeline.Slot{}, time.Now()) || !slices.Equal(book.skips, tc.want) {
			t.Errorf("%s: skipped %v, want %v", name, book.skips, tc.want)
		}
	}
	book := &tally{}
	p := New(Options{Share: 1, Recorder: book})
	if !p.Wants(timeline.Slot{}, time.Now()) {
		t.Error("a slot of all is not compared")
	}
	if p.Alone(); !slices.Equal(book.skips, []Skip{SkipRateCap}) {
		t.Errorf("skipped %v beyond max_rate", book.skips)
	}
}
