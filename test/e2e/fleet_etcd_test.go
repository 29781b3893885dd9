//go:build e2e

package e2e

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

// etcd is a store of one server, whose data outlive it.
type etcd struct {
	*process
	dir, client, peer string
}

func startEtcd(t *testing.T) *etcd {
	t.Helper()
	client, peer := reserve(t), reserve(t)
	e := &etcd{dir: t.TempDir(), client: "http://" + client.addr, peer: "http://" + peer.addr}
	client.free()
	peer.free()
	e.launch(t)
	return e
}

// launch starts the server and waits until it answers.
func (e *etcd) launch(t *testing.T) {
	t.Helper()
	e.process = start(t, env().etcd, "--name=e2e", "--data-dir="+e.dir, "--log-level=warn",
		"--listen-client-urls="+e.client, "--advertise-client-urls="+e.client,
		"--listen-peer-urls="+e.peer, "--initial-advertise-peer-urls="+e.peer, "--initial-cluster=e2e="+e.peer)
	eventually(t, func() error {
		_, err := get(e.client + "/health")
		return err
	})
}

func TestAFleetOnEtcdIsExactAlsoWhileEtcdIsAway(t *testing.T) {
	t.Parallel()
	const away = 10 * time.Second
	for name, tc := range map[string]struct {
		stop, resume func(t *testing.T, e *etcd)
	}{
		"it crashes and is restarted": {
			stop: func(t *testing.T, e *etcd) {
				t.Helper()
				e.signal(t, syscall.SIGKILL)
				e.exit(t)
			},
			resume: func(t *testing.T, e *etcd) { t.Helper(); e.launch(t) },
		},
		"it hangs": {
			stop:   func(t *testing.T, e *etcd) { t.Helper(); e.signal(t, syscall.SIGSTOP) },
			resume: func(t *testing.T, e *etcd) { t.Helper(); e.signal(t, syscall.SIGCONT) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			takeTurn(t)
			store, target := startEtcd(t), startLedger(t, "127.0.0.1")
			f := newFleet(t, target.addr, loopback(t, 4), fmt.Sprintf("  cluster: e2e\n  store: etcd\n  etcd: {endpoints: [%q]}\n", store.client))
			f.target = target
			all := f.start(t, 3)
			begin := target.first(t)
			all = append(all, f.launch(t))
			all[3].ready(t)
			agree(t, 4, all...)
			all[0].leave(t)
			all = all[1:]
			agree(t, 3, all...)

			tc.stop(t, store)
			stopped := time.Now()
			for _, r := range all {
				r.shows(t, "traffic_fleet_store_up", 0)
			}
			target.waitUntil(t, stopped.Add(away))
			agree(t, 3, all...)
			tc.resume(t, store)
			resumed := time.Now()
			for _, r := range all {
				r.shows(t, "traffic_fleet_store_up", 1)
			}
			agree(t, 3, all...)
			target.exact(t, always(), begin, resumed.Add(10*time.Second))
			agree(t, 3, all...)
		})
	}
}
