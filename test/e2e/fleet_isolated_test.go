//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"
)

func TestThoseWhoReachNobodyWait(t *testing.T) {
	t.Parallel()
	w, f := newNetworkFleet(t, ipv4(2), 3)
	for i := range 3 {
		w.cutOff(t, i)
	}
	var all []*replica
	for range 3 {
		all = append(all, f.launch(t))
	}
	started := time.Now()
	for _, r := range all {
		r.shows(t, "traffic_fleet_waiting_for_seeds", 1)
		r.unready(t)
	}
	<-time.After(time.Until(started.Add(8 * time.Second)))
	if n := len(f.target.sent()); n != 0 {
		t.Errorf("%d requests were sent by replicas that see nobody", n)
	}
	if out := all[0].out.String(); !strings.Contains(out, "none of the replicas in join has been reached") {
		t.Error("the log does not say why nothing is sent")
	}
	for i := range 3 {
		w.connect(t, i)
	}
	connected := time.Now()
	agree(t, 3, all...)
	t.Logf("a fleet %v after the network came", time.Since(connected).Round(100*time.Millisecond))
	begin := f.target.first(t)
	f.target.exact(t, always(), begin.Add(time.Second), time.Now().Add(3*time.Second))
	f.target.neverDoubled(t, begin.Add(-time.Minute), time.Now(), 1)
}

func TestOneWhoseNetworkComesLateWaits(t *testing.T) {
	t.Parallel()
	w, f := newNetworkFleet(t, ipv4(3), 3)
	w.cutOff(t, 2)
	all := []*replica{f.launch(t), f.launch(t), f.launch(t)}
	agree(t, 2, all[:2]...)
	begin := f.target.first(t)
	all[2].shows(t, "traffic_fleet_waiting_for_seeds", 1)
	<-time.After(8 * time.Second)
	w.connect(t, 2)
	agree(t, 3, all...)
	f.target.exact(t, always(), begin.Add(time.Second), time.Now().Add(3*time.Second))
}

// cutOff cuts a host off from all others, as if its network was not there yet, and
// connect undoes it.
func (w *network) cutOff(t *testing.T, host int) {
	t.Helper()
	w.neighbour(t, host, "neigh replace %s dev eth0 nud permanent lladdr "+nobody)
}

func (w *network) connect(t *testing.T, host int) {
	t.Helper()
	w.neighbour(t, host, "neigh del %s dev eth0")
}

func (w *network) neighbour(t *testing.T, host int, command string) {
	t.Helper()
	for i := range w.hosts {
		if i != host {
			w.ip(t, w.host(host), strings.ReplaceAll(command, "%s", w.addr(i)))
		}
	}
}
