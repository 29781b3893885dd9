package app

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	promconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/version"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/otlp"
)

// pusher pushes traces and metrics over OTLP as the configuration says. Safe for concurrent use.
type pusher struct {
	traces  *otlp.Traces
	metrics *otlp.Metrics
	// off says that nothing is pushed, whatever the configuration says: of a dry run, nothing is.
	off bool

	mu sync.Mutex
	// fingerprint is that of the block otlp in effect, and ended says that pushing has ended.
	fingerprint string
	ended       bool
}

// pushes is what a configuration asks to push; nil receivers are for nothing.
type pushes struct {
	fingerprint     string
	traces, metrics *otlp.Receiver
	every           time.Duration
}

// process describes this process to receivers. The instance is the replica's ID in its fleet, or the
// machine's name.
func (a *App) process(replica string, r otlp.Recorder) *otlp.Process {
	if name, err := os.Hostname(); a.fleet == nil && err == nil {
		replica = name
	}
	return &otlp.Process{Name: "traffic_exporter", Version: version.Version, Instance: replica, Recorder: r, Logger: a.logger}
}

// prepare returns what a configuration asks for. It fails where files that it names cannot be read.
func (p *pusher) prepare(o *config.OTLP) (pushes, error) {
	next := pushes{fingerprint: o.Fingerprint()}
	if o == nil || p.off {
		return next, nil
	}
	var err error
	if t := o.Traces; t != nil {
		if next.traces, err = receiver(t.URL, t.HTTPConfig); err != nil {
			return next, fmt.Errorf("otlp.traces: %w", err)
		}
	}
	if m := o.Metrics; m != nil {
		next.every = time.Duration(m.Every)
		if next.metrics, err = receiver(m.URL, m.HTTPConfig); err != nil {
			return next, fmt.Errorf("otlp.metrics: %w", err)
		}
	}
	return next, nil
}

// receiver returns where something is pushed.
func receiver(to config.Endpoint, h config.QueryHTTPConfig) (*otlp.Receiver, error) {
	client, err := promconfig.NewClientFromConfig(clientConfig(h), "otlp")
	if err != nil {
		return nil, err
	}
	r := &otlp.Receiver{URL: to.String(), Client: client, Header: map[string]string{"User-Agent": userAgent("")}}
	for _, f := range h.Headers {
		r.Header[http.CanonicalHeaderKey(f.Name)] = f.Value
	}
	return r, nil
}

// apply pushes what prepare has returned, unless it is pushed already.
func (p *pusher) apply(next pushes) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended || next.fingerprint == p.fingerprint {
		return
	}
	p.fingerprint = next.fingerprint
	p.push(next)
}

// push begins and ends pushes, both at once: an earlier receiver may not respond.
func (p *pusher) push(next pushes) {
	var both sync.WaitGroup
	both.Go(func() { p.traces.Push(next.traces) })
	both.Go(func() { p.metrics.Push(next.metrics, next.every) })
	both.Wait()
}

// end pushes for the last time.
func (p *pusher) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.push(pushes{})
}

// tracer returns the tracer that exports the spans of a scenario.
func (p *pusher) tracer(sc config.Scenario, m *mix) *otlp.Scenario {
	names := m.shownNames()
	all := m.sent
	if m.candidate != nil {
		all = append(slices.Clip(all), m.candidate.sent[len(all):]...)
	}
	requests := make([]otlp.Request, len(all))
	for i, s := range all {
		requests[i] = described(s)
		if i < len(names) {
			requests[i].Name = names[i]
		}
	}
	return p.traces.Scenario(sc.Name, requests, m.journeys)
}

// described describes an entry of a client, but for its name.
func described(s sent) otlp.Request {
	r := otlp.Request{Method: s.MethodOrGet(), Scheme: s.to.Scheme, Host: s.to.Host, Path: s.path}
	if s.call.Method != nil {
		r.RPC = strings.TrimPrefix(s.path, "/")
	}
	if _, port, err := net.SplitHostPort(s.to.Addr()); err == nil {
		r.Port, _ = strconv.Atoi(port)
	}
	return r
}
