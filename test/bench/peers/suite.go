//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// options is what the command line says.
type options struct {
	size, only, docs    string
	command             string
	repetitions         int
	window              time.Duration
	targetCPU, toolCPUs string
	revision            string
	profiles            string
	finders             []finder
}

// plan returns the plan that the options ask for.
func (o options) plan() (plan, error) {
	p, err := newPlan(o.size)
	if err != nil {
		return p, err
	}
	if o.repetitions != 0 {
		p.Repetitions = o.repetitions
	}
	if o.window != 0 {
		p.Window = o.window
	}
	p.TargetCPU, p.ToolCPUs, p.Unanswered = o.targetCPU, o.toolCPUs, job{Rate: flatOut}.connections()
	if p.ToolCPUs == "" {
		if p.ToolCPUs, err = others(o.targetCPU, runtime.NumCPU()); err != nil {
			return p, err
		}
	}
	return p, p.finish()
}

// others returns all processors but the one, as taskset names them.
func others(cpu string, n int) (string, error) {
	if n < 2 {
		return "", errors.New("it takes two processors, one for the target and one for the tools")
	}
	var all []string
	for i := range n {
		if s := strconv.Itoa(i); s != cpu {
			all = append(all, s)
		}
	}
	return strings.Join(all, ","), nil
}

// countProcessors returns how many processors a list for taskset has, such as 0,2-4.
func countProcessors(list string) int {
	n := 0
	for part := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		from, _ := strconv.Atoi(first)
		to, _ := strconv.Atoi(last)
		n++
		if isRange {
			n += max(0, to-from)
		}
	}
	return n
}

// measureAll finds the programs, runs the plan, and reports each run as it ends.
func measureAll(ctx context.Context, o options, out io.Writer) (r *results, err error) {
	p, err := o.plan()
	if err != nil {
		return nil, err
	}
	only, err := regexp.Compile(o.only)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "peers")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err = pinSelf(ctx, o.targetCPU); err != nil {
		return nil, err
	}
	r = &results{
		Date: time.Now().UTC(), Command: o.command,
		Revision: o.revision, Machine: thisMachine(), Settings: p.settings,
	}
	b := &bench{plan: p, self: self, dir: dir, profiles: o.profiles}
	s := &suite{bench: b, results: r, out: out, tools: map[string]tool{}, missing: map[string]string{}}
	if err = s.find(ctx, o.finders); err != nil {
		return nil, err
	}
	if b.nginx != nil {
		defer func() {
			if stopped := b.nginx.stop(); ctx.Err() == nil {
				err = errors.Join(err, stopped)
			}
		}()
	}
	r.Cells = p.cells(s.all, only)
	return r, s.run(ctx)
}

// pinSelf keeps the suite's own threads away from the tools.
func pinSelf(ctx context.Context, cpu string) error {
	said, err := exec.CommandContext(ctx, "taskset", "-a", "-p", "-c", cpu, strconv.Itoa(os.Getpid())).CombinedOutput()
	if err != nil {
		return fmt.Errorf("taskset, of util-linux, does not work: %w: %s", err, said)
	}
	return nil
}

// suite runs the cells and reports on them.
type suite struct {
	bench   *bench
	results *results
	out     io.Writer
	all     []tool
	tools   map[string]tool
	// missing is why a tool cannot be run, by name.
	missing map[string]string
}

// find finds the programs and starts nginx.
func (s *suite) find(ctx context.Context, finders []finder) error {
	paths := map[string]string{"self": s.bench.self}
	for _, f := range finders {
		path, p := f.find(ctx)
		if f.name == "nginx" && path != "" {
			dir := filepath.Join(s.bench.dir, "nginx")
			if err := os.Mkdir(dir, 0o700); err != nil {
				return err
			}
			n, err := startNginx(ctx, path, p.Version, s.bench.TargetCPU, dir)
			if err != nil {
				return err
			}
			s.bench.nginx = n
		}
		paths[f.name] = path
		s.results.Programs = append(s.results.Programs, p)
		if p.Missing != "" {
			s.missing[f.name] = p.Missing
			fmt.Fprintf(s.out, "%s: %s\n", p.Name, p.Missing)
		}
	}
	s.all = tools(paths)
	for _, t := range s.all {
		s.tools[t.Name()] = t
	}
	return nil
}

// run runs all repetitions.
func (s *suite) run(ctx context.Context) error {
	for _, c := range s.results.Cells {
		c.Skipped = s.skipped(c)
		if d, ok := s.tools[c.Tool].(divider); ok {
			c.Divided = d.Divides(job{Protocol: c.Protocol, Rate: c.Rate})
		}
	}
	total, done := s.runs()*s.bench.Repetitions, 0
	fmt.Fprintf(s.out, "%d runs, some %v\n", total, s.estimate().Round(time.Minute))
	for repetition := range s.bench.Repetitions {
		for _, c := range order(s.results.Cells, repetition) {
			if c.Skipped != "" {
				continue
			}
			r, err := s.bench.measure(ctx, s.tools[c.Tool], c)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if why, ok := errors.AsType[unsupported](err); ok {
				c.Skipped = string(why)
				continue
			}
			if err != nil {
				r.Error = err.Error()
			}
			r.Repetition = repetition
			c.Runs = append(c.Runs, r)
			done++
			fmt.Fprintf(s.out, "%3d/%d %-50s %s\n", done, total, c, r)
		}
	}
	return nil
}

// runs returns how many cells there are to run.
func (s *suite) runs() int {
	n := 0
	for _, c := range s.results.Cells {
		if c.Skipped == "" {
			n++
		}
	}
	return n
}

// estimate returns about how long all runs take.
func (s *suite) estimate() time.Duration {
	const around = 500 * time.Millisecond // For starting and stopping.
	var sum time.Duration
	for _, c := range s.results.Cells {
		if c.Skipped == "" {
			sum += time.Duration(s.bench.lasting(c.Kind))*time.Second + around
		}
	}
	return sum * time.Duration(s.bench.Repetitions)
}

// skipped returns why a cell cannot be run, or nothing.
func (s *suite) skipped(c *cell) string {
	name, _, _ := strings.Cut(c.Tool, ",")
	if why := s.missing[name]; why != "" {
		return why
	}
	if c.Kind == load && s.bench.nginx == nil {
		return "there is no target, as nginx is missing"
	}
	if _, err := s.tools[c.Tool].Command(job{Protocol: c.Protocol, Rate: c.Rate, Dir: s.bench.dir, Seconds: 1}); err != nil {
		if why, ok := errors.AsType[unsupported](err); ok {
			return string(why)
		}
	}
	return ""
}

// String returns the run in a line.
func (r run) String() string {
	if r.Error != "" {
		return r.Error
	}
	line := fmt.Sprintf("%.0f/s, %v a request, %.0f MB", r.throughput(), r.perRequest().Round(100*time.Nanosecond), float64(r.Memory.Peak)/1e6)
	if x := r.Receiver; x != nil {
		line += fmt.Sprintf("; late %v, p99 %v; reported %v, p99 %v (true %v, %v)", round(x.Even.P50), round(x.Even.P99),
			round(r.Reported.P50), round(r.Reported.P99), round(x.Truth.P50), round(x.Truth.P99))
	}
	return line
}

// round rounds a duration to three digits or so.
func round(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d.Abs()/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit)
}
