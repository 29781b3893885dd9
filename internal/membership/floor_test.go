package membership

import "testing"

// TestReplicasWithOtherFloorsNeverSendTheSameSlot changes min_replicas on one replica
// after the other, as a file that reaches them at different moments does.
func TestReplicasWithOtherFloorsNeverSendTheSameSlot(t *testing.T) {
	w := newWorld(1, Options{MinReplicas: 3, ForgetAfter: 60, Seeds: true, StartAloneAfter: 20})
	nodes := []*node{w.add("a", "a"), w.add("b", "b")}
	w.run(w.now + 12_000)
	for _, floor := range []int{5, 1, 4, 2, 3} {
		for _, n := range nodes {
			n.tracker.SetMinReplicas(floor, 1)
			w.run(w.now + 2000)
			k := w.now / 1000
			a, b := nodes[0].views[k].Arc, nodes[1].views[k].Arc
			for seq := range uint64(10_000) {
				if a.Owns(seq) && b.Owns(seq) {
					t.Fatalf("min_replicas becomes %d: slot %d is sent twice", floor, seq)
				}
			}
			if a.Ratio()+b.Ratio() > 1+1e-9 || a.Ratio() == 0 || b.Ratio() == 0 {
				t.Errorf("min_replicas becomes %d: %.3f and %.3f are owned", floor, a.Ratio(), b.Ratio())
			}
		}
	}
}
