//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

// server is a store of one server, whose data outlive it.
type server struct {
	*process
	// address is where it listens, section the part of the fleet section that names it.
	address, section string
	command          []string
	// responds returns nil once keys can be read and written.
	responds func() error
}

// launch starts the server.
func (s *server) launch(t *testing.T) {
	t.Helper()
	s.process = start(t, s.command[0], s.command[1:]...)
	eventually(t, s.responds)
}

// newEtcd returns an etcd that has not been started.
func newEtcd(t *testing.T) *server {
	t.Helper()
	addr := freeport.Address(t)
	client, peer := "http://"+addr, "http://"+freeport.Address(t)
	return &server{
		address: addr,
		section: fmt.Sprintf("  store: etcd\n  etcd: {endpoints: [%q]}\n", client),
		command: []string{
			env().etcd, "--name=e2e", "--data-dir=" + t.TempDir(), "--log-level=warn",
			"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
			"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=e2e=" + peer,
		},
		responds: func() error {
			_, err := get(client + "/health")
			return err
		},
	}
}

// newConsul returns a Consul that has not been started.
func newConsul(t *testing.T) *server {
	t.Helper()
	if env().consul == "" {
		t.Skip("`make e2e-consul` builds Consul and sets TRAFFIC_E2E_CONSUL")
	}
	port := freeport.Get(t)
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	return &server{
		address: addr,
		section: fmt.Sprintf("  store: consul\n  consul: {address: %q}\n", addr),
		command: []string{
			env().consul, "agent", "-server", "-bootstrap", "-node=e2e", "-bind=127.0.0.1", "-data-dir=" + t.TempDir(), "-log-level=warn",
			fmt.Sprintf("-http-port=%d", port), fmt.Sprintf("-server-port=%d", freeport.Get(t)), fmt.Sprintf("-serf-lan-port=%d", freeport.Get(t)),
			"-serf-wan-port=-1", "-dns-port=-1", "-grpc-port=-1",
			"-hcl=performance { raft_multiplier = 1 } disable_update_check = true",
		},
		responds: func() error {
			leader, err := get("http://" + addr + "/v1/status/leader")
			if err == nil && len(leader) <= len(`""`) {
				err = fmt.Errorf("consul has no leader")
			}
			return err
		},
	}
}

// stores are the stores with a server.
func stores() map[string]func(t *testing.T) *server {
	return map[string]func(t *testing.T) *server{"etcd": newEtcd, "consul": newConsul}
}

// newFleetOnStore returns a store that has not been started, and a fleet of at most n replicas on it.
func newFleetOnStore(t *testing.T, newStore func(t *testing.T) *server, n int) (*server, *fleet) {
	t.Helper()
	store := newStore(t)
	takeTurn(t)
	target := startLedger(t, "127.0.0.1")
	f := newFleet(t, target.addr, loopback(t, n), "  cluster: e2e\n"+store.section)
	f.target = target
	return store, f
}

func TestAFleetOnAStoreIsExactAlsoWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	for name, absence := range map[string]struct{ stop, resume func(t *testing.T, s *server) }{
		"it crashes and is restarted": {
			stop: func(t *testing.T, s *server) {
				t.Helper()
				s.signal(t, syscall.SIGKILL)
				s.exit(t)
			},
			resume: func(t *testing.T, s *server) { t.Helper(); s.launch(t) },
		},
		"it hangs": {
			stop:   func(t *testing.T, s *server) { t.Helper(); s.signal(t, syscall.SIGSTOP) },
			resume: func(t *testing.T, s *server) { t.Helper(); s.signal(t, syscall.SIGCONT) },
		},
	} {
		for kind, newStore := range stores() {
			t.Run(kind+", "+name, func(t *testing.T) {
				t.Parallel()
				store, f := newFleetOnStore(t, newStore, 4)
				store.launch(t)
				f.outlives(t, store, absence.stop, absence.resume)
			})
		}
	}
}

// outlives starts the fleet on a store, which goes away and comes back: every slot has to
// be sent once all the time.
func (f *fleet) outlives(t *testing.T, store *server, stop, resume func(t *testing.T, s *server)) {
	t.Helper()
	const away = 10 * time.Second
	all := f.start(t, 3)
	begin := f.target.first(t)
	all = append(all, f.launch(t))
	all[3].ready(t)
	agree(t, 4, all...)
	all[0].leave(t)
	all = all[1:]
	agree(t, 3, all...)

	stop(t, store)
	stopped := time.Now()
	for _, r := range all {
		r.shows(t, "traffic_fleet_store_up", 0)
	}
	f.target.waitUntil(t, stopped.Add(away))
	agree(t, 3, all...)
	resume(t, store)
	for _, r := range all {
		r.shows(t, "traffic_fleet_store_up", 1)
	}
	resumed := time.Now()
	agree(t, 3, all...)
	f.target.exact(t, always(), begin, resumed.Add(10*time.Second))
	agree(t, 3, all...)
}

func TestAStoreThatHangsDuringAJoinDoublesNothing(t *testing.T) {
	t.Parallel()
	for kind, newStore := range stores() {
		// From before the votes on the newcomer until after all have agreed on it.
		for _, wait := range []time.Duration{1500 * time.Millisecond, 3 * time.Second, 4500 * time.Millisecond} {
			t.Run(fmt.Sprint(kind, ", ", wait, " after the start of one"), func(t *testing.T) {
				t.Parallel()
				store, f := newFleetOnStore(t, newStore, 4)
				store.launch(t)
				all := f.start(t, 3)
				begin := f.target.first(t)
				all = append(all, f.launch(t))
				f.target.waitUntil(t, time.Now().Add(wait))
				store.signal(t, syscall.SIGSTOP)
				f.target.waitUntil(t, time.Now().Add(10*time.Second))
				store.signal(t, syscall.SIGCONT)
				for _, r := range all {
					r.shows(t, "traffic_fleet_store_up", 1)
				}
				agree(t, 4, all...)
				agreed := time.Now().Add(2 * time.Second)
				f.target.exact(t, always(), agreed, agreed.Add(3*time.Second))
				f.target.neverDoubled(t, begin, agreed, 0.6)
			})
		}
	}
}

func TestAFleetStartsWhenItsStoreDoes(t *testing.T) {
	t.Parallel()
	for kind, newStore := range stores() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			store, f := newFleetOnStore(t, newStore, 3)
			var all []*replica
			for range 3 {
				all = append(all, f.launch(t))
			}
			for _, r := range all {
				r.unready(t)
				eventually(t, func() error {
					for line := range strings.Lines(r.out.String()) {
						if strings.Contains(line, "trying again") && strings.Contains(line, store.address) {
							return nil
						}
					}
					return fmt.Errorf("replica %s does not say that it tries to reach %s", r.name, store.address)
				})
			}
			store.launch(t)
			agree(t, 3, all...)
			begin := time.Now().Add(time.Second)
			f.target.exact(t, always(), begin, begin.Add(3*time.Second))
		})
	}
}
