package otlp

import (
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
)

const (
	// queueSize is how many spans wait to be exported at most, batchSize how many are exported at a time,
	// and batchEvery after how long fewer are.
	queueSize  = 8192
	batchSize  = 512
	batchEvery = 2 * time.Second
)

// Traces pushes the spans of sampled slots while it has a receiver. Safe for concurrent use, but for Push.
type Traces struct {
	process *Process
	pipe    atomic.Pointer[pipe]
}

// NewTraces returns one that pushes nothing yet.
func NewTraces(p *Process) *Traces { return &Traces{process: p} }

// Push pushes spans to a receiver from now on; nil pushes none. Those that wait for an earlier receiver
// go there, which is waited for in a bounded time. Calls must not overlap.
func (t *Traces) Push(r *Receiver) {
	var next *pipe
	if r != nil {
		next = newPipe(t.process, *r)
	}
	if old := t.pipe.Swap(next); old != nil {
		old.end()
	}
}

// put has a span exported, if anything is pushed.
func (t *Traces) put(e ended) {
	p := t.pipe.Load()
	if p == nil {
		return
	}
	select {
	case p.queue <- e:
	default:
		t.process.Recorder.SpansDropped(DropQueueFull, 1)
	}
}

// pipe is the way of spans to a receiver.
type pipe struct {
	*background

	process    *Process
	receiver   Receiver
	queue      chan ended
	client     otlptrace.Client
	complaints complaints
}

func newPipe(p *Process, r Receiver) *pipe {
	q := &pipe{process: p, receiver: r, queue: make(chan ended, queueSize), complaints: newComplaints(p.Logger)}
	// All is given here that the environment has variables for.
	q.client = otlptracehttp.NewClient(
		otlptracehttp.WithEndpointURL(r.URL), otlptracehttp.WithHeaders(r.Header), otlptracehttp.WithHTTPClient(r.client()),
		otlptracehttp.WithCompression(otlptracehttp.GzipCompression),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{
			Enabled: true, InitialInterval: time.Second, MaxInterval: flushPatience, MaxElapsedTime: uploadPatience,
		}),
	)
	q.background = begin(q.run)
	return q
}

// run exports spans in batches until it is asked to end, and then those that wait.
func (q *pipe) run(b *background) {
	ticker := time.NewTicker(batchEvery)
	defer ticker.Stop()
	batch := make([]ended, 0, batchSize)
	for {
		select {
		case e := <-q.queue:
			if batch = append(batch, e); len(batch) == batchSize {
				batch = q.export(batch)
			}
		case <-ticker.C:
			batch = q.export(batch)
		case <-b.ask:
			for len(q.queue) > 0 {
				if batch = append(batch, <-q.queue); len(batch) == batchSize {
					batch = q.export(batch)
				}
			}
			q.export(batch)
			q.receiver.Client.CloseIdleConnections()
			return
		}
	}
}

// export exports a batch and returns it empty.
func (q *pipe) export(batch []ended) []ended {
	if len(batch) == 0 {
		return batch
	}
	spans := q.process.spans(batch)
	if err := q.client.UploadTraces(q.ctx, []*tracepb.ResourceSpans{spans}); err != nil {
		q.process.Recorder.SpansDropped(DropExportFailed, len(batch))
		q.complaints.failed("spans cannot be exported", q.receiver, err)
	} else {
		q.process.Recorder.SpansExported(len(batch))
	}
	clear(batch)
	return batch[:0]
}

// ended is a request or a journey that has ended.
type ended struct {
	scenario *Scenario
	span     engine.Span
	// journey says that it is one, which ended with verdict; outcome is that of a request.
	journey bool
	verdict engine.JourneyOutcome
	outcome engine.Outcome
}

// Request describes an entry of a scenario's client.
type Request struct {
	// Name is that of the request.
	Name string
	// RPC is the name of gRPC's method; empty for a request of HTTP, whose Method and Scheme there are.
	RPC, Method, Scheme string
	// Host and Port are those of the target; empty and 0 where they vary.
	Host string
	Port int
	// Path is that of the URL, with its placeholders.
	Path string
}

// Scenario is the engine.Tracer of a scenario.
type Scenario struct {
	traces *Traces
	name   string
	// requests are the client's entries, and journeys the names of those entries of the mix that have
	// steps; empty for the others.
	requests []described
	journeys []string
}

var _ engine.Tracer = (*Scenario)(nil)

// Scenario returns the tracer of a scenario, whose client has entries of these requests, and whose mix
// has entries with these names, if they have steps.
func (t *Traces) Scenario(name string, requests []Request, journeys []string) *Scenario {
	s := &Scenario{traces: t, name: name, journeys: journeys}
	for _, r := range requests {
		s.requests = append(s.requests, describe(r))
	}
	return s
}

// Exchanged implements engine.Tracer.
func (s *Scenario) Exchanged(span engine.Span, o engine.Outcome) {
	if s.journeys[span.Entry] == "" {
		span.Parent = [8]byte{} // It is the whole of its slot.
	}
	o.Result.Err = nil // It may hold on to much.
	s.traces.put(ended{scenario: s, span: span, outcome: o})
}

// JourneyEnded implements engine.Tracer.
func (s *Scenario) JourneyEnded(span engine.Span, o engine.JourneyOutcome) {
	if s.journeys[span.Entry] != "" {
		s.traces.put(ended{scenario: s, span: span, journey: true, verdict: o})
	}
}
