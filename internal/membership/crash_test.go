package membership

import (
	"fmt"
	"testing"
)

// formed returns a world with a fleet of n replicas.
func formed(n int) *world {
	w := newWorld(uint64(n), Options{MinReplicas: 1, ForgetAfter: 60, StartAloneAfter: 20, Seeds: true})
	for i := range n {
		w.add(fmt.Sprint("h", i), fmt.Sprint("h", i))
	}
	w.run(w.now + 12_000)
	return w
}

// missing returns how many seconds' worth of slots were sent by nobody.
func (w *world) missing(from, to int64) (sum float64) {
	for k := from; k <= to; k++ {
		sum += max(0, 1-w.owned(k).present)
	}
	return sum
}

// TestCrashLoops has one replica die again and again beside healthy ones: restarted at its
// address, or elsewhere. Two that have just joined two others and die at once, each at an
// address of its own, leave no majority: that is not among them.
func TestCrashLoops(t *testing.T) {
	const loops = 6
	for _, healthy := range []int{2, 3, 5} {
		for _, life := range []int64{1000, 2000, 4000, 5500, 7000, 9000, 12_000} {
			for _, pause := range []int64{0, 500, 3000} {
				for _, moves := range []bool{false, true} {
					t.Run(fmt.Sprintf("%d healthy, %d ms alive, %d ms dead, moves %v", healthy, life, pause, moves), func(t *testing.T) {
						if healthy == 2 && moves && life+pause < 4000 {
							t.Skip("no majority is left")
						}
						w := formed(healthy)
						begin := w.now / 1000
						for i := range loops {
							addr := "x"
							if moves {
								addr = fmt.Sprint("x", i)
							}
							n := w.add(fmt.Sprint("x", i), addr)
							w.run(w.now + life)
							w.end(n)
							w.run(w.now + pause)
						}
						died := w.now / 1000
						w.run(w.now + 12_000)
						w.neverMore(t, begin, w.now/1000-1)
						w.mustBeExact(t, died+8, w.now/1000-1)
						if lost, all := w.missing(begin, died+8), float64(died-begin); life < 8000 && lost > 0.2*all+2 {
							t.Errorf("%.1f of %.0f seconds' worth of slots are lost, want at most a fifth", lost, all)
						}
					})
				}
			}
		}
	}
}

// TestDeathsAfterALeave kills a replica at each moment after it was asked to leave.
func TestDeathsAfterALeave(t *testing.T) {
	for n := 2; n <= 6; n++ {
		for after := int64(0); after <= 4500; after += quantum {
			t.Run(fmt.Sprintf("one of %d, %d ms later", n, after), func(t *testing.T) {
				w := formed(n)
				begin := w.now/1000 - 1
				w.run(w.now + 350)
				leaver := w.nodes[0]
				w.leave(leaver)
				w.run(w.now + after)
				if leaver.running {
					w.end(leaver)
				}
				died := w.now / 1000
				w.run(w.now + 12_000)
				w.neverMore(t, begin, w.now/1000-1)
				if n > 2 {
					w.mustBeExact(t, died+8, w.now/1000-1)
				}
			})
		}
	}
}

// TestNearlyHalfDieAtOnce kills as many as leave a majority, at any moment of a second.
func TestNearlyHalfDieAtOnce(t *testing.T) {
	for _, n := range []int{5, 7, 9, 11, 12, 20, 21} {
		t.Run(fmt.Sprintf("%d of %d", (n-1)/2, n), func(t *testing.T) {
			t.Parallel()
			for moment := int64(0); moment < 1000; moment += 2 * quantum {
				w := formed(n)
				w.run(w.now + moment)
				begin := w.now / 1000
				for i := range (n - 1) / 2 {
					w.end(w.nodes[2*i])
				}
				w.run(w.now + 14_000)
				w.neverMore(t, begin, w.now/1000-1)
				w.mustBeExact(t, begin+8, w.now/1000-1)
			}
		})
	}
}

// TestManyDieWhoseLastHeartbeatHalfHaveHeard has the others disagree, in one round, on
// each of those who died: what the dead thought of each other is never known.
func TestManyDieWhoseLastHeartbeatHalfHaveHeard(t *testing.T) {
	for _, n := range []int{5, 11, 21, 41, 81} {
		t.Run(fmt.Sprintf("%d of %d", (n-1)/2, n), func(t *testing.T) {
			t.Parallel()
			w := formed(n)
			w.run(w.now/1000*1000 + 1000)
			dying, staying := w.nodes[:(n-1)/2], w.nodes[(n-1)/2:]
			deafTo := map[*node]bool{}
			for _, node := range dying {
				deafTo[node] = true
			}
			for _, node := range staying[:len(staying)/2] {
				node.deafTo = deafTo
			}
			begin := w.now / 1000
			w.run(w.now + 600)
			for _, node := range dying {
				w.end(node)
			}
			w.run(w.now + 12_000)
			w.neverMore(t, begin, w.now/1000-1)
			w.mustBeExact(t, begin+8, w.now/1000-1)
		})
	}
}
