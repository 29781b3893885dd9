//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

// patience is how long a test waits for what should happen soon.
const patience = 30 * time.Second

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

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// process is a running program, which does not outlive the test.
type process struct {
	cmd  *exec.Cmd
	out  *output
	done chan struct{}
	err  error
}

func start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(name, args...), out: &output{}, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("output of %s:\n%s", filepath.Base(name), p.out)
		}
	})
	return p
}

// signal sends a signal to the process.
func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// stop ends the process by SIGTERM and fails the test unless it exits with 0.
func (p *process) stop(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	if code := p.exit(t); code != 0 {
		t.Errorf("exit code %d after SIGTERM, want 0", code)
	}
}

// exit waits for the end of the process and returns its exit code.
func (p *process) exit(t *testing.T) int {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Fatal("the process does not end")
	}
	if failed, ok := errors.AsType[*exec.ExitError](p.err); ok {
		return failed.ExitCode()
	}
	return 0
}

// eventually polls until ok returns nil.
func eventually(t *testing.T, ok func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := ok()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// get returns the body of a URL, or an error for any status but 200.
func get(url string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: status %s: %s", url, resp.Status, body)
	}
	return string(body), err
}

// exporter is a running traffic_exporter.
type exporter struct {
	*process
	addr string // of its web server
	file string // its configuration
}

// startExporter writes the configuration and runs the binary until it is ready.
func startExporter(t *testing.T, config string, flags ...string) *exporter {
	t.Helper()
	return startExporterIn(t, nil, config, flags...)
}

// startExporterIn does that with something before the command line.
func startExporterIn(t *testing.T, enter []string, config string, flags ...string) *exporter {
	t.Helper()
	e := &exporter{addr: freeport.Address(t), file: filepath.Join(t.TempDir(), "config.yaml")}
	write(t, e.file, config)
	command := append(slices.Clone(enter), env().exporter, "--config.file="+e.file, "--config.watch-interval=200ms", "--web.listen-address="+e.addr)
	command = append(command, flags...)
	e.process = start(t, command[0], command[1:]...)
	eventually(t, func() error {
		_, err := get("http://" + e.addr + "/-/ready")
		return err
	})
	return e
}

func (e *exporter) metrics(t *testing.T) string {
	t.Helper()
	body, err := get("http://" + e.addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
