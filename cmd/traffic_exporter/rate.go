package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/user"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/traffic-exporter/traffic_exporter/internal/control"
	"github.com/traffic-exporter/traffic_exporter/internal/web"
)

// addRate adds the commands that see and change the rates of a running fleet.
func addRate(cli *kingpin.Application, stdout io.Writer, _ func() *slog.Logger) commands {
	cmd := cli.Command("rate", "See and change the rates of a running fleet.")
	var o control.Options
	cmd.Flag("url", "URL of any replica of the fleet.").
		Default("http://localhost:9870").Envar("TRAFFIC_EXPORTER_URL").StringVar(&o.URL)
	cmd.Flag("http.config.file", "HTTP client configuration file with TLS and authentication, as Prometheus' http_config.").
		PlaceHolder("FILE").StringVar(&o.HTTPConfigFile)
	cmd.Flag("timeout", "How long to wait for the response.").
		Default("10s").DurationVar(&o.Timeout)

	all := commands{}
	addRateList(cmd, all, stdout, &o)
	addRateSet(cmd, all, stdout, &o)
	addRateClear(cmd, all, stdout, &o)
	return all
}

func addRateList(rate *kingpin.CmdClause, all commands, stdout io.Writer, o *control.Options) {
	cmd := rate.Command("list", "Print the scenarios with their rates and what changes them.")
	all[cmd.FullCommand()] = func(ctx context.Context) error {
		client, err := control.New(*o)
		if err != nil {
			return err
		}
		scenarios, err := client.Scenarios(ctx)
		if err != nil {
			return err
		}
		return control.PrintList(stdout, scenarios, time.Now())
	}
}

func addRateSet(rate *kingpin.CmdClause, all commands, stdout io.Writer, o *control.Options) {
	cmd := rate.Command("set", "Change the rate of a scenario until it expires.")
	var wanted web.OverrideRequest
	scenario := cmd.Arg("scenario", "Name of the scenario.").Required().String()
	change := cmd.Arg("rate", "The whole fleet's rate such as 600/s, or a factor of the file's such as x2, x0.5 or x0.").Required().String()
	cmd.Flag("for", "How long, such as 30m. Either this or --until.").StringVar(&wanted.For)
	until := cmd.Flag("until", "Until when (RFC 3339).").String()
	cmd.Flag("reason", "Why, for those who look at the graphs.").Required().StringVar(&wanted.Reason)
	cmd.Flag("by", "Who asks; your user name at this host when left out.").StringVar(&wanted.By)
	yes := cmd.Flag("yes", "Do not ask for the scenario's name before a rate of more than three times the file's peak.").Bool()
	cmd.Flag("force", "Set a rate of more than ten times the file's peak even if there is no max_rate.").BoolVar(&wanted.Force)
	all[cmd.FullCommand()] = func(ctx context.Context) error {
		value, err := control.Change(*change)
		if err != nil {
			return err
		}
		wanted.Rate, wanted.Factor = value.Rate, value.Factor
		if wanted.Until, err = parseTime("--until", *until); err != nil {
			return err
		}
		if wanted.By == "" {
			wanted.By = whoAsks()
		}
		client, err := control.New(*o)
		if err != nil {
			return err
		}
		if !*yes {
			if err = confirm(ctx, client, stdout, *scenario, wanted); err != nil {
				return err
			}
		}
		s, err := client.Set(ctx, *scenario, wanted)
		if err != nil {
			return err
		}
		control.PrintChange(stdout, s, time.Now())
		return nil
	}
}

// confirm asks for a confirmation of a change, if it needs one.
func confirm(ctx context.Context, client *control.Client, stdout io.Writer, scenario string, wanted web.OverrideRequest) error {
	p, err := client.Preview(ctx, scenario, wanted)
	if err != nil {
		return err
	}
	return control.Confirm(os.Stdin, stdout, p)
}

func addRateClear(rate *kingpin.CmdClause, all commands, stdout io.Writer, o *control.Options) {
	cmd := rate.Command("clear", "End the change of a scenario's rate.")
	var wanted web.ClearRequest
	scenario := cmd.Arg("scenario", "Name of the scenario.").Required().String()
	cmd.Flag("reason", "Why.").StringVar(&wanted.Reason)
	cmd.Flag("by", "Who asks; your user name at this host when left out.").StringVar(&wanted.By)
	all[cmd.FullCommand()] = func(ctx context.Context) error {
		if wanted.By == "" {
			wanted.By = whoAsks()
		}
		client, err := control.New(*o)
		if err != nil {
			return err
		}
		s, err := client.Clear(ctx, *scenario, wanted)
		if err != nil {
			return err
		}
		control.PrintChange(stdout, s, time.Now())
		return nil
	}
}

// whoAsks returns the user at this host. It is empty if neither is known: the server names
// who has authenticated, or the address, then.
func whoAsks() string {
	name := os.Getenv("USER")
	if u, err := user.Current(); name == "" && err == nil {
		name = u.Username // Containers and cron set no USER.
	}
	host, err := os.Hostname()
	if name == "" || err != nil {
		return name
	}
	return name + "@" + host
}
