// The command importlog measures traffic_exporter import log: it writes a log whose mix and rate are known into
// its standard input, and compares what comes out. `make bench-import-log` runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/logtest"
)

func main() {
	binary := flag.String("binary", "./traffic_exporter", "the program to measure")
	lines := flag.Int("lines", 10_000_000, "how many lines the log has")
	keep := flag.String("keep", "", "a file to keep the configuration in")
	flag.Parse()
	if err := run(*binary, *lines, *keep); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(binary string, lines int, keep string) error {
	dir, err := os.MkdirTemp("", "importlog")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // It is in the folder for temporary files.
	if keep == "" {
		keep = filepath.Join(dir, "config.yaml")
	}
	usage, err := importLog(binary, lines, keep)
	if err != nil {
		return err
	}
	cpu := time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	fmt.Printf("%d lines, %s of processor time, %.2f million lines/s a core, %d MiB at most\n",
		lines, cpu.Round(time.Millisecond), float64(lines)/cpu.Seconds()/1e6, usage.Maxrss>>10)
	cfg, err := logtest.Load(keep)
	if err != nil {
		return err
	}
	weight, name := logtest.WorstWeight(cfg.Scenarios[0].Requests)
	fmt.Printf("the weight that is furthest off is that of %s, by %.2f %%\n", name, 100*weight)
	rate, at := logtest.WorstRate(cfg.Scenarios[0].Timeline(), lines, 5*time.Minute)
	fmt.Printf("the rate of five minutes that is furthest off is that of %s, by %.2f %%\n", at.Format("Mon 15:04"), 100*rate)
	return nil
}

// importLog has the program import a log, and returns what it used.
func importLog(binary string, lines int, output string) (*syscall.Rusage, error) {
	cmd := exec.CommandContext(context.Background(), binary, "import", "log", "-", "--force", "--output="+output)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err = cmd.Start(); err != nil {
		return nil, err
	}
	written := logtest.Write(in, lines, 1)
	closed := in.Close()
	if err = cmd.Wait(); err != nil {
		return nil, err
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return nil, errors.New("found no usage of resources")
	}
	return usage, errors.Join(written, closed)
}
