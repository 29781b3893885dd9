package otlp

import (
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// The attributes that semantic conventions do not have. The slot's has the form of the header
// Traffic-Slot, so that one finds the other.
const (
	scope        = "github.com/traffic-exporter/traffic_exporter"
	keyScenario  = attribute.Key("traffic.scenario")
	keyRequest   = attribute.Key("traffic.request")
	keySlot      = attribute.Key("traffic.slot")
	keySendDelay = attribute.Key("traffic.send_delay")
	keyCloseCode = attribute.Key("traffic.close_code")
	keyOutcome   = attribute.Key("traffic.journey.outcome")
)

// sampledFlag is the flag of W3C Trace Context that a span has in OTLP as well.
const sampledFlag = 1

// described is a request with the attributes that all its spans have.
type described struct {
	Request

	attributes []*commonpb.KeyValue
}

func describe(r Request) described {
	a := []attribute.KeyValue{keyRequest.String(r.Name)}
	if r.RPC != "" {
		a = append(a, semconv.RPCSystemNameGRPC, semconv.RPCMethod(r.RPC))
	} else {
		a = append(a, semconv.HTTPRequestMethodKey.String(r.Method))
	}
	if r.Host != "" {
		a = append(a, semconv.ServerAddress(r.Host), semconv.ServerPort(r.Port))
	}
	if r.RPC == "" && r.Host != "" {
		a = append(a, semconv.URLScheme(r.Scheme), semconv.URLTemplate(r.Path))
	}
	return described{r, keyValues(a)}
}

// spans returns a batch as OTLP has it.
func (p *Process) spans(batch []ended) *tracepb.ResourceSpans {
	spans := make([]*tracepb.Span, len(batch))
	for i := range batch {
		spans[i] = batch[i].proto()
	}
	return &tracepb.ResourceSpans{
		Resource:   &resourcepb.Resource{Attributes: keyValues(p.attributes())},
		SchemaUrl:  semconv.SchemaURL,
		ScopeSpans: []*tracepb.ScopeSpans{{Scope: &commonpb.InstrumentationScope{Name: scope, Version: p.Version}, Spans: spans}},
	}
}

// proto returns the span as OTLP has it. It runs from when it was due, as latency does.
func (e *ended) proto() *tracepb.Span {
	r := e.span.Request
	s := &tracepb.Span{
		TraceId: r.Trace[:], SpanId: r.Span[:], Flags: sampledFlag,
		StartTimeUnixNano: nanos(e.span.Start), EndTimeUnixNano: nanos(later(e.span.End, e.span.Start)),
	}
	if e.span.Parent != ([8]byte{}) {
		s.ParentSpanId = e.span.Parent[:]
	}
	s.Attributes = keyValues([]attribute.KeyValue{
		keyScenario.String(e.scenario.name),
		keySlot.String(r.Scenario + "/" + r.Segment + "/" + strconv.FormatUint(r.Seq, 10)),
	})
	if e.journey {
		e.ofJourney(s)
	} else {
		e.ofRequest(s)
	}
	return s
}

// ofJourney completes the span of a journey.
func (e *ended) ofJourney(s *tracepb.Span) {
	s.Name, s.Kind = e.scenario.journeys[e.span.Entry], tracepb.Span_SPAN_KIND_INTERNAL
	s.Attributes = append(s.Attributes, keyValues([]attribute.KeyValue{keyOutcome.String(e.verdict.String())})...)
	if e.verdict == engine.JourneyFailure {
		s.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR}
	}
}

// ofRequest completes the span of a request.
func (e *ended) ofRequest(s *tracepb.Span) {
	d, res := &e.scenario.requests[e.outcome.Entry], &e.outcome.Result
	s.Name, s.Kind = d.Name, tracepb.Span_SPAN_KIND_CLIENT
	s.Attributes = append(s.Attributes, d.attributes...)
	a := []attribute.KeyValue{keySendDelay.Float64(e.outcome.Delay.Seconds())}
	if res.Code != "" {
		a = append(a, d.code(res.Code))
	}
	if res.Failed() {
		a = append(a, semconv.ErrorTypeKey.String(errorType(res)))
		s.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: res.Reason.String()}
	}
	s.Attributes = append(s.Attributes, keyValues(a)...)
}

// errorType returns the type of a failure: the response's code, if that is what failed, as semantic
// conventions ask for.
func errorType(res *protocol.Result) string {
	if res.Reason == protocol.ReasonStatus && res.Code != "" {
		return res.Code
	}
	return res.Reason.String()
}

// code returns the attribute of a response's code.
func (d *described) code(code string) attribute.KeyValue {
	n, err := strconv.Atoi(code)
	switch {
	case d.RPC != "":
		return semconv.RPCResponseStatusCode(code)
	case err == nil && n >= 1000:
		return keyCloseCode.Int(n)
	default:
		return semconv.HTTPResponseStatusCode(n)
	}
}

func nanos(t time.Time) uint64 { return uint64(t.UnixNano()) }

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// keyValues returns attributes as OTLP has them.
func keyValues(all []attribute.KeyValue) []*commonpb.KeyValue {
	out := make([]*commonpb.KeyValue, len(all))
	for i, a := range all {
		out[i] = &commonpb.KeyValue{Key: string(a.Key), Value: value(a.Value)}
	}
	return out
}

// value returns an attribute's value. There are strings and numbers here, and nothing else.
func value(v attribute.Value) *commonpb.AnyValue {
	switch v.Type() {
	case attribute.INT64:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: v.AsInt64()}}
	case attribute.FLOAT64:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: v.AsFloat64()}}
	default:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: v.AsString()}}
	}
}
