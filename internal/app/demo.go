package app

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	toolkit "github.com/prometheus/exporter-toolkit/web"

	"github.com/traffic-exporter/traffic_exporter/internal/demo"
)

//go:embed demo.yaml
var demoConfig []byte

// demoTarget is the variable that stands for the target's address in demo.yaml.
const demoTarget = "DEMO_TARGET"

// TargetOptions are the address and the script of the demo's target.
type TargetOptions struct {
	Listen               string
	P50, P99             time.Duration
	ErrorRatio           float64
	StallEvery, StallFor time.Duration
}

// listen returns the target and its listener.
func (o TargetOptions) listen(ctx context.Context) (*demo.Target, net.Listener, error) {
	target, err := demo.New(demo.Options{
		Law:        demo.Law{P50: o.P50, P99: o.P99},
		ErrorRatio: o.ErrorRatio,
		StallEvery: o.StallEvery,
		StallFor:   o.StallFor,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("target: %w", err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return nil, nil, fmt.Errorf("target: %w", err)
	}
	return target, l, nil
}

// script describes the target's behaviour.
func (o TargetOptions) script() string {
	text := fmt.Sprintf("responds in %v (median) to %v (99th percentile), %g %% of them with status 503", o.P50, o.P99, 100*o.ErrorRatio)
	if o.StallEvery > 0 {
		text += fmt.Sprintf(", and stalls for %v in every %v", o.StallFor, o.StallEvery)
	}
	return text
}

// Target runs the demo's target alone until ctx ends.
func Target(ctx context.Context, w io.Writer, o TargetOptions, logger *slog.Logger) error {
	target, l, err := o.listen(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "The target on http://%s %s.\nAsk otherwise with ?latency=50ms&status=404&size=10240. Ctrl-C ends it.\n", l.Addr(), o.script())
	logger.Info("target listens", "address", l.Addr().String())
	return target.Serve(ctx, l)
}

// DemoOptions say where the demo runs.
type DemoOptions struct {
	Target TargetOptions
	// Web are the exporter-toolkit's flags.
	Web    *toolkit.FlagConfig
	Logger *slog.Logger
}

// Demo runs a target and the exporter together until ctx ends, and prints what to
// open. The configuration is a temporary file, so that it can be edited meanwhile.
func Demo(ctx context.Context, w io.Writer, o DemoOptions) (err error) {
	target, l, err := o.Target.listen(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "traffic_exporter-demo-")
	if err != nil {
		return errors.Join(fmt.Errorf("demo: %w", err), l.Close())
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	a, err := newDemoApp(dir, l.Addr().String(), o)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	// The target outlives the exporter, which finishes its requests first.
	serving, stopTarget := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- target.Serve(serving, l) }()
	a.announce = func(addrs []net.Addr) {
		web := (*o.Web.WebListenAddresses)[0] // What systemd and vsock are listened on with is not known.
		if len(addrs) > 0 {
			web = addrs[0].String()
		}
		printDemo(w, o.Target, l.Addr().String(), web, filepath.Join(dir, "config.yaml"))
	}
	err = a.Run(ctx)
	stopTarget()
	return errors.Join(err, <-served)
}

func newDemoApp(dir, target string, o DemoOptions) (*App, error) {
	file := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(file, demoConfig, 0o600); err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	return New(Options{
		ConfigFile:    file,
		WatchInterval: time.Second,
		Web:           o.Web,
		EnableControl: true, // It is a demo, on loopback.
		Logger:        o.Logger,
		getenv: func(name string) (string, bool) {
			if name == demoTarget {
				return target, true
			}
			return os.LookupEnv(name)
		},
	})
}

func printDemo(w io.Writer, o TargetOptions, target, web, file string) {
	fmt.Fprintf(w, `
The target on http://%[1]s
  %[2]s.
The exporter on http://%[3]s sends it "steady" (50/s), "wave" (10/s to 90/s every two minutes, Poisson)
  and "shop" (a visit a second: users log in, browse, and some buy).

  metrics        curl -s http://%[3]s/metrics | grep -E 'traffic_(slots|request_failures|target)'
  in a browser   http://%[3]s/
  configuration  %[4]s  (edit it: it is read again within a second)
  the day ahead  DEMO_TARGET=%[1]s traffic_exporter preview %[4]s
  one visit      DEMO_TARGET=%[1]s traffic_exporter send %[4]s shop
  another rate   traffic_exporter rate set steady x3 --for=1m --reason=demo --url=http://%[3]s

Let Prometheus scrape it:

  scrape_configs:
    - job_name: traffic_exporter
      scrape_interval: 5s
      scrape_native_histograms: true
      static_configs: [{targets: ["%[3]s"]}]

  histogram_quantile(0.99, sum by (scenario) (rate(traffic_request_duration_seconds[1m])))

Ctrl-C ends the demo.

`, target, o.script(), web, file)
}
