// Package otlptest has a receiver of OTLP over HTTP for tests. It decodes what it is sent with the types of
// OpenTelemetry's collector.
package otlptest

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortraces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Receiver keeps all spans and metrics that it is sent. Safe for concurrent use.
type Receiver struct {
	// URL is that of the server, without a path.
	URL string

	mu       sync.Mutex
	status   int
	header   http.Header
	resource map[string]any
	spans    []*tracepb.Span
	metrics  []*metricspb.Metric
	pushes   int
}

// Start starts a receiver that ends with the test.
func Start(tb testing.TB) *Receiver {
	tb.Helper()
	r := &Receiver{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", r.handle(tb, r.takeTraces))
	mux.HandleFunc("POST /v1/metrics", r.handle(tb, r.takeMetrics))
	s := httptest.NewServer(mux)
	tb.Cleanup(s.Close)
	r.URL = s.URL
	return r
}

// Refuse has the receiver respond with a status to all that follows; 0 has it take everything again.
func (r *Receiver) Refuse(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *Receiver) handle(tb testing.TB, take func(body []byte) error) http.HandlerFunc {
	tb.Helper()
	return func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.status != 0 {
			w.WriteHeader(r.status)
			return
		}
		body, err := unpack(req)
		if err == nil {
			err = take(body)
		}
		if err != nil || req.Header.Get("Content-Type") != "application/x-protobuf" {
			tb.Errorf("a request of type %q that is no OTLP: %v", req.Header.Get("Content-Type"), err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.header = req.Header
	}
}

func unpack(req *http.Request) ([]byte, error) {
	body := io.Reader(req.Body)
	if req.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(req.Body)
		if err != nil {
			return nil, err
		}
		body = unzipped
	}
	return io.ReadAll(body)
}

func (r *Receiver) takeTraces(body []byte) error {
	var m collectortraces.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &m); err != nil {
		return err
	}
	for _, of := range m.ResourceSpans {
		r.resource = Attributes(of.Resource.Attributes)
		for _, scope := range of.ScopeSpans {
			r.spans = append(r.spans, scope.Spans...)
		}
	}
	return nil
}

func (r *Receiver) takeMetrics(body []byte) error {
	var m collectormetrics.ExportMetricsServiceRequest
	if err := proto.Unmarshal(body, &m); err != nil {
		return err
	}
	r.metrics, r.pushes = nil, r.pushes+1
	for _, of := range m.ResourceMetrics {
		r.resource = Attributes(of.Resource.Attributes)
		for _, scope := range of.ScopeMetrics {
			r.metrics = append(r.metrics, scope.Metrics...)
		}
	}
	return nil
}

// Spans returns the spans received.
func (r *Receiver) Spans() []*tracepb.Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.spans)
}

// Await returns the spans received as soon as there are n, and fails the test if that takes too long.
func (r *Receiver) Await(tb testing.TB, n int) []*tracepb.Span {
	tb.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		if spans := r.Spans(); len(spans) >= n {
			return spans
		}
		if time.Now().After(deadline) {
			tb.Fatalf("%d spans were received, want %d", len(r.Spans()), n)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Pushed returns the metrics of the last push by their names, and how many pushes there were.
func (r *Receiver) Pushed() (metrics map[string]*metricspb.Metric, pushes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	metrics = map[string]*metricspb.Metric{}
	for _, m := range r.metrics {
		metrics[m.Name] = m
	}
	return metrics, r.pushes
}

// Resource returns the attributes of the process that has sent the last request.
func (r *Receiver) Resource() map[string]any {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.resource
}

// Header returns the header of the last request that was taken.
func (r *Receiver) Header() http.Header {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.header
}

// Attributes returns attributes by their keys: strings, int64 and float64.
func Attributes(all []*commonpb.KeyValue) map[string]any {
	out := map[string]any{}
	for _, a := range all {
		switch v := a.Value.Value.(type) {
		case *commonpb.AnyValue_StringValue:
			out[a.Key] = v.StringValue
		case *commonpb.AnyValue_IntValue:
			out[a.Key] = v.IntValue
		case *commonpb.AnyValue_DoubleValue:
			out[a.Key] = v.DoubleValue
		}
	}
	return out
}
