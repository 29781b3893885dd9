//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// nobody is a hardware address that no interface has.
const nobody = "02:00:00:00:00:fe"

// network is hosts at a switch, each a network namespace of its own. The test itself is
// at the switch as well, so that it reaches all hosts and they reach the target, but
// nothing leaves the machine.
type network struct {
	subnet

	// name is that of its namespaces and devices.
	name  string
	hosts int
}

// subnet is the addresses of a network.
type subnet struct {
	id     string // by which the networks of tests that run at one time differ
	prefix string // of the addresses, such as 198.18.7.
	// options follow an address in the command that adds it: its length, and what else ip(8) needs.
	options string
}

// ipv4 returns a subnet of those that RFC 2544 sets aside for tests of networks, and ipv6 one of
// the unique local ones (RFC 4193). Tests that run at one time give them different numbers.
func ipv4(number int) subnet {
	pid := os.Getpid()
	return subnet{id: fmt.Sprintf("4%d", number), prefix: fmt.Sprintf("198.%d.%d.", 18+pid/64%2, pid%64*4+number%4), options: "/24"}
}

func ipv6(number int) subnet {
	return subnet{id: fmt.Sprintf("6%d", number), prefix: fmt.Sprintf("fd00:2544:%x:%x::", os.Getpid()&0xffff, 1+number), options: "/64 nodad"}
}

// newNetwork makes a network of n hosts, or skips the test where that is not allowed.
func newNetwork(t *testing.T, s subnet, n int) *network {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may make network namespaces")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skipf("there is no ip(8) to make network namespaces with: %v", err)
	}
	w := &network{subnet: s, name: fmt.Sprintf("tx%x-%s", os.Getpid(), s.id), hosts: n}
	hub := w.name + "-hub"
	if out, err := exec.Command("ip", "netns", "add", hub).CombinedOutput(); err != nil {
		t.Skipf("network namespaces cannot be made here: %v: %s", err, out)
	}
	// The interfaces go with the namespaces that their other ends are in.
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", hub).Run() })
	w.ip(t, hub, "link add hub type bridge", "link set hub up")
	w.plug(t, "", w.name, w.prefix+"1")
	for i := range n {
		w.ip(t, "", "netns add "+w.host(i))
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", w.host(i)).Run() })
		w.ip(t, w.host(i), "link set lo up")
		w.plug(t, w.host(i), "eth0", w.addr(i))
	}
	return w
}

// host returns the namespace of a host, and addr its address.
func (w *network) host(i int) string { return fmt.Sprintf("%s-%d", w.name, i) }
func (w *network) addr(i int) string { return fmt.Sprintf("%s%d", w.prefix, 10+i) }

// plug connects a namespace to the switch, by a device with an address. The empty
// namespace is the test's own.
func (w *network) plug(t *testing.T, namespace, device, addr string) {
	t.Helper()
	hub, socket := w.name+"-hub", "to-"+addr[len(w.prefix):]
	w.ip(t, namespace,
		fmt.Sprintf("link add %s type veth peer name %s netns %s", device, socket, hub),
		fmt.Sprintf("addr add %s%s dev %s", addr, w.options, device),
		fmt.Sprintf("link set %s up", device))
	w.ip(t, hub, fmt.Sprintf("link set %s master hub", socket), fmt.Sprintf("link set %s up", socket))
}

// ip runs commands of ip(8) in a namespace.
func (*network) ip(t *testing.T, namespace string, commands ...string) {
	t.Helper()
	args := []string{"-batch", "-"}
	if namespace != "" {
		args = []string{"-n", namespace, "-batch", "-"}
	}
	cmd := exec.Command("ip", args...)
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ip %v: %q: %v: %s", args, commands, err, out)
	}
}

// cut cuts the first n hosts off from the others: what one side sends the other
// vanishes, as it is addressed to nobody.
func (w *network) cut(t *testing.T, n int) {
	t.Helper()
	w.across(t, n, "neigh replace %s dev eth0 nud permanent lladdr "+nobody)
}

// heal undoes a cut.
func (w *network) heal(t *testing.T, n int) {
	t.Helper()
	w.across(t, n, "neigh del %s dev eth0")
}

// across runs a command in each host for the address of each host of the other side.
func (w *network) across(t *testing.T, n int, command string) {
	t.Helper()
	for i := range w.hosts {
		var commands []string
		for j := range w.hosts {
			if (i < n) != (j < n) {
				commands = append(commands, fmt.Sprintf(command, w.addr(j)))
			}
		}
		w.ip(t, w.host(i), commands...)
	}
}

// places returns the hosts as places for replicas.
func (w *network) places() []place {
	var places []place
	for i := range w.hosts {
		places = append(places, place{
			gossip: net.JoinHostPort(w.addr(i), "7946"), web: net.JoinHostPort(w.addr(i), "9870"),
			enter: []string{"ip", "netns", "exec", w.host(i)},
		})
	}
	return places
}

// newNetworkFleet returns a fleet of n replicas, each on a host of its own.
func newNetworkFleet(t *testing.T, s subnet, n int) (*network, *fleet) {
	t.Helper()
	takeTurn(t)
	w := newNetwork(t, s, n)
	target, places := startLedger(t, w.prefix+"1"), w.places()
	f := newFleet(t, target.addr, places, "  cluster: e2e\n  forget_after: 60s\n"+gossip(places))
	f.target = target
	return w, f
}

func TestNeitherHalfOfAPartitionTakesOverTheOther(t *testing.T) {
	t.Parallel()
	w, f := newNetworkFleet(t, ipv4(0), 4)
	all := f.start(t, 4)
	begin := f.target.first(t)
	f.target.waitUntil(t, begin.Add(time.Second))
	w.cut(t, 2)
	cut := time.Now()
	for _, r := range all {
		r.shows(t, "traffic_fleet_lost_members", 2)
	}
	f.target.waitUntil(t, cut.Add(10*time.Second))
	agree(t, 4, all...)
	w.heal(t, 2)
	healed := time.Now()
	for _, r := range all {
		r.shows(t, "traffic_fleet_lost_members", 0)
	}
	f.target.exact(t, always(), begin, healed.Add(8*time.Second))
	agree(t, 4, all...)
}

func TestTheMajorityOfAPartitionTakesOverAndTheMinorityFallsSilent(t *testing.T) {
	t.Parallel()
	w, f := newNetworkFleet(t, ipv4(1), 5)
	all := f.start(t, 5)
	begin := f.target.first(t)
	f.target.waitUntil(t, begin.Add(time.Second))
	minority := map[string]bool{w.addr(3): true, w.addr(4): true}

	before := time.Now()
	w.cut(t, 3)
	cut := time.Now()
	for _, r := range all[3:] {
		r.unready(t)
		r.shows(t, "traffic_fleet_live", 0)
	}
	agree(t, 3, all[:3]...)
	taken := cut.Add(takeover)
	f.target.waitUntil(t, taken.Add(6*time.Second))
	healed := time.Now()
	w.heal(t, 3)
	whole := healed.Add(10 * time.Second)
	f.target.exact(t, always(), whole, whole.Add(4*time.Second))
	agree(t, 5, all...)

	f.target.exact(t, always(), begin, before)
	f.target.exact(t, always(), taken, healed)
	f.target.neverDoubled(t, begin, whole, 0.2)
	silent := f.target.audit(always(), cut.Add(takeover/2), healed, func(s sending) bool { return minority[s.from] })
	if n := len(silent.due) - len(silent.missing); n > 0 {
		t.Errorf("the minority sent %d slots", n)
	}
}

func TestAFleetWithoutIPv4SharesTheRate(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/net/if_inet6"); err != nil {
		t.Skipf("there is no IPv6 here: %v", err)
	}
	w, f := newNetworkFleet(t, ipv6(0), 3)
	all := f.start(t, 3)
	begin := f.target.first(t)
	f.target.exact(t, always(), begin, begin.Add(3*time.Second))
	for i := range all {
		sent := func(s sending) bool { return s.from == w.addr(i) }
		if audit := f.target.audit(always(), begin, begin.Add(3*time.Second), sent); len(audit.missing) == len(audit.due) {
			t.Errorf("%s has sent nothing", w.addr(i))
		}
	}
	all[2].leave(t)
	agree(t, 2, all[:2]...)
	f.target.exact(t, always(), begin, time.Now().Add(3*time.Second))
}
