package engine

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// timerFiles returns how many timers of the kernel the process has open.
func timerFiles(tb testing.TB) int {
	tb.Helper()
	const folder = "/proc/self/fd/"
	entries, err := os.ReadDir(folder)
	if err != nil {
		tb.Fatal(err)
	}
	n := 0
	for _, entry := range entries {
		// Files read here may be closed by now, so that links may be missing.
		if to, _ := os.Readlink(folder + entry.Name()); strings.Contains(to, "timerfd") {
			n++
		}
	}
	return n
}

func TestEachScenarioHasOneTimerUntilItStops(t *testing.T) {
	before := timerFiles(t)
	sc, client, book := scenario(t, 1)
	other, _, _ := scenario(t, 1)
	other.Name, other.Client, other.Recorder, other.Pacing = "other", client, book, PacingExact
	e := New(Options{})
	e.Apply([]Scenario{sc, other})
	if n := timerFiles(t) - before; n != 2 {
		t.Errorf("%d timers for two scenarios", n)
	}
	for range 10 {
		other.Limits.LateAfter += time.Second
		e.Apply([]Scenario{sc, other})
	}
	e.Apply([]Scenario{sc})
	stop(t, e)
	if n := timerFiles(t) - before; n != 0 {
		t.Errorf("%d timers are left", n)
	}
}

func TestWithoutFilesTheTimersOfTheRuntimeServe(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := limit
	none.Cur = 0
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	w := newSystemWaiter()
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	defer w.close()
	if _, ok := w.(*timerWaiter); !ok {
		t.Fatalf("%T", w)
	}
	returns(t, func() { w.wait(time.Millisecond) })
}
