package fleet

import (
	"net"
	"net/netip"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

func TestAFreePortIsOneThatNoConnectionIsGiven(t *testing.T) {
	for range 50 {
		addr, err := freePort(t.Context(), netip.MustParseAddr("127.0.0.1"))
		if err != nil {
			t.Fatal(err)
		}
		if addr.Port() < lowestFreePort || addr.Port() > highestFreePort {
			t.Fatalf("port %d, want one of %d to %d", addr.Port(), lowestFreePort, highestFreePort)
		}
		l, err := net.Listen("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
	}
	if addr, err := freePort(t.Context(), netip.MustParseAddr("192.0.2.1")); err == nil {
		t.Errorf("an address that is not this machine's has the free port %v", addr)
	}
}

// TestTestsGetOtherPortsThanReplicas has the ports of tests apart from those that the replicas
// they start look for: one could take what a test has kept for another.
func TestTestsGetOtherPortsThanReplicas(t *testing.T) {
	for range 600 { // More than a block of them.
		if port := freeport.Get(t); port >= lowestFreePort && port <= highestFreePort {
			t.Fatalf("a test gets port %d; replicas look for ports from %d to %d", port, lowestFreePort, highestFreePort)
		}
	}
}
