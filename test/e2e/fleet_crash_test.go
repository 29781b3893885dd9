//go:build e2e

package e2e

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"
)

// neverDoubled fails the test if a slot, due in a time, was sent twice, or more of them
// are missing than allowed.
func (l *ledger) neverDoubled(t *testing.T, from, to time.Time, missing float64) {
	t.Helper()
	a := l.audit(always(), from, to, nil)
	for _, problem := range a.problems() {
		t.Error(problem)
	}
	lost := float64(len(a.missing)) / float64(len(a.due))
	t.Logf("%d of %d slots are missing (%.1f %%): %s", len(a.missing), len(a.due), 100*lost, bySecond(a.missing, secondOf))
	if lost > missing {
		t.Errorf("%.1f %% of the slots are missing, want at most %.0f %%", 100*lost, 100*missing)
	}
}

// kill ends a replica by SIGKILL and waits until it has ended.
func (r *replica) kill(t *testing.T) {
	t.Helper()
	r.signal(t, syscall.SIGKILL)
	r.exit(t)
}

// again makes the place of a replica the next one that is launched at.
func (f *fleet) again(p place) {
	f.places = append(f.places[:f.started:f.started], append([]place{p}, f.places[f.started:]...)...)
}

func TestACrashLoopCostsTheOthersLittle(t *testing.T) {
	t.Parallel()
	f := newGossipFleet(t, 4)
	f.start(t, 3)
	begin := f.target.first(t)
	crashing := f.places[3]
	var last time.Time
	for range 5 {
		r := f.launch(t)
		<-time.After(4 * time.Second)
		r.kill(t)
		last = time.Now()
		f.again(crashing)
	}
	exact := last.Add(8 * time.Second)
	f.target.exact(t, always(), exact, exact.Add(3*time.Second))
	f.target.neverDoubled(t, begin, exact, 0.2)
}

func TestEachIsKilledAndRestartedInTurn(t *testing.T) {
	t.Parallel()
	f := newGossipFleet(t, 3)
	all := f.start(t, 3)
	begin := f.target.first(t)
	<-time.After(2 * time.Second)
	var last time.Time
	for i, r := range all {
		r.kill(t)
		last = time.Now()
		f.again(f.places[i])
		all[i] = f.launch(t)
		<-time.After(8 * time.Second)
	}
	exact := last.Add(10 * time.Second)
	f.target.exact(t, always(), exact, exact.Add(3*time.Second))
	agree(t, 3, all...)
	f.target.neverDoubled(t, begin, exact, 0.34)
}

func TestADeathAfterSIGTERMDoublesNothing(t *testing.T) {
	t.Parallel()
	// Every 100 ms within 4 s: each fleet sees four of them, a second apart.
	for first := range 10 {
		t.Run(fmt.Sprintf("%d00 ms after it and later", first), func(t *testing.T) {
			t.Parallel()
			takeTurn(t)
			const dying = 4
			target, places := startLedger(t, "127.0.0.1"), loopback(t, 3+dying)
			f := newFleet(t, target.addr, places, "  cluster: e2e\n"+gossip(places))
			f.target = target
			all := f.start(t, 3+dying)
			begin := target.first(t)
			<-time.After(2 * time.Second)
			var dead sync.WaitGroup
			for i, r := range all[3:] {
				r.signal(t, syscall.SIGTERM)
				dead.Go(func() {
					<-time.After(time.Duration(first+10*i) * 100 * time.Millisecond)
					_ = r.cmd.Process.Kill()
				})
				<-time.After(2300 * time.Millisecond)
			}
			dead.Wait()
			exact := time.Now().Add(8 * time.Second)
			target.exact(t, always(), exact, exact.Add(2*time.Second))
			target.neverDoubled(t, begin, exact, 0.4)
		})
	}
}

func TestFourOfNineDieAtOnce(t *testing.T) {
	t.Parallel()
	f := newGossipFleet(t, 9)
	all := f.start(t, 9)
	begin := f.target.first(t)
	f.target.waitUntil(t, begin.Add(time.Second))
	killed := time.Now()
	for _, r := range all[5:] {
		r.signal(t, syscall.SIGKILL)
	}
	exact := killed.Add(takeover + time.Second)
	f.target.exact(t, always(), begin, killed.Add(-time.Second))
	f.target.exact(t, always(), exact, exact.Add(12*time.Second))
	f.target.neverDoubled(t, begin, exact.Add(12*time.Second), 0.4)
	agree(t, 5, all[:5]...)
}
