package engine

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// spans is a Tracer that keeps everything.
type spans struct {
	mu       sync.Mutex
	requests []Span
	journeys []Span
	ended    [NumJourneyOutcomes]int
}

func (s *spans) Exchanged(span Span, o Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.Trace != span.Request.Trace || !o.Sampled {
		panic("a span of another outcome")
	}
	s.requests = append(s.requests, span)
}

func (s *spans) JourneyEnded(span Span, o JourneyOutcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.journeys = append(s.journeys, span)
	s.ended[o]++
}

// id is what a traceparent names.
type id struct {
	trace [16]byte
	span  [8]byte
}

func idOf(r protocol.Request) id { return id{r.Trace, r.Span} }

// match checks that the spans of requests are those that sampled requests carried, each once.
func (s *spans) match(t *testing.T, client *fake) {
	t.Helper()
	carried := map[id]bool{}
	for _, r := range client.all() {
		if r.Sampled {
			carried[idOf(r.Request)] = true
		}
	}
	if len(carried) == 0 || len(s.requests) != len(carried) {
		t.Fatalf("%d spans of %d sampled requests", len(s.requests), len(carried))
	}
	for _, span := range s.requests {
		if !carried[idOf(span.Request)] {
			t.Fatal("a span that no sampled request carried, or one for the second time")
		}
		delete(carried, idOf(span.Request))
	}
}

func TestTheSpansOfSampledRequestsAreThoseThatTheyCarried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, _ := scenario(t, 100)
		tracer := &spans{}
		sc.Tracer, sc.TraceShare = tracer, 0.3
		client.respondAfter = func(protocol.Request) time.Duration { return 30 * time.Millisecond }
		begin := time.Now()
		run(t, sc, 10*time.Second)
		tracer.match(t, client)
		for _, s := range tracer.requests {
			if s.Parent != ([8]byte{}) || s.End.Sub(s.Start) != 30*time.Millisecond || s.Start.Before(begin) || s.End.After(time.Now()) {
				t.Fatalf("a span from %v to %v with the parent %x", s.Start, s.End, s.Parent)
			}
		}
		if len(tracer.journeys) != 0 {
			t.Errorf("%d journeys", len(tracer.journeys))
		}
	})
}

func TestEachRequestOfAJourneyIsAChildOfItsSpan(t *testing.T) {
	for name, steps := range map[string][]Move{
		"one after the other": {request(), wait(time.Second), request()},
		"at once":             moves(one(request()), together(2, request(), request(), request())),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sc, client, _, _ := journeys(t, 10, steps...)
				tracer := &spans{}
				sc.Tracer, sc.TraceShare = tracer, 0.5
				client.respondAfter = func(protocol.Request) time.Duration { return 10 * time.Millisecond }
				run(t, sc, 10*time.Second)
				tracer.match(t, client)
				tracer.nested(t)
			})
		})
	}
}

func TestEachHalfOfAPairIsATraceOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, _, p := paired(t, 10, request(), request())
		tracer := &spans{}
		sc.Tracer, sc.TraceShare = tracer, 1
		p.candidateFirst = odd
		client.respondAfter = always(10 * time.Millisecond)
		due := run(t, sc, 10*time.Second)
		tracer.match(t, client)
		tracer.nested(t)
		if n := len(tracer.journeys); n != int(2*due) {
			t.Errorf("%d journeys of %d pairs", n, due)
		}
		for _, s := range tracer.journeys {
			if s.End.Sub(s.Start) != 20*time.Millisecond {
				t.Fatalf("a half of a pair takes %v, want 20ms", s.End.Sub(s.Start))
			}
		}
	})
}

// nested checks that each request has a journey as its parent that it lies within.
func (s *spans) nested(t *testing.T) {
	t.Helper()
	all := map[id]Span{}
	for _, j := range s.journeys {
		if j.Parent != ([8]byte{}) || j.Request.Span == ([8]byte{}) {
			t.Fatalf("the journey %x has the parent %x", j.Request.Span, j.Parent)
		}
		all[idOf(j.Request)] = j
	}
	if len(all) == 0 || len(all) != len(s.journeys) {
		t.Fatalf("%d ids of %d journeys", len(all), len(s.journeys))
	}
	for _, r := range s.requests {
		j, ok := all[id{r.Request.Trace, r.Parent}]
		if !ok {
			t.Fatal("a request without its journey")
		}
		if r.Start.Before(j.Start) || r.End.After(j.End) || r.Request.Span == r.Parent {
			t.Fatalf("a request from %v to %v, in a journey from %v to %v", r.Start, r.End, j.Start, j.End)
		}
	}
}

func TestARequestThatCannotBeMadeHasASpanOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, _, _, _ := journeys(t, 10, Move{Kind: MoveFailed}, request(), Move{Kind: MoveFailed}, request())
		tracer := &spans{}
		sc.Tracer, sc.TraceShare = tracer, 1
		due := run(t, sc, 2*time.Second)
		ids := map[id]bool{}
		for _, s := range tracer.requests {
			ids[idOf(s.Request)] = true
		}
		if len(ids) != int(4*due) || len(tracer.requests) != int(4*due) {
			t.Errorf("%d spans with %d ids of %d slots, want 4 of each slot", len(tracer.requests), len(ids), due)
		}
	})
}
