package otlp_test

import (
	"bytes"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/otlp"
	"github.com/traffic-exporter/traffic_exporter/internal/otlp/otlptest"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// counts is a Recorder.
type counts struct {
	exported       atomic.Int64
	dropped        [otlp.NumDropReasons]atomic.Int64
	pushed, failed atomic.Int64
}

func (c *counts) SpansExported(n int)                     { c.exported.Add(int64(n)) }
func (c *counts) SpansDropped(why otlp.DropReason, n int) { c.dropped[why].Add(int64(n)) }
func (c *counts) MetricsPushed()                          { c.pushed.Add(1) }
func (c *counts) MetricsFailed()                          { c.failed.Add(1) }

func process(log *bytes.Buffer) (*otlp.Process, *counts) {
	c := &counts{}
	return &otlp.Process{Name: "traffic_exporter", Version: "1.2.3", Instance: "a", Recorder: c, Logger: slog.New(slog.NewTextHandler(log, nil))}, c
}

func to(r *otlptest.Receiver, path string) *otlp.Receiver {
	return &otlp.Receiver{URL: r.URL + path, Client: &http.Client{Transport: &http.Transport{}}, Header: map[string]string{"X-Scope-OrgID": "tenant"}}
}

var start = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

// spanOf returns the span of a request that took 20 ms.
func spanOf(seq uint64) engine.Span {
	s := engine.Span{Start: start, End: start.Add(20 * time.Millisecond)}
	s.Request = protocol.Request{Scenario: "shop", Segment: "x-1", Seq: seq, Trace: [16]byte{1, 15: byte(seq)}, Span: [8]byte{2, 7: byte(seq)}, Sampled: true}
	return s
}

func outcome(entry int, code string, reason protocol.Reason) engine.Outcome {
	return engine.Outcome{Entry: entry, Delay: 250 * time.Microsecond, Sampled: true, Result: protocol.Result{Code: code, Reason: reason, Err: errors.New("hush")}}
}

func shop(t *otlp.Traces) *otlp.Scenario {
	return t.Scenario("shop", []otlp.Request{
		{Name: "browse", Method: "GET", Scheme: "https", Host: "shop.example", Port: 443, Path: "/products/{{ id }}"},
		{Name: "visit/buy", Method: "POST", Scheme: "http", Host: "shop.example", Port: 8080, Path: "/buy"},
		{Name: "call", RPC: "shop.Cart/Add", Method: "POST", Scheme: "grpc", Host: "cart.example", Port: 50051, Path: "/shop.Cart/Add"},
		{Name: "chat", Method: "GET", Scheme: "wss", Host: "chat.example", Port: 443, Path: "/"},
	}, []string{"", "visit", ""})
}

func TestSpansHaveTheAttributesOfSemanticConventions(t *testing.T) {
	common := map[string]any{"traffic.scenario": "shop", "traffic.slot": "shop/x-1/7"}
	browse := map[string]any{
		"traffic.request": "browse", "http.request.method": "GET", "server.address": "shop.example", "server.port": int64(443),
		"url.scheme": "https", "url.template": "/products/{{ id }}", "traffic.send_delay": 0.00025,
	}
	call := map[string]any{
		"traffic.request": "call", "rpc.system.name": "grpc", "rpc.method": "shop.Cart/Add", "server.address": "cart.example",
		"server.port": int64(50051), "traffic.send_delay": 0.00025,
	}
	chat := map[string]any{
		"traffic.request": "chat", "http.request.method": "GET", "server.address": "chat.example", "server.port": int64(443),
		"url.scheme": "wss", "url.template": "/", "traffic.send_delay": 0.00025,
	}
	for name, test := range map[string]struct {
		outcome engine.Outcome
		base    map[string]any
		more    map[string]any
		fails   string
	}{
		"a success":               {outcome(0, "200", protocol.ReasonNone), browse, map[string]any{"http.response.status_code": int64(200)}, ""},
		"an unexpected status":    {outcome(0, "503", protocol.ReasonStatus), browse, map[string]any{"http.response.status_code": int64(503), "error.type": "503"}, "status"},
		"no response":             {outcome(0, "", protocol.ReasonTimeout), browse, map[string]any{"error.type": "timeout"}, "timeout"},
		"a call":                  {outcome(2, "OK", protocol.ReasonNone), call, map[string]any{"rpc.response.status_code": "OK"}, ""},
		"a call that fails":       {outcome(2, "NOT_FOUND", protocol.ReasonStatus), call, map[string]any{"rpc.response.status_code": "NOT_FOUND", "error.type": "NOT_FOUND"}, "status"},
		"a WebSocket that closes": {outcome(3, "1000", protocol.ReasonNone), chat, map[string]any{"traffic.close_code": int64(1000)}, ""},
		"a handshake is refused":  {outcome(3, "401", protocol.ReasonStatus), chat, map[string]any{"http.response.status_code": int64(401), "error.type": "401"}, "status"},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			p, c := process(&log)
			r, traces := otlptest.Start(t), otlp.NewTraces(p)
			traces.Push(to(r, "/v1/traces"))
			shop(traces).Exchanged(spanOf(7), test.outcome)
			traces.Push(nil) // It exports what waits.

			spans := r.Spans()
			if len(spans) != 1 || c.exported.Load() != 1 {
				t.Fatalf("%d spans, %d exported, want 1: %s", len(spans), c.exported.Load(), log.String())
			}
			s, want := spans[0], maps.Clone(common)
			maps.Copy(want, test.base)
			maps.Copy(want, test.more)
			if got := otlptest.Attributes(s.Attributes); !maps.Equal(got, want) {
				t.Errorf("attributes %v, want %v", got, want)
			}
			if s.Name != test.base["traffic.request"] || s.Kind != tracepb.Span_SPAN_KIND_CLIENT {
				t.Errorf("name %q, kind %v", s.Name, s.Kind)
			}
			if failed := s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR; failed != (test.fails != "") || s.GetStatus().GetMessage() != test.fails {
				t.Errorf("status %v, want the error %q", s.Status, test.fails)
			}
			if s.StartTimeUnixNano != uint64(start.UnixNano()) || s.EndTimeUnixNano-s.StartTimeUnixNano != 20_000_000 {
				t.Errorf("it runs from %d to %d", s.StartTimeUnixNano, s.EndTimeUnixNano)
			}
			if want := map[string]any{"service.name": "traffic_exporter", "service.version": "1.2.3", "service.instance.id": "a"}; !maps.Equal(r.Resource(), want) {
				t.Errorf("resource %v, want %v", r.Resource(), want)
			}
			if got := r.Header().Get("X-Scope-OrgID"); got != "tenant" {
				t.Errorf("header %q, want the tenant", got)
			}
		})
	}
}

func TestAJourneyIsTheParentOfItsRequests(t *testing.T) {
	p, _ := process(new(bytes.Buffer))
	r, traces := otlptest.Start(t), otlp.NewTraces(p)
	traces.Push(to(r, "/v1/traces"))
	s := shop(traces)

	step, journey := spanOf(1), spanOf(1)
	step.Entry, journey.Entry, step.Parent, journey.Request.Span = 1, 1, [8]byte{9}, [8]byte{9}
	s.Exchanged(step, outcome(1, "500", protocol.ReasonStatus))
	s.JourneyEnded(journey, engine.JourneyFailure)
	// A request that varies is a journey of the engine, and the whole of its slot.
	single := spanOf(2)
	single.Parent = [8]byte{8}
	s.Exchanged(single, outcome(0, "200", protocol.ReasonNone))
	s.JourneyEnded(single, engine.JourneySuccess)
	traces.Push(nil)

	spans := r.Spans()
	if len(spans) != 3 {
		t.Fatalf("%d spans, want 3", len(spans))
	}
	child, parent, alone := spans[0], spans[1], spans[2]
	if !bytes.Equal(child.ParentSpanId, parent.SpanId) || !bytes.Equal(child.TraceId, parent.TraceId) || len(parent.ParentSpanId) != 0 {
		t.Errorf("the request has the parent %x, and the journey is %x", child.ParentSpanId, parent.SpanId)
	}
	if parent.Name != "visit" || parent.Kind != tracepb.Span_SPAN_KIND_INTERNAL || parent.GetStatus().GetCode() != tracepb.Status_STATUS_CODE_ERROR ||
		otlptest.Attributes(parent.Attributes)["traffic.journey.outcome"] != "failure" {
		t.Errorf("journey %v", parent)
	}
	if len(alone.ParentSpanId) != 0 || alone.Name != "browse" {
		t.Errorf("a single request %v, want it without a parent", alone)
	}
}

func TestSpansThatCannotBeExportedAreDroppedAndCounted(t *testing.T) {
	var log bytes.Buffer
	p, c := process(&log)
	r, traces := otlptest.Start(t), otlp.NewTraces(p)
	r.Refuse(http.StatusBadRequest)
	traces.Push(to(r, "/v1/traces"))
	s := shop(traces)
	const n = 2000 // Several batches.
	for i := range n {
		s.Exchanged(spanOf(uint64(i)), outcome(0, "200", protocol.ReasonNone))
	}
	traces.Push(nil)
	if failed := c.dropped[otlp.DropExportFailed].Load(); failed != n || c.exported.Load() != 0 {
		t.Errorf("%d spans failed, and %d were exported, want %d and 0", failed, c.exported.Load(), n)
	}
	if lines := strings.Count(log.String(), "spans cannot be exported"); lines != 1 {
		t.Errorf("%d lines in the log, want 1: %s", lines, log.String())
	}
}

func TestAReceiverThatDoesNotRespondHoldsNothingUp(t *testing.T) {
	t.Parallel()
	stalled := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stalled }))
	defer server.Close()
	defer close(stalled)
	p, c := process(new(bytes.Buffer))
	traces := otlp.NewTraces(p)
	traces.Push(&otlp.Receiver{URL: server.URL + "/v1/traces", Client: &http.Client{Transport: &http.Transport{}}})
	s := shop(traces)
	const n = 20_000 // More than wait at most.
	for i := range n {
		s.Exchanged(spanOf(uint64(i)), outcome(0, "200", protocol.ReasonNone))
	}
	if c.dropped[otlp.DropQueueFull].Load() == 0 {
		t.Error("no span was dropped, though the queue is bounded")
	}
	traces.Push(nil)
	if sum := c.dropped[otlp.DropQueueFull].Load() + c.dropped[otlp.DropExportFailed].Load() + c.exported.Load(); sum != n {
		t.Errorf("%d spans are accounted for, want %d", sum, n)
	}
}

func TestWithoutAReceiverNothingRuns(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	p, c := process(new(bytes.Buffer))
	traces, metrics := otlp.NewTraces(p), otlp.NewMetrics(p, prometheus.NewRegistry())
	s := shop(traces)
	span, o := spanOf(1), outcome(0, "200", protocol.ReasonNone)
	if n := testing.AllocsPerRun(100, func() { s.Exchanged(span, o) }); n != 0 {
		t.Errorf("%v allocations for a span that is not pushed", n)
	}
	traces.Push(nil)
	metrics.Push(nil, 0)
	if n := c.exported.Load() + c.dropped[0].Load() + c.dropped[1].Load(); n != 0 {
		t.Errorf("%d spans are counted", n)
	}
}

func TestSpansGoToTheReceiverOfTheirTime(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) }) // When the receivers have ended.
	p, _ := process(new(bytes.Buffer))
	first, second := otlptest.Start(t), otlptest.Start(t)
	traces := otlp.NewTraces(p)
	s := shop(traces)
	traces.Push(to(first, "/v1/traces"))
	s.Exchanged(spanOf(1), outcome(0, "200", protocol.ReasonNone))
	traces.Push(to(second, "/v1/traces"))
	s.Exchanged(spanOf(2), outcome(0, "200", protocol.ReasonNone))
	s.Exchanged(spanOf(3), outcome(0, "200", protocol.ReasonNone))
	traces.Push(nil)
	s.Exchanged(spanOf(4), outcome(0, "200", protocol.ReasonNone))
	if a, b := len(first.Spans()), len(second.Spans()); a != 1 || b != 2 {
		t.Errorf("the first has received %d spans, and the second %d, want 1 and 2", a, b)
	}
}

func TestMetricsArePushedAgainAndAgainAndAtTheEnd(t *testing.T) {
	var log bytes.Buffer
	p, c := process(&log)
	reg := prometheus.NewRegistry()
	native := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "native_seconds", Help: "h", NativeHistogramBucketFactor: 1.1, Buckets: []float64{1}})
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "requests_total", Help: "c"})
	reg.MustRegister(native, counter)
	native.Observe(0.3)
	counter.Inc()

	r, metrics := otlptest.Start(t), otlp.NewMetrics(p, reg)
	metrics.Push(to(r, "/v1/metrics"), 5*time.Millisecond)
	for deadline := time.Now().Add(30 * time.Second); c.pushed.Load() < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("metrics were pushed %d times: %s", c.pushed.Load(), log.String())
		}
	}
	counter.Add(41)
	metrics.Push(nil, 0)
	got, pushes := r.Pushed()
	if h := got["native_seconds"].GetExponentialHistogram(); len(h.GetDataPoints()) != 1 || h.DataPoints[0].Count != 1 {
		t.Errorf("the native histogram is %v, want an exponential one", got["native_seconds"])
	}
	if s := got["requests_total"].GetSum(); len(s.GetDataPoints()) != 1 || s.DataPoints[0].GetAsDouble() != 42 || !s.IsMonotonic {
		t.Errorf("the counter is %v, want 42", got["requests_total"])
	}
	if int64(pushes) != c.pushed.Load() || c.failed.Load() != 0 {
		t.Errorf("%d pushes were received, %d counted, and %d failed", pushes, c.pushed.Load(), c.failed.Load())
	}
}

func TestAPushOfMetricsThatFailsIsCounted(t *testing.T) {
	var log bytes.Buffer
	p, c := process(&log)
	r, metrics := otlptest.Start(t), otlp.NewMetrics(p, prometheus.NewRegistry())
	r.Refuse(http.StatusServiceUnavailable)
	metrics.Push(to(r, "/v1/metrics"), time.Hour)
	metrics.Push(nil, 0)
	if c.failed.Load() != 1 || c.pushed.Load() != 0 || !strings.Contains(log.String(), "metrics cannot be pushed") {
		t.Errorf("%d failed, and %d did not: %s", c.failed.Load(), c.pushed.Load(), log.String())
	}
}

func TestTheEnvironmentSettlesNothing(t *testing.T) {
	r := otlptest.Start(t)
	for name, value := range map[string]string{
		"ENDPOINT": "http://127.0.0.1:1", "HEADERS": "X-Scope-OrgID=other,X-Other=1", "COMPRESSION": "none", "TIMEOUT": "1", "CERTIFICATE": "/missing.pem",
		"METRICS_TEMPORALITY_PREFERENCE": "delta", "TRACES_ENDPOINT": "http://127.0.0.1:1", "METRICS_ENDPOINT": "http://127.0.0.1:1",
	} {
		t.Setenv("OTEL_EXPORTER_OTLP_"+name, value)
	}
	p, c := process(new(bytes.Buffer))
	traces, metrics := otlp.NewTraces(p), otlp.NewMetrics(p, prometheus.NewRegistry())
	traces.Push(to(r, "/v1/traces"))
	shop(traces).Exchanged(spanOf(1), outcome(0, "200", protocol.ReasonNone))
	traces.Push(nil)
	if len(r.Spans()) != 1 || r.Header().Get("X-Other") != "" || r.Header().Get("X-Scope-OrgID") != "tenant" || r.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("%d spans came, with %v", len(r.Spans()), r.Header())
	}
	metrics.Push(to(r, "/v1/metrics"), time.Hour)
	metrics.Push(nil, 0)
	if c.pushed.Load() != 1 || r.Header().Get("X-Other") != "" {
		t.Errorf("%d pushes, with %v", c.pushed.Load(), r.Header())
	}
}
