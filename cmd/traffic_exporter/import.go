package main

import (
	"context"
	"io"
	"log/slog"

	"github.com/alecthomas/kingpin/v2"

	"github.com/traffic-exporter/traffic_exporter/internal/app"
)

// addImport adds the commands that write a configuration for recorded traffic.
func addImport(cli *kingpin.Application, stdout io.Writer, logger func() *slog.Logger) commands {
	cmd := cli.Command("import", "Write a configuration for recorded traffic.")
	all := commands{}
	addImportHAR(cmd, all, stdout)
	addImportLog(cmd, all, stdout, logger)
	return all
}

func addImportHAR(parent *kingpin.CmdClause, all commands, stdout io.Writer) {
	cmd := parent.Command("har", "Write the configuration of a journey for an HTTP archive, as browsers save it.")
	file := cmd.Arg("file", "The archive; - is standard input.").Required().String()
	var o app.ImportOptions
	o.By = cmd.FullCommand()
	importFlags(cmd, &o)
	journeyFlags(cmd, &o)
	all[cmd.FullCommand()] = func(context.Context) error { return app.ImportHAR(stdout, *file, o) }
}

// importFlags adds the flags of all imports.
func importFlags(cmd *kingpin.CmdClause, o *app.ImportOptions) {
	cmd.Flag("output", "The file to write; standard output when left out.").Short('o').PlaceHolder("FILE").StringVar(&o.Output)
	cmd.Flag("env-file", "A file to write the values to of the environment variables that the configuration needs, for a shell to read.").PlaceHolder("FILE").StringVar(&o.EnvFile)
	cmd.Flag("force", "Overwrite files.").BoolVar(&o.Force)
	cmd.Flag("name", "Name of the scenario; that of the host when left out.").StringVar(&o.Name)
	cmd.Flag("rate", "Rate of the scenario.").Default("1/m").StringVar(&o.Rate)
	cmd.Flag("host", "A host to keep requests to, beside the one that has most. Repeatable.").StringsVar(&o.Hosts)
	cmd.Flag("headers", "Keep the headers that browsers add, such as User-Agent and Referer.").BoolVar(&o.Headers)
	cmd.Flag("secrets", "Write secrets such as passwords and tokens into the configuration, in place of environment variables.").BoolVar(&o.Secrets)
	cmd.Flag("personal-data", "Write personal data such as e-mail addresses and card numbers into the configuration, likewise.").BoolVar(&o.Personal)
}

// journeyFlags adds those of imports that know when requests were sent and what came back.
func journeyFlags(cmd *kingpin.CmdClause, o *app.ImportOptions) {
	cmd.Flag("static", "Keep requests for images, scripts, styles and fonts.").BoolVar(&o.Static)
	cmd.Flag("max-pause", "The longest pause between two requests; 0s for no pauses.").Default("30s").DurationVar(&o.MaxPause)
}

func addRecord(cli *kingpin.Application, stdout io.Writer, logger func() *slog.Logger) commands {
	cmd := cli.Command("record", "Pass requests on to a target until SIGINT or SIGTERM, and then write a configuration for them.")
	var o app.RecordOptions
	o.By = cmd.FullCommand()
	cmd.Flag("target", "Scheme and host of the target, such as https://shop.staging.example.").Required().StringVar(&o.Target)
	cmd.Flag("listen", "The address to take requests at.").Default("127.0.0.1:9872").StringVar(&o.Listen)
	cmd.Flag("har", "A file to write the recording itself to, as an HTTP archive with all secrets.").PlaceHolder("FILE").StringVar(&o.HAR)
	importFlags(cmd, &o.ImportOptions)
	journeyFlags(cmd, &o.ImportOptions)
	return commands{cmd.FullCommand(): func(ctx context.Context) error {
		o.Logger = logger()
		return app.Record(ctx, stdout, o)
	}}
}
