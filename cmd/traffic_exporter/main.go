// The command traffic_exporter sends synthetic traffic at a shared rate and exposes
// how it went as Prometheus metrics.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	// Time zones come with the binary: the image has no database of its own.
	_ "time/tzdata"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	promslogflag "github.com/prometheus/common/promslog/flag"
	"github.com/prometheus/common/version"
	"github.com/prometheus/exporter-toolkit/web/kingpinflag"
	"golang.org/x/term"

	"github.com/traffic-exporter/traffic_exporter/internal/app"
	"github.com/traffic-exporter/traffic_exporter/internal/web"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run parses the command line, runs the command and returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	cli := kingpin.New("traffic_exporter", "Always-on synthetic load, native to Prometheus.")
	cli.Version(version.Print("traffic_exporter"))
	cli.UsageWriter(stdout)
	cli.HelpFlag.Short('h')
	cli.UsageTemplate(kingpin.LongHelpTemplate)

	logConfig := promslog.Config{Writer: stderr}
	promslogflag.AddFlags(cli, &logConfig)
	// The logger exists once the flags are parsed.
	all := addCommands(cli, stdout, func() *slog.Logger { return newLogger(&logConfig) })

	name, err := cli.Parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "traffic_exporter: %v, try --help\n", err)
		return 1
	}
	// The first signal starts an orderly stop; a second one ends the process.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := all[name](ctx); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// newLogger returns the process's logger, which also gets what net/http has to say of servers
// that speak out of turn, and quic-go of the buffers of UDP: they only know the global one.
func newLogger(c *promslog.Config) *slog.Logger {
	logger := promslog.New(c)
	slog.SetLogLoggerLevel(slog.LevelDebug)
	slog.SetDefault(logger)
	return logger
}

// command is what runs when its name was given; ctx ends with SIGINT or SIGTERM.
type command func(ctx context.Context) error

// commands are commands by their full names, such as "rate set".
type commands map[string]command

func addCommands(cli *kingpin.Application, stdout io.Writer, logger func() *slog.Logger) commands {
	all := commands{}
	for _, add := range []func(*kingpin.Application, io.Writer, func() *slog.Logger) commands{
		addRun, addCheck, addSchema, addPreview, addSend, addRate, addImport, addRecord, addDemo, addTarget,
	} {
		maps.Copy(all, add(cli, stdout, logger))
	}
	return all
}

func addRun(cli *kingpin.Application, _ io.Writer, logger func() *slog.Logger) commands {
	cmd := cli.Command("run", "Send the traffic that the configuration asks for. The default command.").Default()
	var o app.Options
	cmd.Flag("config.file", "Path to the configuration file.").
		Default("config.yaml").StringVar(&o.ConfigFile)
	cmd.Flag("config.watch-interval", "How often to look whether the configuration file has changed; 0 to never look. SIGHUP and POST /-/reload work besides.").
		Default("5s").DurationVar(&o.WatchInterval)
	cmd.Flag("dry-run", "Send everything to a target within the process, in the place of those of the file, and judge no response.").
		BoolVar(&o.DryRun)
	cmd.Flag("web.enable-control", "Allow requests over HTTP that change the rate.").
		BoolVar(&o.EnableControl)
	cmd.Flag("web.allowed-hosts", "With --web.enable-control, names or addresses under which requests that change something may be sent to this replica, beside localhost and the address that it is reached at. Comma-separated or repeated.").
		PlaceHolder("HOST").StringsVar(&o.AllowedHosts)
	cmd.Flag("web.external-url", "The URL under which this replica is reached from outside, such as through an ingress. Its host is an allowed one.").
		PlaceHolder("URL").StringVar(&o.ExternalURL)
	cmd.Flag("web.route-prefix", "The path under which everything is served; that of --web.external-url when left out.").
		PlaceHolder("PATH").StringVar(&o.RoutePrefix)
	cmd.Flag("web.max-connections", "How many connections are open to the web server at a time; for another one the longest idle one is closed.").
		Default(strconv.Itoa(web.DefaultMaxConnections)).IntVar(&o.MaxConnections)
	o.Web = kingpinflag.AddFlags(cmd, ":9870")
	return commands{cmd.FullCommand(): func(ctx context.Context) error {
		o.Logger = logger()
		hangups := make(chan os.Signal, 1)
		signal.Notify(hangups, syscall.SIGHUP)
		defer signal.Stop(hangups)
		o.Hangups = hangups
		return app.Run(ctx, o)
	}}
}

func addCheck(cli *kingpin.Application, stdout io.Writer, _ func() *slog.Logger) commands {
	cmd := cli.Command("check", "Validate configuration files, listing every error in each.")
	files := cmd.Arg("file", "Configuration files.").Required().Strings()
	return commands{cmd.FullCommand(): func(context.Context) error {
		return app.Check(stdout, *files)
	}}
}

func addPreview(cli *kingpin.Application, stdout io.Writer, _ func() *slog.Logger) commands {
	cmd := cli.Command("preview", "Draw the coming day's rate of each scenario, with its totals.")
	var o app.PreviewOptions
	var from string
	cmd.Arg("file", "Configuration file.").Required().StringVar(&o.File)
	cmd.Flag("scenario", "Name of the only scenario to draw.").StringVar(&o.Scenario)
	cmd.Flag("from", "Draw the rate from this time on (RFC 3339) instead of now.").StringVar(&from)
	cmd.Flag("at", "The same as --from.").Hidden().StringVar(&from)
	length := model.Duration(24 * time.Hour)
	cmd.Flag("for", "How long the preview goes on, such as 1h or 7d.").Default("1d").SetValue(&length)
	cmd.Flag("format", "Format of the preview.").Default(app.PreviewText).EnumVar(&o.Format, app.PreviewText, app.PreviewJSON, app.PreviewSVG)
	return commands{cmd.FullCommand(): func(context.Context) error {
		var err error
		if o.From, err = parseTime("--from", from); err != nil {
			return err
		}
		if o.From.IsZero() {
			o.From = time.Now()
		}
		o.For, o.Width = time.Duration(length), width(stdout)
		return app.Preview(stdout, o)
	}}
}

// width returns how many columns a terminal has; 0 for anything else.
func width(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil {
			return columns
		}
	}
	return 0
}

func addSend(cli *kingpin.Application, stdout io.Writer, logger func() *slog.Logger) commands {
	var o app.SendOptions
	cmd := cli.Command("send", "Send one slot of a scenario and print all that is exchanged, of a journey step by step.")
	cmd.Arg("file", "Configuration file.").Required().StringVar(&o.File)
	cmd.Arg("scenario", "Name of the scenario; may be left out with --slot, and where there is only one.").StringVar(&o.Scenario)
	cmd.Flag("request", "Name of the request to send, instead of the one that the slot's place in the mix says.").StringVar(&o.Request)
	cmd.Flag("slot", "The slot to send, as scenario/segment/number, such as a Traffic-Slot header has it; otherwise the coming one.").StringVar(&o.Slot)
	return commands{cmd.FullCommand(): func(ctx context.Context) error {
		logger() // It takes the logs of libraries, which would otherwise mix with the output.
		return app.Send(ctx, stdout, o)
	}}
}

// parseTime reads the instant that a flag was given; it is zero if there is none.
func parseTime(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("%s: found %q, expected a time such as 2026-03-29T00:00:00Z: %w", flag, text, err)
	}
	return t, nil
}
