//go:build linux

package main

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// begin starts a shell on the first processor that this test may run on.
func begin(t *testing.T, script string) *process {
	t.Helper()
	if _, err := exec.LookPath("taskset"); err != nil {
		t.Skip("taskset is missing")
	}
	p, err := start(t.Context(), "0", t.TempDir(), "sh", "-c", script)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
	})
	return p
}

func TestProcessorTimePasses(t *testing.T) {
	before, err := processorTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for x, deadline := 0, time.Now().Add(20*time.Millisecond); time.Now().Before(deadline); x++ {
		_ = x
	}
	after, err := processorTime(os.Getpid())
	if err != nil || after <= before {
		t.Errorf("found %v and then %v, %v", before, after, err)
	}
	if _, err := processorTime(1 << 23); err == nil {
		t.Error("a process that is not has processor time")
	}
}

func TestLinesOfAProcess(t *testing.T) {
	p := begin(t, "echo one; echo two; exec sleep 60")
	for n, want := range []string{"one", "two"} {
		if got, err := p.line(t.Context(), n); err != nil || got != want {
			t.Errorf("line %d is %q, %v, want %q", n, got, err, want)
		}
	}
}

func TestAProcessThatEndsEarlySaysWhy(t *testing.T) {
	p := begin(t, "echo no such luck >&2; exit 3")
	if _, err := p.line(t.Context(), 5); err == nil || !strings.Contains(err.Error(), "no such luck") {
		t.Errorf("found %v", err)
	}
}

func TestAProcessThatDoesNotEndIsKilled(t *testing.T) {
	p := begin(t, "exec sleep 60")
	if err := p.end(10 * time.Millisecond); err == nil {
		t.Error("found no error")
	}
	<-p.done
}

func TestAProcessEndsWithItsContext(t *testing.T) {
	if _, err := exec.LookPath("taskset"); err != nil {
		t.Skip("taskset is missing")
	}
	ctx, cancel := context.WithCancel(t.Context())
	p, err := start(ctx, "0", t.TempDir(), "sleep", "60")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	<-p.done
}

func TestMemoryAndFiles(t *testing.T) {
	m, err := residentMemory(os.Getpid())
	if err != nil || m.Now < 1<<20 || m.Peak < m.Now/2 {
		t.Errorf("found %+v, %v", m, err)
	}
	if n, err := openFiles(os.Getpid()); err != nil || n < 3 {
		t.Errorf("found %d files, %v", n, err)
	}
}

func TestBusyTime(t *testing.T) {
	stat := "cpu  10 20 30 400 500 6 7 8 9 10\ncpu0 1 1 1 1\n"
	if got := parseBusy([]byte(stat)); got != 81*tick {
		t.Errorf("found %v, want %v", got, 81*tick)
	}
}
