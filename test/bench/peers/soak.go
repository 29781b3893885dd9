//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// soakPoints is at how many points a soak looks: the three in the middle, of the fourth
// to the sixth, are compared with the last three.
const soakPoints = 10

// soakOptions is what the command line of a soak says.
type soakOptions struct {
	exporter string
	duration time.Duration
	rate     float64
	protocol string
}

// soakCommand runs the exporter for a while and fails if it grows.
func soakCommand(ctx context.Context, args []string, out io.Writer) error {
	var o soakOptions
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.StringVar(&o.exporter, "traffic_exporter", "traffic_exporter", "the program")
	flags.DurationVar(&o.duration, "duration", 10*time.Minute, "how long to send")
	flags.Float64Var(&o.rate, "rate", 5000, "requests a second")
	flags.StringVar(&o.protocol, "protocol", string(http1), "http1 or h2c")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if p := protocol(o.protocol); p != http1 && p != h2c {
		return fmt.Errorf("found the protocol %q, expected http1 or h2c", o.protocol)
	}
	if o.duration < time.Second || o.rate <= 0 {
		return errors.New("the duration has to be a second or more and the rate above 0")
	}
	points, err := o.run(ctx, out)
	if err != nil {
		return err
	}
	return judgeSoak(points, o.inFlight(), out)
}

// inFlight returns how many requests may be unanswered: with the receiver's time to
// respond, several times as many as needed.
func (o soakOptions) inFlight() int { return max(64, int(o.rate/100)) }

// point holds the exporter's figures at one moment.
type point struct {
	at                        time.Duration
	finished, failed, dropped float64
	// rss is in bytes.
	rss, goroutines, files, series float64
}

// run sends and returns the figures.
func (o soakOptions) run(ctx context.Context, out io.Writer) (points []point, err error) {
	path, err := exec.LookPath(o.exporter)
	if err != nil {
		return nil, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cpus, err := others("0", runtime.NumCPU())
	if err != nil {
		return nil, err
	}
	receiver, err := start(ctx, "0", dir, self, "receiver", "-p50", "1ms", "-p99", "3ms")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, receiver.stop()) }()
	address, err := receiver.line(ctx, 0)
	if err != nil {
		return nil, err
	}
	e, p := &exporter{path: path, inFlight: o.inFlight()}, protocol(o.protocol)
	j := job{Protocol: p, Rate: rate(o.rate), URL: p.url(address), Dir: dir}
	command, err := e.Command(j)
	if err != nil {
		return nil, err
	}
	daemon, err := start(ctx, cpus, dir, command...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, daemon.stop()) }()
	fmt.Fprintf(out, "%s at %s for %v\n%10s %12s %8s %8s %9s %11s %6s %7s\n", p, j.Rate, o.duration,
		"after", "finished", "failed", "dropped", "RSS MB", "goroutines", "files", "series")
	begin := time.Now()
	for i := range soakPoints {
		next := o.duration * time.Duration(i+1) / soakPoints
		if err := daemon.sleep(ctx, next-time.Since(begin)); err != nil {
			return points, err
		}
		seen, err := e.look(ctx, j, daemon.pid())
		if err != nil {
			return points, err
		}
		seen.at = next
		points = append(points, seen)
		fmt.Fprintln(out, seen)
	}
	return points, nil
}

// look returns what there is to see of the exporter now.
func (e *exporter) look(ctx context.Context, j job, pid int) (point, error) {
	m, err := e.metrics(ctx, j)
	if err != nil {
		return point{}, err
	}
	rss, err := residentMemory(pid)
	if err != nil {
		return point{}, err
	}
	files, err := openFiles(pid)
	return point{
		finished: m.sum("traffic_slots_finished_total"), failed: m.sum("traffic_request_failures_total"), dropped: m.sum("traffic_slots_dropped_total"),
		rss: float64(rss.Now), goroutines: m.sum("go_goroutines"), files: float64(files), series: float64(m.series()),
	}, err
}

// String returns the point as a row of the table.
func (p point) String() string {
	return fmt.Sprintf("%10v %12.0f %8.0f %8.0f %9.1f %11.0f %6.0f %7.0f",
		p.at.Round(100*time.Millisecond), p.finished, p.failed, p.dropped, p.rss/1e6, p.goroutines, p.files, p.series)
}

// tolerance is how much the mean of a quantity's last points may be above that of the
// middle ones: a part of it, and what the limit of requests in flight allows, since a
// single hiccup of the machine may open as many connections and start as many
// goroutines. What leaks knows no such limit.
type tolerance struct {
	name  string
	part  float64
	extra float64
	unit  float64
	of    func(point) float64
}

func tolerances(inFlight int) []tolerance {
	limit := float64(inFlight)
	const megabyte = 1e6
	return []tolerance{
		{"RSS in MB", 0.10, 4 * megabyte, megabyte, func(p point) float64 { return p.rss }},
		{"goroutines", 0.10, 3 * limit, 1, func(p point) float64 { return p.goroutines }},
		{"files", 0.10, limit, 1, func(p point) float64 { return p.files }},
		{"series", 0.01, 2, 1, func(p point) float64 { return p.series }},
	}
}

// judgeSoak fails if something has grown, or if next to nothing was sent.
func judgeSoak(points []point, inFlight int, out io.Writer) error {
	last := points[len(points)-1]
	if last.finished == 0 || last.failed > last.finished/100 {
		return fmt.Errorf("%.0f requests have finished, %.0f of them badly: this was no soak", last.finished, last.failed)
	}
	var errs []error
	for _, t := range tolerances(inFlight) {
		middle, end := mean(points[3:6], t.of), mean(points[soakPoints-3:], t.of)
		limit := middle*(1+t.part) + t.extra
		fmt.Fprintf(out, "%s: %.1f in the middle, %.1f at the end, at most %.1f\n", t.name, middle/t.unit, end/t.unit, limit/t.unit)
		if end > limit {
			errs = append(errs, fmt.Errorf("%s: %.1f at the end are more than %.1f", t.name, end/t.unit, limit/t.unit))
		}
	}
	return errors.Join(errs...)
}

func mean(points []point, of func(point) float64) float64 {
	sum := 0.0
	for _, p := range points {
		sum += of(p)
	}
	return sum / float64(len(points))
}
