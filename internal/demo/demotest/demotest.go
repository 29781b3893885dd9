// Package demotest runs the demo's target for tests of other packages.
package demotest

import (
	"context"
	"net"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/demo"
)

// Start runs a target on a free port of loopback until the end of the test and returns
// its address. A target that fails fails the test.
func Start(tb testing.TB, o demo.Options) string {
	tb.Helper()
	target, err := demo.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- target.Serve(ctx, l) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			tb.Error(err)
		}
	})
	return l.Addr().String()
}
