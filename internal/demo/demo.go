// Package demo is the built-in target: an HTTP server whose latencies and errors
// follow a script, for the demo, for tests, and for people to try a configuration
// against. The script is not random: any stretch of requests follows the law almost
// exactly, so that measurements can be compared with the truth. It uses the
// standard library only and knows nothing of the exporter.
package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// stopTimeout bounds the wait for open requests.
const stopTimeout = 2 * time.Second

// Options is the script of a Target.
type Options struct {
	Law Law
	// ErrorRatio is the share of the responses with status 503, from 0 to 1.
	ErrorRatio float64
	// In every StallEvery of Unix time the target does not respond for StallFor:
	// requests that arrive meanwhile wait for its end. 0 is never.
	StallEvery, StallFor time.Duration
	// Observe, if not nil, is called as each request arrives.
	Observe func(*http.Request)
}

// Target is the handler that follows the script. It is safe for concurrent use.
type Target struct {
	script   Options
	shop     *shop
	requests atomic.Uint64
}

var _ http.Handler = (*Target)(nil)

// New returns a target, or an error if its script is invalid.
func New(o Options) (*Target, error) {
	switch {
	case o.Law.P50 < 0 || o.Law.P99 < o.Law.P50:
		return nil, fmt.Errorf("latency: the 99th percentile %v is below the median %v, or that below 0", o.Law.P99, o.Law.P50)
	case o.Law.P99 > maxLatency:
		return nil, fmt.Errorf("latency: the 99th percentile %v is above %v", o.Law.P99, maxLatency)
	case !(o.ErrorRatio >= 0 && o.ErrorRatio <= 1):
		return nil, fmt.Errorf("error ratio %v is not from 0 to 1", o.ErrorRatio)
	case o.StallEvery < 0 || o.StallFor < 0 || o.StallEvery > 0 && o.StallFor > o.StallEvery:
		return nil, fmt.Errorf("a stall of %v does not fit into %v", o.StallFor, o.StallEvery)
	}
	return &Target{script: o, shop: newShop()}, nil
}

// ServeHTTP responds to any method and path. The query may replace the script for one
// request: latency=50ms, status=404, size=10KiB (of the body). Below /shop/ is a shop with
// logins, which follows the script in its latencies and in what fails.
func (t *Target) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	arrived := time.Now()
	if t.script.Observe != nil {
		t.script.Observe(r)
	}
	a, err := t.response(r, t.requests.Add(1))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	timer := time.NewTimer(t.script.stall(arrived) + a.latency)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
		return
	}
	if a.status == http.StatusOK && strings.HasPrefix(r.URL.Path, shopPath) {
		t.shop.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", a.contentType())
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body()) // A client that has gone away needs no response.
}

// stall returns how long after an instant the stall that it falls in ends.
func (o Options) stall(at time.Time) time.Duration {
	if o.StallEvery == 0 {
		return 0
	}
	into := time.Duration(at.UnixNano()) % o.StallEvery
	return max(0, o.StallFor-into)
}

// Serve serves HTTP/1.1 and HTTP/2 without TLS on the listener until ctx ends. It
// closes the listener and returns nil after a graceful stop.
func (t *Target) Serve(ctx context.Context, l net.Listener) error {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	s := &http.Server{Handler: t, ReadHeaderTimeout: 10 * time.Second, Protocols: &protocols}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	select {
	case err := <-done:
		return fmt.Errorf("demo target: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := s.Shutdown(stop); err != nil {
		_ = s.Close() // Requests that are still open have had their time.
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("demo target: %w", err)
	}
	return nil
}
