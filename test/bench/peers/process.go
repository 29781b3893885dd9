//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stopTimeout bounds how long a process may take to end when it is asked to.
const stopTimeout = 10 * time.Second

// output collects what a process writes. It is safe for concurrent use.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) Bytes() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.buf.Bytes())
}

// process is a running program, on some of the processors. It does not outlive the
// suite: the kernel kills it when the thread that has started it ends, which therefore
// has to be that of main.
type process struct {
	name string
	cmd  *exec.Cmd
	out  *output
	done chan struct{}
	err  error
}

// start starts a program on the processors, as taskset names them, in a folder. It is
// killed when ctx ends.
func start(ctx context.Context, cpus, dir string, command ...string) (*process, error) {
	args := append([]string{"-c", cpus}, command...)
	p := &process{name: filepath.Base(command[0]), cmd: exec.CommandContext(ctx, "taskset", args...), out: &output{}, done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, p.out, p.out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	// What a program has started itself may hold its output open.
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// line waits for the n-th line that the process writes and returns it.
func (p *process) line(ctx context.Context, n int) (string, error) {
	for {
		if lines := strings.SplitAfter(string(p.out.Bytes()), "\n"); len(lines) > n+1 {
			return strings.TrimSpace(lines[n]), nil
		}
		if err := p.sleep(ctx, 5*time.Millisecond); err != nil {
			return "", err
		}
	}
}

// sleep waits. It is an error for the process to end meanwhile.
func (p *process) sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-p.done:
		return p.failed("ended early")
	}
}

// end waits for the process to end by itself, or because its context has ended, and
// kills it if it does not in time.
func (p *process) end(timeout time.Duration) error {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		_ = p.cmd.Process.Kill()
		<-p.done
		return p.failed(fmt.Sprintf("did not end within %v", timeout))
	}
	if p.err != nil {
		return p.failed("failed")
	}
	return nil
}

// stop asks the process to end and waits for it. It may have ended before.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	return p.end(stopTimeout)
}

// failed returns an error with the state of the process and the end of its output.
func (p *process) failed(what string) error {
	said := p.out.Bytes()
	said = said[max(0, len(said)-500):]
	err := fmt.Errorf("%s %s: %s", p.name, what, strings.TrimSpace(string(said)))
	select {
	case <-p.done:
		return errors.Join(err, p.err)
	default:
		return err
	}
}

// used returns the processor time of a process that has ended.
func (p *process) used() time.Duration {
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}
