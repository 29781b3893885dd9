//go:build linux

// Command fleetsize runs a large fleet of real replicas on loopback addresses, each with
// one of its own, and has it form, idle, be replaced and lose members at once. It reports
// how long the replicas take to agree, what each costs, and which slots a target counted
// as lost or sent twice:
//
//	fleetsize -traffic_exporter ./traffic_exporter -replicas 100 -kill 30
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"
)

// plan is what a run does.
type plan struct {
	binary         string
	replicas, kill int
	// batch is how many replicas are replaced at a time.
	batch int
	// rate is what the fleet sends, in requests/s.
	rate int
	// every is the time between two starts as the fleet forms.
	every    time.Duration
	idle     time.Duration
	patience time.Duration
}

func main() {
	var p plan
	flag.StringVar(&p.binary, "traffic_exporter", "./traffic_exporter", "the binary")
	flag.IntVar(&p.replicas, "replicas", 100, "replicas, at most 250")
	flag.IntVar(&p.kill, "kill", 30, "replicas that are killed at once, fewer than half")
	flag.IntVar(&p.batch, "batch", 10, "replicas that are replaced at a time, 0 for none")
	flag.IntVar(&p.rate, "rate", 100, "requests/s of the fleet")
	flag.DurationVar(&p.every, "every", 0, "the time between two starts as the fleet forms: some 100ms where each replica has less than a tenth of a core")
	flag.DurationVar(&p.idle, "idle", 30*time.Second, "for how long the idle fleet is measured")
	flag.DurationVar(&p.patience, "patience", time.Minute, "how long to wait for the fleet to agree")
	flag.Parse()
	if err := p.run(); err != nil {
		fmt.Fprintln(os.Stderr, "fleetsize:", err)
		os.Exit(1)
	}
}

// run goes through the phases.
func (p plan) run() error {
	if p.replicas < 2 || p.replicas > 250 || p.kill < 0 || 2*p.kill >= p.replicas || p.batch < 0 {
		return errors.New("expected 2 to 250 replicas, and fewer than half to kill")
	}
	fmt.Printf("%d replicas that send %d requests/s, %d cores\n", p.replicas, p.rate, runtime.NumCPU())
	l, err := startLedger(p.rate)
	if err != nil {
		return err
	}
	defer l.stop()
	f, err := newFleet(p, l.addr)
	if err != nil {
		return err
	}
	defer f.stop()
	r := &run{plan: p, fleet: f, ledger: l}
	for _, phase := range []func() error{r.form, r.rest, r.replace, r.lose} {
		if err := phase(); err != nil {
			return fmt.Errorf("%w; the log of the first replica that differs:\n%s", err, f.culprit())
		}
	}
	if r.wrong > 0 {
		return fmt.Errorf("%d slots were lost or sent twice that should not have been", r.wrong)
	}
	return nil
}

// run is a plan that is carried out.
type run struct {
	plan
	fleet  *fleet
	ledger *ledger
	// wrong counts slots that should not have been lost or sent twice.
	wrong int
}

// form starts all.
func (r *run) form() error {
	begin := time.Now()
	for range r.replicas {
		if err := r.fleet.launch(); err != nil {
			return err
		}
		time.Sleep(r.every)
	}
	took, err := r.fleet.agree(begin, r.replicas, r.patience)
	if err != nil {
		return err
	}
	fmt.Printf("forming: all agree on %d members after %.1f s, the heartbeats of all included\n", r.replicas, took.Seconds())
	a := r.ledger.audit(begin, time.Now())
	r.wrong += a.doubled
	fmt.Printf("  %d slots sent twice meanwhile\n", a.doubled)
	return nil
}

// rest measures the fleet while nothing happens to it.
func (r *run) rest() error {
	time.Sleep(5 * time.Second)
	begin, before := time.Now(), r.fleet.usage()
	time.Sleep(r.idle)
	took, after := time.Since(begin).Seconds(), r.fleet.usage()
	var cpu, most, rss, bytes, packets float64
	n := float64(len(after))
	for i, u := range after {
		spent := (u.cpu - before[i].cpu) / took
		cpu, most, rss = cpu+spent/n, max(most, spent), max(rss, u.rss)
		bytes += (u.bytes - before[i].bytes) / took / n
		packets += (u.packets - before[i].packets) / took / n
	}
	fmt.Printf("idle for %.0f s: %.2f %% of a core each, at most %.2f %%; at most %.1f MB resident; %.1f kB/s in %.1f packets/s of gossip sent by each\n",
		took, 100*cpu, 100*most, rss/1e6, bytes/1e3, packets)
	r.report(r.ledger.audit(begin, time.Now().Add(-straggling)), true)
	return nil
}

// replace replaces all, a batch at a time: the new ones are ready before the old ones are
// asked to leave.
func (r *run) replace() error {
	if r.batch == 0 {
		return nil
	}
	begin := time.Now()
	old := r.fleet.running()
	for len(old) > 0 {
		n := min(r.batch, len(old))
		for range n {
			if err := r.fleet.launch(); err != nil {
				return err
			}
		}
		if _, err := r.fleet.ready(r.patience); err != nil {
			return err
		}
		if err := r.fleet.leave(old[:n], r.patience); err != nil {
			return err
		}
		old = old[n:]
	}
	if _, err := r.fleet.agree(time.Now(), r.replicas, r.patience); err != nil {
		return err
	}
	fmt.Printf("rolling restart of all, %d at a time: %.1f s\n", r.batch, time.Since(begin).Seconds())
	time.Sleep(straggling)
	r.report(r.ledger.audit(begin, time.Now().Add(-straggling)), true)
	return nil
}

// lose kills some at once.
func (r *run) lose() error {
	if r.kill == 0 {
		return nil
	}
	begin := time.Now()
	r.fleet.kill(r.fleet.running()[:r.kill])
	took, err := r.fleet.agree(begin, r.replicas-r.kill, r.patience)
	if err != nil {
		return err
	}
	exact := time.Now()
	fmt.Printf("%d killed at once: all others agree on %d members after %.1f s\n", r.kill, r.replicas-r.kill, took.Seconds())
	r.report(r.ledger.audit(begin.Add(-time.Second), exact), false)
	time.Sleep(10*time.Second + straggling)
	fmt.Println("the 10 s after that:")
	r.report(r.ledger.audit(exact, exact.Add(10*time.Second)), true)
	return nil
}

// report prints an audit. If planned says that nothing should be lost, a lost slot counts as
// wrong.
func (r *run) report(a audit, planned bool) {
	fmt.Printf("  of %d slots %d lost, %d sent twice\n", a.due, a.lost, a.doubled)
	r.wrong += a.doubled
	if planned {
		r.wrong += a.lost
	}
}
