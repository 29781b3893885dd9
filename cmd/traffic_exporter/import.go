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
	addImportCurl(cmd, all, stdout)
	addImportOpenAPI(cmd, all, stdout)
	return all
}

func addImportHAR(parent *kingpin.CmdClause, all commands, stdout io.Writer) {
	cmd := parent.Command("har", "Write the configuration of a journey for an HTTP archive, as browsers save it.")
	file := cmd.Arg("file", "The archive; - is standard input.").Required().String()
	var o app.ImportOptions
	o.By = cmd.FullCommand()
	outputFlags(cmd, &o)
	trafficFlags(cmd, &o)
	journeyFlags(cmd, &o)
	all[cmd.FullCommand()] = func(context.Context) error { return app.ImportHAR(stdout, *file, o) }
}

func addImportCurl(parent *kingpin.CmdClause, all commands, stdout io.Writer) {
	cmd := parent.Command("curl", "Write the configuration of a mix for commands of curl, as browsers copy them.")
	file := cmd.Arg("file", "The commands; standard input when left out.").Default("-").String()
	var o app.ImportOptions
	o.By = cmd.FullCommand()
	outputFlags(cmd, &o)
	trafficFlags(cmd, &o)
	all[cmd.FullCommand()] = func(context.Context) error { return app.ImportCurl(stdout, *file, o) }
}

func addImportOpenAPI(parent *kingpin.CmdClause, all commands, stdout io.Writer) {
	cmd := parent.Command("openapi", "Write the configuration of a mix for the operations of an API that OpenAPI 3 describes.")
	file := cmd.Arg("file", "The description, in YAML or JSON; - is standard input.").Required().String()
	var o app.ImportOpenAPIOptions
	o.By = cmd.FullCommand()
	outputFlags(cmd, &o.ImportOptions)
	cmd.Flag("method", "A method whose operations are imported, in place of GET and HEAD. Repeatable.").StringsVar(&o.Methods)
	cmd.Flag("server", "URL of the API, in place of the description's.").PlaceHolder("URL").StringVar(&o.Server)
	all[cmd.FullCommand()] = func(context.Context) error { return app.ImportOpenAPI(stdout, *file, o) }
}

// outputFlags adds the flags of all imports.
func outputFlags(cmd *kingpin.CmdClause, o *app.ImportOptions) {
	cmd.Flag("output", "The file to write; standard output when left out.").Short('o').PlaceHolder("FILE").StringVar(&o.Output)
	cmd.Flag("env-file", "A file to write the environment variables to that the configuration needs, with their values, for a shell to read.").PlaceHolder("FILE").StringVar(&o.EnvFile)
	cmd.Flag("force", "Overwrite files.").BoolVar(&o.Force)
	cmd.Flag("name", "Name of the scenario; made of the host or the title when left out.").StringVar(&o.Name)
	cmd.Flag("rate", "Rate of the scenario.").Default("1/m").StringVar(&o.Rate)
}

// trafficFlags adds those of imports of requests that were really sent.
func trafficFlags(cmd *kingpin.CmdClause, o *app.ImportOptions) {
	cmd.Flag("host", "A host to keep requests to, beside the one that has most. Repeatable.").StringsVar(&o.Hosts)
	cmd.Flag("static", "Keep requests for images, scripts, styles and fonts.").BoolVar(&o.Static)
	cmd.Flag("headers", "Keep the headers that browsers add, such as User-Agent and Referer.").BoolVar(&o.Headers)
	cmd.Flag("insecure-skip-verify", "Accept any certificate of the target.").BoolVar(&o.Insecure)
	cmd.Flag("secrets", "Write secrets such as passwords and tokens into the configuration, in place of environment variables.").BoolVar(&o.Secrets)
	cmd.Flag("personal-data", "Write personal data such as e-mail addresses and card numbers into the configuration, in place of environment variables.").BoolVar(&o.Personal)
}

// journeyFlags adds those of imports that know when requests were sent and what came back.
func journeyFlags(cmd *kingpin.CmdClause, o *app.ImportOptions) {
	cmd.Flag("max-pause", "The longest pause between two requests; 0s for no pauses.").Default("30s").DurationVar(&o.MaxPause)
}

func addRecord(cli *kingpin.Application, stdout io.Writer, logger func() *slog.Logger) commands {
	cmd := cli.Command("record", "Pass requests on to a target until SIGINT or SIGTERM, and then write a configuration for them.")
	var o app.RecordOptions
	o.By = cmd.FullCommand()
	cmd.Flag("target", "Scheme and host of the target, such as https://shop.staging.example.").Required().StringVar(&o.Target)
	cmd.Flag("listen", "The address to take requests at.").Default("127.0.0.1:9872").StringVar(&o.Listen)
	cmd.Flag("har", "A file to write the recording itself to, as an HTTP archive with all secrets.").PlaceHolder("FILE").StringVar(&o.HAR)
	outputFlags(cmd, &o.ImportOptions)
	trafficFlags(cmd, &o.ImportOptions)
	journeyFlags(cmd, &o.ImportOptions)
	return commands{cmd.FullCommand(): func(ctx context.Context) error {
		o.Logger = logger()
		return app.Record(ctx, stdout, o)
	}}
}
