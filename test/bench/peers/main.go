//go:build linux

// The command peers measures what a request costs traffic_exporter and other load
// generators, how exactly they send, and how true the latencies are that they report, all
// in one run on one machine. It writes docs/performance.md with its tables and plots.
//
// Run it by `make bench-peers`. It needs Linux and two processors. It sends to loopback
// only and leaves no process behind.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"
)

//go:generate go run . render

func main() {
	// The kernel kills a child when the thread that started it ends.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := command(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// command runs the command that the first argument names, or the suite.
func command(ctx context.Context, args []string, out io.Writer) error {
	name := ""
	if len(args) > 0 {
		name = args[0]
	}
	switch name {
	case "receiver":
		return receiverCommand(ctx, args[1:], out)
	case "sleeper":
		return sleeperCommand(args[1:])
	case "soak":
		return soakCommand(ctx, args[1:], out)
	case "render":
		return renderCommand(args[1:])
	}
	return suiteCommand(ctx, args, out)
}

func receiverCommand(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("receiver", flag.ContinueOnError)
	var s script
	flags.DurationVar(&s.P50, "p50", 0, "the median of the responses' latencies")
	flags.DurationVar(&s.P99, "p99", 0, "their 99th percentile")
	flags.DurationVar(&s.StallAt, "stall-at", 0, "how long after the first request the stall begins")
	flags.DurationVar(&s.StallFor, "stall-for", 0, "how long no response is sent then")
	records := flags.String("records", "", "the file to write to, at the end, when each request came")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return runReceiver(ctx, s, *records, out)
}

// renderCommand writes the page and the plots anew from the results that are there.
func renderCommand(args []string) error {
	flags := flag.NewFlagSet("render", flag.ContinueOnError)
	docs := flags.String("docs", "../../../docs", "the folder of performance.md and performance/results.json")
	if err := flags.Parse(args); err != nil {
		return err
	}
	r, err := readResults(resultsPath(*docs))
	if err != nil {
		return err
	}
	return render(r, *docs)
}

func suiteCommand(ctx context.Context, args []string, out io.Writer) error {
	var o options
	flags := flag.NewFlagSet("peers", flag.ContinueOnError)
	quick := flags.Bool("quick", false, "a look, in two minutes, with one repetition")
	full := flags.Bool("full", false, "everything, in an hour and a half")
	flags.StringVar(&o.only, "only", "", "only what this regular expression matches: kind/protocol/rate/tool, such as load/http1/1k/wrk2")
	flags.StringVar(&o.docs, "docs", "", "the folder to write to (default docs; dist for -quick and -only)")
	flags.IntVar(&o.repetitions, "repetitions", 0, "how often each is run (default 3)")
	flags.DurationVar(&o.window, "window", 0, "how long is measured (default 3s)")
	flags.StringVar(&o.targetCPU, "target-cpu", "0", "the processor of the target")
	flags.StringVar(&o.toolCPUs, "tool-cpus", "", "the processors of the tools, such as 1-3 (default all others)")
	flags.StringVar(&o.revision, "revision", "", "the version of this project that is measured")
	flags.StringVar(&o.profiles, "profiles", "", "an existing folder for profiles of traffic_exporter, which make its figures worthless")
	o.finders = finders(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("found the argument %q, expected flags only", flags.Arg(0))
	}
	o.size, o.command = "standard", makeCommand(flags)
	if *quick {
		o.size = "quick"
	}
	if *full {
		o.size = "full"
	}
	if o.docs == "" {
		o.docs = "docs"
		if *quick || o.only != "" {
			o.docs = "dist"
		}
	}
	begin := time.Now()
	r, err := measureAll(ctx, o, out)
	if err != nil {
		return err
	}
	if err := r.save(o.docs); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s after %v\n", pagePath(o.docs), time.Since(begin).Round(time.Second))
	return nil
}

// makeCommand returns how make is asked for the run: with the flags that choose the
// measurements, and without those that say where things are.
func makeCommand(flags *flag.FlagSet) string {
	var chosen []string
	flags.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "quick", "full":
			chosen = append(chosen, "-"+f.Name)
		case "only", "repetitions", "window", "target-cpu", "tool-cpus":
			chosen = append(chosen, "-"+f.Name+" "+f.Value.String())
		}
	})
	if len(chosen) == 0 {
		return "make bench-peers"
	}
	return "make bench-peers ARGS='" + strings.Join(chosen, " ") + "'"
}
