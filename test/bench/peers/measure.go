//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const (
	// startTimeout bounds the time from the start of a tool to its first request.
	startTimeout = 15 * time.Second
	// endTimeout is how much longer than it is asked to a tool may run.
	endTimeout = 20 * time.Second
	// calm is the time between a scrape and the window.
	calm = 150 * time.Millisecond
)

// bench runs the cells, one after the other.
type bench struct {
	plan

	nginx *nginx
	// self is the suite's own binary, which is the receiver, too.
	self string
	dir  string
	// profiles is the folder for profiles of the exporter's windows; none are taken if it is empty.
	profiles string
}

// target is what a tool sends to during one run.
type target interface {
	// started waits for the first request.
	started(ctx context.Context, tool *process) error
	// count returns how many requests have come so far; 0 if that is known later.
	count(ctx context.Context) (int, error)
	pid() int
}

// moment holds the readings at one end of the window.
type moment struct {
	at       time.Time
	requests int
	cpu      time.Duration
	target   time.Duration
	own      time.Duration
	busy     time.Duration
	memory   memory
}

// measure runs a tool once.
func (b *bench) measure(ctx context.Context, t tool, c *cell) (run, error) {
	dir, err := os.MkdirTemp(b.dir, "run")
	if err != nil {
		return run{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	j := job{Protocol: c.Protocol, Rate: c.Rate, Seconds: b.lasting(c.Kind), Dir: dir, Processors: countProcessors(b.ToolCPUs), Latencies: c.Kind != load, Stall: c.Kind == stall}
	if c.Kind == load {
		j.URL = b.nginx.urls[c.Protocol]
		return b.drive(ctx, t, j, &served{nginx: b.nginx})
	}
	return b.receive(ctx, t, c, j)
}

// drive runs a tool once against a target that runs.
func (b *bench) drive(ctx context.Context, t tool, j job, to target) (run, error) {
	command, err := t.Command(j)
	if err != nil {
		return run{}, err
	}
	p, err := start(ctx, b.ToolCPUs, j.Dir, command...)
	if err != nil {
		return run{}, err
	}
	defer func() { _ = p.cmd.Process.Kill() }()
	begun, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err = to.started(begun, p); err != nil {
		return run{}, fmt.Errorf("%s sends nothing: %w", p.name, err)
	}
	e, daemon := t.(*exporter)
	if daemon {
		return b.watchDaemon(ctx, e, j, p, to)
	}
	r, err := b.watch(ctx, p, to, b.Warmup)
	if err != nil {
		return r, err
	}
	if err = p.end(j.duration() + endTimeout); err != nil {
		return r, err
	}
	r.WholeCPU = p.used()
	r.Reported, err = t.Reported(ctx, j, p.out.Bytes())
	return r, err
}

// watchDaemon is watch for the exporter, whose metrics are read before and after the
// window, so that it does not pay for it, and at the end of the time that the others
// run.
func (b *bench) watchDaemon(ctx context.Context, e *exporter, j job, p *process, to target) (run, error) {
	begin := time.Now()
	if err := p.sleep(ctx, b.Warmup-calm); err != nil {
		return run{}, err
	}
	scraped := time.Now()
	before, err := e.metrics(ctx, j)
	if err != nil {
		return run{}, err
	}
	profiled := b.profile(ctx, e, j)
	r, err := b.watch(ctx, p, to, b.Warmup-time.Since(begin))
	if err = errors.Join(err, <-profiled); err != nil {
		return r, err
	}
	between := time.Since(scraped)
	after, err := e.metrics(ctx, j)
	if err != nil {
		return r, err
	}
	l := newLedger(before, after, between)
	r.Ledger = &l
	if err = p.sleep(ctx, j.duration()-time.Since(begin)); err != nil {
		return r, err
	}
	whole, err := e.metrics(ctx, j)
	if err != nil {
		return r, err
	}
	durations := whole.histogram("traffic_request_duration_seconds")
	r.Reported = reported{P50: seconds(durations.quantile(0.5)), P99: seconds(durations.quantile(0.99)), Failed: l.Failed}
	err = p.stop()
	r.WholeCPU = p.used()
	return r, err
}

// profile takes a profile of the exporter as long as the window, if that was asked for. It returns
// where the error will come.
func (b *bench) profile(ctx context.Context, e *exporter, j job) <-chan error {
	done := make(chan error, 1)
	if b.profiles == "" {
		done <- nil
		return done
	}
	go func() {
		name := fmt.Sprintf("%s-%v.pb.gz", string(j.Protocol), float64(j.Rate))
		done <- e.profile(ctx, j, b.Window, filepath.Join(b.profiles, name))
	}()
	return done
}

// watch waits for the warm-up and returns what happened in the window after it.
func (b *bench) watch(ctx context.Context, p *process, to target, warmup time.Duration) (run, error) {
	if err := p.sleep(ctx, warmup); err != nil {
		return run{}, err
	}
	from, err := look(ctx, p, to)
	if err != nil {
		return run{}, err
	}
	if err = p.sleep(ctx, b.Window); err != nil {
		return run{}, err
	}
	until, err := look(ctx, p, to)
	if err != nil {
		return run{}, err
	}
	r := run{
		Window:    until.at.Sub(from.at),
		Requests:  until.requests - from.requests,
		CPU:       until.cpu - from.cpu,
		TargetCPU: until.target - from.target,
		Memory:    until.memory,
	}
	r.OtherCPU = max(0, until.busy-from.busy-r.CPU-r.TargetCPU-(until.own-from.own))
	return r, nil
}

// look reads all that will be compared; the values that change fastest come last, all at once.
func look(ctx context.Context, p *process, to target) (moment, error) {
	var m moment
	var errs [6]error
	m.memory, errs[0] = residentMemory(p.pid())
	m.busy, errs[1] = busyTime()
	m.own, errs[2] = processorTime(os.Getpid())
	m.target, errs[3] = processorTime(to.pid())
	m.requests, errs[4] = to.count(ctx)
	m.cpu, errs[5] = processorTime(p.pid())
	m.at = time.Now()
	return m, errors.Join(errs[:]...)
}

// served is nginx as the target of one run.
type served struct {
	*nginx
}

var _ target = (*served)(nil)

func (s *served) started(ctx context.Context, tool *process) error {
	before, err := s.requests(ctx)
	if err != nil {
		return err
	}
	for {
		if err := tool.sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
		if now, err := s.requests(ctx); err != nil || now > before {
			return err
		}
	}
}

func (s *served) count(ctx context.Context) (int, error) { return s.requests(ctx) }

// listening is the receiver as the target of one run.
type listening struct {
	*process
	// first is when the first request came, in nanoseconds of Unix time.
	first int64
}

var _ target = (*listening)(nil)

func (l *listening) started(ctx context.Context, tool *process) error {
	for {
		if bytes.Count(l.out.Bytes(), []byte("\n")) > 1 {
			first, err := l.line(ctx, 1)
			if err != nil {
				return err
			}
			l.first, err = strconv.ParseInt(first, 10, 64)
			return err
		}
		if err := tool.sleep(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
}

func (l *listening) count(context.Context) (int, error) { return 0, nil }

// receive runs a tool once against a receiver of its own.
func (b *bench) receive(ctx context.Context, t tool, c *cell, j job) (run, error) {
	s := b.Script
	if c.Kind == stall {
		s = b.Stall
	}
	records := filepath.Join(j.Dir, "records")
	l, err := b.startReceiver(ctx, s, records)
	if err != nil {
		return run{}, err
	}
	defer func() { _ = l.cmd.Process.Kill() }()
	address, err := l.line(ctx, 0)
	if err != nil {
		return run{}, err
	}
	j.URL = j.Protocol.url(address)
	r, err := b.drive(ctx, t, j, l)
	if err != nil {
		return r, err
	}
	if err = l.stop(); err != nil {
		return r, err
	}
	all, err := readRecords(records)
	if err != nil {
		return r, err
	}
	b.judge(&r, c, s, l.first, all)
	return r, nil
}

func (b *bench) startReceiver(ctx context.Context, s script, records string) (*listening, error) {
	p, err := start(ctx, b.TargetCPU, b.dir, b.self, "receiver",
		"-p50", s.P50.String(), "-p99", s.P99.String(), "-stall-at", s.StallAt.String(), "-stall-for", s.StallFor.String(), "-records", records)
	return &listening{process: p}, err
}

// judge compares what the receiver has seen with what should have been.
func (b *bench) judge(r *run, c *cell, s script, first int64, all []record) {
	from := first + int64(b.Warmup)
	in := within(all, from, from+int64(b.Window))
	r.Requests, r.Window = len(in), b.Window
	stamped := 0
	last := first
	var answers []time.Duration
	for _, x := range all {
		if x.Responded > 0 { // Or else the tool has not waited for it.
			answers = append(answers, time.Duration(x.Responded-x.Arrived))
		}
		if x.Stamped {
			stamped++
		}
		last = max(last, x.Arrived)
	}
	stallFrom := first + int64(s.StallAt)
	kept := fitRate(arrivals(in), float64(c.Rate))
	r.Receiver = &received{
		Stamped:   float64(stamped) / float64(max(1, len(all))),
		Even:      againstEven(arrivals(in), kept),
		Nominal:   againstEven(arrivals(in), float64(c.Rate)),
		Truth:     s.truth(float64(c.Rate), time.Duration(last-first)),
		Responded: newTruth(answers),
		Stalled:   float64(len(within(all, stallFrom, stallFrom+int64(s.StallFor)))) / max(1, float64(c.Rate)*s.StallFor.Seconds()),
	}
	if c.Divided > 0 {
		own := againstOwn(in, kept, c.Divided)
		r.Receiver.Own = &own
	}
}
