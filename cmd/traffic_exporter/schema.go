package main

import (
	"context"
	"io"
	"log/slog"

	"github.com/alecthomas/kingpin/v2"

	"github.com/traffic-exporter/traffic_exporter/internal/app"
)

func addSchema(cli *kingpin.Application, stdout io.Writer, _ func() *slog.Logger) commands {
	cmd := cli.Command("schema", "Print the JSON Schema of the configuration file, for editors.")
	return commands{cmd.FullCommand(): func(context.Context) error { return app.Schema(stdout) }}
}
