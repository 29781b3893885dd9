package main

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/exporter-toolkit/web/kingpinflag"

	"github.com/traffic-exporter/traffic_exporter/internal/app"
)

func addDemo(cli *kingpin.Application, stdout io.Writer, logger func() *slog.Logger) commands {
	cmd := cli.Command("demo", "Run a target and the exporter together on loopback, to look around.")
	var o app.DemoOptions
	targetFlags(cmd, "target.", &o.Target)
	o.Web = kingpinflag.AddFlags(cmd, "127.0.0.1:9870")
	return commands{cmd.FullCommand(): func(ctx context.Context) error {
		o.Logger = logger()
		return app.Demo(ctx, stdout, o)
	}}
}

func addTarget(cli *kingpin.Application, stdout io.Writer, logger func() *slog.Logger) commands {
	cmd := cli.Command("target", "Run the demo's target alone, to try a configuration against.")
	var o app.TargetOptions
	targetFlags(cmd, "", &o)
	return commands{cmd.FullCommand(): func(ctx context.Context) error {
		return app.Target(ctx, stdout, o, logger())
	}}
}

// targetFlags adds the flags that script the demo's target.
func targetFlags(cmd *kingpin.CmdClause, prefix string, o *app.TargetOptions) {
	cmd.Flag(prefix+"listen-address", "Address of the target.").
		Default("127.0.0.1:9871").StringVar(&o.Listen)
	cmd.Flag(prefix+"latency-p50", "Median of the target's latency.").
		Default("20ms").DurationVar(&o.P50)
	cmd.Flag(prefix+"latency-p99", "99th percentile of the target's latency.").
		Default("80ms").DurationVar(&o.P99)
	cmd.Flag(prefix+"error-ratio", "Share of the responses that are errors (status 503), 0 to 1.").
		Default("0.01").Float64Var(&o.ErrorRatio)
	cmd.Flag(prefix+"stall-every", "Stall once in this time; 0 to never stall.").
		Default(time.Duration(0).String()).DurationVar(&o.StallEvery)
	cmd.Flag(prefix+"stall-for", "How long a stall lasts.").
		Default("1s").DurationVar(&o.StallFor)
}
