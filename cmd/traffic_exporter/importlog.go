package main

import (
	"context"
	"io"
	"log/slog"

	"github.com/alecthomas/kingpin/v2"

	"github.com/traffic-exporter/traffic_exporter/internal/app"
)

// addImportLog adds the command that writes a configuration for access logs.
func addImportLog(parent *kingpin.CmdClause, all commands, stdout io.Writer, logger func() *slog.Logger) {
	cmd := parent.Command("log", "Write the configuration of a mix of requests for access logs, with their rate over the week.")
	var o app.ImportLogOptions
	cmd.Arg("file", "The logs, compressed with gzip or zstd or not; - is standard input.").Required().StringsVar(&o.Files)
	cmd.Flag("format", "How lines are written: json, common, combined, vhost, envoy, istio or alb, or a format as the configuration of nginx, Apache or Envoy has it. Found out when left out.").
		PlaceHolder("FORMAT").StringVar(&o.Format)
	cmd.Flag("output", "The file to write; standard output when left out.").Short('o').PlaceHolder("FILE").StringVar(&o.Output)
	cmd.Flag("force", "Overwrite files.").BoolVar(&o.Force)
	cmd.Flag("name", "Name of the scenario.").Default("imported").StringVar(&o.Name)
	cmd.Flag("base-url", "Where the requests are to go.").Default("http://127.0.0.1:8080").StringVar(&o.BaseURL)
	cmd.Flag("time-zone", "Time zone of the rate over the week, such as Europe/Berlin.").Default("UTC").StringVar(&o.TimeZone)
	cmd.Flag("curve", "A file for the rate over the week, in the folder of --output; when left out, one that is named after it. Without both, the rate is in the configuration itself.").
		PlaceHolder("FILE").StringVar(&o.CurveFile)
	cmd.Flag("host", "A host to keep requests to, without a port; all when left out. Repeatable.").StringsVar(&o.Hosts)
	cmd.Flag("method", "A method to keep requests with; all when left out. Repeatable.").StringsVar(&o.Methods)
	cmd.Flag("static", "Keep requests for images, scripts, styles and fonts.").BoolVar(&o.Static)
	cmd.Flag("bots", "Keep requests of robots and health checks.").BoolVar(&o.Bots)
	cmd.Flag("min-share", "The least share of all requests that one needs to be in the mix, in percent.").Default("0.1").Float64Var(&o.MinShare)
	cmd.Flag("secrets", "Write secrets such as tokens into the configuration, in place of random text.").BoolVar(&o.Secrets)
	cmd.Flag("personal-data", "Write personal data such as e-mail addresses into the configuration too.").BoolVar(&o.Personal)
	all[cmd.FullCommand()] = func(ctx context.Context) error {
		o.Logger = logger()
		return app.ImportLog(ctx, stdout, o)
	}
}
