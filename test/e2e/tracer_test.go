//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// mayTrace reports whether programs can be traced here. Some sandboxes forbid it, and trace knows
// Linux on amd64 only.
func mayTrace(t *testing.T) bool {
	t.Helper()
	command := append(newTracer(t).enter(), "true")
	out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
	if err != nil {
		t.Logf("no program can be traced here: %v: %s", err, out)
	}
	return err == nil
}

// controlVariable makes this binary a tracer: it has the file that a tracer is controlled by.
const controlVariable = "TRAFFIC_E2E_CONTROL"

// tracer runs a program with ptrace(2), to do to it what no other program can: its clock may be
// set, although all others of the machine keep theirs, and its calls of sendto may hang.
type tracer struct{ control string }

// newTracer returns one for a program that has not been started. Its clock is right, and nothing hangs.
func newTracer(t *testing.T) tracer {
	t.Helper()
	tr := tracer{filepath.Join(t.TempDir(), "control")}
	tr.clock(t, 0)
	return tr
}

// enter is put before the command line of the program.
func (tr tracer) enter() []string {
	return []string{"env", controlVariable + "=" + tr.control, os.Args[0]}
}

// clock sets the program's clock ahead of the machine's.
func (tr tracer) clock(t *testing.T, ahead time.Duration) {
	t.Helper()
	replace(t, tr.control, ahead.String())
}

// hang has each sendto of the program wait from now on.
func (tr tracer) hang(t *testing.T) {
	t.Helper()
	replace(t, tr.control, hanging)
}

// hanging is what the file says for that. It has the clock's lead otherwise.
const hanging = "hang"

// replace writes a file that is read at any time.
func replace(t *testing.T, file, content string) {
	t.Helper()
	write(t, file+".new", content)
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}
