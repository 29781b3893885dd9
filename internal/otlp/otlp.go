// Package otlp pushes spans of sampled requests and the process's metrics over OTLP, the protocol of
// OpenTelemetry, by HTTP. It is beside the sending path: what it is shown goes into a bounded queue, and
// is dropped and counted when that is full. While nothing is pushed it has no goroutine and no memory.
//
// It knows neither the configuration nor the names of its own metrics, which a Recorder counts.
package otlp

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"golang.org/x/time/rate"
)

const (
	// uploadTimeout is how long one upload may take, and uploadPatience how long one is tried again that the
	// receiver has put off.
	uploadTimeout  = 10 * time.Second
	uploadPatience = 20 * time.Second
	// flushPatience is how long the last upload may take.
	flushPatience = 5 * time.Second
	// logEvery is the least time between two failures in the log.
	logEvery = time.Minute
)

// Receiver is where something is pushed.
type Receiver struct {
	// URL is the whole URL, with http or https.
	URL string
	// Client makes the requests, and Header is sent with them.
	Client *http.Client
	Header map[string]string
}

// client returns the client with a bound for each request.
func (r Receiver) client() *http.Client {
	c := *r.Client
	c.Timeout = uploadTimeout
	return &c
}

// Recorder counts pushed spans and metrics. Implementations are safe for concurrent use and do not block.
type Recorder interface {
	// SpansExported counts spans that a receiver has taken, and SpansDropped those that it has not.
	SpansExported(n int)
	SpansDropped(why DropReason, n int)
	// MetricsPushed and MetricsFailed count pushes of all metrics.
	MetricsPushed()
	MetricsFailed()
}

// DropReason is why a span was not exported: a closed set.
type DropReason uint8

// The reasons for not exporting a span.
const (
	// DropQueueFull: the receiver was slower than spans ended.
	DropQueueFull DropReason = iota
	// DropExportFailed: the receiver refused it, or could not be reached.
	DropExportFailed

	// NumDropReasons is the size of an array indexed by DropReason.
	NumDropReasons = int(iota)
)

// String returns the reason as it stands in labels.
func (r DropReason) String() string {
	switch r {
	case DropQueueFull:
		return "queue_full"
	case DropExportFailed:
		return "export_failed"
	default:
		return "unknown"
	}
}

// Process is who pushes, and whom it reports to.
type Process struct {
	// Name, Version and Instance are the service's.
	Name, Version, Instance string
	Recorder                Recorder
	Logger                  *slog.Logger
}

// attributes returns the process as semantic conventions describe a service.
func (p *Process) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{semconv.ServiceName(p.Name), semconv.ServiceVersion(p.Version), semconv.ServiceInstanceID(p.Instance)}
}

// resource returns the same as a resource.
func (p *Process) resource() *resource.Resource {
	return resource.NewWithAttributes(semconv.SchemaURL, p.attributes()...)
}

// complaints logs failures, one of them now and then.
type complaints struct {
	logger    *slog.Logger
	sometimes rate.Sometimes
}

func newComplaints(l *slog.Logger) complaints {
	return complaints{logger: l, sometimes: rate.Sometimes{First: 1, Interval: logEvery}}
}

func (c *complaints) failed(message string, r Receiver, err error) {
	c.sometimes.Do(func() { c.logger.Warn(message, "url", r.URL, "err", err) }) //nolint:sloglint // Its callers have constants.
}

// background is a goroutine that ends in a bounded time: ask ends it, and what it does meanwhile is
// canceled flushPatience later.
type background struct {
	ctx    context.Context //nolint:containedctx // It is the goroutine's.
	cancel context.CancelFunc
	ask    chan struct{}
	done   chan struct{}
}

// begin runs f in a goroutine, until it returns.
func begin(f func(b *background)) *background {
	b := &background{ask: make(chan struct{}), done: make(chan struct{})}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	go func() {
		defer close(b.done)
		f(b)
	}()
	return b
}

// end ends it and waits for that. It is called once.
func (b *background) end() {
	close(b.ask)
	defer time.AfterFunc(flushPatience, b.cancel).Stop()
	<-b.done
	b.cancel()
}
